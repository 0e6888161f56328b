"""Chats sync or async, for tests of both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from interactor_client.models import Message, MessageDelta
from interactor_ext import APITimeoutError, InteractorError, ToolSet
from interactor_ext.sandbox import Sandbox
from tests.support.modes import opened

NAMESPACE = "user_1"
T = TypeVar("T")


@dataclass
class Outcome:
    events: list[Any] = field(default_factory=list)
    error: InteractorError | None = None
    message: Message | None = None

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if isinstance(event, MessageDelta))

    @property
    def answer(self) -> str | None:
        return self.message and self.message.content

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@contextlib.asynccontextmanager
async def user_of(sandbox: Sandbox, mode: str, **settings: Any) -> AsyncIterator[Any]:
    """A client of the sandbox, used like an async one."""
    async with opened(mode, sandbox._with_connection({"namespace": NAMESPACE, **settings})) as user:
        yield user


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
    """Collect every event, then the message. `during` is called with None once it is sent, then with each event, in a
    thread.
    """
    outcome = Outcome()

    async def main() -> None:
        async with user_of(sandbox, mode, **settings) as user, user.chat(room_id, content, tools=tools) as reply:
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


def room_with(sandbox: Sandbox, tools: ToolSet) -> str:
    """Create a room whose assistant has these tools."""
    with sandbox.client(namespace=NAMESPACE) as user:
        return new_room(sandbox, *(tool.id for tool in tools.register(user)))


def asked(sandbox: Sandbox, operation: str) -> Iterator[Any]:
    return (request for request in sandbox.requests if request.operation == operation)


def under_deadline(attempt: Callable[[float], T], has_begun: Callable[[], bool]) -> T:
    """Attempt something with growing deadlines until one only passes after something else has begun, which may take
    longer on a busy machine.
    """
    for deadline in (0.2, 1.0, 4.0, 16.0):
        try:
            outcome = attempt(deadline)
        except APITimeoutError:
            if has_begun():
                raise
        else:
            if has_begun():
                return outcome
    raise AssertionError("it has not begun within the longest deadline")
