"""The methods of the clients that make several calls: chats and waits. Their modules are loaded at the first use."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar, overload

from interactor_client.advised import called
from interactor_ext._engine import effects as _effects
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._interactor import models
from interactor_ext._interactor.views import ensuring, waiting

if TYPE_CHECKING:
    from interactor_ext._engine.effects import Effects
    from interactor_ext.chat import _reply, _typed_reply
    from interactor_ext.tools import _tool_set
else:
    # Batteries, loaded by the first call of a method.
    _tool_set = LazyModule("interactor_ext.tools._tool_set")
    _reply = LazyModule("interactor_ext.chat._reply")
    _typed_reply = LazyModule("interactor_ext.chat._typed_reply")

T = TypeVar("T")
A = TypeVar("A")

_RESTING: frozenset[models.KnownWorkflowInstanceStatus] = frozenset({"completed", "halted"})


class Sequences:
    """The part of `InteractorClient` that makes several calls at a time."""

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
        it: the room's assistant gets a tool with these fields, which it keeps, and is asked to call it if it doesn't.

        The platform's events don't name the message that they reply to, so only one chat runs in a room at a time. The
        next one, in this or another process, waits for it to end: half a minute, and longer while the room's stream
        brings an event at least every five seconds. If two messages are sent at the same time anyway, the order of the
        room's messages decides which reply is whose, and the reply comes in one piece; if the order is ambiguous, a
        StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.TypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.Reply(self, room_id, content, tools, tool_timeout)

    def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[models.KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> models.WorkflowInstance:
        """Wait until the status of the instance is one of `until`, and return the instance.

        Follows the instance's stream, and polls if that fails. `timeout` is in seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: it has another, final status.
            ValueError: `until` is empty, or contains a value that isn't a status of instances.
        """
        return self._run_effects(waiting.workflow_wait(self, instance_id, until, timeout))

    def wait_for_oauth(
        self, flow: str | models.OAuthAuthorization | models.OAuthFlow, timeout: float | None = 300.0
    ) -> models.OAuthFlow:
        """Wait until the user has connected the account. The `credential_id` of the flow is the new credential.

        `flow` is the result of `credentials.initiate_oauth`, or its id. Polls at growing intervals. `timeout` is in
        seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, the flow failed, or it expired.
            ValueError: the platform returned a flow without an id.
        """
        return self._run_effects(waiting.oauth_wait(self, flow, timeout))

    def _ensure(self, tag: str, fields: dict[str, Any], **about: Any) -> Any:
        return self._run_effects(ensuring.ensure(self, tag, fields, **about))

    def _question(self, instance_id: str) -> models.HaltingPresentation | None:
        return self._run_effects(waiting.question(self, instance_id))

    def _run_effects(self, effects: Effects[T]) -> T:
        return _effects.run_sync(effects)


class AsyncSequences:
    """The part of `AsyncInteractorClient` that makes several calls at a time."""

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
        it: the room's assistant gets a tool with these fields, which it keeps, and is asked to call it if it doesn't.

        The platform's events don't name the message that they reply to, so only one chat runs in a room at a time. The
        next one, in this or another process, waits for it to end: half a minute, and longer while the room's stream
        brings an event at least every five seconds. If two messages are sent at the same time anyway, the order of the
        room's messages decides which reply is whose, and the reply comes in one piece; if the order is ambiguous, a
        StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.AsyncTypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.AsyncReply(self, room_id, content, tools, tool_timeout)

    async def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[models.KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> models.WorkflowInstance:
        """Wait until the status of the instance is one of `until`, and return the instance.

        Follows the instance's stream, and polls if that fails. `timeout` is in seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: it has another, final status.
            ValueError: `until` is empty, or contains a value that isn't a status of instances.
        """
        return await self._run_effects(waiting.workflow_wait(self, instance_id, until, timeout))

    async def wait_for_oauth(
        self, flow: str | models.OAuthAuthorization | models.OAuthFlow, timeout: float | None = 300.0
    ) -> models.OAuthFlow:
        """Wait until the user has connected the account. The `credential_id` of the flow is the new credential.

        `flow` is the result of `credentials.initiate_oauth`, or its id. Polls at growing intervals. `timeout` is in
        seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, the flow failed, or it expired.
            ValueError: the platform returned a flow without an id.
        """
        return await self._run_effects(waiting.oauth_wait(self, flow, timeout))

    async def _ensure(self, tag: str, fields: dict[str, Any], **about: Any) -> Any:
        return await self._run_effects(ensuring.ensure(self, tag, fields, **about))

    async def _question(self, instance_id: str) -> models.HaltingPresentation | None:
        return await self._run_effects(waiting.question(self, instance_id))

    async def _run_effects(self, effects: Effects[T]) -> T:
        return await _effects.run_async(effects)
