"""What has been done already, and what is in hand: several askers at once, sync or async, and one that does it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from interactor_ext._effects import Effects, Join, promise, seconds_until
from interactor_ext._fork import after_fork_in_child

A = TypeVar("A")

_REMEMBERED = 4096


class OnceRegistry(Generic[A]):
    """Jobs by key. Each is run once, and what it gave is handed in once; whoever asks again gets the same answer.

    The newest few thousand are remembered.
    """

    def __init__(self) -> None:
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[object, _Job[A]] = {}

    def once(
        self,
        key: object,
        run: Callable[[], Effects[Any]],
        hand_in: Callable[[Any], Effects[A]],
        ends_at: float | None = None,
    ) -> Effects[A]:
        """Who only waits for another does so until `ends_at`, an instant of `time.monotonic()`."""
        while True:
            job, is_ours = self._claim(key)
            if is_ours:
                return (yield from self._do(key, job, run, hand_in))
            answers: list[A] = yield Join(job.answers, seconds_until(ends_at))
            # Empty if the other gave up: then it is our turn, or a third one's.
            if answers:
                return answers[0]

    def _do(
        self, key: object, job: _Job[A], run: Callable[[], Effects[Any]], hand_in: Callable[[Any], Effects[A]]
    ) -> Effects[A]:
        answers: list[A] = []
        try:
            if not job.has_run:
                job.result = yield from run()
                job.has_run = True
            answers.append((yield from hand_in(job.result)))
        finally:
            self._settle(key, job, answers)
        return answers[0]

    def _claim(self, key: object) -> tuple[_Job[A], bool]:
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and (job.is_held or job.answers.done()):
                return job, False
            if job is None:
                job = self._jobs[key] = _Job()
            job.is_held = True
            if len(self._jobs) > _REMEMBERED:
                oldest = next((key for key, job in self._jobs.items() if not job.is_held), key)
                del self._jobs[oldest]
            return job, True

    def _settle(self, key: object, job: _Job[A], answers: list[A]) -> None:
        with self._lock:
            job.is_held = False
            waiting = job.answers
            if answers:
                job.result = None
            elif job.has_run:
                # The next to ask hands in what came of it, and does not run it again.
                job.answers = promise()
            else:
                self._jobs.pop(key, None)
        waiting.set_result(answers)


class _Job(Generic[A]):
    __slots__ = ("answers", "has_run", "is_held", "result")

    def __init__(self) -> None:
        self.answers: Future[list[A]] = promise()
        self.is_held = False
        self.has_run = False
        self.result: Any = None
