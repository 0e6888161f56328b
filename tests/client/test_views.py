"""Views of a client: what each adds to its requests, and that views do not affect each other."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from interactor_client.api.assistants import create_assistant, list_assistants
from interactor_client.models import CreateAssistantRequest
from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncInteractorClient,
    ConfigurationError,
    ConflictError,
    InteractorClient,
    InteractorError,
    NotFoundError,
    RateLimit,
    RetryPolicy,
    __version__,
)
from interactor_ext.limits import RateLimiter
from interactor_ext.tokens import MemoryTokenStore
from tests.support.modes import call, client_of, done, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT
from tests.support.wire import BODY, CORE, SECRET, Wire


@pytest.fixture
def wire() -> Wire:
    return Wire()


class AsyncTelemetry:
    async def sending(self, request: object) -> None: ...

    async def record(self, event: object) -> None: ...


def namespace_of(request: httpx.Request) -> bytes | None:
    return dict(request.headers.raw).get(b"X-Namespace")


@sync_and_async
@pytest.mark.parametrize("namespace", ["user_123", "Zoë", "日本 語", "a=b&c"])
def test_namespace_is_sent_as_utf_8(mode: str, wire: Wire, namespace: str) -> None:
    call(mode, wire.settings, lambda client: client.namespace(namespace).assistants.list())
    assert namespace_of(wire.last) == namespace.encode()
    assert wire.last.extensions["call"].namespace == namespace
    assert "namespace" not in wire.last.url.params
    assert namespace_of(wire.token_requests[0]) is None


@sync_and_async
async def test_views_do_not_affect_each_other(mode: str, wire: Wire) -> None:
    async with opened(mode, wire.settings) as client:
        a = client.namespace("a")
        b = a.namespace("b")
        quick = a.with_options(timeout=60, max_retries=2)
        assert quick.namespace("c").config is client.config
        for view in (client, a, b, quick, quick.namespace("c"), a, client):
            await view.assistants.list()
    assert [namespace_of(request) for request in wire.requests] == [None, b"a", b"b", b"a", b"c", b"a", None]
    assert [request.extensions["call"].max_retries for request in wire.requests] == [0, 0, 0, 2, 2, 0, 0]
    assert len(wire.token_requests) == 1


@pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": "1"}, "timeout"),
        ({"deadline": float("inf")}, "deadline"),
        ({"max_retries": -1}, "max_retries"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "a\nb"}, "idempotency_key"),
        ({"idempotency_key": "é"}, "idempotency_key"),
        ({"idempotency_key": " a"}, "idempotency_key"),
        ({"idempotency_key": "k" * 256}, "256 characters"),
        ({"idempotency_key": 5}, "must be a string"),
    ],
)
def test_invalid_view_option_raises_at_once(cls: Any, options: dict[str, Any], words: str, wire: Wire) -> None:
    client = cls(**wire.settings)
    with pytest.raises(ConfigurationError, match=words):
        client.with_options(**options)
    with pytest.raises(ConfigurationError, match="namespace"):
        client.namespace("")
    with pytest.raises(TypeError):
        client.with_options(mode="red")


NAMES = ["namespace", "with_options", "timeout", "deadline", "max_retries", "idempotency_key", "headers", "config"]
NAMES += ["client_secret", "api", "chat", "rooms", "assistants", "rate_limit", "is_closed", "anything"]


@pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
@pytest.mark.parametrize("name", NAMES)
def test_assigning_an_attribute_of_client_or_view_raises(cls: Any, name: str, wire: Wire) -> None:
    client = cls(**wire.settings)
    for owner in (client, client.namespace("a"), client.with_options(timeout=5), client.api, client.namespace("a").api):
        for kind in (AttributeError, ConfigurationError):
            with pytest.raises(kind, match=r'client\.namespace\("\.\.\."\)') as caught:
                setattr(owner, name, "user_77")
            assert "user_77" not in str(caught.value)
        assert getattr(owner, name, None) != "user_77"
    assert repr(client.namespace("b")).endswith("namespace='b')")


@pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
def test_assigning_an_attribute_of_a_resource_raises(cls: Any, wire: Wire) -> None:
    client = cls(**wire.settings)
    for resource in (client.rooms, client.assistants, client.workflow_instances):
        for name in ("namespace", "list", "iterate", "timeout"):
            with pytest.raises(AttributeError):
                setattr(resource, name, "user_77")
        with pytest.raises(AttributeError):
            client.config.namespace = "user_77"


@sync_and_async
def test_every_request_has_user_agent_accept_and_authorization_headers(mode: str, wire: Wire) -> None:
    call(mode, {**wire.settings, "user_agent_suffix": "acme/4.2"}, lambda client: client.assistants.list())
    headers = wire.last.headers
    assert headers["accept"] == "application/json"
    assert headers["authorization"] == "Bearer token_1"
    agent = headers["user-agent"]
    assert agent.startswith(f"interactor-sdk-python/{__version__} (python/3.")
    assert agent.endswith(f"httpx/{httpx.__version__}) acme/4.2")
    token_request = wire.token_requests[0]
    assert "authorization" not in token_request.headers
    assert token_request.headers["user-agent"] == agent
    assert json.loads(token_request.content) == {
        "grant_type": "client_credentials",
        "client_id": "client_x",
        "client_secret": SECRET,
    }


@sync_and_async
def test_scopes_are_sent_with_the_token_request(mode: str, wire: Wire) -> None:
    call(mode, {**wire.settings, "scopes": ["rooms:read", "rooms:write"]}, lambda client: client.get_access_token())
    assert json.loads(wire.token_requests[0].content)["scope"] == "rooms:read rooms:write"


@sync_and_async
async def test_deadline_counts_from_the_start_of_each_call(mode: str, wire: Wire) -> None:
    before = time.monotonic()
    async with opened(mode, wire.settings) as client:
        view = client.with_options(deadline=50)
        for user in (view, view, client):
            await user.assistants.list()
    first, second, without = (request.extensions["call"].ends_at for request in wire.requests)
    assert before + 50 <= first < second <= time.monotonic() + 50
    assert without is None


@sync_and_async
def test_timeout_none_uses_the_default_timeout(mode: str, wire: Wire) -> None:
    call(mode, {**wire.settings, "timeout": 7}, lambda client: client._http.get("/x", timeout=None))
    assert wire.last.extensions["timeout"] == {"connect": 5.0, "read": 7, "write": 7, "pool": 7}


def test_repr_of_request_extensions_shows_no_secret(wire: Wire) -> None:
    InteractorClient(**wire.settings).assistants.list()
    told = wire.last.extensions["call"]
    assert told.secrets == (SECRET,)
    assert SECRET not in f"{told} {told!r} {wire.last.extensions}"


# The request can't have arrived after these.
UNSENT = (httpx.PoolTimeout, httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError)
TRANSPORT_FAULTS = [
    (httpx.PoolTimeout("x"), APITimeoutError, "no connection was free within"),
    (httpx.ConnectTimeout("x"), APITimeoutError, "no connection within"),
    (httpx.ReadTimeout("x"), APITimeoutError, "may have arrived"),
    (httpx.WriteTimeout("x"), APITimeoutError, "may have arrived"),
    (httpx.ConnectError(""), APIConnectionError, r"no reason was given .*Check INTERACTOR_CORE_API_URL"),
    (httpx.ReadError(f"got client_secret={SECRET}"), APIConnectionError, "client_secret=\\*\\*\\*"),
    (httpx.ProxyError("407"), APIConnectionError, "407"),
    (httpx.WriteError("reset"), APIConnectionError, "reset"),
    (httpx.RemoteProtocolError("garbage"), APIConnectionError, "garbage"),
    (httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'"), APIConnectionError, "violates HTTP"),
    (httpx.DecodingError("bad gzip"), APIConnectionError, "can't be unpacked: bad gzip"),
    (httpx.TooManyRedirects("x"), APIConnectionError, "TooManyRedirects"),
    (httpx.InvalidURL("x"), APIConnectionError, "InvalidURL"),
    (OSError("broken pipe"), APIConnectionError, "broken pipe"),
    (UnicodeError("label too long"), APIConnectionError, "label too long"),
    (RuntimeError("a foreign transport's own"), APIConnectionError, "RuntimeError"),
]


@sync_and_async
@pytest.mark.parametrize(("fault", "cls", "words"), TRANSPORT_FAULTS, ids=lambda value: type(value).__name__)
def test_any_exception_of_a_transport_becomes_an_sdk_error(
    mode: str, fault: Exception, cls: type[InteractorError], words: str
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise fault

    with pytest.raises(cls, match=words) as caught:
        call(mode, Wire(fail).settings, lambda client: client.assistants.list())
    assert type(caught.value) is cls
    assert isinstance(caught.value, APIConnectionError)
    assert caught.value.sent is not isinstance(fault, UNSENT)
    assert pickle.loads(pickle.dumps(caught.value)).sent is caught.value.sent
    assert "GET /assistants at core.example" in str(caught.value)
    assert SECRET not in str(caught.value)
    if isinstance(fault, httpx.LocalProtocolError):  # the only one whose own text quotes what we sent
        assert SECRET not in "".join(traceback.format_exception(caught.value))


class TestIdempotencyKeys:
    @sync_and_async
    def test_each_call_that_takes_a_key_gets_a_new_one(self, mode: str, wire: Wire) -> None:
        for _ in range(2):
            call(mode, wire.settings, lambda client: client.assistants.create(**BODY))
        keys = [request.headers["idempotency-key"] for request in wire.requests]
        assert len({uuid.UUID(key) for key in keys}) == 2
        call(mode, wire.settings, lambda client: client.assistants.list())
        assert "idempotency-key" not in wire.last.headers

    @sync_and_async
    def test_view_option_sets_the_idempotency_key(self, mode: str, wire: Wire) -> None:
        for _ in range(2):
            call(
                mode, wire.settings, lambda client: client.with_options(idempotency_key="k1").assistants.create(**BODY)
            )
        assert [request.headers["idempotency-key"] for request in wire.requests] == ["k1", "k1"]

    @sync_and_async
    @pytest.mark.parametrize(
        ("key", "answers", "requests", "words"),
        [
            (None, ["lost", 409, 409, 201], 4, None),
            (None, [503, 409, 201], 3, None),
            (None, ["lost", 409, 409, 409], 4, "An earlier attempt may still be running"),
            (None, [409], 1, "doesn't allow this"),
            (None, [429, 409], 2, "doesn't allow this"),
            ("mine", ["lost", 409], 2, "earlier attempt may still be running, or the key was used for another body"),
            ("mine", [409], 1, "Use a new key"),
        ],
    )
    def test_409_of_a_repeat_with_an_automatic_key_is_waited_for(
        self, mode: str, key: str | None, answers: list[Any], requests: int, words: str | None
    ) -> None:
        """An earlier attempt may still be running: nobody else knows the key."""
        left = iter(answers)

        def answer(request: httpx.Request) -> httpx.Response:
            if (status := next(left)) == "lost":
                raise httpx.ReadTimeout("lost")
            return httpx.Response(status, json={"data": ASSISTANT} if status == 201 else {})

        wire = Wire(answer)
        settings = {**wire.settings, "max_retries": 3, "retry_policy": RetryPolicy(base_delay=0)}
        with nullcontext() if words is None else pytest.raises(ConflictError, match=words):
            call(mode, settings, lambda client: client.with_options(idempotency_key=key).assistants.create(**BODY))
        assert len(wire.requests) == requests
        assert len({request.headers["idempotency-key"] for request in wire.requests}) == 1

    @sync_and_async
    def test_endpoint_functions_get_an_idempotency_key_or_keep_their_own(self, mode: str, wire: Wire) -> None:
        body = CreateAssistantRequest(**BODY)  # type: ignore[arg-type]

        def create(**kwargs: Any) -> Callable[[Any], Any]:
            function = create_assistant.sync if mode == "sync" else create_assistant.asyncio
            return lambda client: function(client=client.namespace("a").api, body=body, **kwargs)

        call(mode, wire.settings, create())
        assert uuid.UUID(wire.last.headers["idempotency-key"])
        assert namespace_of(wire.last) == b"a"
        call(mode, wire.settings, create(idempotency_key="mine"))
        assert wire.last.headers["idempotency-key"] == "mine"
        count = len(wire.requests)
        with pytest.raises(ConfigurationError, match="idempotency_key"):
            call(mode, wire.settings, create(idempotency_key="é"))
        with pytest.raises(ValueError, match="X-Namespace"):
            call(mode, wire.settings, create(x_namespace="a\nb"))
        assert len(wire.requests) == count


class TestWhereTheTokenGoes:
    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/api/v1/assistants",
            "http://core.example/api/v1/assistants",
            "https://core.example:8443/api/v1/assistants",
            "https://core.example/api/v1evil",
            "https://core.example/other",
        ],
    )
    @sync_and_async
    def test_token_is_not_sent_to_other_urls(self, mode: str, url: str, wire: Wire) -> None:
        call(mode, wire.settings, lambda client: client._http.get(url))
        assert "authorization" not in wire.last.headers

    @sync_and_async
    def test_token_and_no_secret_is_sent_to_the_full_url_of_the_core_api(self, mode: str, wire: Wire) -> None:
        call(mode, wire.settings, lambda client: client._http.get(f"{CORE}/assistants"))
        assert wire.last.headers["authorization"] == "Bearer token_1"
        assert SECRET not in f"{wire.last.url} {wire.last.headers.multi_items()} {wire.last.content!r}"

    @sync_and_async
    def test_redirect_is_not_followed(self, mode: str) -> None:
        wire = Wire(lambda request: httpx.Response(302, headers={"Location": "https://evil.example/"}))
        with pytest.raises(APIStatusError, match="Redirects aren't followed"):
            call(mode, wire.settings, lambda client: client.assistants.list())
        assert len(wire.requests) == 1

    @sync_and_async
    async def test_no_cookie_is_stored_or_sent(self, mode: str) -> None:
        headers = {"Set-Cookie": "session=tenant_a; Path=/"}
        wire = Wire(lambda request: httpx.Response(200, json={"data": []}, headers=headers))

        async with client_of(mode, wire.settings) as client:
            view = client.namespace("a")
            for setting in (lambda: view._http.cookies.set("a", "b"), lambda: setattr(view._http, "cookies", {})):
                with pytest.raises(ConfigurationError, match="cookies"):
                    setting()
            for one in (view, view, client.namespace("b")):
                await done(one.assistants.list())
        assert len(wire.requests) == 3
        assert not [request for request in wire.requests if "cookie" in request.headers]


class TestClosing:
    @sync_and_async
    async def test_closing_the_client_closes_its_transport_once_and_closing_a_view_does_not(
        self, mode: str, wire: Wire
    ) -> None:
        async with opened(mode, wire.settings) as client:
            async with client.namespace("a") as user:
                await user.assistants.list()
            await user.aclose()
            async with user.api:
                pass
            await user._http.aclose()
            await user.assistants.list()
            assert (wire.closed, client.is_closed) == (0, False)
            await client.aclose()
        assert (wire.closed, client.is_closed, user.is_closed) == (1, True, True)
        assert "closed" in repr(client)
        assert "closed" in repr(user)


class TestApi:
    def test_api_of_a_sync_client_refuses_async_endpoint_functions_and_vice_versa(self, wire: Wire) -> None:
        sync_api = InteractorClient(**wire.settings).api
        async_api = AsyncInteractorClient(**wire.settings).api
        with pytest.raises(ConfigurationError, match="AsyncInteractorClient"):
            asyncio.run(list_assistants.asyncio(client=sync_api))
        with pytest.raises(ConfigurationError, match="InteractorClient"):
            list_assistants.sync(client=async_api)

    @pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
    def test_api_has_no_with_headers_with_cookies_or_with_timeout(self, cls: Any, wire: Wire) -> None:
        api = cls(**wire.settings).namespace("a").api
        for name in ("with_headers", "with_cookies", "with_timeout"):
            with pytest.raises(ConfigurationError, match="namespace"):
                getattr(api, name)({})
        assert repr(api) in ("ViewApi(namespace='a')", "AsyncViewApi(namespace='a')")

    @sync_and_async
    def test_endpoint_sync_raises_sdk_errors_and_sync_detailed_raises_none(self, mode: str) -> None:
        wire = Wire(lambda request: httpx.Response(404, text="<html>"))

        def plain(client: Any) -> Any:
            return (list_assistants.sync if mode == "sync" else list_assistants.asyncio)(client=client.api)

        def detailed(client: Any) -> Any:
            module = list_assistants
            return (module.sync_detailed if mode == "sync" else module.asyncio_detailed)(client=client.api)

        with pytest.raises(NotFoundError):
            call(mode, wire.settings, plain)
        response = call(mode, wire.settings, detailed)
        assert (response.status_code, response.content, response.parsed) == (404, b"<html>", None)

    @pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("rate_limiter", 5, "rate_limiter must be a RateLimiter, not int"),
            ("rate_limiter", RateLimiter, "rate_limiter must be a RateLimiter, not the class RateLimiter"),
            ("transport", "", "transport must be an? .*BaseTransport, not str"),
            ("telemetry", "x", "telemetry must be an object with the regular .* `sending`, `record`, not str"),
            ("telemetry", AsyncTelemetry(), "telemetry must be .* regular .not `async def`. methods .*, not AsyncTel"),
            ("token_store", MemoryTokenStore, "token_store must be an object .*, not the class MemoryTokenStore"),
            ("circuit_breaker", 0, "circuit_breaker"),
            ("token_store", "x", "token_store must be .* methods `load`, `save`, `lock`, not str"),
            ("retry_policy", "x", "retry_policy must be a RetryPolicy, not str"),
            ("config", {}, "config must be an InteractorConfig, not dict"),
            ("config", "x", "config must be an InteractorConfig, not str"),
        ],
    )
    def test_option_of_wrong_type_raises_configuration_error(
        self, cls: Any, name: str, value: object, expected: str, wire: Wire
    ) -> None:
        settings = {} if name == "config" else wire.settings
        with pytest.raises(ConfigurationError, match=expected):
            cls(**{**settings, name: value})

    @pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
    def test_async_transport_for_sync_client_and_vice_versa_is_refused(self, cls: Any, wire: Wire) -> None:
        other = httpx.AsyncHTTPTransport() if cls is InteractorClient else httpx.HTTPTransport()
        for transport in (other, "https://proxy"):
            with pytest.raises(ConfigurationError, match="transport must be"):
                cls(**{**wire.settings, "transport": transport})


def entered(stream: Any) -> Any:
    return stream.__enter__() if hasattr(stream, "__enter__") else stream.__aenter__()


def holds_itself() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    return circle


BAD_CALLS: list[Callable[[Any], Any]] = [
    lambda client: client.assistants.list(per_page=0),
    lambda client: client.assistants.list(per_page=101),
    lambda client: client.assistants.list(page=0),
    lambda client: client.messages.list("room_1", per_page="20"),
    lambda client: client.assistants.iterate(per_page=101),
    lambda client: client.assistants.iterate(prefetch=-1),
    lambda client: client.assistants.get(""),
    lambda client: client.assistants.get("."),
    lambda client: client.assistants.delete(".."),
    lambda client: client.rooms.stream(""),
    lambda client: client.credential_auth(".."),
    lambda client: client.assistants.create(**{**BODY, "temperature": float("nan")}),
    lambda client: client.assistants.create(**{**BODY, "name": "\ud800"}),
    lambda client: client.rooms.create(assistant_id="a", metadata=holds_itself()),
    lambda client: client.assistants.get("x" * 70_000),
    lambda client: client.credentials.list(provider="x" * 70_000),
    lambda client: client.credentials.list(provider="\ud800"),
    lambda client: entered(client.rooms.stream("x" * 70_000)),
]


@sync_and_async
@pytest.mark.parametrize("use", BAD_CALLS, ids=range(len(BAD_CALLS)))
def test_invalid_input_raises_before_sending(mode: str, use: Callable[[Any], Any], wire: Wire) -> None:
    with pytest.raises(ValueError, match=r"."):
        call(mode, wire.settings, use)
    assert wire.requests == []


@sync_and_async
@pytest.mark.parametrize(
    ("name", "path"),
    [("room_stream_url", "/rooms/a%2Fb%20c/stream"), ("workflow_stream_url", "/workflow-instances/a%2Fb%20c/stream")],
)
def test_stream_url_holds_encoded_token_and_namespace(mode: str, name: str, path: str, wire: Wire) -> None:
    url = call(mode, wire.settings, lambda client: getattr(client.namespace("x&y=Zoë"), name)("a/b c"))
    assert url.startswith(f"{CORE}{path}?")
    assert parse_qs(urlsplit(url).query) == {"token": ["token_1"], "namespace": ["x&y=Zoë"]}
    url = call(mode, wire.settings, lambda client: getattr(client, name)("r"))
    assert parse_qs(urlsplit(url).query) == {"token": ["token_2"]}
    with pytest.raises(ValueError, match="_id"):
        call(mode, wire.settings, lambda client: getattr(client, name)(".."))
    assert len(wire.token_requests) == 2


@sync_and_async
async def test_get_access_token_and_is_authenticated(mode: str, wire: Wire) -> None:
    async with client_of(mode, wire.settings) as client:
        assert client.is_authenticated() is False
        token = await done(client.get_access_token())
        assert (token, client.namespace("a").is_authenticated()) == ("token_1", True)


@sync_and_async
@pytest.mark.parametrize(
    ("status", "health", "token_valid"),
    [
        (200, "healthy", True),
        (403, "healthy", True),
        (404, "healthy", True),
        (429, "healthy", True),
        (500, "unhealthy", True),
        (503, "unhealthy", True),
        (401, "unhealthy", False),
        *((status, "unhealthy", True) for status in (302, 304, 400, 407, 451, 600, 777)),
    ],
)
def test_health_of_a_reachable_platform_is_healthy(mode: str, status: int, health: str, token_valid: bool) -> None:
    wire = Wire(lambda request: httpx.Response(status, json={"data": []}))
    found = call(mode, {**wire.settings, "max_retries": 3}, lambda client: client.health())
    assert (found.status, found.token_valid, found.error is None) == (health, token_valid, health == "healthy")
    assert 0 < found.latency_ms < 60_000
    assert len(wire.requests) == (2 if status == 401 else 1)
    assert (
        wire.last.extensions["call"].ends_at < time.monotonic() + 30
    )  # the timeout of one attempt is that of the call
    assert bool(found) == (health == "healthy")
    assert json.loads(json.dumps(found.to_dict()))["status"] == health


# A status that counts as healthy from the Core API does not from the account server.
NO_TOKEN: list[tuple[httpx.Response | Exception, str]] = [
    (httpx.ConnectError("refused"), "refused"),
    (httpx.Response(401, json={"error": "invalid_client"}), "client secret"),
    *((httpx.Response(status, json={"error": "no"}), "POST /oauth/token") for status in (403, 404, 429)),
]


@sync_and_async
@pytest.mark.parametrize(("answer", "words"), NO_TOKEN)
def test_health_without_a_token_is_unhealthy(mode: str, answer: httpx.Response | Exception, words: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    settings = {**Wire().settings, "transport": httpx.MockTransport(respond)}
    found = call(mode, settings, lambda client: client.health())
    assert (found.status, found.token_valid) == ("unhealthy", False)
    assert words in found.error


LIMITS = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "542", "X-RateLimit-Reset": "1705312800"}


@sync_and_async
async def test_rate_limit_has_the_last_limits_by_scope(mode: str) -> None:
    answers = iter(
        [
            {**LIMITS, "X-RateLimit-Scope": "client"},
            {**LIMITS, "X-RateLimit-Scope": "Namespace", "X-RateLimit-Remaining": "7"},
            {**LIMITS, "X-RateLimit-Remaining": "-3", "X-RateLimit-Limit": "many", "X-RateLimit-Reset": "nan"},
            {"X-RateLimit-Scope": "stream", "X-RateLimit-Limit": "9" * 400, "X-RateLimit-Remaining": "5"},
            {"X-RateLimit-Scope": "tokens", "X-RateLimit-Reset": "0"},
            {"X-RateLimit-Limit": "١٢"},
            {},
        ]
    )
    wire = Wire(lambda request: httpx.Response(200, json={"data": []}, headers=_utf8(next(answers))))

    async with opened(mode, wire.settings) as client:
        assert client.rate_limit == {}
        with pytest.raises(AttributeError, match=r"so write rate_limit\['client'\]\.remaining\. There is none before"):
            client.rate_limit.remaining  # noqa: B018
        a, b = client.namespace("a"), client.namespace("b")
        for view in (a, a, b, a, a, a, a):
            await view.assistants.list()
        of_a, of_b = a.rate_limit, b.rate_limit
    # The third answer had nothing that can be read, so the first still stands.
    assert of_a["client"] == of_b["client"] == RateLimit("client", 600, 542, 1705312800.0)
    assert of_a["namespace"] == RateLimit("namespace", 600, 7, 1705312800.0)
    assert "namespace" not in of_b
    assert of_a["stream"] == RateLimit("stream", None, 5, None)
    assert of_a["tokens"] == RateLimit("tokens", None, None, 0.0)


def _utf8(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
