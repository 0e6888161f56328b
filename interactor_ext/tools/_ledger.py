"""The ledger of a ToolSet: no process runs a call again that another has started.

A store of `interactor_ext.webhooks` holds two entries for a call. The first is claimed while a process works on the
call, and completed when the platform has the result. The second is completed right before the function is called. A
process that finds the second completed and the first unclaimed knows that another process has ended in between.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.arguments import require_methods
from interactor_ext._engine.effects import Effects, Pause, seconds_until
from interactor_ext._engine.errors import APITimeoutError, InteractorError
from interactor_ext._engine.logs import tools_logger as logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._interactor import models
from interactor_ext.tools._calls import ErrorResult, PendingCall, error_result, has_result, newest_messages
from interactor_ext.webhooks._threads import StoreCalls
from interactor_ext.webhooks.stores._contract import ADVICE, ClaimState
from interactor_ext.webhooks.stores._memory import MemoryEventStore

if TYPE_CHECKING:
    from interactor_ext.webhooks.stores._contract import EventStore

# Seconds until another process takes over a call whose process has died. Renewed while the function runs.
_LEASE = 60.0
_POLL_PAUSE = 1.0
_MAX_UNKNOWN = 1000
_UNKNOWN = (
    "The outcome is unknown: the tool was started, and the process that ran it ended. It may or "
    "may not have taken effect. Don't call it again for this; tell the user that somebody must "
    "check."
)
_SETTLED = object()
"""Used instead of a result: the platform already has one."""


class Ledger:
    """`unknown` holds the newest calls with an unknown outcome."""

    def __init__(self, store: EventStore) -> None:
        require_methods("ledger", store, "claim", "complete", is_awaited=True, advice=ADVICE.format("ledger"))
        self.store = store
        self.calls = StoreCalls(in_memory=isinstance(store, MemoryEventStore))
        self.unknown: deque[PendingCall] = deque(maxlen=_MAX_UNKNOWN)


class LedgerEntry:
    """One call from the point of view of one process."""

    def __init__(self, ledger: Ledger, user: Any, call: PendingCall, name: str, *, is_idempotent: bool) -> None:
        self._ledger = ledger
        self._user = user
        self._call = call
        self._name = name
        self._is_idempotent = is_idempotent
        self._token = secrets.token_hex(8)
        self._key = f"tool:{call.context.idempotency_key}"
        self._is_begun = False

    def result(self, run: Callable[..., Effects[Any]], ends_at: float | None) -> Effects[Any]:
        """Return the function's result for `submit`. Called again, it continues where it was interrupted."""
        claim = self._ledger.store.claim
        while (state := (yield from self._call_store(claim, self._key, self._token, _LEASE))) == ClaimState.IN_PROGRESS:
            left = seconds_until(ends_at)
            if left == 0:
                raise APITimeoutError(f"The deadline came while another process ran the tool {self._name}.")
            yield Pause(_POLL_PAUSE if left is None else min(_POLL_PAUSE, left))
        if state == ClaimState.COMPLETED:
            return _SETTLED
        if not self._is_begun:
            is_first = yield from self._call_store(self._ledger.store.complete, f"{self._key}:begun", self._token)
            if not is_first:
                messages = yield from newest_messages(self._user, self._call, ends_at)
                if has_result(messages, self._call):
                    return _SETTLED
                if not self._is_idempotent:
                    return self._outcome_unknown()
            self._is_begun = True
        renewal = self._ledger.calls.renewal(claim, self._key, self._token, _LEASE)
        return (yield from run(ends_at, renewal))

    def submit(
        self, send: Callable[[Any], Effects[models.Message]], ends_at: float | None, result: Any
    ) -> Effects[models.Message]:
        if result is _SETTLED:
            messages = yield from newest_messages(self._user, self._call, ends_at)
            return messages[0]
        message = yield from send(result)
        try:
            yield from self._ledger.calls.record(self._ledger.store.complete, self._key, self._token)
        except Exception:  # the platform refuses a second result
            logger.exception("the ledger couldn't record that the call %s is done", clean_text(self._call.id))
        return message

    def _outcome_unknown(self) -> ErrorResult:
        name, call_id = self._name, clean_text(self._call.id)
        logger.error("the outcome of the tool %s is unknown: the process that ran it ended (call %s)", name, call_id)
        self._ledger.unknown.append(self._call)
        return error_result("outcome_unknown", _UNKNOWN)

    def _call_store(self, method: Callable[..., Any], *arguments: object) -> Effects[Any]:
        try:
            return (yield self._ledger.calls.call(method, *arguments))
        except InteractorError:  # already describes the problem, such as a missing table
            raise
        except Exception as error:
            kind, call_id = type(error).__name__, clean_text(self._call.id)
            raise InteractorError(
                f"The ledger failed ({kind}), so the tool {self._name} didn't run (call {call_id})."
            ) from error
