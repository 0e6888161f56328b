"""Chats sync or async, for tests that say the same of both."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from interactor_client.models import Message, MessageDelta
from interactor_ext import InteractorError, ToolSet
from interactor_ext.sandbox import Sandbox

sync_and_async = pytest.mark.parametrize("mode", ["sync", "async"])
NAMESPACE = "user_1"


@dataclass
class Outcome:
    events: list[Any] = field(default_factory=list)
    error: InteractorError | None = None
    message: Message | None = None

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if isinstance(event, MessageDelta))

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


def chat(
    mode: str,
    sandbox: Sandbox,
    room_id: str,
    content: str,
    *,
    tools: ToolSet | None = None,
    during: Callable[[Any], None] = lambda event: None,
    **settings: Any,
) -> Outcome:
    """Every event and then the message. `during` is called when the message is sent (with None) and with each event.

    It runs in a thread if the client is asynchronous.
    """
    outcome = Outcome()
    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE, **settings) as user, user.chat(room_id, content, tools=tools) as reply:
            during(None)
            try:
                for event in reply:
                    outcome.events.append(event)
                    during(event)
            except InteractorError as error:
                outcome.error = error
            with contextlib.suppress(InteractorError):
                outcome.message = reply.message()
        return outcome

    async def main() -> None:
        async with (
            sandbox.async_client(namespace=NAMESPACE, **settings) as user,
            user.chat(room_id, content, tools=tools) as reply,
        ):
            await asyncio.to_thread(during, None)
            try:
                async for event in reply:
                    outcome.events.append(event)
                    await asyncio.to_thread(during, event)
            except InteractorError as error:
                outcome.error = error
            with contextlib.suppress(InteractorError):
                outcome.message = await reply.message()

    asyncio.run(main())
    return outcome


def new_room(sandbox: Sandbox, *tool_ids: str) -> str:
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.", tools=list(tool_ids))
        return user.rooms.create(assistant_id=bot.id).id


def eventually(condition: Callable[[], bool], *, within: float = 60) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def asked(sandbox: Sandbox, operation: str) -> Iterator[Any]:
    return (request for request in sandbox.requests if request.operation == operation)
