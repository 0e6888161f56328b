"""OnceRegistry: concurrent callers of one job share a single run and a single submission."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactor_ext._effects import Call, Effects, run_async, run_sync
from interactor_ext._waiting.threads import DaemonThreads
from interactor_ext.tools import _once_registry
from interactor_ext.tools._once_registry import OnceRegistry

THREADS = DaemonThreads("test")


class Job:
    """Counts its runs and submissions. The first `failures` submissions fail."""

    def __init__(self) -> None:
        self.registry: OnceRegistry[str] = OnceRegistry()
        self.runs = self.submissions = 0
        self.failures = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def plan(self, key: object = "key") -> Effects[str]:
        return self.registry.once(key, self._run, self._submit)

    def _run(self, _: float | None) -> Effects[int]:
        self.runs += 1
        yield Call(self.go_on.wait, (10,), THREADS)
        return self.runs

    def _submit(self, result: int) -> Effects[str]:
        self.submissions += 1
        yield Call(self.go_on.wait, (10,), THREADS)
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return f"answer {result}"


def test_concurrent_callers_get_one_answer_of_one_run() -> None:
    job = Job()
    job.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(run_sync, job.plan()) for _ in range(4)]
        job.go_on.set()
        assert [future.result() for future in asked] == ["answer 1"] * 4
    assert run_sync(job.plan()) == "answer 1"
    assert (job.runs, job.submissions) == (1, 1)
    assert run_sync(job.plan("another")) == "answer 2"


def test_failed_submission_is_retried_without_another_run() -> None:
    job = Job()
    job.failures = 2
    for _ in range(2):
        with pytest.raises(ConnectionError):
            run_sync(job.plan())
    assert run_sync(job.plan()) == "answer 1"
    assert (job.runs, job.submissions) == (1, 3)


async def test_cancelled_caller_leaves_the_job_to_the_next() -> None:
    job = Job()
    job.go_on.clear()
    first = asyncio.create_task(run_async(job.plan()))
    while not job.runs:
        await asyncio.sleep(0)
    others = [asyncio.create_task(run_async(job.plan())) for _ in range(3)]
    await asyncio.sleep(0)
    # One that waits, and then the one that runs.
    others[0].cancel()
    first.cancel()
    job.go_on.set()
    assert await asyncio.gather(*others[1:]) == ["answer 1"] * 2
    with pytest.raises(asyncio.CancelledError):
        await others[0]
    # What ran in a thread could not be stopped, and was not lost.
    await asyncio.gather(first, return_exceptions=True)
    assert job.runs == 1


def test_number_of_remembered_jobs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_once_registry, "_REMEMBERED", 3)
    job = Job()
    assert [run_sync(job.plan(key)) for key in range(4)] == [f"answer {number}" for number in range(1, 5)]
    assert run_sync(job.plan(3)) == "answer 4"
    assert run_sync(job.plan(0)) == "answer 5"
    assert len(job.registry._jobs) == 3
