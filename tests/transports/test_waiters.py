"""What a thread sleeps on until another wakes it: every wait ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from interactor_ext._engine.waiting import ThreadWaiter

SECONDS = 60.0


@pytest.mark.full
def test_waits_of_a_few_microseconds_end() -> None:
    def wait() -> None:
        for number in range(100_000):
            assert not ThreadWaiter().wait(number % 10 * 1e-6)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
def test_wait_ends_although_a_signal_handler_outlasts_it() -> None:
    program = """
import signal
import time

from interactor_ext._engine.waiting import ThreadWaiter

ran = []


def outlast(*_):
    while time.monotonic() < ends_at:
        pass
    ran.append(True)


signal.signal(signal.SIGALRM, outlast)
ends_at = time.monotonic() + 1
signal.setitimer(signal.ITIMER_REAL, 0.1)
assert not ThreadWaiter().wait(0.9)
assert ran
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=SECONDS)


def test_waiter_woken_before_it_waits_does_not_sleep_and_sleeps_the_next_time() -> None:
    waiter = ThreadWaiter()
    waiter.wake()
    waiter.wake()
    assert waiter.wait(SECONDS)
    assert not waiter.wait(0)
