"""Runs one call of a tool and submits its result, as effects for sync and async."""

from __future__ import annotations

import inspect
import secrets
from concurrent.futures import Future
from typing import Any

import attrs

from interactor_client.types import UNSET
from interactor_ext._engine.effects import (
    Effects,
    Invoke,
    Join,
    Renewal,
    despite_lost_responses,
    despite_open_circuit,
    seconds_until,
)
from interactor_ext._engine.errors import APIStatusError, APITimeoutError, ConflictError
from interactor_ext._engine.logs import tools_logger as logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.waiting.around import Around
from interactor_ext._engine.waiting.own_errors import cause_of, contained
from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads
from interactor_ext._interactor import models
from interactor_ext.tools._function import ToolContext, ToolFunction
from interactor_ext.tools._jsonable import NotJSONError, to_json
from interactor_ext.tools._shapes import InvalidArgumentError, error_text

_FINISHED = frozenset({"completed", "failed"})
# The callers limit how many run at once.
TOOL_THREADS = DaemonThreads("interactor-tools", max_threads=UNBOUNDED, idle=0.0)


@attrs.frozen
class PendingCall:
    """A tool call without a result, from an event, a message or a stream."""

    id: str
    room_id: str
    tool_id: str | None
    tool_name: str | None
    arguments: dict[str, Any] = attrs.field(repr=False)
    namespace: str | None
    decided_by: str | None = None

    @classmethod
    def of(cls, call: models.ToolCall, room_id: str, namespace: str | None) -> PendingCall:
        """Create it from a call in a message or a stream."""
        return cls(call.id, room_id, call.tool_id, None, call.arguments, namespace)

    @property
    def context(self) -> ToolContext:
        """The origin of the call, for the tool."""
        return ToolContext(self.namespace, self.room_id, self.id, self.decided_by)


def pending_call(user: Any, source: Any, room_id: str | None) -> tuple[Any, PendingCall]:
    """Return the call in an event or a model, and the view of its tenant."""
    if isinstance(source, models.ToolCallStart):
        source = source.tool_call
    if not hasattr(user, "_view") or isinstance(source, str | dict):
        raise TypeError("Write tools.run(user, tool_call): a client's view, and the call of an event or a message.")
    view_namespace = user._view.namespace
    if isinstance(source, models.ToolCall):
        if not room_id:
            raise ValueError(f"the tool call {source.id} doesn't name its room: pass room_id=")
        if is_finished(source):
            raise ValueError(f"the tool call {source.id} is already {source.status or 'completed'}")
        return user, PendingCall.of(source, room_id, view_namespace)
    data = source.data if isinstance(source, models.RoomToolCallPendingEvent) else source
    owned = source if source.namespace else data
    namespace = owned.namespace or view_namespace
    if view_namespace is None:
        user = user.for_event(owned)
    elif namespace != view_namespace:
        raise ValueError(
            f"the tool call {data.tool_call_id} belongs to the namespace {namespace!r}, but this view to "
            f"{view_namespace!r}"
        )
    return user, PendingCall(data.tool_call_id, data.room_id, data.tool_id, data.tool_name, data.arguments, namespace)


class ToolError(Exception):
    """Raised by a tool. The model reads its text verbatim, unlike the text of any other exception."""


class ErrorResult(dict[str, Any]):
    """The result of a failed call."""


@attrs.define(eq=False)
class ToolRun:
    """Runs the function of one call, once. A caller that gives up waiting leaves the thread to the next caller."""

    tool: ToolFunction | None
    name: str = attrs.field(converter=clean_text)
    call: PendingCall
    is_async: bool = False
    exposes_errors: bool = False
    around: Around | None = None
    _running: Future[Any] | None = attrs.field(default=None, init=False)

    def result(self, ends_at: float | None = None, renewal: Renewal | None = None) -> Effects[Any]:
        """Return the result as JSON. A failure becomes a result that the model can read, and a log record.

        A synchronous function runs in a thread if there is a deadline, or an event loop that must not be blocked.
        """
        name, call_id = self.name, clean_text(self.call.id)
        if self.tool is None:
            logger.warning("this ToolSet has no tool %s: its call gets an error (call %s)", name, call_id)
            return error_result("unknown_tool", f"There is no tool {name} here.")
        try:
            function = self.tool.bound(self.call.arguments, self.call.context, self.around)
            if (self.is_async or ends_at is not None) and not inspect.iscoroutinefunction(function):
                self._running = self._running or TOOL_THREADS.submit(contained(function))
        except InvalidArgumentError as invalid:
            logger.warning("the arguments for the tool %s are invalid (call %s)", name, call_id)
            details = [{"field": field, "message": message} for field, message in invalid.details]
            return error_result("invalid_arguments", f"The arguments are invalid: {invalid}", details)
        except Exception as error:
            return self._failed(error)
        if self._running is not None:
            yield Join(self._running, ends_at, f"the tool {name} was running", renewal)
            function, renewal = self._running.result, None
        try:
            value = yield Invoke(function, timeout=seconds_until(ends_at), renewal=renewal, of_user=True)
        except ToolError as error:
            logger.warning("the tool %s failed (call %s)", name, call_id, exc_info=error.__cause__)
            return error_result("tool_failed", str(error))
        except Exception as error:
            if self._running is None and isinstance(error, TimeoutError) and seconds_until(ends_at) == 0:
                raise APITimeoutError(f"The deadline came while the tool {name} was running.") from error
            return self._failed(error)
        try:
            return to_json(value)
        except NotJSONError as error:
            logger.error("the tool %s returned a result that isn't JSON (call %s): %s", name, call_id, error)
            return error_result("invalid_result", f"The result of the tool isn't JSON: {error}")

    def _failed(self, raised: Exception) -> ErrorResult:
        """Return a result with the id of a log record: the exception's text may contain what customers must not see."""
        error = cause_of(raised)
        error_id = f"err_{secrets.token_hex(4)}"
        logger.error(
            "the tool %s failed (call %s, error %s)", self.name, clean_text(self.call.id), error_id, exc_info=error
        )
        said = _describe(error) if self.exposes_errors else "The tool failed."
        return error_result("tool_failed", said, id=error_id)


def error_result(kind: str, message: str, details: list[dict[str, str]] | None = None, **more: str) -> ErrorResult:
    """Return an error as the result of a call. Its text is cleaned, because JSON can't represent lone surrogates."""
    error = {"type": kind, "message": clean_text(message), **more}
    details = [{key: clean_text(text) for key, text in detail.items()} for detail in details or ()]
    return ErrorResult(error={**error, "details": details} if details else error)


_CONTENT_TOO_LARGE = 413
_TOO_LARGE = error_result(
    "result_too_large", "The result of the tool is too large for the platform. Ask for less of it."
)


def submit(user: Any, call: PendingCall, ends_at: float | None, result: Any) -> Effects[models.Message]:
    """Submit a result, once, and return the message in the response.

    The request has no idempotency key. If its response is lost, the room's messages show whether it had arrived;
    in that case the newest of them is returned. Waits while a circuit is open.
    """
    is_repeat, user = False, user._without_key()

    def send(view: Any) -> Any:
        return view.tools.submit_result(call.room_id, tool_call_id=call.id, result=result)

    def attempt() -> Effects[models.Message]:
        nonlocal is_repeat, result
        if is_repeat:
            messages = yield from newest_messages(user, call, ends_at)
            if has_result(messages, call):
                return messages[0]
        is_repeat = True
        while True:
            try:
                sent: models.Message = yield from despite_open_circuit(user, ends_at, send)
                return sent
            except ConflictError:
                # The call has a result: this one, if its response got lost, or one from another process.
                messages = yield from newest_messages(user, call, ends_at)
                return messages[0]
            except APIStatusError as error:
                if error.status != _CONTENT_TOO_LARGE or result is _TOO_LARGE:
                    raise
                logger.error("the result of a tool is too large for the platform (call %s)", clean_text(call.id))
                result = _TOO_LARGE

    return (yield from despite_lost_responses(user, ends_at, attempt))


def newest_messages(user: Any, call: PendingCall, ends_at: float | None) -> Effects[list[models.Message]]:
    page = yield from despite_open_circuit(user, ends_at, lambda view: view.messages.list(call.room_id, order="desc"))
    messages: list[models.Message] = page.data
    return messages


def is_finished(call: models.ToolCall) -> bool:
    """Whether the call has its result, or never will. Without a status, only a result shows it."""
    return call.status in _FINISHED or (call.status is None and call.result not in (UNSET, None))


def has_result(messages: list[models.Message], call: PendingCall) -> bool:
    """Whether the call has its result, according to the messages."""
    calls = [each for message in messages for each in message.tool_calls or () if each.id == call.id]
    return bool(calls) and is_finished(calls[0])


def _describe(error: BaseException) -> str:
    name, text = type(error).__name__, error_text(error)
    return f"{name}: {text}" if text != name else name
