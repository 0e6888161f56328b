"""Chats, `user.chat(...)`: sends a message to a room and follows the reply, including tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from interactor_client.advised import called
from interactor_ext._engine.lazy import LazyModule

if TYPE_CHECKING:
    from interactor_ext.chat import _reply, _typed_reply
    from interactor_ext.tools import _tool_set
else:  # loaded by the first chat
    _tool_set = LazyModule("interactor_ext.tools._tool_set")
    _reply = LazyModule("interactor_ext.chat._reply")
    _typed_reply = LazyModule("interactor_ext.chat._typed_reply")

A = TypeVar("A")


class Chats:
    """The part of `InteractorClient` that chats."""

    @overload
    def chat(
        self, room_id: str, content: str, *, tools: _tool_set.Tools | None = None, tool_timeout: float | None = None
    ) -> _reply.Reply: ...
    @overload
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: _tool_set.Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[A],
    ) -> _typed_reply.TypedReply[A]: ...
    @called
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: _tool_set.Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[Any] | None = None,
    ) -> _reply.Reply:
        """Send a message and follow the reply: enter it, then read `text()`, `message()` or the events.

        The stream is opened before the message is sent, so no event is missed. With `tools`, tool calls are run and
        their results submitted until the assistant replies; several calls at once run at once. Calling an unknown tool
        results in an error, unless the platform calls the tool at its `callback_url`. `tools` is a ToolSet or a list of
        functions; a list, too, must be registered and added to the assistant first.

        Without `tools`, a call of a tool that has no `callback_url` raises a RuntimeWarning, and the chat waits until
        someone else submits the result; after `tool_timeout` seconds it raises an APITimeoutError.

        With `answer`, a dataclass, attrs class, TypedDict or pydantic class, `reply.answer()` returns an instance of
        it: the room's assistant gets (and keeps) a tool with these fields, and a second message if it doesn't call it.

        The platform's events don't name the message that they reply to, so only one chat runs in a room at a time. The
        next one, in this or another process, waits for it to end: half a minute, and longer while the room's stream
        brings an event at least every five seconds. If two messages are sent at the same time anyway, the order of the
        room's messages decides which reply is whose, and the reply comes in one piece; if the order is ambiguous, a
        StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.TypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.Reply(self, room_id, content, tools, tool_timeout)


class AsyncChats:
    """The part of `AsyncInteractorClient` that chats."""

    @overload
    def chat(
        self, room_id: str, content: str, *, tools: _tool_set.Tools | None = None, tool_timeout: float | None = None
    ) -> _reply.AsyncReply: ...
    @overload
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: _tool_set.Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[A],
    ) -> _typed_reply.AsyncTypedReply[A]: ...
    @called
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: _tool_set.Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[Any] | None = None,
    ) -> _reply.AsyncReply:
        """Send a message and follow the reply: enter it, then read `text()`, `message()` or the events.

        The stream is opened before the message is sent, so no event is missed. With `tools`, tool calls are run and
        their results submitted until the assistant replies; several calls at once run at once. Calling an unknown tool
        results in an error, unless the platform calls the tool at its `callback_url`. `tools` is a ToolSet or a list of
        functions; a list, too, must be registered and added to the assistant first.

        Without `tools`, a call of a tool that has no `callback_url` raises a RuntimeWarning, and the chat waits until
        someone else submits the result; after `tool_timeout` seconds it raises an APITimeoutError.

        With `answer`, a dataclass, attrs class, TypedDict or pydantic class, `reply.answer()` returns an instance of
        it: the room's assistant gets (and keeps) a tool with these fields, and a second message if it doesn't call it.

        The platform's events don't name the message that they reply to, so only one chat runs in a room at a time. The
        next one, in this or another process, waits for it to end: half a minute, and longer while the room's stream
        brings an event at least every five seconds. If two messages are sent at the same time anyway, the order of the
        room's messages decides which reply is whose, and the reply comes in one piece; if the order is ambiguous, a
        StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.AsyncTypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.AsyncReply(self, room_id, content, tools, tool_timeout)
