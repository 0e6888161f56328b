"""Makes the long waits of the code under test short, and lets time pass by them, here and on the sandbox's clock.

What waits for the platform (a Retry-After, a backoff, a loop of the user's with `time.sleep`) is not told: `sleep` of
`time` and `asyncio` and the pauses of clients return once the sandbox has nothing to do, and the SDK and the user's
modules see `time.time` and `time.monotonic` go on by what was slept. Event loops, servers and the standard library do
not. Waits of up to `POLL` seconds are those of a test that looks again and again, and stay real.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import httpx

from interactor_ext._errors import InteractorError
from interactor_ext._waiting import Closing, TaskWaiter, ThreadWaiter
from interactor_ext.testing.explore_faults import Placement
from interactor_ext.transports._attempts import Attempts
from interactor_ext.webhooks import WebhookEvent, WebhookRouter, WebhookVerifier

# Real seconds: what a wait has at most to be left alone; the least that a longer one takes; between two looks.
POLL, LEAST, LOOK = 0.2, 0.02, 0.004
# Of a pause of a client: nothing else can come of it.
PAUSE = 0.001


@contextmanager
def short_waits(placement: Placement) -> Iterator[None]:
    """Within the block, in this process, waits are short."""
    sleep, sleep_async, after_error = time.sleep, asyncio.sleep, Attempts.after_error
    wait, wait_async, begin = Closing.wait, Closing.wait_async, Attempts.begin
    verify, run_handlers = WebhookVerifier.verify, WebhookRouter.run_handlers

    monotonic, clock_time = time.monotonic, time.time
    ahead = 0.0

    def passed(seconds: float) -> None:
        nonlocal ahead
        sandbox = placement.sandbox
        if sandbox is not None and seconds > 0:
            ahead += seconds
            if not sandbox.clock.is_frozen:
                sandbox.clock.advance(seconds)

    def looks(seconds: float) -> Iterator[float]:
        began = time.monotonic()
        while (gone := time.monotonic() - began) < seconds and (gone < LEAST or placement.is_busy):
            yield LOOK
        # A worker that sleeps in a loop of its own would make time race.
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

    def short_wait(self: Closing, seconds: float, waiter: ThreadWaiter | None = None) -> bool:
        passed(seconds - PAUSE)
        return wait(self, min(seconds, PAUSE), waiter)

    async def short_wait_async(self: Closing, seconds: float, waiter: TaskWaiter | None = None) -> bool:
        passed(seconds - PAUSE)
        return await wait_async(self, min(seconds, PAUSE), waiter)

    def timed_out(self: Attempts, error: httpx.TransportError) -> float:
        """An attempt whose answer is slow has used up its time, and its call as much of its deadline."""
        name = "" if self.call.operation is None else self.call.operation.id
        if placement.slow[name]:
            placement.slow[name] -= 1
            error = httpx.ReadTimeout("The explorer keeps the answer back.", request=self.request)
            passed(self.ends_at - monotonic() - ahead)
        return after_error(self, error)

    def sent(self: Attempts) -> InteractorError | None:
        placement.sent["" if self.call.operation is None else self.call.operation.id] += 1
        return begin(self)

    def verified(self: WebhookVerifier, body: Any, headers: Any) -> WebhookEvent:
        if self.clock is clock_time:
            self.clock = lambda: clock_time() + ahead
        return verify(self, body, headers)

    def handled(self: WebhookRouter, event: WebhookEvent, run: Any, renewal: Any) -> Any:
        yield from run_handlers(self, event, run, renewal)
        placement.handled.add(event.id)

    replaced: list[tuple[Any, str, Any, Any]] = [
        (Attempts, "begin", begin, sent),
        (WebhookVerifier, "verify", verify, verified),
        (WebhookRouter, "run_handlers", run_handlers, handled),
        (Closing, "wait", wait, short_wait),
        (Closing, "wait_async", wait_async, short_wait_async),
        (Attempts, "after_error", after_error, timed_out),
    ]
    shown = ModuleType("time")
    vars(shown).update(vars(time))
    shown.sleep, shown.monotonic = short_sleep, lambda: monotonic() + ahead  # type: ignore[attr-defined]
    shown.time = lambda: clock_time() + ahead  # type: ignore[attr-defined]
    news: dict[Any, Any] = {sleep: short_sleep, sleep_async: short_sleep_async, time: shown}
    news |= {monotonic: vars(shown)["monotonic"], clock_time: vars(shown)["time"]}
    replaced += [(module, name, real, news[real]) for module, name, real in clocks()]
    for owner, name, _, short in replaced:
        setattr(owner, name, short)
    try:
        yield
    finally:
        for owner, name, real, _ in replaced:
            setattr(owner, name, real)


_NOT_UNDER_TEST = ("interactor_ext.sandbox", "interactor_ext.testing")


@cache
def clocks() -> list[tuple[ModuleType, str, Any]]:
    """Where modules have the functions of a clock, by whatever name: to be asked before a fork, as it takes long."""
    found: list[tuple[ModuleType, str, Any]] = []
    for module in list(sys.modules.values()):
        wanted: tuple[Any, ...] = (time.sleep, asyncio.sleep)
        if _is_under_test(module):
            wanted += (time, time.monotonic, time.time)
        values = list(getattr(module, "__dict__", {}).items())
        found += [(module, name, value) for name, value in values if any(value is each for each in wanted)]
    return found


def _is_under_test(module: ModuleType) -> bool:
    """Whether it is of the SDK, or of the user."""
    name, path = getattr(module, "__name__", ""), getattr(module, "__file__", None) or ""
    if name.startswith("interactor_ext"):
        return not name.startswith(_NOT_UNDER_TEST)
    installed = tuple(sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib"))
    return bool(path) and not path.startswith(installed)
