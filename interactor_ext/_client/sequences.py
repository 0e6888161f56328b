"""The methods of the clients that make several calls: chats and waits. Their modules are loaded at the first use."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar, overload

from interactor_ext._lazy import LazyModule

if TYPE_CHECKING:
    from interactor_client.models import KnownWorkflowInstanceStatus, OAuthAuthorization, OAuthFlow, WorkflowInstance
    from interactor_ext import _effects
    from interactor_ext._client import ensuring, waiting
    from interactor_ext._effects import Effects
    from interactor_ext.chat import _reply, _typed_reply
    from interactor_ext.chat._reply import AsyncReply, Reply
    from interactor_ext.chat._typed_reply import AsyncTypedReply, TypedReply
    from interactor_ext.tools._tool_set import Tools
else:
    # Batteries, loaded by the first call of a method.
    _effects = LazyModule("interactor_ext._effects")
    _reply = LazyModule("interactor_ext.chat._reply")
    _typed_reply = LazyModule("interactor_ext.chat._typed_reply")
    ensuring = LazyModule("interactor_ext._client.ensuring")
    waiting = LazyModule("interactor_ext._client.waiting")

T = TypeVar("T")
A = TypeVar("A")

_RESTING: frozenset[KnownWorkflowInstanceStatus] = frozenset({"completed", "halted"})


class Sequences:
    """The part of `InteractorClient` that makes several calls at a time."""

    @overload
    def chat(
        self, room_id: str, content: str, *, tools: Tools | None = None, tool_timeout: float | None = None
    ) -> Reply: ...
    @overload
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[A],
    ) -> TypedReply[A]: ...
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[Any] | None = None,
    ) -> Reply:
        """Send a message and follow its answer: enter it, then read `text()`, `message()` or the events.

        The stream is opened before the message is sent, so no event is missed. With `tools`, calls of tools are run and
        their results submitted until the assistant answers: several at once where it calls several at once. The result
        of an unknown tool is an error, unless the platform calls it by its `callback_url`. `tools` is a ToolSet or a
        list of functions; they too must be registered and given to the assistant before.

        Without `tools`, a call of a tool that has no `callback_url` is a RuntimeWarning, and the chat waits for a
        result that somebody else submits: after `tool_timeout` seconds, with an APITimeoutError.

        With `answer`, a dataclass, attrs class, TypedDict or pydantic class, `reply.answer()` is an instance of it: the
        room's assistant is given a tool of that shape, which it keeps, and is asked to call it if it does not.

        The platform's events do not name the message that they answer, so in one room one chat goes on at a time. The
        next one, of this process or of another, waits for its end: as long as events come, or half a minute in silence.
        Where two messages are sent at the same time nevertheless, the order of the room's messages decides which answer
        is whose, and it comes in one piece; where the order is ambiguous, a StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.TypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.Reply(self, room_id, content, tools, tool_timeout)

    def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> WorkflowInstance:
        """The instance, as soon as its status is one of `until`; at once if it is already.

        It follows the instance's stream, and polls if that fails. `timeout` is in seconds; None leaves it
        to the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: its status is final, and another one.
            ValueError: `until` is empty, or has a value that is no status of an instance.
        """
        return self._run_effects(waiting.workflow_wait(self, instance_id, until, timeout))

    def wait_for_oauth(self, flow: str | OAuthAuthorization | OAuthFlow, timeout: float | None = 300.0) -> OAuthFlow:
        """The flow, as soon as the user has connected the account: its `credential_id` is the new credential.

        `flow` is what `credentials.initiate_oauth` gave, or its id. It polls, ever less often. `timeout` is in
        seconds; None leaves it to the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, it failed, or it expired.
            ValueError: the platform gave the flow no id.
        """
        return self._run_effects(waiting.oauth_wait(self, flow, timeout))

    def _ensure(self, *about: Any) -> Any:
        return self._run_effects(ensuring.ensure(self, *about))

    def _run_effects(self, effects: Effects[T]) -> T:
        return _effects.run_sync(effects)


class AsyncSequences:
    """The part of `AsyncInteractorClient` that makes several calls at a time."""

    @overload
    def chat(
        self, room_id: str, content: str, *, tools: Tools | None = None, tool_timeout: float | None = None
    ) -> AsyncReply: ...
    @overload
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[A],
    ) -> AsyncTypedReply[A]: ...
    def chat(
        self,
        room_id: str,
        content: str,
        *,
        tools: Tools | None = None,
        tool_timeout: float | None = None,
        answer: type[Any] | None = None,
    ) -> AsyncReply:
        """Send a message and follow its answer: enter it, then read `text()`, `message()` or the events.

        The stream is opened before the message is sent, so no event is missed. With `tools`, calls of tools are run and
        their results submitted until the assistant answers: several at once where it calls several at once. The result
        of an unknown tool is an error, unless the platform calls it by its `callback_url`. `tools` is a ToolSet or a
        list of functions; they too must be registered and given to the assistant before.

        Without `tools`, a call of a tool that has no `callback_url` is a RuntimeWarning, and the chat waits for a
        result that somebody else submits: after `tool_timeout` seconds, with an APITimeoutError.

        With `answer`, a dataclass, attrs class, TypedDict or pydantic class, `reply.answer()` is an instance of it: the
        room's assistant is given a tool of that shape, which it keeps, and is asked to call it if it does not.

        The platform's events do not name the message that they answer, so in one room one chat goes on at a time. The
        next one, of this process or of another, waits for its end: as long as events come, or half a minute in silence.
        Where two messages are sent at the same time nevertheless, the order of the room's messages decides which answer
        is whose, and it comes in one piece; where the order is ambiguous, a StreamError is raised.
        """
        if answer is not None:
            return _typed_reply.AsyncTypedReply(self, room_id, content, tools, tool_timeout, answer)
        return _reply.AsyncReply(self, room_id, content, tools, tool_timeout)

    async def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> WorkflowInstance:
        """The instance, as soon as its status is one of `until`; at once if it is already.

        It follows the instance's stream, and polls if that fails. `timeout` is in seconds; None leaves it
        to the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: its status is final, and another one.
            ValueError: `until` is empty, or has a value that is no status of an instance.
        """
        return await self._run_effects(waiting.workflow_wait(self, instance_id, until, timeout))

    async def wait_for_oauth(
        self, flow: str | OAuthAuthorization | OAuthFlow, timeout: float | None = 300.0
    ) -> OAuthFlow:
        """The flow, as soon as the user has connected the account: its `credential_id` is the new credential.

        `flow` is what `credentials.initiate_oauth` gave, or its id. It polls, ever less often. `timeout` is in
        seconds; None leaves it to the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, it failed, or it expired.
            ValueError: the platform gave the flow no id.
        """
        return await self._run_effects(waiting.oauth_wait(self, flow, timeout))

    async def _ensure(self, *about: Any) -> Any:
        return await self._run_effects(ensuring.ensure(self, *about))

    async def _run_effects(self, effects: Effects[T]) -> T:
        return await _effects.run_async(effects)
