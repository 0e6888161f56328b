"""Calls within a time limit of several calls, which wait for an open circuit to close again: for tools and chats."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from interactor_ext._effects import Call, Effects, Pause
from interactor_ext._errors import CircuitOpenError

# How long an open circuit is waited for without a deadline, and at least before the next attempt.
_LONGEST_OUTAGE = 300.0
_SHORTEST_PAUSE = 0.05
# In place of a deadline that has passed: a view takes none of 0.
_NO_TIME = 1e-6


def despite_open_circuit(user: Any, ends_at: float | None, call: Callable[[Any], Any]) -> Effects[Any]:
    """What a call returns, made again as soon as an open circuit lets it through. `call` is given a view in time.

    Not beyond `ends_at`, an instant of `time.monotonic()`, nor for longer than some minutes: then it raises the
    CircuitOpenError.
    """
    longest = time.monotonic() + _LONGEST_OUTAGE
    gives_up_at = longest if ends_at is None else min(ends_at, longest)
    while True:
        try:
            return (yield Call(call, (view_until(user, ends_at),)))
        except CircuitOpenError as error:
            seconds = max(error.retry_after or 0.0, _SHORTEST_PAUSE)
            if time.monotonic() + seconds >= gives_up_at:
                raise
            yield Pause(seconds)


def view_until(user: Any, ends_at: float | None) -> Any:
    """The view, for one call or one stream that ends when all of them must: at an instant of `time.monotonic()`."""
    return user if ends_at is None else user.with_options(deadline=max(ends_at - time.monotonic(), _NO_TIME))
