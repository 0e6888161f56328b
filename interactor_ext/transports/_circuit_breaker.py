"""The circuit breaker: refuses calls to a host that fails all the time. A state machine for each host, and one lock."""

from __future__ import annotations

import math
import time
import weakref
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from interactor_ext._fork import after_fork_in_child, fork_safe_lock


@dataclass(slots=True)
class Circuit:
    """The state of one host. Closed, it counts failures in a row; open, it refuses calls until `probe_at`; then one
    call probes the host, and opens or closes the circuit.
    """

    failures: int = 0
    probe_at: float | None = None
    probe: weakref.ref[Permit] | None = None
    era: int = 0

    @property
    def probing(self) -> bool:
        # An interrupt can drop a permit before the outcome of its attempt is recorded.
        return self.probe is not None and self.probe() is not None


class CircuitBreaker:
    """Refuses calls to a host after `failures` failed attempts in a row, for `cool_down` seconds; then one call probes
    it.

    A failed attempt is a connection error, a timeout or a status from 500 to 599. Every other answer shows that the
    host lives. One breaker may serve several clients: its circuits are by host and port, for all namespaces.
    Breakers with the same settings are equal.
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
        self._reset()
        after_fork_in_child(self._reset)

    def __repr__(self) -> str:
        return f"CircuitBreaker(failures={self._failures}, cool_down={self._cool_down:g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CircuitBreaker) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    def enter(self, host: str) -> Permit | float:
        """A permit for one attempt, or in how many seconds to try again."""
        with self._lock:
            circuit = self._circuits[host]
            permit = Permit(self, circuit, circuit.era)
            if circuit.probe_at is None:
                return permit
            seconds = circuit.probe_at - self._clock()
            if seconds > 0:
                return seconds
            if circuit.probing:
                return min(1.0, self._cool_down)
            circuit.era += 1
            permit.era = circuit.era
            circuit.probe = weakref.ref(permit)
            return permit

    def record(self, circuit: Circuit, era: int, failed: bool | None) -> None:
        """Record how an attempt ended; `failed` is None where that says nothing about the host (a cancellation)."""
        with self._lock:
            if era != circuit.era:
                return  # the attempt began before the circuit last changed
            if failed is None:
                circuit.probe = None
            elif not failed:
                circuit.failures, circuit.probe_at, circuit.probe = 0, None, None
            else:
                circuit.failures += 1
                if circuit.probing or circuit.failures >= self._failures:
                    circuit.probe_at, circuit.probe = self._clock() + self._cool_down, None
                    circuit.era += 1

    def _reset(self) -> None:
        # A forked child must not wait for a probe that its parent sent.
        self._circuits: defaultdict[str, Circuit] = defaultdict(Circuit)


@dataclass(slots=True, weakref_slot=True, eq=False)
class Permit:
    """Allows one attempt."""

    _breaker: CircuitBreaker
    _circuit: Circuit
    era: int

    def end(self, *, failed: bool | None) -> None:
        """Record the outcome; `failed` is None where it says nothing of the host, as when the attempt is cancelled."""
        self._breaker.record(self._circuit, self.era, failed)
