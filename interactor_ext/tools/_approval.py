"""Tool calls that wait for a person: what the person sees, how calls are found again, how decisions are recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import attrs

from interactor_ext._engine.arguments import is_async
from interactor_ext._engine.effects import Effects, Invoke, run_async
from interactor_ext._engine.errors import InteractorError
from interactor_ext._engine.logs import tools_logger as logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.telemetry_events import ToolDecided
from interactor_ext._engine.waiting.around import Around, surrounded
from interactor_ext._engine.waiting.own_errors import cause_of
from interactor_ext.tools._calls import TOOL_THREADS, PendingCall, is_finished
from interactor_ext.tools._function import ToolFunction
from interactor_ext.tools._shapes import InvalidArgumentError

if TYPE_CHECKING:
    from interactor_client.models import Message, ToolCall

T = TypeVar("T")


@attrs.frozen
class WaitingCall:
    """A call that waits until a person approves or rejects it. The platform keeps it indefinitely."""

    type: ClassVar[str] = "tool_call.needs_approval"

    id: str
    tool: str
    """The tool's name."""
    room_id: str
    namespace: str | None
    arguments: dict[str, Any] = attrs.field(repr=False)
    """All arguments, as the model wrote them. Only for the server."""
    shown: dict[str, Any] = attrs.field(repr=False)
    """The arguments named by the tool's `show=`: for a browser."""
    digest: str
    """Hash of the tool and all arguments. If they have changed by the time of approval, nothing runs."""


class ApprovalError(InteractorError):
    """A call can't be approved or rejected, or a reply isn't available without an approval. `code` says why.

    `approval_needed`: a chat's reply waits for it. `call_not_found`: the tenant has no such call.
    `call_finished`: it already has a result. `call_changed`: its arguments differ from those that were shown.
    `unknown_tool`: this ToolSet has no such tool, or its calls need no approval.
    """


def waiting_call(tool: ToolFunction, call: PendingCall, around: Around | None) -> Effects[WaitingCall | None]:
    """Return the call if a person has to decide about it. Invalid arguments go back to the model instead."""
    if tool.approval is False:
        return None
    try:
        arguments = tool.with_defaults(call.arguments)
    except InvalidArgumentError:
        return None
    if tool.approval is not True:
        decide = tool.approval if around is None else _within(tool.approval, around)
        try:
            if not (yield Invoke(decide, (arguments,), threads=TOOL_THREADS, of_user=True)):
                return None
        except Exception as error:
            words = "approval= of the tool %s failed, so a person decides (call %s)"
            logger.error(words, tool.name, clean_text(call.id), exc_info=cause_of(error))
    written = json.dumps([tool.name, call.arguments], sort_keys=True)
    shown = {name: call.arguments[name] for name in tool.show if name in call.arguments}
    digest = hashlib.sha256(written.encode()).hexdigest()
    return WaitingCall(call.id, tool.name, call.room_id, call.namespace, call.arguments, shown, digest)


def _within(approval: Callable[..., Any], around: Around) -> Callable[..., Any]:
    """Wrap `approval` in `around()`. A regular function runs in a thread while an async context manager is entered."""
    if is_async(approval):
        return surrounded(approval, around)
    unused = [around()]
    if isinstance(unused[0], AbstractContextManager):
        # A function that returns an awaitable needs a second one.
        return surrounded(approval, lambda: unused.pop() if unused else around())

    async def decide(arguments: dict[str, Any]) -> Any:
        return await run_async(_in_thread(approval, arguments))

    return surrounded(decide, unused.pop)


def _in_thread(approval: Callable[..., Any], arguments: dict[str, Any]) -> Effects[Any]:
    return (yield Invoke(approval, (arguments,), threads=TOOL_THREADS, of_user=True))


def require_open(call: ToolCall, waiting: WaitingCall | None, named: WaitingCall | str) -> WaitingCall:
    """Raises ApprovalError for a call that doesn't need a decision, or no longer does."""
    name = clean_text(call.id)
    if is_finished(call):
        raise ApprovalError(f"The call {name} is already {call.status or 'completed'}.", code="call_finished")
    if waiting is None:
        raise ApprovalError(f"The call {name} doesn't need the approval of this ToolSet.", code="unknown_tool")
    if isinstance(named, WaitingCall) and named.digest != waiting.digest:
        raise ApprovalError(
            f"The arguments of the call {name} have changed since they were shown. `tools.pending` has "
            "the current ones.",
            code="call_changed",
        )
    return waiting


def record_decision(user: Any, call: WaitingCall, decision: Literal["approved", "rejected"], by: str | None) -> None:
    fields: dict[str, Any] = {"tool": call.tool, "tool_call_id": call.id, "decision": decision, "decided_by": by}
    fields |= {"namespace": call.namespace, "room_id": call.room_id, "arguments": call.arguments}
    logger.info("%s %s the tool %s (call %s)", by or "somebody", decision, call.tool, clean_text(call.id), extra=fields)
    reporter = user._http.reporter
    if reporter is not None:
        reporter.record(ToolDecided(call.tool, decision, call.namespace))


def open_calls(messages: Iterable[Message]) -> list[ToolCall]:
    """Return the calls without a result."""
    return [call for each in messages for call in each.tool_calls or () if not is_finished(call)]


def find_call(user: Any, named: WaitingCall | str) -> Effects[tuple[ToolCall, str]]:
    """Find a call and its room. An id is looked up in all rooms of the tenant.

    Raises ApprovalError if the call doesn't exist.
    """
    if isinstance(named, WaitingCall):
        call_id, rooms = named.id, [named.room_id]
    else:
        call_id, rooms = named, [room.id for room in (yield from everything(user.rooms.iterate(per_page=100)))]
    for room_id in rooms:
        newest_first = user.messages.iterate(room_id, order="desc", per_page=100)
        call = yield from _first(newest_first, partial(_call_of, call_id=call_id))
        if call is not None:
            return call, room_id
    raise ApprovalError(f"The tenant has no tool call {clean_text(call_id)!r}.", code="call_not_found")


def _call_of(message: Message, call_id: str) -> ToolCall | None:
    return next((call for call in message.tool_calls or () if call.id == call_id), None)


def everything(items: Any) -> Effects[list[Any]]:
    """Return the items of an iterator, sync or async."""
    found: list[Any] = []
    yield from _first(items, found.append)
    return found


def _first(items: Any, wanted: Callable[[Any], T | None]) -> Effects[T | None]:
    """Return the first result of `wanted` that isn't None. Reads no further."""
    ends = object()
    is_async = isinstance(items, AsyncIterable)
    step = partial(anext, aiter(items), ends) if is_async else partial(next, iter(items), ends)
    while (item := (yield Invoke(step))) is not ends:
        if (found := wanted(item)) is not None:
            return found
    return None
