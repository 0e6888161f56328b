"""Fault injection: errors, latency, resets and truncated responses for the next calls of an operation.

| kind | what the client meets with |
|---|---|
| `latency` | the true answer, `latency` real seconds late; any other kind may be late as well |
| `status` | an error answer with that `status`; nothing was done |
| `reset` | the connection is reset; nothing was done |
| `reset_after` | the connection is reset; all was done |
| `truncated` | the connection ends in the middle of the answer's body; all was done |
| `malformed` | a whole answer whose body is half a JSON document; all was done |
| `dropped_stream` | a stream that ends abruptly `after_events` events or `after_bytes` bytes |
| `expired_token` | 401: the access token of this call is at its end, for every other call as well |
| `clock_skew` | `Date` and `X-RateLimit-Reset` of a server whose clock is `skew` seconds ahead (or behind, below 0) |

`latency` and `status` meet whoever makes an operation work: not the repetition of an idempotent call, which is answered
from memory. All others meet every request. A request meets with at most one of each of these two groups, the one that
was ordered first. To move the clock itself, use `sandbox.clock.advance`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from interactor_ext.sandbox.http.connections import ConnectionCut
from interactor_ext.sandbox.http.contract import ContractOperation
from interactor_ext.sandbox.http.problems import Problem

Kind = Literal[
    "latency",
    "status",
    "reset",
    "reset_after",
    "truncated",
    "malformed",
    "dropped_stream",
    "expired_token",
    "clock_skew",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
IN_A_HANDLER: frozenset[Kind] = frozenset({"latency", "status"})
# Their subject is an answer with a body, which a stream is not.
OF_A_BODY: frozenset[Kind] = frozenset({"truncated", "malformed"})
# Seconds.
MAX_SKEW = 100 * 365 * 86_400


@dataclass(slots=True, eq=False)
class Fault:
    """One order to misbehave. `left` counts down; None never ends."""

    id: int
    kind: Kind
    operation: str | None
    namespace: str | None
    status: int | None
    code: str | None
    message: str
    retry_after: float | str | None
    latency: float
    after_events: int
    after_bytes: int | None
    skew: float
    probability: float
    left: int | None
    _chance: random.Random = field(repr=False)

    async def apply(self, stopping: asyncio.Event) -> None:
        """Take the time, then raise the Problem, if a status was ordered; ConnectionCut, if the sandbox is to stop."""
        if self.latency:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self.latency)
                raise ConnectionCut(reset=False)
        if self.status is not None:
            headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after}"}
            raise Problem(self.status, self.message, code=self.code, headers=headers)

    def matches(self, operation: ContractOperation, namespace: str, kinds: Collection[Kind]) -> bool:
        if self.kind not in kinds or self.operation not in (None, operation.id):
            return False
        if (self.kind == "dropped_stream" and not operation.stream) or (self.kind in OF_A_BODY and operation.stream):
            return False
        return self.namespace in (None, namespace)

    def is_drawn(self) -> bool:
        return self.probability >= 1 or self._chance.random() < self.probability

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}


class Faults:
    """The orders in force, first come first served. Every method is safe from any thread."""

    def __init__(self, operations: Mapping[str, ContractOperation]) -> None:
        self._operations = operations
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._ids = itertools.count(1)

    def add(
        self,
        operation: str | None = None,
        *,
        kind: Kind | None = None,
        namespace: str | None = None,
        status: int | None = None,
        code: str | None = None,
        message: str = "The sandbox was told to fail here.",
        retry_after: float | str | None = None,
        latency: float = 0.0,
        after_events: int = 0,
        after_bytes: int | None = None,
        skew: float = 0.0,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Let the next `times` fitting requests (None: all of them) meet with a fault of this `kind`.

        Without a `kind` it is `status` if one is given, else `latency`. `operation` is an operationId and None fits
        every one; so does `namespace=None`. `retry_after` goes into the header as it is, nonsense included. With a
        `probability` below 1 a part of the fitting requests is spared and not counted; `seed` decides which, the same
        in every run. `after_bytes` counts instead of `after_events` if it is given.

        Raises ValueError for an operation the contract doesn't have, or what does not go with the kind.
        """
        if operation is not None and operation not in self._operations:
            raise ValueError(f"operation {operation!r} is not in the contract")
        fault = Fault(
            id=next(self._ids),
            kind=kind or ("latency" if status is None else "status"),
            operation=operation,
            namespace=namespace,
            status=status,
            code=code,
            message=message,
            retry_after=retry_after,
            latency=latency,
            after_events=after_events,
            after_bytes=after_bytes,
            skew=skew,
            probability=probability,
            left=times,
            _chance=random.Random(seed),  # noqa: S311  # has to be the same in each run
        )
        _check(fault, None if operation is None else self._operations[operation])
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, operation: ContractOperation, namespace: str, *, in_handler: bool) -> Fault | None:
        """The fault of one of the two groups that strikes this request, if any; it counts as used."""
        if not self._faults:
            return None
        kinds = IN_A_HANDLER if in_handler else frozenset(KINDS) - IN_A_HANDLER
        with self._lock:
            for fault in self._faults:
                if fault.matches(operation, namespace, kinds) and fault.is_drawn():
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left == 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def remove(self, fault_id: int) -> bool:
        """Call off one order; whether it was still in force."""
        with self._lock:
            left = [fault for fault in self._faults if fault.id != fault_id]
            found = len(left) < len(self._faults)
            self._faults = left
        return found

    def snapshot(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def __len__(self) -> int:
        return len(self._faults)


def _check(fault: Fault, operation: ContractOperation | None) -> None:
    if fault.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {fault.kind!r}")
    if (fault.kind == "status") != (fault.status is not None):
        raise ValueError("a status goes with the kind status, and with no other")
    if fault.status is not None and not 400 <= fault.status <= 999:
        raise ValueError(f"status must be 400 to 999, not {fault.status}")
    if isinstance(fault.retry_after, str) and not fault.retry_after.isprintable():
        raise ValueError("retry_after must be one line of text, as a header is")
    for name in ("latency", "after_events", "after_bytes"):
        value = getattr(fault, name)
        if value is not None and not (_is_finite(value) and value >= 0):
            raise ValueError(f"{name} must be a number from 0 up, not {value!r}")
    if fault.kind == "latency" and fault.latency == 0:
        raise ValueError("a fault needs a kind, a status or a latency")
    if fault.kind == "clock_skew" and not (_is_finite(fault.skew) and fault.skew):
        raise ValueError(f"a clock_skew needs a skew other than 0, not {fault.skew!r}")
    if abs(fault.skew) > MAX_SKEW:
        raise ValueError(f"a skew is of at most a hundred years, not {fault.skew!r}")
    if fault.left is not None and fault.left < 1:
        raise ValueError(f"times must be at least 1, not {fault.left}")
    if not 0 < fault.probability <= 1:
        raise ValueError(f"probability must be above 0 and at most 1, not {fault.probability!r}")
    if operation is not None and operation.stream and fault.kind in OF_A_BODY:
        raise ValueError(f"{fault.kind} is for answers, not for a stream: that is cut by dropped_stream")
    if operation is not None and not operation.stream and fault.kind == "dropped_stream":
        raise ValueError(f"{operation.id} is not a stream")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        # An integer beyond all floats.
        return False
