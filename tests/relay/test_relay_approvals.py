"""Calls of tools that wait for a person, through the relay: decided by those who may, and by nobody else."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient, ToolSet
from interactor_ext.relay import Relay
from interactor_ext.sandbox import Sandbox
from interactor_ext.tools import ToolContext
from tests.support.relay_server import RelayServer
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]
CAROL = {"x-person": "carol"}
REFUND = {"content": '/tool refund {"order": "o_1", "amount": 250, "score": "fraud"}'}


class Refunds(ToolSet):
    def __init__(self) -> None:
        super().__init__()
        self.paid: list[str] = []
        self.go = threading.Event()
        self.go.set()

        @self.tool(approval=True, show=("order", "amount"))
        def refund(order: str, amount: int, score: str = "") -> str:
            """Pays a customer back."""
            assert self.go.wait(60)
            self.paid.append(order)
            return "paid"


def manager(namespace: str, room: str, scope: Any) -> str | None:
    cookie = dict(scope["headers"]).get(b"x-person", b"").decode()
    return cookie if cookie == "carol" else None


def ask(relay: RelayServer, room: str, message: dict[str, str] = REFUND, **headers: str) -> Any:
    with relay.page(**headers) as page:
        assert page.post(f"/rooms/{room}/messages", json=message).status_code == 201
    found: list[Any] = []

    def shown() -> bool:
        with relay.page(**CAROL) as page:
            found[:] = page.get(f"/rooms/{room}/approvals").json()["data"]
        return bool(found)

    assert eventually(shown)
    return found[0]


def test_manager_sees_what_is_shown_and_approves(
    start_relay: Callable[..., RelayServer], new_room: Callable[..., str], backend: InteractorClient
) -> None:
    tools, user = Refunds(), backend.namespace("user_1")
    room = new_room(tools=[tool.id for tool in tools.register(user)])
    relay = start_relay(tools=tools, approvals=manager)
    waiting = ask(relay, room)
    assert set(waiting) == {"id", "tool", "shown", "digest"}
    assert (waiting["tool"], waiting["shown"]) == ("refund", {"order": "o_1", "amount": 250})
    path = f"/rooms/{room}/approvals"
    decision = {"decision": "approve", "digest": waiting["digest"]}
    with relay.page() as customer:
        assert customer.get(path).status_code == 404
        assert customer.post(f"{path}/{waiting['id']}", json=decision).status_code == 404
    with relay.page(**CAROL) as page:
        changed = page.post(f"{path}/{waiting['id']}", json={**decision, "digest": "0" * 64})
        odd = page.post(f"{path}/{waiting['id']}", json={"decision": "maybe", "digest": waiting["digest"]})
        unknown = page.post(f"{path}/tc_0", json=decision)
        assert [each.status_code for each in (changed, odd, unknown)] == [409, 422, 409]
        assert tools.paid == []
        approved = page.post(f"{path}/{waiting['id']}", json=decision)
        assert (approved.status_code, approved.json()["data"]) == (200, {"id": waiting["id"], "decision": "approve"})
        assert tools.paid == ["o_1"]
        assert page.get(path).json() == {"data": []}
        assert page.post(f"{path}/{waiting['id']}", json=decision).status_code == 409
        newest = page.get(f"/rooms/{room}/messages", params={"order": "desc"}).json()["data"][0]
    assert newest["role"] == "assistant"
    assert "fraud" not in newest["content"]
    assert tools.paid == ["o_1"]


def test_what_would_deceive_whoever_decides_is_escaped(
    start_relay: Callable[..., RelayServer], new_room: Callable[..., str], backend: InteractorClient
) -> None:
    tools = ToolSet()

    @tools.tool(approval=True, show=("order", "items"))
    def refund(order: str, items: list[dict[str, str]]) -> None:
        """Pays a customer back."""

    room = new_room(tools=[tool.id for tool in tools.register(backend.namespace("user_1"))])
    relay = start_relay(tools=tools, approvals=manager)
    odd = {"order": "Zoë\u202e71\u200b\t\U000e0041", "items": [{"\u3164n": "1\u00a0\ue000\n\x9b", "日本": "👋"}]}
    waiting = ask(relay, room, {"content": f"/tool refund {json.dumps(odd)}"})
    items = [{"\\u3164n": "1\\xa0\\ue000\n\\x9b", "日本": "👋"}]
    assert waiting["shown"] == {"order": "Zoë\\u202e71\\u200b\t\\U000e0041", "items": items}


def test_rejection_tells_the_model_why(
    start_relay: Callable[..., RelayServer], new_room: Callable[..., str], backend: InteractorClient
) -> None:
    tools, user = Refunds(), backend.namespace("user_1")
    room = new_room(tools=[tool.id for tool in tools.register(user)])
    relay = start_relay(tools=tools, approvals=manager)
    waiting = ask(relay, room)
    with relay.page(**CAROL) as page:
        body = {"decision": "reject", "digest": waiting["digest"], "reason": "It was delivered."}
        assert page.post(f"/rooms/{room}/approvals/{waiting['id']}", json=body).status_code == 200
    assert tools.paid == []
    assert "It was delivered." in user.messages.list(room, order="desc").data[0].content


def test_without_approvals_there_is_no_such_route(
    start_relay: Callable[..., RelayServer], new_room: Callable[..., str]
) -> None:
    room = new_room()
    with start_relay().page(**CAROL) as page:
        assert page.get(f"/rooms/{room}/approvals").status_code == 404
    with pytest.raises(ConfigurationError, match="approvals= needs tools="):
        Relay(None, authorize=lambda scope: "user_1", approvals=manager)  # type: ignore[arg-type]


def test_decision_is_carried_out_under_wsgi(
    start_relay: Callable[..., RelayServer], new_room: Callable[..., str], backend: InteractorClient, sandbox: Sandbox
) -> None:
    tools, user = Refunds(), backend.namespace("user_1")
    room = new_room(tools=[tool.id for tool in tools.register(user)])
    waiting = ask(start_relay(tools=tools, approvals=manager), room)
    relay = Relay(sandbox.async_client(), authorize=lambda _: "user_1", tools=tools, approvals=lambda *_: "carol")
    body = json.dumps({"decision": "approve", "digest": waiting["digest"]}).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/rooms/{room}/approvals/{waiting['id']}",
        "HTTP_HOST": "app.example",
        "HTTP_ORIGIN": "http://app.example",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    answered: list[str] = []
    relay.wsgi(environ, lambda status, headers: answered.append(status))
    assert (answered, tools.paid) == (["200 OK"], ["o_1"])


@contextmanager
def session() -> Iterator[str]:
    yield "session"


@asynccontextmanager
async def async_session() -> AsyncIterator[str]:
    yield "session"


@pytest.mark.parametrize("around", [session, async_session])
def test_functions_and_tools_run_within_around_of_the_relay_and_receive_what_it_yields(
    around: Any, start_relay: Callable[..., RelayServer], new_room: Callable[..., str], backend: InteractorClient
) -> None:
    received: list[tuple[str, object]] = []
    tools = ToolSet()

    def note(name: str, value: object, result: Any) -> Any:
        received.append((name, value))
        return result

    def form(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def acall(*given: Any, **named: Any) -> Any:
            return function(*given, **named)

        return acall if around is async_session else function

    def refund(order: str, amount: int, score: str, context: ToolContext) -> str:
        """Pays a customer back."""
        return str(note("tool", context.around, "paid"))

    tools.tool(name="refund", approval=True)(form(refund))
    room = new_room(tools=[tool.id for tool in tools.register(backend.namespace("user_1"))])
    relay = start_relay(
        tools=tools,
        around=around,
        authorize=form(lambda scope, session: note("authorize", session, "user_1")),
        rooms=form(lambda namespace, room, scope, session: note("rooms", session, True)),
        approvals=form(lambda namespace, room, scope, session: note("approvals", session, "carol")),
        on_message=form(lambda namespace, room, content, scope, session: note("on_message", session, None)),
    )
    waiting = ask(relay, room)
    with relay.page() as page:
        decision = {"decision": "approve", "digest": waiting["digest"]}
        assert page.post(f"/rooms/{room}/approvals/{waiting['id']}", json=decision).status_code == 200
    names = {"authorize", "rooms", "approvals", "on_message", "tool"}
    assert set(received) == {(name, "session") for name in names}


@pytest.mark.parametrize(
    "options", [{"authorize": lambda scope, session: None}, {"authorize": print, "around": session()}]
)
def test_function_that_could_not_be_called_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be a function"):
        Relay(AsyncInteractorClient, **options)
