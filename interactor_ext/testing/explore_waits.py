"""Shortens the long waits of the code under test, and advances the time by them, here and on the sandbox's clock.

Code that waits for the platform (a Retry-After, a backoff, a user's loop with `time.sleep`) doesn't notice: `sleep` of
`time` and `asyncio` and the pauses of clients return once the sandbox has nothing to do, and the SDK and the user's
modules see `time.time` and `time.monotonic` advance by the time slept. Event loops, servers and the standard library
don't. Waits of up to `POLL` seconds belong to tests that poll, and stay real.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import httpx

from interactor_ext._engine.calls.attempts import Attempts
from interactor_ext._engine.waiting import Closing
from interactor_ext.testing.explore_faults import Placement
from interactor_ext.webhooks import WebhookRouter

# In real seconds: waits up to this long stay unchanged; the minimum of a longer one; between two polls; a
# client's pause that nothing else can end.
POLL, LEAST, LOOK, PAUSE = 0.2, 0.02, 0.004, 0.001
_NOT_UNDER_TEST = ("interactor_ext.sandbox", "interactor_ext.testing")


def short_waits(placement: Placement) -> None:
    """From now on, waits in this process are short."""
    sleep, sleep_async, monotonic, wall = time.sleep, asyncio.sleep, time.monotonic, time.time
    wait, wait_async, begin, after_error = Closing.wait, Closing.wait_async, Attempts.begin, Attempts.after_error
    run_handlers = WebhookRouter.run_handlers
    ahead = 0.0

    def passed(seconds: float) -> None:
        nonlocal ahead
        if placement.sandbox is not None and seconds > 0:
            ahead += seconds
            if not placement.sandbox.clock.is_frozen:
                placement.sandbox.clock.advance(seconds)

    def looks(seconds: float) -> Iterator[float]:
        began = monotonic()
        while (gone := monotonic() - began) < seconds and (gone < LEAST or placement.is_busy):
            yield LOOK
        # A worker that sleeps in its own loop would make time race.
        if threading.current_thread() is threading.main_thread():
            passed(seconds - gone)

    def short_sleep(seconds: float) -> None:
        for each in looks(seconds) if seconds > POLL else [seconds]:
            sleep(each)

    async def short_sleep_async(delay: float, result: Any = None) -> Any:
        in_sandbox = placement.sandbox is not None and asyncio.get_running_loop() is placement.sandbox._loop
        for each in [delay] if in_sandbox or delay <= POLL else looks(delay):
            await sleep_async(each)
        return result

    def short_wait(self: Closing, seconds: float, waiter: Any = None) -> bool:
        passed(seconds - PAUSE)
        return wait(self, min(seconds, PAUSE), waiter)

    async def short_wait_async(self: Closing, seconds: float, waiter: Any = None) -> bool:
        passed(seconds - PAUSE)
        return await wait_async(self, min(seconds, PAUSE), waiter)

    def sent(self: Attempts) -> Any:
        placement.sent[_operation(self)] += 1
        return begin(self)

    def timed_out(self: Attempts, error: httpx.TransportError) -> float:
        """An attempt whose response is slow has used up its time, and its call the same part of its deadline."""
        if placement.slow[_operation(self)]:
            placement.slow[_operation(self)] -= 1
            error = httpx.ReadTimeout("The explorer holds the response back.", request=self.request)
            passed(self.ends_at - monotonic() - ahead)
        return after_error(self, error)

    def handled(self: WebhookRouter, event: Any, run: Any, renewal: Any) -> Any:
        yield from run_handlers(self, event, run, renewal)
        for (event_id, _), place in list(placement.posted.items()):
            place.is_handled |= event_id == event.id

    shown: Any = ModuleType("time")
    vars(shown).update(vars(time), sleep=short_sleep)
    shown.monotonic, shown.time = (lambda: monotonic() + ahead), (lambda: wall() + ahead)
    news = {time: shown, sleep: short_sleep, sleep_async: short_sleep_async}
    news |= {monotonic: shown.monotonic, wall: shown.time}
    for names, name, real in clocks():
        names[name] = news[real]
    Closing.wait, Closing.wait_async = short_wait, short_wait_async  # type: ignore[method-assign, assignment]
    Attempts.begin, Attempts.after_error = sent, timed_out  # type: ignore[method-assign]
    WebhookRouter.run_handlers = handled  # type: ignore[method-assign]


def _operation(attempts: Attempts) -> str:
    return "" if attempts.call.operation is None else attempts.call.operation.id


@cache
def clocks() -> list[tuple[dict[str, Any], str, Any]]:
    """Where modules have the functions of a clock, under any name, and objects with a `clock`, as a default or an
    argument. Call it before forking, because it is slow.
    """
    found: list[tuple[dict[str, Any], str, Any]] = []
    for module in list(sys.modules.values()):
        wanted: tuple[Any, ...] = (time.sleep, asyncio.sleep)
        if _is_under_test(module):
            wanted += (time, time.monotonic, time.time)
        names = getattr(module, "__dict__", {})
        found += [(names, name, value) for name, value in names.items() if any(value is each for each in wanted)]
    for real in (time.monotonic, time.time):
        for owner in gc.get_referrers(real):
            names = owner if isinstance(owner, dict) else getattr(owner, "__dict__", {})
            found += [(names, name, real) for name in ("clock", "_clock") if names.get(name) is real]
    return found


def _is_under_test(module: ModuleType) -> bool:
    """Whether it belongs to the SDK or the user."""
    name, path = getattr(module, "__name__", ""), getattr(module, "__file__", None) or ""
    if name.startswith("interactor_ext"):
        return not name.startswith(_NOT_UNDER_TEST)
    return bool(path) and not path.startswith(tuple(map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))))
