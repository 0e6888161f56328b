"""The circuit breaker blocks calls to a host that keeps failing, or only the calls of one namespace."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interactor_ext._engine.equality import EqualBySettings
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock

# Beyond this number, the circuits that failed longest ago are dropped.
_MAX_KEPT = 1000


class CircuitBreaker(EqualBySettings):
    """Blocks calls to a host for `cool_down` seconds after `failures` failed attempts in a row; then a single call
    probes the host.

    A failed attempt is a connection error, a timeout or a status from 500 to 599. Any other response shows that the
    host works. If all `failures` were in one namespace, only that namespace is blocked; if in two or more, all are.
    Several clients may share one breaker: it counts by host and port. Breakers with the same settings are equal.
    """

    def __init__(
        self, *, failures: int = 20, cool_down: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if isinstance(failures, bool) or not isinstance(failures, int) or failures < 1:
            raise ValueError(f"failures must be a whole number, at least 1, not {failures!r}")
        if not (isinstance(cool_down, int | float) and math.isfinite(cool_down) and cool_down > 0):
            raise ValueError(f"cool_down must be a positive number of seconds, not {cool_down!r}")
        self._settings = (type(self), failures, cool_down, clock)
        self._failures = failures
        self._cool_down = cool_down
        self._clock = clock
        self._lock = fork_safe_lock()
        self._circuits: Circuits | None = None
        after_fork_in_child(self._reset)

    def __repr__(self) -> str:
        return f"CircuitBreaker(failures={self._failures}, cool_down={self._cool_down:g})"

    def enter(self, host: str, namespace: str | None = None) -> Permit | Refusal:
        """Returns a permit for one attempt, or a refusal."""
        permit = Permit(self, host, namespace)
        if self._circuits is not None:
            with self._lock:
                waits, generations = self._circuits.enter(host, namespace, permit)
            if not generations:
                return Refusal(max(waits), None if waits[0] else namespace)
            permit.generations = generations
        return permit

    def record(self, permit: Permit, failed: bool | None) -> None:
        """Record how an attempt ended; `failed` is None if that says nothing about the host (a cancellation)."""
        if failed or self._circuits is not None:
            with self._lock:
                if self._circuits is None:
                    self._circuits = Circuits(self._failures, self._cool_down, self._clock)
                self._circuits.record(permit.host, permit.namespace, permit.generations, failed)

    def _reset(self) -> None:
        # A forked child must not wait for a probe that its parent sent.
        self._circuits = None


class Refusal(NamedTuple):
    """Why an attempt is refused."""

    seconds: float
    """Until another attempt may be let through."""
    namespace: str | None
    """The namespace that is blocked, or None if all are."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Permit:
    """Allows one attempt."""

    _breaker: CircuitBreaker
    host: str
    namespace: str | None
    generations: Sequence[int] = (0, 0)
    """The generations of the host's and the namespace's circuit when the attempt began."""

    def end(self, *, failed: bool | None) -> None:
        """Record the outcome, as `CircuitBreaker.record` does."""
        self._breaker.record(self, failed)


@dataclass(slots=True, eq=False)
class Circuit:
    """While closed, it counts failures in a row. While open, it blocks calls until `probe_at`; then a single call
    probes the host, and its outcome closes the circuit or opens it again.
    """

    min_namespaces: int  # how many namespaces must have failed for it to open: two for a host
    failures: int = 0
    failing: set[str | None] = field(default_factory=set)  # the namespaces of these failures
    probe_at: float | None = None
    probe: weakref.ref[Any] | None = None
    generation: int = 0

    def wait(self, now: float, cool_down: float) -> float:
        """Seconds until a call may be sent; 0 if it may be sent now."""
        if self.probe_at is None:
            return 0.0
        # An interrupt can drop a permit before the outcome of its attempt is recorded.
        is_probing = self.probe is not None and self.probe() is not None
        return self.probe_at - now if now < self.probe_at else min(1.0, cool_down) if is_probing else 0.0

    def enter(self, permit: object) -> int:
        """Admit a call, as the probe if the circuit is open. Returns the generation of its attempt."""
        if self.probe_at is not None:
            self.probe, self.generation = weakref.ref(permit), self.generation + 1
        return self.generation


class Circuits:
    """The circuits of one breaker. The breaker locks them."""

    def __init__(self, failures: int, cool_down: float, clock: Callable[[], float]) -> None:
        self._failures, self._cool_down, self._clock = failures, cool_down, clock
        self._kept: dict[tuple[str, str | None, int], Circuit] = {}

    def enter(self, host: str, namespace: str | None, permit: object) -> tuple[list[float], list[int]]:
        """The seconds that a call must wait for its host and its namespace, and both generations if it needn't."""
        now, circuits = self._clock(), [self._circuit(host, None, 2), self._circuit(host, namespace, 1)]
        waits = [circuit.wait(now, self._cool_down) for circuit in circuits]
        return waits, [] if any(waits) else [circuit.enter(permit) for circuit in circuits]

    def record(self, host: str, namespace: str | None, generations: Sequence[int], failed: bool | None) -> None:
        whole, own = self._circuit(host, None, 2, keep=failed), self._circuit(host, namespace, 1, keep=failed)
        # If a namespace's own circuit is open, its failures say nothing about the host, not even as the host's probe.
        is_known, opens = own.probe_at is not None, False
        for circuit, generation in zip((whole, own), generations, strict=True):
            if generation != circuit.generation:
                continue  # the attempt began before the circuit last changed
            if failed is None or (failed and is_known and circuit is whole):
                circuit.probe = None
            elif not failed:
                circuit.failures, circuit.probe_at, circuit.probe = 0, None, None
                circuit.failing.clear()
            else:
                circuit.failures += 1
                circuit.failing.add(namespace)
                is_full = circuit.failures >= self._failures and len(circuit.failing) >= circuit.min_namespaces
                opens = opens or is_full or circuit.probe_at is not None
                if opens:
                    circuit.probe_at, circuit.probe = self._clock() + self._cool_down, None
                    circuit.generation += 1
                    whole.failures = 0  # those were this namespace's: failures of others are counted from zero

    def _circuit(self, host: str, namespace: str | None, min_namespaces: int, *, keep: bool | None = False) -> Circuit:
        key = host, namespace, min_namespaces
        found = self._kept.get(key) or Circuit(min_namespaces)
        if keep:
            self._kept.pop(key, None)
            self._kept[key] = found  # moved to the end
            if len(self._kept) > _MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return found
