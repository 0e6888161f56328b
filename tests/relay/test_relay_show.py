"""What a browser is shown of tools, messages and workflow instances: little, and more by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext import ConfigurationError, InteractorClient, ToolSet
from interactor_ext.relay import Show
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import RelayServer

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]
CALL = {"id", "tool_id", "tool_name", "status"}
INSTANCE = {"id", "workflow_id", "current_state", "status", "created_at", "updated_at", "context"}


@pytest.mark.parametrize(
    ("show", "seen"),
    [
        (Show(), set()),
        (Show(tool_arguments=True), {"arguments"}),
        (Show(tool_results=True), {"result"}),
        (Show(tool_arguments=True, tool_results=True), {"arguments", "result"}),
    ],
)
def test_tool_calls_have_a_name_and_a_state_and_more_where_show_names_it(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, backend: InteractorClient, show: Show, seen: set[str]
) -> None:
    tools = ToolSet()

    @tools.tool
    def look_up(product: str) -> dict[str, str]:
        """Looks up a product."""
        if product == "internal-product-2":
            raise RuntimeError("this product is unknown")
        return {"purchase_price": "internal-price"}

    room = new_room(tools=[tool.id for tool in tools.register(backend.namespace("user_1"))])
    sandbox.replies.add(when="price", call=("look_up", {"product": "internal-product-1"}), then="It costs 12.")
    sandbox.replies.add(when="other", call=("look_up", {"product": "internal-product-2"}))
    with start_relay(tools=tools, show=show).page() as page, page.room_events(room) as stream:
        for question in ("price", "other"):
            page.say(room, question)
            events = [*stream.until("tool_call.complete"), *stream.until("message.complete")]
            streamed = [event["tool_call"] for event in events if "tool_call" in event]
            assert [set(call) - {"result"} for call in streamed] == [CALL | (seen - {"result"})] * 2
            assert [call["tool_name"] for call in streamed] == ["look_up"] * 2
            assert ("result" in streamed[-1]) is ("result" in seen)
        listed = page.get(f"/rooms/{room}/messages")
    calls = [call for message in listed.json()["data"] for call in message.get("tool_calls", [])]
    assert [set(call) for call in calls] == [CALL | seen] * 2
    assert [call["status"] for call in calls] == ["completed", "failed"]
    for secret, field in (("internal-product", "arguments"), ("internal-price", "result")):
        assert (secret in listed.text + stream.received.decode()) is (field in seen), secret
    assert len([each for each in sandbox.requests if each.operation == "get_tool"]) == 1


def test_only_messages_of_users_and_assistants_are_shown_and_the_others_counted(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient, emit: Callable[..., None]
) -> None:
    room = new_room()
    message = {"id": "msg_1", "room_id": room, "created_at": "2026-01-01T00:00:00Z", "content": "internal"}
    backend.namespace("user_1").messages.send(room, content="internal", role="system")
    with relay.page() as page, page.room_events(room) as stream:
        for role in ("system", "tool", "developer"):
            emit(room, "message.complete", message={**message, "role": role})
        emit(room, "message.thought", content="internal")
        emit(room, "message.complete", message={**message, "role": "assistant", "content": "Hi"})
        first = stream.next()
        answered = page.say(room, "Hello")
        stream.until("message.complete")
        pages = [page.get(f"/rooms/{room}/messages?per_page=1&page={number}").json() for number in (1, 2)]
    assert (first["message"]["role"], first["message"]["content"]) == ("assistant", "Hi")
    assert answered.json()["data"]["role"] == "user"
    assert (pages[0]["data"], pages[0]["meta"]["left_out"], pages[0]["meta"]["has_more"]) == ([], 1, True)
    assert ([each["content"] for each in pages[1]["data"]], "left_out" in pages[1]["meta"]) == (["Hello"], False)
    assert b"internal" not in stream.received


@pytest.mark.parametrize(("show", "shown"), [(Show(), {}), (Show(context=("order_id", "missing")), {"order_id": 17})])
def test_context_of_an_instance_is_shown_by_its_keys(
    start_relay: StartRelay, new_instance: Callable[..., str], show: Show, shown: dict[str, Any]
) -> None:
    path = f"/workflow-instances/{new_instance(order_id=17, credit_limit='internal', internal_note='internal')}"
    with start_relay(show=show).page() as page, page.events(f"{path}/stream") as stream:
        halted = page.get(path)
        moved = page.post(f"{path}/input", json={"approved": "internal"})
        events = stream.until("workflow.state_changed")
    for answer in (halted, moved):
        assert set(answer.json()["data"]) == INSTANCE
        assert answer.json()["data"]["context"] == shown
        assert "internal" not in answer.text
    assert events[-1]["context"] == shown
    assert set(events[-1]) == {"id", "type", "state", "context"}
    assert b"internal" not in stream.received


@pytest.mark.parametrize("context", ["order_id", [7]])
def test_show_of_what_is_not_a_list_of_keys_raises_configuration_error(context: Any) -> None:
    with pytest.raises(ConfigurationError, match="list of keys"):
        Show(context=context)
