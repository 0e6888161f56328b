"""PlacedFaults: a fault at one specific request, for `pytest --interactor-explore`.

| fault | effect on the client |
|---|---|
| `refused` | the connection is reset; the handler did not run |
| `lost`, `slow`, `killed` | the connection is reset; the handler ran |
| `cut` | the connection closes in the middle of the response body |
| `limited`, `unavailable` | 429 and 503, with `Retry-After` |
| `revoked` | 401: all access tokens are revoked |
| `expired` | the active credentials of the namespace expire permanently |
| `cut-before`, `cut-within`, `cut-after` | a stream that ends after `at` bytes |
| `repeated` | the same, and when the stream is resumed, its last event is repeated |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from interactor_ext.sandbox.platform import credentials
from interactor_ext.sandbox.platform.contract import ContractOperation
from interactor_ext.sandbox.platform.faults import FAILURE, Fault, Faults, Kind
from interactor_ext.sandbox.problems import Problem

if TYPE_CHECKING:
    from interactor_ext.sandbox.platform.state import State
    from interactor_ext.sandbox.platform.streams import Subscription

AFTER: Kind = "reset_after"
KINDS: dict[str, Kind] = {"refused": "reset", "lost": AFTER, "slow": AFTER, "killed": AFTER, "cut": "truncated"}
STATUSES = {"limited": 429, "unavailable": 503}


class PlacedFaults(Faults):
    """The faults of a state, after those that `meet` names; it is called for each request."""

    def __init__(self, state: State, meet: Callable[[ContractOperation, str], tuple[str, int]]) -> None:
        super().__init__(state.faults._operations)
        self._faults = state.faults.snapshot()
        self._state = state
        self._meet = meet
        self._repeats = False
        self._subscribe, state.streams.subscribe = state.streams.subscribe, self._resume  # type: ignore[method-assign]

    def take(self, operation: ContractOperation, namespace: str, *, in_handler: bool) -> Fault | None:
        fault, at = ("", 0) if in_handler else self._meet(operation, namespace)
        if fault in STATUSES:
            raise Problem(STATUSES[fault], FAILURE, headers={"retry-after": "1"})
        if fault == "revoked":
            self._state.accounts.revoke_all()
        if fault == "expired":
            for credential in list(self._state.store.all("credential", namespace)):
                if credential.public["status"] == "active":
                    credentials.expire(self._state, credential.id)
        self._repeats = self._repeats or fault == "repeated"
        if fault.startswith("cut-") or fault == "repeated":
            # Not after 0 bytes: the stream can only be resumed with the block before its first event.
            return self._made(operation, "dropped_stream", at or None)
        if fault in KINDS:
            return self._made(operation, KINDS[fault])
        return super().take(operation, namespace, in_handler=in_handler)

    def _resume(self, channel_id: str, last_event_id: str, *, stays: bool = False) -> Subscription:
        if self._repeats and last_event_id.isdecimal() and int(last_event_id) > 0:
            self._repeats, last_event_id = False, str(int(last_event_id) - 1)
        return self._subscribe(channel_id, last_event_id, stays=stays)

    def _made(self, operation: ContractOperation, kind: Kind, after_bytes: int | None = None) -> Fault:
        made = self.add(operation.id, kind=kind, after_bytes=after_bytes)
        self.remove(made.id)
        return made
