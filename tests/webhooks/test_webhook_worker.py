"""WebhookWorker, sync and async: queued events, retries, dead letters, interrupts and cancellation."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import threading
from typing import Any

import pytest

from interactor_ext.webhooks import (
    SQLiteEventQueue,
    WebhookWorker,
)
from tests.support.telemetry import Recorded
from tests.support.waiting import in_time
from tests.support.webhook_deliveries import delivery
from tests.support.webhook_routers import Abort, BlockingHandler, Failing, Handle, make, status

pytest_plugins = ["tests.support.webhook_fixtures"]


def work(worker: WebhookWorker, mode: str) -> bool:
    return worker.run_once() if mode == "sync" else asyncio.run(worker.arun_once())


def test_queued_event_returns_200_at_once_and_worker_handles_it(
    handle: Handle, mode: str, queue: SQLiteEventQueue
) -> None:
    router, got = make(queue=queue), []
    router.on("credential.*")(lambda event: got.append(event.data.credential_id))

    async def later(event: Any) -> None:
        got.append("later")

    router.on("credential.*")(lambda event: later(event))
    assert status(handle(router, *delivery("credential.connected"))) == (200, "accepted")
    assert status(handle(router, *delivery("credential.connected"))) == (200, "duplicate")
    assert got == []
    worker = WebhookWorker(router)
    assert work(worker, mode)
    assert not work(worker, mode)
    assert got == ["cred_1", "later"]
    assert status(handle(router, *delivery("credential.connected"))) == (200, "duplicate")
    assert not work(worker, mode)


def test_failing_queued_event_is_retried_then_dead_letter_then_replayed(mode: str, queue: SQLiteEventQueue) -> None:
    router, runs = make(queue=queue), []

    @router.on("*")
    def fails_thrice(event: Any) -> None:
        runs.append(event.id)
        if len(runs) <= 3:
            raise LookupError(f"attempt {len(runs)}")

    worker = WebhookWorker(router, retry_delays=(0, 0))
    router.handle(*delivery())
    assert [work(worker, mode) for _ in range(4)] == [True, True, True, False]
    [letter] = queue.dead_letters()
    assert (letter.key, letter.attempts, letter.error) == ("shop:idem_1", 3, "LookupError: attempt 3")
    assert letter.event.id == "evt_idem_1"
    assert status(router.handle(*delivery())) == (200, "duplicate")
    assert queue.replay("shop:idem_1")
    assert queue.dead_letters() == []
    assert work(worker, mode)
    assert len(runs) == 4
    assert status(router.handle(*delivery())) == (200, "duplicate")


def test_event_that_kills_its_workers_becomes_dead_letter(mode: str, queue: SQLiteEventQueue) -> None:
    router, runs = make(queue=queue), []
    router.on("*")(runs.append)
    router.handle(*delivery())
    for _ in range(3):  # taken, and never heard of again
        assert queue.take("dead worker", lease=-1) is not None
    assert work(WebhookWorker(router, retry_delays=(0, 0)), mode)
    assert runs == []
    assert "died" in queue.dead_letters()[0].error


def test_worker_takes_the_lease_of_its_router_and_renews_it_while_a_handler_runs(
    mode: str, queue: SQLiteEventQueue
) -> None:
    leases: list[float] = []
    renewed = threading.Event()

    class Watched(Failing):
        def take(self, token: str, lease: float, service: str) -> Any:
            leases.append(lease)
            return self.inner.take(token, lease, service)

        def renew(self, key: str, token: str, lease: float) -> bool:
            leases.append(lease)
            if len(leases) > 2:
                renewed.set()
            return bool(self.inner.renew(key, token, lease))

    router = make(queue=Watched(queue), lease=0.06)
    router.on("*")(lambda event: renewed.wait(60) or pytest.fail("not renewed"))
    router.handle(*delivery())
    assert work(WebhookWorker(router), mode)
    assert set(leases) == {0.06}
    assert queue.dead_letters() == []
    assert queue.take("t", 60) is None


class Garbled(Exception):
    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("error", "said"), [(ValueError("surrogate \ud800"), "ValueError: surrogate \\ud800"), (Garbled(), "Garbled: ")]
)
def test_error_text_not_storable_in_database_is_escaped(
    mode: str, queue: SQLiteEventQueue, error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest-xdist cannot carry a captured line with such a character to its parent.
    caplog.set_level(logging.CRITICAL, "interactor.webhooks")
    router = make(queue=queue)

    @router.on("*")
    def fails(event: Any) -> None:
        raise error

    router.handle(*delivery())
    worker = WebhookWorker(router, retry_delays=(0,))
    assert [work(worker, mode) for _ in range(3)] == [True, True, False]
    assert [said in letter.error for letter in queue.dead_letters()] == [True]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Abort])
@pytest.mark.parametrize("failures", [0, 1])
def test_interrupted_worker_releases_its_event_if_it_can(
    queue: SQLiteEventQueue,
    error: type[BaseException],
    failures: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    router, go_on = make(queue=Failing(queue, retry=failures), telemetry=(telemetry := Recorded())), threading.Event()

    raised = threading.Event()

    def interrupt(*_: object) -> None:
        if not raised.is_set():
            raised.set()
            raise error

    before = signal.signal(signal.SIGINT, interrupt)

    @router.on("*")
    def interrupts_once(event: Any) -> None:
        if not go_on.is_set():
            # The main thread waits for this one. Python handles a signal that comes right before a wait after it.
            while not raised.wait(0.05):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            go_on.wait(60)

    router.handle(*delivery())
    worker = WebhookWorker(router, poll_interval=0.01)
    try:
        with pytest.raises(error):
            worker.run()
    finally:
        go_on.set()
        signal.signal(signal.SIGINT, before)
    assert ("until its lease expires" in caplog.text) is bool(failures)
    assert telemetry.events == []  # an interrupt is no failure of the handler
    assert worker.run_once() is not bool(failures)


@pytest.mark.parametrize("is_async", [False, True])
async def test_cancelled_worker_ends_with_unreachable_queue(queue: SQLiteEventQueue, is_async: bool) -> None:
    failing = Failing(queue)
    handler = BlockingHandler(None, queue=failing, is_async=is_async)
    await handler.router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(handler.router, poll_interval=0.01).arun())

    def end(_: Any) -> None:
        failing.failures |= {"retry": math.inf, "complete": math.inf}
        worker.cancel()

    handler.when_started(end)
    await asyncio.wait([worker], timeout=60)
    assert worker.cancelled()


async def test_worker_cancelled_in_sync_handler_records_completion(queue: SQLiteEventQueue) -> None:
    handler = BlockingHandler(None, queue=queue)
    await handler.router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(handler.router).arun_once())
    handler.when_started(lambda _: worker.cancel())
    await asyncio.wait([worker], timeout=60)
    assert worker.cancelled()
    assert queue.complete("shop:idem_1", "another") is False


def test_default_handler_that_does_nothing_drops_events_without_another(queue: SQLiteEventQueue) -> None:
    router = make(queue=queue)
    router.default(lambda event: None)
    router.handle(*delivery())
    assert WebhookWorker(router).run_once()
    assert queue.stats("shop")[1:4] == (0, 0, 0)


def test_running_worker_drains_a_queue_that_was_unreachable_at_first(
    mode: str, queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture
) -> None:
    router, stop, got = make(queue=Failing(queue, take=2)), threading.Event(), []
    worker = WebhookWorker(router, poll_interval=0.01)

    @router.on("*")
    def last_one_stops(event: Any) -> None:
        got.append(event.idempotency_key)
        if len(got) == 5:
            stop.set()

    async def run_until_stopped() -> None:
        running = asyncio.create_task(worker.arun())
        await asyncio.to_thread(stop.wait, 60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    for key in "abcde":
        router.handle(*delivery(key=key))
    in_time(lambda: worker.run(stop) if mode == "sync" else asyncio.run(run_until_stopped()))
    assert got == list("abcde")
    assert caplog.text.count("unavailable. Trying again") == 2


def test_running_worker_pauses_only_when_its_queue_is_empty(queue: SQLiteEventQueue) -> None:
    router, got = make(queue=queue), []
    router.on("*")(got.append)
    for key in "abc":
        router.handle(*delivery(key=key))
    pauses = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append((len(got), timeout))
            self.set()
            return True

    in_time(lambda: WebhookWorker(router, poll_interval=7).run(Stop()))
    assert pauses == [(3, 7)]
