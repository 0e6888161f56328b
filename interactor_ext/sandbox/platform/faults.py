"""Fault injection: errors, latency, resets and truncated responses for the next calls of an operation.

| kind | effect on the client |
|---|---|
| `latency` | the normal response, `latency` real seconds late; any other kind may be late as well |
| `status` | an error response with that `status`; the handler did not run |
| `reset` | the connection is reset; the handler did not run |
| `reset_after` | the connection is reset; the handler ran |
| `truncated` | the connection closes in the middle of the response body; the handler ran |
| `malformed` | a complete response whose body is half a JSON document; the handler ran |
| `dropped_stream` | a stream that ends abruptly after `after_events` events or `after_bytes` bytes |
| `stream_error` | a stream that ends after `after_events` events with an event `error` of this `code` and `message` |
| `expired_token` | 401: the access token of this call expires, also for every other call |
| `clock_skew` | `Date` and `X-RateLimit-Reset` of a server whose clock is `skew` seconds ahead (or behind, below 0) |

`latency` and `status` apply when the handler runs, so not to a repeated idempotent call, whose response is stored. All
others apply to every request. A request gets at most one fault of each of these two groups, the one added first. To
move the clock itself, use `sandbox.clock.advance`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, get_args

from interactor_client.advised import Advised
from interactor_ext._engine.fork import safe_lock
from interactor_ext.sandbox.platform.contract import ContractOperation
from interactor_ext.sandbox.problems import ConnectionCut, Problem

Kind = Literal[
    "latency",
    "status",
    "reset",
    "reset_after",
    "truncated",
    "malformed",
    "dropped_stream",
    "stream_error",
    "expired_token",
    "clock_skew",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
IN_A_HANDLER: frozenset[Kind] = frozenset({"latency", "status"})
# These apply to responses with a body, not to streams.
OF_A_BODY: frozenset[Kind] = frozenset({"truncated", "malformed"})
OF_A_STREAM: frozenset[Kind] = frozenset({"dropped_stream", "stream_error"})
FAILURE = "The sandbox was told to fail here."


@dataclass(slots=True, eq=False)
class Fault:
    """An injected fault. `left` counts down; None means unlimited."""

    id: int
    kind: Kind
    operation: str | None
    namespace: str | None
    status: int | None
    code: str | None
    message: str
    retry_after: float | str | None
    body: Any
    headers: Mapping[str, str]
    latency: float
    after_events: int
    after_bytes: int | None
    skew: float
    probability: float
    left: int | None
    _chance: random.Random = field(repr=False)

    async def apply(self, stopping: asyncio.Event) -> None:
        """Wait for the latency, then raise the Problem of a status fault, or ConnectionCut if the sandbox stops."""
        if self.latency:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self.latency)
                raise ConnectionCut(reset=False)
        if self.status is not None:
            # The contract has Retry-After on both; 0 keeps the client's own waits.
            default = 0 if self.status in (429, 503) else None
            after = default if self.retry_after is None else self.retry_after
            headers = {} if after is None else {"retry-after": f"{after}"}
            raise Problem(
                self.status, self.message, code=self.code, headers={**headers, **self.headers}, body=self.body
            )

    def matches(self, operation: ContractOperation, namespace: str, kinds: Collection[Kind]) -> bool:
        """Whether the fault has one of these `kinds` and applies to this operation and namespace, this time."""
        if self.kind not in kinds or self.operation not in (None, operation.id):
            return False
        if (self.kind in OF_A_STREAM and not operation.stream) or (self.kind in OF_A_BODY and operation.stream):
            return False
        return self.namespace in (None, namespace) and self._chance.random() < self.probability

    def to_json(self) -> dict[str, Any]:
        """The fault as a JSON object."""
        return {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}


class Faults(Advised, calls=True):
    """The active faults, in order of addition. Thread-safe."""

    def __init__(self, operations: Mapping[str, ContractOperation]) -> None:
        self._operations = operations
        self._faults: list[Fault] = []
        self._lock = safe_lock()
        self._ids = itertools.count(1)

    def add(
        self,
        operation: str | None = None,
        *,
        kind: Kind | None = None,
        namespace: str | None = None,
        status: int | None = None,
        code: str | None = None,
        message: str = FAILURE,
        retry_after: float | str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        latency: float = 0.0,
        after_events: int = 0,
        after_bytes: int | None = None,
        skew: float = 0.0,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Inject a fault of this `kind` into the next `times` matching requests (None: all of them).

        Without a `kind` it is `status` if one is set, else `latency`. `operation` is an operationId, None matches
        all; so does `namespace=None`. `retry_after` is sent in the header unchanged, even if invalid; the default is
        0 with 429 and 503. With a `status`, `body` replaces the error envelope: a text (HTML, unless `headers`
        have another `Content-Type`) or JSON; `headers` are added to the sandbox's own, or replace them. The status may
        then also be a success. With a `probability` below 1 some matching requests are skipped and not counted; `seed`
        makes the choice reproducible. `after_bytes` takes precedence over `after_events`. `latency` and `skew` are in
        seconds.

        Raises ValueError for an unknown operation, or arguments that don't fit the kind.
        """
        if operation is not None and operation not in self._operations:
            meant = get_close_matches(str(operation), self._operations, n=1)
            hint = f": did you mean {meant[0]!r}?" if meant else ""
            if str(operation).isdigit():
                hint = f": write status={operation}"
            raise ValueError(f"operation {operation!r} isn't in the contract{hint}")
        fault = Fault(
            id=next(self._ids),
            kind=kind or ("latency" if status is None else "status"),
            operation=operation,
            namespace=namespace,
            status=status,
            code=code,
            message=message,
            retry_after=retry_after,
            body=body,
            headers={name.lower(): value for name, value in (headers or {}).items()},
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
        """Return the fault of one of the two groups that applies to this request, if any, and count it as used."""
        kinds = IN_A_HANDLER if in_handler else frozenset(KINDS) - IN_A_HANDLER
        with self._lock:
            for fault in self._faults:
                if fault.matches(operation, namespace, kinds):
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left == 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def remove(self, fault_id: int) -> bool:
        """Remove one fault; returns whether it was still active."""
        with self._lock:
            left = [fault for fault in self._faults if fault.id != fault_id]
            found = len(left) < len(self._faults)
            self._faults = left
        return found

    def snapshot(self) -> list[Fault]:
        """The current faults, in the order in which they were added."""
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def __len__(self) -> int:
        return len(self._faults)


def _check(fault: Fault, operation: ContractOperation | None) -> None:
    if fault.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {fault.kind!r}")
    if (fault.kind == "status") != (fault.status is not None):
        raise ValueError("status belongs to the kind status, and to no other kind")
    least = 400 if fault.body is None else 200
    if fault.status is not None and (not least <= fault.status <= 999 or fault.status in (204, 205, 304)):
        raise ValueError(f"status must be from {least} to 999 and allow a body, not {fault.status}")
    if fault.status is None and (fault.body is not None or fault.headers):
        raise ValueError("body and headers need a status")
    if "content-length" in fault.headers:
        raise ValueError("headers can't contain content-length: the sandbox sets it")
    for name in ("latency", "after_events", "after_bytes"):
        value = getattr(fault, name)
        if value is not None and not value >= 0:
            raise ValueError(f"{name} must be a number, 0 or more, not {value!r}")
    if fault.kind == "latency" and fault.latency == 0:
        raise ValueError("a fault needs a kind, a status or a latency")
    if fault.kind == "clock_skew" and fault.skew == 0:
        raise ValueError("a clock_skew needs a skew other than 0")
    if fault.left is not None and fault.left < 1:
        raise ValueError(f"times must be at least 1, not {fault.left}")
    if not 0 < fault.probability <= 1:
        raise ValueError(f"probability must be above 0 and at most 1, not {fault.probability!r}")
    if operation is not None and operation.stream and fault.kind in OF_A_BODY:
        raise ValueError(f"{fault.kind} applies to responses, not to a stream: use dropped_stream to cut a stream")
    if operation is not None and not operation.stream and fault.kind in OF_A_STREAM:
        raise ValueError(f"{operation.id} isn't a stream")
