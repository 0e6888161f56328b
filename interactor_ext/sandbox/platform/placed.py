"""PlacedFaults: a fault at one certain request, as `pytest --interactor-explore` asks for it.

| fault | effect on the client |
|---|---|
| `refused`, `lost` | the connection is reset; only with the second, the handler ran |
| `cut` | the connection closes in the middle of the response body |
| `limited`, `unavailable` | 429 and 503, with `Retry-After` |
| `revoked` | 401: all access tokens are revoked |
| `expired` | the active credentials of the namespace expire for good |
| `cut-before`, `cut-within`, `cut-after` | a stream that ends after `at` bytes |
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

KINDS: dict[str, Kind] = {"refused": "reset", "lost": "reset_after", "cut": "truncated"}
STATUSES = {"limited": 429, "unavailable": 503}


class PlacedFaults(Faults):
    """The faults of a state, after those that `meet` names: it is called for each request."""

    def __init__(self, state: State, meet: Callable[[ContractOperation, str], tuple[str, int]]) -> None:
        super().__init__(state.faults._operations)
        self._faults = state.faults.snapshot()
        self._state = state
        self._meet = meet

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
        if fault.startswith("cut-"):
            return self._made(operation, "dropped_stream", at)
        if fault in KINDS:
            return self._made(operation, KINDS[fault])
        return super().take(operation, namespace, in_handler=in_handler)

    def _made(self, operation: ContractOperation, kind: Kind, after_bytes: int | None = None) -> Fault:
        made = self.add(operation.id, kind=kind, after_bytes=after_bytes)
        self.remove(made.id)
        return made
