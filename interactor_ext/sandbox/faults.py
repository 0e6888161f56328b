"""Misbehaviour on command: what the next calls of an operation are answered with instead of the truth."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from dataclasses import dataclass

from .problems import Problem


@dataclass(slots=True)
class Fault:
    """One order to misbehave. `left` counts down; None never ends."""

    operation: str | None
    namespace: str | None
    status: int | None
    code: str | None
    message: str
    retry_after: float | str | None
    latency: float
    left: int | None

    def fits(self, operation: str, namespace: str) -> bool:
        return self.operation in (None, operation) and self.namespace in (None, namespace)

    async def strike(self) -> None:
        """Take the time, then raise the Problem, if a status was ordered."""
        await asyncio.sleep(self.latency)
        if self.status is not None:
            headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after}"}
            raise Problem(self.status, self.message, code=self.code, headers=headers)


class Faults:
    """The orders in force, first come first served. Every method is safe from any thread."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        operation: str | None = None,
        *,
        namespace: str | None = None,
        status: int | None = None,
        code: str | None = None,
        message: str = "The sandbox was told to fail here.",
        retry_after: float | str | None = None,
        latency: float = 0.0,
        times: int | None = 1,
    ) -> Fault:
        """Answer the next `times` fitting requests (None: all of them) with `status`, after `latency` real seconds.

        `operation` is an operationId and None fits every one; so does `namespace=None`. Without `status` the call is
        only slow. A fault of status strikes before anything is done, so the call has had no effect. `retry_after` goes
        into the header as it is, nonsense included. Raises ValueError for an operation the contract doesn't have.
        """
        if operation is not None and operation not in self._operations:
            raise ValueError(f"operation {operation!r} is not in the contract")
        if status is not None and not 400 <= status <= 999:
            raise ValueError(f"status must be 400 to 999, not {status}")
        if status is None and latency <= 0:
            raise ValueError("a fault needs a status or a latency")
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        fault = Fault(operation, namespace, status, code, message, retry_after, latency, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, operation: str, namespace: str) -> Fault | None:
        """The fault that strikes this request, if any; it counts as used."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.fits(operation, namespace):
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left == 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def __len__(self) -> int:
        return len(self._faults)
