"""Headers, query and `on_response` of a view, and `client.request`: what is sent, what is refused, what is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    AsyncInteractorClient,
    ConfigurationError,
    InteractorClient,
    NotFoundError,
    ResponseInfo,
    RetryPolicy,
    ServerError,
)
from interactor_ext.sandbox import Sandbox
from tests.support.modes import call, opened, sync_and_async
from tests.support.wire import CORE, SECRET, Wire

pytest_plugins = ["tests.support.sandbox_fixtures"]
both = pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])


@pytest.fixture
def wire() -> Wire:
    return Wire()


@sync_and_async
async def test_headers_and_query_of_a_view_are_added_to_those_of_the_view_before(mode: str, wire: Wire) -> None:
    async with opened(mode, wire.settings) as client:
        first = client.with_options(headers={"X-A": "1", "X-B": "2"}, query={"a": 1, "many": ["x", "y"]})
        second = first.namespace("t").with_options(headers={"x-b": None, "X-C": "ä ö"}, query={"a": None, "b": True})
        for view in (client, first, second, first):
            await view.assistants.list(page=2)
    plain, first, second, again = wire.requests
    names = ("x-a", "x-b", "x-c")
    assert [plain.headers.get(name) for name in names] == [None, None, None]
    assert [first.headers.get(name) for name in names] == ["1", "2", None]
    assert [second.headers.get(name) for name in names] == ["1", None, "ä ö"]
    assert dict(second.headers.raw)[b"x-c"] == "ä ö".encode()
    assert second.headers["x-namespace"] == "t"
    assert str(plain.url.params) == "page=2"
    assert str(first.url.params) == str(again.url.params) == "a=1&many=x&many=y&page=2"
    assert str(second.url.params) == "many=x&many=y&b=true&page=2"


@sync_and_async
async def test_what_a_method_sets_itself_beats_headers_and_query_of_its_view(mode: str, wire: Wire) -> None:
    async with opened(mode, wire.settings) as client:
        view = client.with_options(headers={"Accept": "text/csv", "User-Agent": "mine"}, query={"page": 7})
        await view.assistants.list(page=2)
        await view.assistants.list()
    assert [request.url.params["page"] for request in wire.requests] == ["2", "7"]
    assert wire.last.headers["user-agent"] == "mine"


REFUSED_HEADERS: list[tuple[Any, str]] = [
    *(
        ({name: "x"}, f"{name} can't be set")
        for name in (
            *("Authorization", "authorization", "X-Namespace", "x-NAMESPACE", "Idempotency-Key", "Host"),
            *("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer", "Upgrade"),
            *("Expect", "Content-Length"),
            *("Transfer-Encoding", "Cookie", "Accept-Encoding", "Content-Type", "Content-Encoding", "Last-Event-ID"),
        )
    ),
    *(
        ({"X-A": value}, "contains a control character")
        for value in ("a\r\nb: c", "a\nb", "a\rb", "a\0b", "\ud800", "a\x7f")
    ),
    *(({"X-A": value}, "white space") for value in (" a", "a ", "a\r\n", "\ta")),
    *(({"X-A": value}, "must be a string, not") for value in (5, b"a", ["a"], True)),
    *(({name: "x"}, "isn't a valid header name") for name in ("", "X A", "X-A:", "X\r\nA", "é", b"X-A", 5, None)),
    *((value, "must be a mapping") for value in ([("X-A", "x")], "X-A: x", 5)),
]
REFUSED_QUERY: list[tuple[Any, str]] = [
    *(({name: "x"}, "can't be set") for name in ("namespace", "Namespace", "token", "access_token")),
    *(({"a": value}, "control character") for value in ("a\r\nb", "a\0b", ["x", "a\nb"], "\ud800")),
    *(({"a": value}, "must be a string, a number") for value in (b"a", object(), {"b": 1}, [None], [["x"]])),
    *(({name: "x"}, "isn't a valid parameter name") for name in ("", "a\nb", 5, None)),
    *((value, "must be a mapping") for value in ([("a", "x")], "a=x")),
]


@both
@pytest.mark.parametrize(("headers", "words"), REFUSED_HEADERS)
def test_refused_header_raises_configuration_error(cls: Any, headers: Any, words: str, wire: Wire) -> None:
    client = cls(**wire.settings)
    with pytest.raises(ConfigurationError, match=words):
        client.with_options(headers=headers)


@both
@pytest.mark.parametrize(("query", "words"), REFUSED_QUERY)
def test_refused_query_parameter_raises_configuration_error(cls: Any, query: Any, words: str, wire: Wire) -> None:
    with pytest.raises(ConfigurationError, match=words):
        cls(**wire.settings).with_options(query=query)


def test_value_of_a_refused_header_is_not_quoted(wire: Wire) -> None:
    for headers in (
        {"Authorization": "Bearer abcdef123456"},
        {"X-Key": "abcdef123456\r\n"},
        {"X-Key": "abc\ndef123456"},
    ):
        with pytest.raises(ConfigurationError) as caught:
            InteractorClient(**wire.settings).with_options(headers=headers)
        assert "def123456" not in str(caught.value)


@both
def test_repr_of_a_view_shows_names_of_its_headers_only(cls: Any, wire: Wire) -> None:
    view = cls(**wire.settings).with_options(headers={"X-Api-Key": "abcdef123456"}, query={"q": "abcdef123456"})
    shown = f"{view!r} {view.api!r} {view._view!r} {view._http.view}"
    assert "abcdef123456" not in shown
    assert "x-api-key" in shown


# --- on_response


@sync_and_async
def test_on_response_is_told_of_each_answer_once_with_its_retries(sandbox: Sandbox, mode: str) -> None:
    sandbox.faults.add("get_room", status=503, times=2)
    told: list[ResponseInfo] = []
    outer: list[str] = []
    policy = RetryPolicy(base_delay=0.001, max_delay=0.01)

    def use(client: Any) -> Any:
        view = client.with_options(on_response=lambda info: outer.append(info.operation))
        return view.with_options(on_response=told.append).rooms.get("room_1")

    settings = sandbox._with_connection({"namespace": "user_1", "retry_policy": policy})
    with pytest.raises(NotFoundError) as caught:
        call(mode, settings, use)
    (info,) = told
    assert (info.operation, info.status, info.retries) == ("get_room", 404, 2)
    assert info.request_id == info.headers["X-REQUEST-ID"] == caught.value.request_id
    assert 0 < info.elapsed < 60
    assert outer == ["get_room"]


@sync_and_async
def test_on_response_that_raises_is_logged_and_breaks_no_call(
    mode: str, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "interactor")
    told: list[ResponseInfo] = []

    def fail(info: ResponseInfo) -> None:
        raise ZeroDivisionError("mine")

    def use(client: Any) -> Any:
        return client.with_options(on_response=fail).with_options(on_response=told.append).assistants.list()

    assert call(mode, wire.settings, use).data == []
    assert len(told) == 1
    assert "on_response failed. The call goes on." in caplog.text
    assert "ZeroDivisionError: mine" in caplog.text


async def later(*_: object) -> None: ...


class Later:
    async def __call__(self, *_: object) -> None: ...


CALLBACKS: dict[str, Callable[[Any, Any], object]] = {
    "on_response": lambda client, callback: client.with_options(on_response=callback),
    "on_invalid": lambda client, callback: client.assistants.iterate(on_invalid=callback),
    "on_invalid of a stream": lambda client, callback: client.rooms.stream("room_1", on_invalid=callback),
    "on_reconnect": lambda client, callback: client.rooms.stream("room_1", on_reconnect=callback),
}


@both
@pytest.mark.parametrize("name", CALLBACKS)
def test_callback_that_would_not_run_is_refused_at_once(cls: Any, name: str, wire: Wire) -> None:
    client, awaited = cls(**wire.settings), cls is AsyncInteractorClient and name != "on_response"
    for callback in ("print", 5, *(() if awaited else (later, partial(later), Later()))):
        words = (
            f"{name.split()[0]} must be a {'function, not' if awaited else 'regular function .`def`, not `async def`'}"
        )
        with pytest.raises(ConfigurationError, match=words):
            CALLBACKS[name](client, callback)
    CALLBACKS[name](client, later if awaited else print)


@both
@pytest.mark.parametrize("value", ["5", -1, float("nan"), []])
def test_wrong_number_of_reconnects_is_refused_at_once(cls: Any, value: Any, wire: Wire) -> None:
    with pytest.raises(ConfigurationError, match="max_reconnects must be a number from 0 up, not "):
        cls(**wire.settings).rooms.stream("room_1", max_reconnects=value)


# --- request


@sync_and_async
def test_request_has_token_namespace_and_options_and_returns_the_response(mode: str, wire: Wire) -> None:
    def use(client: Any) -> Any:
        view = client.namespace("user_1").with_options(headers={"X-A": "1", "X-B": "1"}, query={"dry": True})
        return view.request(
            "post", "/things/a%2Fb c", params={"page": 2, "of": None}, json={"x": [1]}, headers={"X-B": "2"}
        )

    response = call(mode, wire.settings, use)
    assert isinstance(response, httpx.Response)
    assert (response.status_code, response.json()["data"]["id"]) == (201, "asst_1")
    request = wire.last
    assert (request.method, str(request.url)) == ("POST", f"{CORE}/things/a%2Fb%20c?dry=true&page=2")
    assert json.loads(request.content) == {"x": [1]}
    assert request.headers["authorization"] == "Bearer token_1"
    assert (request.headers["x-namespace"], request.headers["x-a"], request.headers["x-b"]) == ("user_1", "1", "2")
    assert "idempotency-key" not in request.headers


@sync_and_async
@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (302, APIStatusError), (503, ServerError)])
def test_request_raises_the_error_of_its_status(mode: str, status: int, error: type[Exception]) -> None:
    wire = Wire(lambda request: httpx.Response(status, json={"error": {"code": "X", "message": f"no {SECRET}"}}))
    with pytest.raises(error) as caught:
        call(mode, wire.settings, lambda client: client.request("GET", "/things/th_1"))
    assert "GET /api/v1/things/th_1" in str(caught.value)
    assert SECRET not in str(caught.value)


@sync_and_async
def test_secret_in_headers_or_query_is_in_no_error(mode: str) -> None:
    heard = ("x-partner-key", "x-gateway-token", "x-team")

    def answer(request: httpx.Request) -> httpx.Response:
        said = [*(request.headers.get(name, "") for name in heard), *request.url.params.values()]
        return httpx.Response(400, json={"error": {"code": "X", "message": f"bad: {' '.join(said)}"}})

    wire = Wire(answer)
    headers, params = (
        {"X-Gateway-Token": "secret_4a77d1", "X-Partner-Key": "secret_77b1e0", "X-Team": "support"},
        {"api_key": "secret_9c0f21", "q": "tea"},
    )
    with pytest.raises(APIStatusError) as caught:
        call(mode, wire.settings, lambda c: c.request("GET", "/x", headers=headers, params=params))
    assert "bad: *** *** support *** tea" in str(caught.value)
    with pytest.raises(APIStatusError) as caught:
        call(mode, wire.settings, lambda c: c.with_options(headers=headers, query=params).assistants.list())
    assert "bad: *** *** support *** tea" in str(caught.value)


REFUSED_PATHS = [
    *("/../x", "/..", "/things/../x", "/./x", "/.", "/%2e%2e/x", "/%2E./x", "/.%2e/x"),
    *("/a%2f..%2fx", "/..;/x", "/.. /x", "/..%20/x", "/..;a=b/x", "/a%2F%2E%2E", "\\x", "/\\evil.example/x"),
    *("/a\\..\\x", "/%5c.."),
    *("https://evil.example/x", "http:/x", "//evil.example/x", "///x", "evil.example", "", "x", "?x", "@evil.example"),
    *("/x?a=b", "/x#a", "/things//x", "/things/", "/", "/a\r\nX: y", "/a\nb", "/a\0b", "/a%0d%0ab", "/a%00"),
    *("/\ud800", 5, None, b"/x"),
]


@sync_and_async
@pytest.mark.parametrize("path", REFUSED_PATHS, ids=ascii)
def test_path_that_leads_elsewhere_is_refused_before_anything_is_sent(mode: str, path: Any, wire: Wire) -> None:
    with pytest.raises(ValueError, match="Nothing was sent"):
        call(mode, wire.settings, lambda client: client.request("DELETE", path))
    assert (wire.requests, wire.token_requests) == ([], [])


@sync_and_async
@pytest.mark.parametrize(
    "path", ["/x", "/x/..y", "/x/a..b", "/x/...", "/x/a%2Fb", "/x/ä", "/x/a:b@c", "/x/100%", "/x/%C3%A4"]
)
def test_path_that_stays_is_sent_below_the_core_api(mode: str, path: str, wire: Wire) -> None:
    call(mode, wire.settings, lambda client: client.request("GET", path))
    assert wire.last.url.host == "core.example"
    assert wire.last.url.path.startswith("/api/v1/x")


@sync_and_async
def test_other_wrong_arguments_of_request_are_refused_before_anything_is_sent(mode: str, wire: Wire) -> None:
    wrong: list[tuple[type[Exception], Callable[[Any], Any]]] = [
        *((ValueError, lambda c, m=m: c.request(m, "/x")) for m in ("CONNECT", "TRACE", "", "GET /", "G\nT", None, 5)),
        (ValueError, lambda c: c.request("POST", "/x", json={"a": float("nan")})),
        (ValueError, lambda c: c.request("POST", "/x", json={"a": "\ud800"})),
        *(
            (ConfigurationError, lambda c, h=h: c.request("GET", "/x", headers=h))
            for h in ({"Host": "x"}, {"A": "b\nc"})
        ),
        (ConfigurationError, lambda c: c.request("GET", "/x", headers={"X-Namespace": "other"})),
        (ConfigurationError, lambda c: c.request("GET", "/x", headers={"Idempotency-Key": ""})),
        (ConfigurationError, lambda c: c.request("GET", "/x", params={"namespace": "other"})),
    ]
    for error, use in wrong:
        with pytest.raises(error):
            call(mode, wire.settings, use)
    assert (wire.requests, wire.token_requests) == ([], [])


@sync_and_async
@pytest.mark.parametrize(
    ("method", "headers", "key", "attempts"),
    [
        ("GET", {}, None, 3),
        ("HEAD", {}, None, 3),
        ("PUT", {}, None, 3),
        ("DELETE", {}, None, 3),
        ("POST", {}, None, 1),
        ("PATCH", {}, None, 1),
        ("POST", {"idempotency-key": "k"}, None, 3),
        ("PATCH", {"Idempotency-Key": "k"}, "other", 3),
        ("POST", {}, "k", 3),
        ("PUT", {}, "k", 3),
        ("DELETE", {}, "k", 3),
    ],
)
def test_request_is_repeated_only_where_that_does_no_harm(
    mode: str, method: str, headers: dict[str, str], key: str | None, attempts: int
) -> None:
    for fault in (httpx.ReadError("reset"), 503):

        def answer(request: httpx.Request) -> httpx.Response:
            if isinstance(fault, Exception):  # noqa: B023
                raise fault  # noqa: B023
            return httpx.Response(fault)  # noqa: B023

        wire = Wire(answer)
        settings = {**wire.settings, "max_retries": 2, "retry_policy": RetryPolicy(base_delay=0)}
        with pytest.raises(APIConnectionError if isinstance(fault, Exception) else ServerError):
            call(mode, settings, lambda c: c.with_options(idempotency_key=key).request(method, "/x", headers=headers))
        assert len(wire.requests) == attempts
        sent = {request.headers.get("idempotency-key") for request in wire.requests}
        assert sent == ({"k"} if headers or key else {None})


@sync_and_async
@pytest.mark.parametrize(("options", "query"), [({"headers": {"X-A": "1"}}, "a=b"), ({"query": {"c": 1}}, "c=1&a=b")])
def test_extras_keep_the_query_of_a_url(mode: str, options: Any, query: str, wire: Wire) -> None:
    call(mode, wire.settings, lambda client: client.with_options(**options)._http.get("/things?a=b"))
    assert str(wire.last.url.params) == query
