"""The circuit breaker blocks calls to a host that keeps failing, or only the calls of one namespace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from interactor_ext._engine.calls.circuits import Circuits
from interactor_ext._engine.equality import EqualBySettings
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock


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
