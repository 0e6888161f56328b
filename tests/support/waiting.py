"""Waits until a condition is true that another thread, task or process brings about."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, TypeVar

import pytest

from interactor_ext import APITimeoutError

T = TypeVar("T")

PATIENCE = 60.0
"""After this many seconds, something counts as stuck. Nothing takes nearly as long, even on a busy machine."""


def eventually(condition: Callable[[], object], what: str = "it") -> Literal[True]:
    """Return True as soon as `condition` is true. Fails after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.002)
    return True


def collect_garbage() -> None:
    """Collect all garbage in this thread; `gc.collect` does nothing while another thread collects."""
    collected_by: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            collected_by.append(threading.get_ident())

    gc.callbacks.append(note)
    try:
        eventually(lambda: gc.collect() >= 0 and threading.get_ident() in collected_by, "a collection of garbage")
    finally:
        gc.callbacks.remove(note)


async def eventually_async(condition: Callable[[], object], what: str = "it") -> None:
    """Like `eventually`; other tasks continue in the meantime."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        await asyncio.sleep(0.002)


def with_enough_time(attempt: Callable[[float], T], *seconds: float) -> T:
    """Call `attempt` with each of these times, shortest first, until it neither fails nor times out.

    For what must happen within a real time limit, which may have to be longer on a busy machine.
    """
    *shorter, longest = seconds
    for each in shorter:
        try:
            return attempt(each)
        except (AssertionError, APITimeoutError):
            continue
        except pytest.fail.Exception as failed:
            if "DID NOT RAISE" not in str(failed):  # such as the timeout of the whole test, which comes only once
                raise
    return attempt(longest)


def in_time(work: Callable[[], T]) -> T:
    """Return or raise what `work` does in a thread. TimeoutError after `PATIENCE`; its thread is then left to
    itself."""
    answer: Future[T] = Future()

    def do() -> None:
        try:
            answer.set_result(work())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return answer.result(PATIENCE)


def refuse_threads(*arguments: object) -> None:
    """Make thread starts fail, as if the system had no more."""
    raise RuntimeError("can't start new thread")
