"""Answers with a shape: `chat(answer=Class)` and `reply.answer()`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypedDict

import attrs
import httpx
import pytest
from pydantic import BaseModel

from interactor_ext import APIConnectionError, APITimeoutError, ResponseValidationError, ToolSet
from interactor_ext._engine import effects
from interactor_ext._interactor.views import view
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import NAMESPACE, new_room, user_of
from tests.support.modes import call, opened, sync_and_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")


@dataclass
class Guest:
    name: str


@dataclass
class RoomBooking:
    room: str
    guests: list[Guest]


@attrs.frozen
class Stay:
    room: str


class Night(TypedDict):
    room: str


class Trip(BaseModel):
    room: str
    nights: int = 1


def answer_in(
    mode: str, sandbox: Sandbox, room: str, content: str, shape: Any, *, key: str | None = None, **options: Any
) -> Any:
    def ask(client: Any) -> Any:
        user = client.with_options(idempotency_key=key)
        if mode == "sync":
            with user.chat(room, content, answer=shape, **options) as reply:
                return reply.answer()

        async def main() -> Any:
            async with user.chat(room, content, answer=shape, **options) as reply:
                return await reply.answer()

        return main()

    return call(mode, sandbox._with_connection({"namespace": NAMESPACE}), ask)


@sync_and_async
@pytest.mark.parametrize(
    ("tool", "shape", "answer"),
    [
        ("answer_room_booking", RoomBooking, RoomBooking("blue", [Guest("Ada")])),
        ("answer_stay", Stay, Stay("blue")),
        ("answer_night", Night, {"room": "blue"}),
        ("answer_trip", Trip, Trip(room="blue", nights=1)),
    ],
    ids=["dataclass", "attrs", "TypedDict", "pydantic"],
)
def test_answer_is_an_instance_of_the_class(mode: str, tool: str, shape: Any, answer: Any, sandbox: Sandbox) -> None:
    fields: dict[str, Any] = {"room": "blue"}
    if shape is RoomBooking:
        fields["guests"] = [{"name": "Ada"}]
    content = f"/tool {tool} {json.dumps(fields)}"
    room = new_room(sandbox)
    for _ in range(2):  # the assistant keeps the tool
        assert answer_in(mode, sandbox, room, content, shape) == answer
    with sandbox.client(namespace=NAMESPACE) as user:
        assert [each.name for each in user.tools.iterate()] == [tool]


def asked_in(sandbox: Sandbox, room: str) -> list[str | None]:
    with sandbox.client(namespace=NAMESPACE) as user:
        return [message.content for message in user.messages.iterate(room, order="asc") if message.role == "user"]


@sync_and_async
@pytest.mark.parametrize("key", [None, "chat-1"])
async def test_assistant_that_gives_no_answer_is_asked_once_more(mode: str, key: str | None, sandbox: Sandbox) -> None:
    """Once for all calls of `answer`, and for a chat that is repeated with its idempotency key."""
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user:
        for _ in range(1 if key is None else 2):
            async with user.with_options(idempotency_key=key).chat(room, "Which room?", answer=Stay) as reply:
                for _ in range(3):
                    with pytest.raises(ResponseValidationError, match=r"twice .* It said: 'Bot here") as caught:
                        await reply.answer()
                    assert caught.value.model == "Stay"
    assert asked_in(sandbox, room) == ["Which room?", "Please give your answer by calling the tool answer_stay."]


@sync_and_async
async def test_second_question_whose_response_is_lost_is_not_asked_twice(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user:
        user = user.with_options(max_retries=0)
        async with user.chat(room, "Which room?", answer=Stay) as reply:
            await reply.message()
            sandbox.faults.add("send_message", kind="reset_after")
            with pytest.raises(APIConnectionError):
                await reply.answer()
            with pytest.raises(ResponseValidationError, match="twice"):
                await reply.answer()
    assert len(asked_in(sandbox, room)) == 2


@sync_and_async
async def test_second_question_has_the_deadline_of_the_chat(
    mode: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = new_room(sandbox)
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 2000, sleep=time.sleep)
    async with (
        user_of(sandbox, mode) as user,
        user.with_options(deadline=1000).chat(room, "Which room?", answer=Stay) as reply,
    ):
        await reply.message()
        for module in (effects, view):
            monkeypatch.setattr(module, "time", later)
        with pytest.raises(APITimeoutError):
            await reply.answer()
    assert asked_in(sandbox, room) == ["Which room?"]


@sync_and_async
def test_invalid_answer_is_told_to_the_model_and_given_again(mode: str, sandbox: Sandbox) -> None:
    """Beside a tool of the chat. The chat's idempotency key belongs to its message."""
    tools, looked_up = ToolSet(), []

    @tools.tool
    def look_up(order: str) -> str:
        """Looks up an order."""
        looked_up.append(order)
        return "blue"

    with sandbox.client(namespace=NAMESPACE) as user:
        room = new_room(sandbox, *(tool.id for tool in tools.register(user)))
    calls = ['/tool look_up {"order": "o_1"}', '/tool answer_stay {"room": 1}', '/tool answer_stay {"room": "blue"}']
    content = "\n/then\n".join(calls)
    assert answer_in(mode, sandbox, room, content, Stay, tools=tools, key="chat-1") == Stay("blue")
    assert looked_up == ["o_1"]
    assert len(tools) == 1


@sync_and_async
async def test_room_that_does_not_name_its_assistant_is_told(mode: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token"):
            return httpx.Response(200, json={"access_token": "t"})
        is_list = request.method == "GET" and not request.url.path.endswith("/room_1")
        return httpx.Response(200, json={"data": [] if is_list else {"id": "room_1"}})

    settings = {"client_id": "c", "client_secret": "s", "transport": httpx.MockTransport(answer)}
    async with opened(mode, settings) as client:
        with pytest.raises(ResponseValidationError, match=r"assistant the room 'room_1' has, so .* answer_stay"):
            async with client.chat("room_1", "Which room?", answer=Stay):
                pass


@pytest.mark.parametrize(("answer", "problem"), [(int, "answer= must be a class with fields"), (5, "5: JSON can't")])
def test_class_without_fields_is_refused(sandbox: Sandbox, answer: Any, problem: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user, pytest.raises(TypeError, match=problem):
        user.chat("room_1", "Hello!", answer=answer)
