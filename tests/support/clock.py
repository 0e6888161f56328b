"""A clock that only advances when told to."""

from __future__ import annotations


class Clock:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    time = __call__

    def pass_(self, seconds: float) -> None:
        self.now += seconds
