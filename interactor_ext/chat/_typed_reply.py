"""Typed answers, `user.chat(..., answer=Booking)`: the assistant returns them by calling a tool of that shape."""

from __future__ import annotations

import hashlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync, view_until, while_open
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.redaction import clean_text
from interactor_ext.chat._base import BaseReply
from interactor_ext.chat._reply import AsyncReply, Reply
from interactor_ext.tools._answer_tool import answer_tool
from interactor_ext.tools._tool_set import ToolSet, tool_set

if TYPE_CHECKING:
    from interactor_client.models import Message
    from interactor_ext.tools._tool_set import Tools

A = TypeVar("A")

_MAX_QUOTED = 300


class _Typed(BaseReply, Generic[A]):
    """The answers so far, and the tool that receives them."""

    def __init__(
        self, user: Any, room_id: str, content: str, tools: Tools | None, tool_timeout: float | None, shape: type[A]
    ) -> None:
        self._shape = shape
        self._given: list[A] = []
        self._again: BaseReply | None = None
        self._key = user._view.idempotency_key or secrets.token_hex(16)
        self._tool = answer_tool(shape, self._given.append)
        self._question = f"Please give your answer by calling the tool {self._tool.name}."
        with_answer = tool_set(() if tools is None else tools)._with_tool(self._tool)
        super().__init__(user, room_id, content, with_answer, tool_timeout)

    def _prepare(self) -> Effects[None]:
        """Add the tool to the room's assistant, which keeps it."""
        view = partial(view_until, self._user._without_key(), self._ends_at)
        (known,) = yield from ToolSet()._with_tool(self._tool)._registration(view())
        room = yield Invoke(partial(view().rooms.get, self._room.id))
        if room.assistant_id is None:
            raise ResponseValidationError(
                f"The platform doesn't say which assistant the room {clean_text(room.id)!r} has, so it can't be given "
                f"the tool {self._tool.name}. The message wasn't sent.",
                model="Room",
                field="assistant_id",
                path="data.assistant_id",
            )
        assistant = yield Invoke(partial(view().assistants.get, room.assistant_id))
        ids = [each if isinstance(each, str) else each.id for each in assistant.tools or ()]
        if known.id not in ids:
            yield Invoke(partial(view().assistants.update, assistant.id, tools=[*ids, known.id]))

    def _shaped(self) -> Effects[A]:
        """Return the answer. If there is none, send a second request, as part of this chat: it has the same deadline,
        and the same key on each attempt.
        """
        message = yield from self._answer()
        if self._again is not None:
            message = yield from self._again._answer()
        elif not self._given:
            key = hashlib.sha256(f"{self._key} {self._question}".encode()).hexdigest()
            user = view_until(self._user, self._ends_at).with_options(idempotency_key=key)
            again = user.chat(self._room.id, self._question, tools=self._tools, tool_timeout=self._tool_timeout)
            message = yield from while_open(again, self._answer_of(again))
        return self._last(message)

    def _answer_of(self, again: BaseReply) -> Effects[Message]:
        self._again = again  # it is open: the question was sent
        return (yield from again._answer())

    def _last(self, message: Message) -> A:
        if self._given:
            return self._given[-1]
        said = clean_text(message.content or "")[:_MAX_QUOTED]
        name = self._shape.__name__
        raise ResponseValidationError(
            f"The assistant was asked for a {name} twice and didn't call {self._tool.name}. It said: {said!r}",
            model=name,
        )


class TypedReply(_Typed[A], Reply):
    """A `Reply` with a typed answer."""

    def answer(self) -> A:
        """Return the answer, an instance of the class. If there is none, the chat requests it a second time.

        Raises ResponseValidationError, with the assistant's text, if there is still none.
        """
        return run_sync(self._shaped())


class AsyncTypedReply(_Typed[A], AsyncReply):
    """An `AsyncReply` with a typed answer."""

    async def answer(self) -> A:
        """Return the answer, an instance of the class. If there is none, the chat requests it a second time.

        Raises ResponseValidationError, with the assistant's text, if there is still none.
        """
        return await run_async(self._shaped())
