"""The closer thread, which closes what finalisers must not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from interactor_ext._engine.waiting import closer
from interactor_ext._engine.waiting.closer import close_later, start_closer
from tests.support.waiting import refuse_threads

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def running() -> None:
    start_closer()


class Owner:
    """Something that can be dropped."""


def test_error_while_closing_does_not_end_the_closer_thread() -> None:
    def fail() -> None:
        raise ValueError("broken")

    done = threading.Event()
    close_later(fail)
    close_later(done.set)
    assert done.wait(PATIENCE)


def test_closer_outlives_a_reference_that_an_interrupt_kept_out_of_its_watches() -> None:
    owner, done = Owner(), threading.Event()
    start_closer()
    watch = weakref.ref(owner, closer.closer.queue.put)  # never hashed, so it cannot be looked up any more
    del owner
    close_later(done.set)
    assert done.wait(PATIENCE)
    assert watch() is None


def test_generator_dropped_under_a_lock_is_closed_without_deadlock() -> None:
    """As the collector does it: the generator ends while this very thread holds the lock that closing takes."""
    lock, done = threading.Lock(), threading.Event()

    def close() -> None:
        with lock:
            done.set()

    def generate() -> Iterator[int]:
        try:
            yield 1
        except GeneratorExit:
            close_later(close)
            raise

    generator = generate()
    next(generator)
    with lock:
        del generator
        assert not done.is_set()
    assert done.wait(PATIENCE)


def test_closer_starts_later_when_no_thread_can_be_started_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    own, done = closer._Closer(), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse_threads)
        own.start()
    own.queue.put(done.set)
    assert not done.is_set()
    own.start()
    assert done.wait(PATIENCE)
    own.finish()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_child_starts_a_closer_thread_of_its_own() -> None:
    program = """
import os, threading
from interactor_ext._engine.waiting.closer import close_later, start_closer
start_closer()
child = os.fork()
start_closer()
done = threading.Event()
close_later(done.set)
assert done.wait(60)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    # Python 3.12 and newer warn of a fork with threads, which is what is tried here.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stderr) == (0, "")
