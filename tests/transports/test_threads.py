"""DaemonThreads: the pool for calls that may never return; and what a thread sleeps on until it is woken."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading

import pytest

from interactor_ext import ConfigurationError
from interactor_ext._engine.waiting import ThreadWaiter
from interactor_ext._engine.waiting import threads as _threads
from interactor_ext._engine.waiting.threads import DaemonThreads
from tests.support.interrupts import runs_interrupted_in_each_line
from tests.support.waiting import eventually, in_time, refuse_threads


def test_thread_of_an_abandoned_call_is_replaced() -> None:
    threads, go_on, ran = DaemonThreads("test", max_threads=2), threading.Event(), list[int]()
    hanging = [threads.submit(go_on.wait, 60) for _ in range(2)]
    eventually(lambda: all(future.running() for future in hanging))
    waiting, dropped = threads.submit(int, "7"), threads.submit(ran.append, 1)
    threads.abandon(dropped)
    assert dropped.cancelled()
    assert not waiting.running()
    threads.abandon(hanging[0])
    assert waiting.result(60) == 7
    assert threads._threads == 2
    go_on.set()
    assert all(future.result(60) for future in hanging)
    eventually(lambda: threads._abandoned == 0 and not threads._running)
    assert threads.submit(int, "8").result(60) == 8
    threads.abandon(waiting)  # it is done
    assert threads._threads <= 2
    assert ran == []


def test_number_of_abandoned_threads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "_MAX_ABANDONED", 1)
    threads, go_on = DaemonThreads("test", max_threads=1), threading.Event()
    for _ in range(2):
        future = threads.submit(go_on.wait, 60)
        eventually(future.running)
        threads.abandon(future)
    waiting = threads.submit(int, "7")
    assert not waiting.running()
    assert (threads._threads, threads._abandoned) == (1, 1)
    go_on.set()
    assert waiting.result(60) == 7


def test_idle_threads_end() -> None:
    threads = DaemonThreads("test", idle=0.01)
    assert threads.submit(int, "7").result(60) == 7
    eventually(lambda: threads._threads == 0)
    assert threads.submit(int, "8").result(60) == 8


def test_submit_without_a_thread_raises_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, ran = DaemonThreads("test"), list[int]()
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", refuse_threads)
        with pytest.raises(ConfigurationError, match="Couldn't start a thread"):
            threads.submit(ran.append, 1)
    assert threads.submit(int, "7").result(60) == 7
    assert ran == []


def test_interrupted_caller_leaves_the_pool_usable() -> None:
    threads = DaemonThreads("test")

    def submit() -> None:
        nonlocal threads
        threads = DaemonThreads("test")
        threads.submit(int, "7")

    for _ in runs_interrupted_in_each_line(submit):
        assert in_time(lambda: threads.submit(int, "8").result()) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_has_its_own_threads() -> None:
    threads = DaemonThreads("test")
    assert threads.submit(int, "7").result(60) == 7
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if threads.submit(int, "8").result(60) == 8 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


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
