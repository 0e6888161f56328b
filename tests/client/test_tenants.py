"""Tenants: no request of a view names another namespace than the view has, `require_namespace`, and `for_event`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from interactor_client.api.assistants import create_assistant, list_assistants
from interactor_client.models import CreateAssistantRequest
from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient, InteractorError, ToolSet
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import parse_event
from tests.support.contract import operations
from tests.support.every_request import ON_THE_ACCOUNT_SERVER, ROWS, Row, enter, of_endpoint
from tests.support.modes import call, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT
from tests.support.wire import ACCOUNT, BODY, CORE, Wire

pytest_plugins = ["tests.support.sandbox_fixtures"]
OWN, OTHER = "user_2", "user_1"


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/stream"):
        return httpx.Response(204)
    if request.method == "POST":
        return httpx.Response(201, json={"data": ASSISTANT})
    return httpx.Response(200, json={"keys": []} if "jwks" in request.url.path else {"data": []})


@pytest.fixture
def wire() -> Wire:
    return Wire(answer)


def http_of(view: Any) -> Any:
    return view.api.get_async_httpx_client() if isinstance(view, AsyncInteractorClient) else view.api.get_httpx_client()


def endpoint(view: Any, module: Any, suffix: str = "", **given: Any) -> Any:
    function = ("asyncio" if isinstance(view, AsyncInteractorClient) else "sync") + suffix
    return getattr(module, function)(client=view.api, **given)


def after_change(view: Any, change: Callable[[httpx.Request], object]) -> Any:
    http = http_of(view)
    request = http.build_request("GET", "/assistants")
    change(request)
    return http.send(request)


def of_changed_client(view: Any, **settings: Any) -> Any:
    http = http_of(view)
    for name, value in settings.items():
        setattr(http, name, value)
    return http.get("/assistants")


NEW = CreateAssistantRequest(**BODY)  # type: ignore[arg-type]
WAYS: dict[str, Callable[[Any, str], Any]] = {
    "x_namespace=": lambda view, name: endpoint(view, list_assistants, x_namespace=name),
    "namespace=": lambda view, name: endpoint(view, list_assistants, namespace=name),
    "x_namespace=, detailed": lambda view, name: endpoint(view, list_assistants, "_detailed", x_namespace=name),
    "x_namespace=, a write": lambda view, name: endpoint(view, create_assistant, body=NEW, x_namespace=name),
    "params=": lambda view, name: http_of(view).get("/assistants", params={"namespace": name}),
    "params=, other letters": lambda view, name: http_of(view).get("/assistants", params={"NameSpace": name}),
    "params=, repeated": lambda view, name: http_of(view).get("/x", params=[("namespace", OWN), ("namespace", name)]),
    "query": lambda view, name: http_of(view).get(f"/assistants?page=1&namespace={name}"),
    "query, encoded": lambda view, name: http_of(view).get(f"/assistants?n%61mespace={name}"),
    "query, whole URL": lambda view, name: http_of(view).get(f"{CORE}/assistants?namespace={name}"),
    "header": lambda view, name: http_of(view).get("/assistants", headers={"x-NAMESPACE": name}),
    "header, repeated": lambda view, name: http_of(view).get(
        "/assistants", headers=[("X-Namespace", OWN), ("x-namespace", name)]
    ),
    "stream": lambda view, name: enter(http_of(view).stream("GET", "/rooms/r/stream", params={"namespace": name})),
    "request, params=": lambda view, name: view.request("GET", "/things", params={"Namespace": name}),
    "request, headers=": lambda view, name: view.request("GET", "/things", headers={"x-namespace": name}),
    "with_options, query=": lambda view, name: view.with_options(query={"namespace": name}).assistants.list(),
    "with_options, headers=": lambda view, name: view.with_options(headers={"X-Namespace": name}).assistants.list(),
    "with_options, a stream": lambda view, name: enter(view.with_options(query={"namespace": name}).rooms.stream("r")),
    "changed after it was built": lambda view, name: after_change(
        view, lambda request: request.headers.update({"X-Namespace": name})
    ),
    "built by another view": lambda view, name: http_of(view).send(
        http_of(view.namespace(name)).build_request("GET", "/x")
    ),
    "params of the HTTP client": lambda view, name: of_changed_client(view, params={"namespace": name}),
    "made by hand": lambda view, name: http_of(view).send(
        httpx.Request("GET", f"{CORE}/assistants", headers={"X-Namespace": name})
    ),
}
WITHOUT = {
    "header removed": lambda view, name: after_change(view, lambda request: request.headers.pop("X-Namespace")),
    "made by hand without one": lambda view, name: http_of(view).send(httpx.Request("GET", f"{CORE}/assistants")),
}


def namespaces(request: httpx.Request) -> list[str]:
    return [value.decode() for name, value in request.headers.raw if name.lower() == b"x-namespace"]


def event_of(namespace: str | None, kind: str = "credential.expired", **data: Any) -> Any:
    return parse_event(json.dumps({"id": "evt_1", "event": kind, "namespace": namespace, "data": data}))


VIEWS: list[Callable[[Any], Any]] = [
    lambda client: client.namespace(OWN),
    lambda client: client.namespace(OTHER).for_event(event_of(OWN)),
    lambda client: client.for_event(event_of(None)),
]


@sync_and_async
@pytest.mark.parametrize(
    ("view", "name", "way"),
    [*((view, *way) for view in VIEWS for way in WAYS.items()), *((VIEWS[0], *way) for way in WITHOUT.items())],
)
def test_request_of_a_view_that_names_another_namespace_is_not_sent(view: Any, name: str, way: Any, mode: str) -> None:
    wire = Wire(answer)
    with pytest.raises(ConfigurationError, match=r"client\.namespace\("):
        call(mode, {**wire.settings, "namespace": OTHER}, lambda client: way(view(client), OTHER))
    assert (wire.requests, wire.token_requests) == ([], [])


@sync_and_async
@pytest.mark.parametrize(("name", "way"), WAYS.items())
def test_request_of_a_view_may_repeat_its_namespace(name: str, way: Any, mode: str) -> None:
    wire = Wire(answer)
    call(mode, wire.settings, lambda client: way(client.namespace(OWN), OWN))
    assert namespaces(wire.last) == [OWN]
    assert wire.last.extensions["call"].namespace == OWN


@sync_and_async
@pytest.mark.parametrize(
    "row",
    [
        of_endpoint(tag, operation_id, suffix, x_namespace=OTHER)
        for operation_id, tag in operations()
        if tag != "oauth" and not operation_id.startswith("stream_")
        for suffix in ("", "_detailed")
    ],
)
def test_no_endpoint_function_reaches_another_namespace_than_its_view_has(row: Row, mode: str) -> None:
    wire = Wire(answer)
    with pytest.raises(
        ConfigurationError, match=r"is for namespace 'user_2', but .* names 'user_1'\. Nothing was sent"
    ):
        call(mode, wire.settings, lambda client: row.use(client.namespace(OWN)))
    assert (wire.requests, wire.token_requests) == ([], [])


# --- A client without a namespace


@sync_and_async
def test_endpoint_function_of_a_client_without_a_namespace_may_name_one(mode: str, wire: Wire) -> None:
    settings = {**wire.settings, "require_namespace": True}
    for given in ({"x_namespace": "a"}, {"namespace": "a"}, {"x_namespace": "a", "namespace": "a"}):
        call(mode, settings, lambda client, given=given: endpoint(client, list_assistants, **given))
        assert wire.last.extensions["call"].namespace == "a"
    count = len(wire.requests)
    for given in ({"x_namespace": "a", "namespace": "b"}, {"x_namespace": ""}, {"namespace": "a\nb"}):
        with pytest.raises(ConfigurationError, match="namespace"):
            call(mode, settings, lambda client, given=given: endpoint(client, list_assistants, **given))
    assert len(wire.requests) == count


OF_THE_ACCOUNT = ON_THE_ACCOUNT_SERVER | {"get_access_token", "health"}


@sync_and_async
def test_every_call_without_a_namespace_that_is_not_the_accounts_is_refused(
    subtests: pytest.Subtests, mode: str
) -> None:
    for row in ROWS:
        with subtests.test(row=row):
            wire = Wire(answer)
            settings = {**wire.settings, "require_namespace": True}

            if row.name in OF_THE_ACCOUNT:
                result = call(mode, settings, row.use)
                assert wire.requests or wire.token_requests
                assert not row.returns or result.status == "healthy"
            else:
                with pytest.raises(ConfigurationError, match=r"client\.namespace\("):
                    call(mode, settings, row.use)
                assert wire.token_requests == []
            assert [request for request in wire.requests if not str(request.url).startswith(ACCOUNT)] == []


@sync_and_async
async def test_health_of_a_client_that_requires_a_namespace_asks_the_account_server_alone(
    mode: str, wire: Wire
) -> None:
    async with opened(mode, {**wire.settings, "require_namespace": True}) as client:
        for _ in range(2):
            found = await client.health()
            assert (found.status, found.token_valid) == ("healthy", True)
        assert [str(request.url) for request in wire.requests] == [f"{ACCOUNT}/oauth/jwks"]
        assert (await client.namespace("a").health()).status == "healthy"
    assert (wire.last.url.path, namespaces(wire.last)) == ("/api/v1/assistants", ["a"])


@sync_and_async
def test_account_server_gets_no_bearer_token_at_the_core_apis_address_either(mode: str, wire: Wire) -> None:
    call(mode, {**wire.settings, "account_server_url": CORE}, lambda client: client.oauth.get_jwks())
    assert "authorization" not in wire.last.headers
    assert wire.token_requests == []


def test_client_of_a_sandbox_requires_no_namespace_unless_told(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_REQUIRE_NAMESPACE", "1")
    with sandbox.client() as client:
        assert client.assistants.list().data == []
    with sandbox.client(require_namespace=True) as client, pytest.raises(ConfigurationError):
        client.assistants.list()


# --- Events


@sync_and_async
async def test_for_event_is_the_view_of_the_events_tenant(mode: str, wire: Wire) -> None:
    async with opened(mode, {**wire.settings, "require_namespace": True}) as client:
        for given in (client, client.namespace("other").with_options(headers={"X-A": "1"})):
            for event in (event_of("user_ü"), event_of(None), event_of(""), event_of("a", kind="of.the.future")):
                await given.for_event(event).assistants.list()
    assert [namespaces(request) for request in wire.requests] == [["user_ü"], [], [], ["a"]] * 2
    assert [request.headers.get("x-a") for request in wire.requests] == [None] * 4 + ["1"] * 4


@pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("user_1", "needs a webhook event, as handlers get it, not str"),
        ({"namespace": "user_1"}, "needs a webhook event, as handlers get it, not dict"),
        (None, "not NoneType"),
        (event_of("a\nb"), "control character"),
        (event_of(" a"), "white space"),
    ],
)
def test_what_is_no_event_of_a_tenant_has_no_view(cls: Any, event: Any, words: str, wire: Wire) -> None:
    with pytest.raises(ConfigurationError, match=words):
        cls(**wire.settings).for_event(event)


@sync_and_async
@pytest.mark.parametrize("namespace", ["user_1", None])
def test_tools_answer_an_event_in_its_namespace_where_one_is_required(
    namespace: str | None, mode: str, wire: Wire
) -> None:
    tools = ToolSet()

    @tools.tool
    def look_up() -> str:
        """Look up."""
        return "found"

    data = {"tool_call_id": "tc_1", "room_id": "room_1", "tool_id": "tool_1", "tool_name": "look_up", "arguments": {}}
    event = event_of(namespace, "room.tool_call.pending", **data)
    with contextlib.suppress(InteractorError):  # of the response, which is no message
        call(mode, {**wire.settings, "require_namespace": True}, lambda client: tools.run(client, event))
    assert wire.requests[0].url.path.endswith("/tool-results")
    assert namespaces(wire.requests[0]) == ([] if namespace is None else [namespace])
