"""Who may do what through the relay, and that nothing is sent upstream for those who may not."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from interactor_ext import ConfigurationError, InteractorClient, ToolSet
from interactor_ext.sandbox import Sandbox
from tests.support.pages import DOCS
from tests.support.relay_server import RelayServer, cookie_for

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]

# Every route that names a record, with `{}` in its place.
ROOM_ROUTES = [
    ("GET", "/rooms/{}/messages", None),
    ("POST", "/rooms/{}/messages", {"content": "Hello!"}),
    ("GET", "/rooms/{}/stream", None),
    ("PATCH", "/rooms/{}", {"name": "Orders"}),
    ("DELETE", "/rooms/{}", None),
]
INSTANCE_ROUTES = [
    ("GET", "/workflow-instances/{}", None),
    ("POST", "/workflow-instances/{}/input", {"approved": True}),
    ("GET", "/workflow-instances/{}/stream", None),
]
ROUTES = [*ROOM_ROUTES, *INSTANCE_ROUTES]
ALL = [*ROUTES, ("GET", "/rooms", None), ("POST", "/rooms", {"assistant_id": "asst_1"})]
BODIES = [route for route in ALL if route[2] is not None]
WRITES = [route for route in ALL if route[0] != "GET"]
READS = [route for route in ALL if route[0] == "GET"]
NOT_FOUND = b'{"error":{"code":"NOT_FOUND","message":"Not found."}}'


@contextmanager
def nothing_upstream(sandbox: Sandbox) -> Iterator[None]:
    before = len(sandbox.requests)
    yield
    assert [each.path for each in list(sandbox.requests)[before:]] == []


def raw(relay: RelayServer, method: str, target: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of a request whose path no client has made neat."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: 127.0.0.1:{relay.port}",
        f"Origin: {relay.origin}",
        f"Cookie: {cookie_for('user_1')}",
        "Connection: close",
        *([f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []),
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", relay.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), content


@pytest.mark.parametrize(("method", "route", "body"), ROUTES)
def test_records_of_another_namespace_are_answered_as_records_that_do_not_exist(
    relay: RelayServer,
    new_room: NewRoom,
    new_instance: Callable[[str], str],
    backend: InteractorClient,
    method: str,
    route: str,
    body: Any,
) -> None:
    make = new_room if route.startswith("/rooms") else new_instance
    mine, theirs = make("user_1"), make("user_2")
    unknown = theirs[:-4] + "0000"
    with relay.page("user_1") as page:
        with page.stream(method, route.format(mine), json=body) as own:
            assert own.is_success
            if "stream" not in route:
                assert "namespace" not in own.read().decode()
                assert own.headers["cache-control"] == "no-store"
        foreign = page.request(method, route.format(theirs), json=body)
        missing = page.request(method, route.format(unknown), json=body)
    assert (foreign.status_code, foreign.content) == (404, NOT_FOUND)
    assert (missing.status_code, missing.content) == (404, NOT_FOUND)
    assert without_date(foreign) == without_date(missing)
    if route.startswith("/rooms"):
        assert backend.namespace("user_2").messages.list(theirs).data == []
    else:
        assert backend.namespace("user_2").workflow_instances.get(theirs).status == "halted"


def without_date(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


# What is sent (None: without that header), to which routes, and how it is answered.
REFUSALS: dict[str, tuple[list[Any], dict[str, str | None], int, str]] = {
    **{
        f"cookie {cookie!r}": (ALL, {"cookie": cookie}, 401, "AUTH_ERROR")
        for cookie in ("", "session=user_1.0000", "session=user_1", "session=.", cookie_for("user_2")[:-1])
    },
    **{
        f"origin {origin!r}": (ALL, {"origin": origin}, 403, "FORBIDDEN")
        for origin in (
            *("https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "file://", ""),
            "https://app.example.evil.example",
        )
    },
    "write without an origin": (WRITES, {"origin": None}, 403, "FORBIDDEN"),
    # As for <img src="https://app.example/interactor/rooms/.../stream">.
    "read for another site": (READS, {"origin": None, "sec-fetch-site": "cross-site"}, 403, "FORBIDDEN"),
    **{
        f"content type {content_type!r}": (BODIES, {"content-type": content_type}, 415, "UNSUPPORTED_MEDIA_TYPE")
        for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp")
    },
}


@pytest.mark.parametrize(("routes", "headers", "status", "code"), REFUSALS.values(), ids=REFUSALS)
def test_refused_request_sends_nothing_upstream(
    sandbox: Sandbox,
    start_relay: StartRelay,
    new_room: NewRoom,
    routes: list[Any],
    headers: dict[str, str | None],
    status: int,
    code: str,
) -> None:
    room = new_room()
    with nothing_upstream(sandbox), start_relay(allowed_origins=["https://app.example"]).page() as page:
        for method, route, body in routes:
            request = page.build_request(method, route.format(room), json=body)
            for name, value in headers.items():
                request.headers.pop(name, None)
                if value is not None:
                    request.headers[name] = value
            answer = page.send(request)
            assert (route, answer.status_code, answer.json()["error"]["code"]) == (route, status, code)
            assert "access-control-allow-origin" not in answer.headers or status == 415


INVALID_BODIES = [
    *(b"", b"[]", b"{", b"\xff", b'"text"', b'{"content": "a\\ud800"}', b'{"content": NaN}', b"[" * 50_000, b"{}x"),
    b'{"content": "Hi", "more": 1e999}',
]
INVALID = [
    *((method, route, content) for content in INVALID_BODIES for method, route, _ in BODIES),
    *(
        ("POST", "/rooms/{}/messages", json.dumps(body).encode())
        for body in ({}, {"content": ""}, {"content": " \n"}, {"content": 3}, {"content": None})
    ),
    *(("PATCH", "/rooms/{}", json.dumps({"name": name}).encode()) for name in (None, "", " ", 3, "x" * 201)),
    *(
        ("POST", "/rooms", json.dumps({"assistant_id": "asst_1", **body}).encode())
        for body in ({"assistant_id": None}, {"assistant_id": "../asst_1"}, {"name": ""}, {"name": 3})
    ),
    *(
        ("GET", f"/rooms{path}?{query}", None)
        for path in ("", "/{}/messages")
        for query in ("page=0", "page=x", "page=-1", "page=1e9", "per_page=101", "per_page=0")
    ),
    ("GET", "/rooms?assistant_id=..", None),
]


@pytest.fixture
def unlimited(start_relay: StartRelay) -> RelayServer:
    return start_relay(writes_per_minute=10_000)


def test_invalid_body_or_query_gets_422_and_sends_nothing_upstream(
    subtests: pytest.Subtests, sandbox: Sandbox, unlimited: RelayServer
) -> None:
    for method, route, content in INVALID:
        with subtests.test(method=method):
            headers = {} if content is None else {"content-type": "application/json"}
            with nothing_upstream(sandbox), unlimited.page() as page:
                answer = page.request(method, route.format("room_0123456789abcdef"), content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")


def test_read_without_origin_is_answered(relay: RelayServer, new_room: NewRoom) -> None:
    with relay.page() as page:
        del page.headers["origin"]
        assert page.get(f"/rooms/{new_room()}/messages").status_code == 200


def test_allowed_origin_is_answered_with_its_name_and_credentials(start_relay: StartRelay, new_room: NewRoom) -> None:
    relay = start_relay(allowed_origins=["https://app.example"])
    room = new_room()
    with relay.page(origin="https://app.example") as page:
        for answer in (page.get(f"/rooms/{room}/messages"), page.say(room, "Hi"), page.get("/rooms/none/messages")):
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["vary"] == "Origin"
        with page.room_events(room) as stream:
            assert stream.response.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(("method", "route", "body"), ROUTES)
def test_preflight_of_an_allowed_origin_names_method_and_headers(
    sandbox: Sandbox, start_relay: StartRelay, method: str, route: str, body: Any
) -> None:
    relay = start_relay(allowed_origins=["https://app.example"])
    asked = {"access-control-request-method": method, "access-control-request-headers": "content-type,x-session"}
    with nothing_upstream(sandbox), relay.page(None, origin="https://app.example") as page:
        answer = page.options(route.format("room_0123456789abcdef"), headers=asked)
        refused = page.options(
            route.format("room_0123456789abcdef"), headers={**asked, "origin": "https://evil.example"}
        )
    assert answer.status_code == 204
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type,x-session"
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert refused.status_code == 403
    assert not [name for name in refused.headers if name.startswith("access-control")]


def test_page_by_https_behind_a_proxy_that_takes_off_the_tls_is_the_relays_own(
    relay: RelayServer, new_room: NewRoom
) -> None:
    room = new_room()
    with relay.page(origin="https://app.example", host="app.example") as page:
        assert page.say(room, "Hi").status_code == 201
    with relay.page(origin="https://app.example", host="app.example:443") as page:
        assert page.say(room, "Hi").status_code == 201


BAD_IDS = [
    *("", ".", "..", "a..b", "*", "a" * 129, "%2e%2e", "%00", "a%20b", "%c3%bc"),
    *("a%2fb", "a%2Fb", "a%252fb", "a%5cb", "..%2f..%2fassistants", "a%3fnamespace=user_2", "a%23"),
    *("a%0ab", "a%0d%0aX-Namespace:%20user_2"),
]


@pytest.mark.parametrize(("method", "route", "body"), ROUTES)
def test_path_that_holds_no_plain_id_gets_404_and_sends_nothing_upstream(
    method: str, route: str, body: Any, sandbox: Sandbox, relay: RelayServer
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    with nothing_upstream(sandbox):
        for bad in BAD_IDS:
            status, answer = raw(relay, method, f"/interactor{route.format(bad)}", body=content)
            assert (bad, status, answer) == (bad, 404, NOT_FOUND)


@pytest.mark.parametrize(
    "path",
    [
        *("", "assistants", "rooms/room_1/tool-results", "workflow-instances", "workflow-instances/wfi_1/cancel"),
        *("/rooms/room_1/messages", "rooms/room_1/messages/"),
        *("rooms/../workflow-instances/wfi_1", "rooms/%2e%2e/workflow-instances/wfi_1"),
        *("static/", "static/package.json", "static/../_http.py", "static/..%2f_http.py"),
    ],
)
def test_unknown_path_gets_404_and_sends_nothing_upstream(path: str, sandbox: Sandbox, relay: RelayServer) -> None:
    with nothing_upstream(sandbox):
        for method in ("GET", "POST"):
            assert raw(relay, method, f"/interactor/{path}") == (404, NOT_FOUND)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "HEAD"])
def test_wrong_method_gets_405_and_says_which_are_allowed(
    method: str, sandbox: Sandbox, relay: RelayServer, new_room: NewRoom
) -> None:
    room = new_room()
    with nothing_upstream(sandbox), relay.page() as page:
        answer = page.request(method, f"/rooms/{room}/messages")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST, OPTIONS"


def test_page_lists_the_methods_of_every_route(start_relay: StartRelay) -> None:
    """docs/how-to/web-page.md."""
    page_text = (DOCS / "how-to/web-page.md").read_text()
    listed: dict[str, list[str]] = {}
    for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/[\w{}/-]+)`", page_text):
        listed.setdefault(re.sub(r"{\w+}", "record_1", path), []).append(method)
    assert len(listed) == 10
    with start_relay(tools=ToolSet(), approvals=lambda *_: None, on_feedback=lambda *_: None).page() as page:
        for path, methods in listed.items():
            assert page.request("PUT", path).headers["allow"] == ", ".join([*methods, "OPTIONS"])


@pytest.mark.parametrize(("method", "route", "body"), BODIES)
def test_oversize_body_gets_413_and_sends_nothing_upstream(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, method: str, route: str, body: Any
) -> None:
    room = new_room()
    large = json.dumps({"content": "x" * 2000}).encode()
    chunks = [large[start : start + 100] for start in range(0, len(large), 100)]
    with nothing_upstream(sandbox), start_relay(max_body=1000).page() as page:
        for content in (large, iter(chunks)):
            headers = {"content-type": "application/json"}
            answer = page.request(method, route.format(room), content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TOO_LARGE")


def test_body_that_does_not_arrive_gets_408(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks.asgi._BODY_SECONDS", 0.05)
    room = new_room()
    with nothing_upstream(sandbox):
        status, _ = raw(
            relay, "POST", f"/interactor/rooms/{room}/messages", "Content-Length: 9", "Content-Type: application/json"
        )
    assert status == 408


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("takes_scope", [False, True])
def test_record_that_the_application_refuses_is_answered_as_one_that_does_not_exist_and_sends_nothing_upstream(
    sandbox: Sandbox,
    start_relay: StartRelay,
    new_room: NewRoom,
    new_instance: Callable[[], str],
    is_async: bool,
    takes_scope: bool,
) -> None:
    mine = {"/rooms": new_room(), "/workflow-instances": new_instance()}
    others = {"/rooms": new_room(), "/workflow-instances": new_instance()}

    def may_enter(namespace: str, record: str) -> bool:
        return namespace == "user_1" and record in mine.values()

    def may_enter_for(namespace: str, record: str, scope: Any) -> bool:
        return scope["method"] == method and may_enter(namespace, record)

    async def may_enter_async(namespace: str, record: str) -> bool:
        return may_enter(namespace, record)

    async def may_enter_async_for(namespace: str, record: str, scope: Any) -> bool:
        return may_enter_for(namespace, record, scope)

    decide = ((may_enter, may_enter_for), (may_enter_async, may_enter_async_for))[is_async][takes_scope]
    with start_relay(rooms=decide, instances=decide).page() as page:
        # A room is deleted last, and an instance may have only one input.
        for method, route, body in [each for each in ROUTES if each[0] != "DELETE"] + [ROOM_ROUTES[-1]]:
            collection = "/" + route.split("/")[1]
            with nothing_upstream(sandbox):
                answer = page.request(method, route.format(others[collection]), json=body)
            assert (method, route, answer.status_code, answer.content) == (method, route, 404, NOT_FOUND)
            with page.stream(method, route.format(mine[collection]), json=body) as allowed:
                assert (method, route, allowed.is_success) == (method, route, True)


def test_proxy_that_replaced_host_is_named_once_with_the_cure(
    start_relay: StartRelay, new_room: NewRoom, caplog: pytest.LogCaptureFixture
) -> None:
    relay, room = start_relay(), new_room()
    with relay.page(origin="http://localhost:5173", host="127.0.0.1:8000") as page:
        assert [page.say(room, "Hi").status_code for _ in range(3)] == [403] * 3
        page.options(f"/rooms/{room}/messages")
    with relay.page(origin="null") as page:
        assert page.say(room, "Hi").status_code == 403
    [record] = [record for record in caplog.records if record.name == "interactor.relay"]
    assert record.levelno == logging.WARNING
    for words in ('"http://localhost:5173"', '"127.0.0.1:8000"', "trust_forwarded_host=True", "allowed_origins=["):
        assert words in record.getMessage()
    with relay.page(host="x\ty") as page:
        for number in range(100):
            page.get("/rooms", headers={"origin": f"https://evil{number}.example"})
    told = [record.getMessage() for record in caplog.records if record.name == "interactor.relay"]
    assert len(told) == 20
    assert not [text for text in told if "\t" in text]


@pytest.mark.parametrize(
    ("trusted", "host", "status"),
    [
        (True, "localhost:5173", 201),
        (True, "localhost:5173, 10.0.0.1", 201),
        (True, "evil.example", 403),
        (True, None, 403),
        (False, "localhost:5173", 403),
    ],
)
def test_forwarded_host_counts_where_the_application_trusts_its_proxy(
    start_relay: StartRelay, new_room: NewRoom, trusted: bool, host: str | None, status: int
) -> None:
    forwarded = {} if host is None else {"x-forwarded-host": host}
    with start_relay(trust_forwarded_host=trusted).page(origin="http://localhost:5173", **forwarded) as page:
        assert page.say(new_room(), "Hi").status_code == status


@pytest.mark.parametrize(
    "outcome",
    [
        ConfigurationError("no"),
        RuntimeError("the key is s3cr3t"),
        SystemExit("s3cr3t"),
        asyncio.CancelledError("s3cr3t"),
        7,
        "",
        "a\nb",
        True,
    ],
)
def test_authorize_that_fails_gets_500_and_sends_nothing_upstream(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, caplog: pytest.LogCaptureFixture, outcome: Any
) -> None:
    def authorize(scope: Any) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    room = new_room()
    with nothing_upstream(sandbox), start_relay(authorize=authorize).page() as page:
        answer = page.get(f"/rooms/{room}/messages")
    is_unavailable = isinstance(outcome, ConfigurationError)
    assert answer.status_code == (503 if is_unavailable else 500)
    assert answer.json()["error"]["code"] == ("UNAVAILABLE" if is_unavailable else "INTERNAL_ERROR")
    assert "s3cr3t" not in answer.text
    [record] = [record for record in caplog.records if record.name == "interactor.relay"]
    assert record.levelno == logging.ERROR


def test_coroutine_function_authorizes(start_relay: StartRelay, new_room: NewRoom) -> None:
    async def authorize(scope: Any) -> str:
        return "user_1"

    with start_relay(authorize=authorize).page(None) as page:
        assert page.get(f"/rooms/{new_room()}/messages").status_code == 200


def test_each_person_of_a_namespace_has_writes_of_their_own(start_relay: StartRelay, new_room: NewRoom) -> None:
    def authorize(scope: Any) -> tuple[str, str]:
        return "user_1", dict(scope["headers"])[b"x-person"].decode()

    room, relay = new_room(), start_relay(writes_per_minute=60, authorize=authorize)
    with relay.page() as page:
        said = [page.say(room, "Hi", **{"x-person": "ann"}).status_code for _ in range(49)]
        assert said == [201] * 49
        while page.say(room, "Hi", **{"x-person": "ann"}).status_code != 429:
            pass  # on a slow machine a minute's writes come back meanwhile
        assert page.say(room, "Hi", **{"x-person": "bob"}).status_code == 201


def test_more_reads_than_a_user_may_make_get_429_and_send_nothing_upstream(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, new_instance: Callable[..., str]
) -> None:
    reads = ("/rooms", f"/rooms/{new_room()}/messages", f"/workflow-instances/{new_instance()}")
    other = new_room("user_2")
    with start_relay(reads_per_minute=3).page() as page:
        assert [page.get(path).status_code for path in reads] == [200] * 3
        with nothing_upstream(sandbox):
            refused = [page.get(path) for path in reads]
        assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [(429, "RATE_LIMITED")] * 3
        assert 1 <= int(refused[0].headers["retry-after"]) <= 20
        assert page.get(f"/rooms/{other}/messages", headers={"cookie": cookie_for("user_2")}).status_code == 200


def test_more_writes_than_a_namespace_may_make_get_429_and_send_nothing_upstream(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom
) -> None:
    room, other = new_room(), new_room("user_2")
    relay = start_relay(writes_per_minute=3)
    with relay.page() as page, relay.page("user_2") as another:
        assert [page.say(room, "Hi").status_code for _ in range(3)] == [201, 201, 201]
        with nothing_upstream(sandbox):
            answer = page.say(room, "Hi")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        assert another.say(other, "Hi").status_code == 201
