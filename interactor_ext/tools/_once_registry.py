"""Runs each job once: concurrent and later callers, sync or async, get the same outcome."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import attrs

from interactor_ext._engine.effects import Effects, Join, promise
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock

A = TypeVar("A")

_MAX_REMEMBERED = 4096

Run = Callable[[float | None], Effects[Any]]
"""Returns the result of a job. The argument is its deadline in `time.monotonic()`."""


class OnceRegistry(Generic[A]):
    """Jobs by key. Each job runs once and submits its result once; later callers get the same outcome.

    If a caller gives up, the next one continues: with the result if there is one, else with the first caller's `run`.
    The newest few thousand jobs are remembered.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        self._jobs: dict[object, _Job[A]] = {}

    def once(
        self, key: object, run: Run, submit: Callable[[Any], Effects[A]], ends_at: float | None = None
    ) -> Effects[A]:
        while True:
            job, is_ours = self._claim(key, run)
            if is_ours:
                return (yield from self._do(job, submit, ends_at))
            answers = job.answers
            yield Join(answers, ends_at, "another run of the same call was in progress")
            # Empty if the other caller gave up: then it is our turn, or a third caller's.
            if answers.result():
                return answers.result()[0]

    def _do(self, job: _Job[A], submit: Callable[[Any], Effects[A]], ends_at: float | None) -> Effects[A]:
        answers: list[A] = []
        try:
            if job.run is not None:
                job.result = yield from job.run(ends_at)
                job.run = None
            answers.append((yield from submit(job.result)))
        finally:
            self._release(job, answers)
        return answers[0]

    def _claim(self, key: object, run: Run) -> tuple[_Job[A], bool]:
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(run)
            elif job.is_held or job.answers.done():
                return job, False
            job.is_held = True
            if len(self._jobs) > _MAX_REMEMBERED:
                del self._jobs[next(iter(self._jobs))]
            return job, True

    def _release(self, job: _Job[A], answers: list[A]) -> None:
        with self._lock:
            job.is_held = False
            waiting = job.answers
            if answers:
                job.result = None
            else:
                job.answers = promise()
            waiting.set_result(answers)


@attrs.define(eq=False)
class _Job(Generic[A]):
    run: Run | None
    """None after it has run."""
    result: Any = None
    answers: Future[list[A]] = attrs.field(factory=promise)
    is_held: bool = False
