"""hand_over_to of RQ, with a real Redis and workers in this process: retries, dead letters, events that are busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rq import Queue, SimpleWorker
from rq.job import Job

from interactor_ext.webhooks import MemoryEventStore, WebhookRouter
from interactor_ext.webhooks.rq import hand_over_to
from tests.support.redis_server import redis_server
from tests.support.webhook_deliveries import body_of, delivery
from tests.support.webhook_routers import make, status

pytestmark = pytest.mark.filterwarnings("ignore:This webhook router remembers events in the memory")
PATH = f"{__name__}:router"


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    with redis_server() as socket:
        yield socket


@pytest.fixture
def queue(socket: str) -> Iterator[Queue]:
    from redis import Redis

    with Redis(unix_socket_path=socket) as redis:
        redis.flushall()
        yield Queue("events", connection=redis, default_timeout=77)


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def router(store: MemoryEventStore, monkeypatch: pytest.MonkeyPatch) -> WebhookRouter:
    router = make(store, lease=45.0)
    monkeypatch.setattr(sys.modules[__name__], "router", router)
    return router


def work(queue: Queue) -> None:
    SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")


def scheduled(queue: Queue) -> tuple[Job, float]:
    """The one job that waits, and in how many seconds it is due."""
    registry = queue.scheduled_job_registry
    (name,) = registry.get_job_ids(cleanup=False)
    due = registry.get_scheduled_time(name)
    job = queue.fetch_job(name)
    assert job is not None
    return job, (due - datetime.now(UTC)).total_seconds()


def enqueue_now(queue: Queue, job: Job) -> None:
    queue.scheduled_job_registry.remove(job)
    queue.enqueue_job(job)


def test_event_is_handled_once_and_leaves_redis_within_a_second(queue: Queue, router: WebhookRouter) -> None:
    got: list[str] = []
    router.on("*")(lambda event: got.append(event.idempotency_key))
    hand_over_to(queue, router, PATH)
    body, headers = delivery()
    for _ in range(2):
        assert status(router.handle(body, headers)) == (200, "accepted")
    work(queue)
    assert got == ["idem_1"]
    assert {queue.connection.ttl(key) for key in queue.connection.keys("rq:job:*")} <= {-2, 0, 1}


def test_event_whose_killed_execution_has_expired_is_no_dead_letter(queue: Queue, router: WebhookRouter) -> None:
    router.on("*")(lambda event: None)
    hand_over_to(queue, router, PATH)
    router.handle(*delivery())
    (name,) = queue.get_job_ids()
    queue.connection.zadd(f"rq:executions:{name}", {"an execution that has expired": 9e9})
    work(queue)
    assert len(queue.failed_job_registry) == len(queue.scheduled_job_registry) == 0


def test_failed_event_runs_again_after_each_delay_and_becomes_a_dead_letter(
    queue: Queue, router: WebhookRouter
) -> None:
    runs: list[str] = []
    router.on("*")(lambda event: runs.append(event.id) or 1 / 0)
    hand_over_to(queue, router, PATH, retry_delays=[300, 7200])
    router.handle(*delivery())
    for delay in (300, 7200):
        work(queue)
        job, due = scheduled(queue)
        assert delay - 100 < due <= delay
        assert job.timeout == 77
        enqueue_now(queue, job)
    work(queue)
    assert len(runs) == 3
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    assert queue.failed_job_registry.requeue(job.id)


def test_busy_event_is_put_off_with_all_attempts(queue: Queue, router: WebhookRouter, store: MemoryEventStore) -> None:
    got: list[Any] = []
    router.on("*")(got.append)
    hand_over_to(queue, router, PATH, retry_delays=[1, 2, 3])
    store.claim("idem_1", "another", 600)
    router.handle(*delivery())
    work(queue)
    job, due = scheduled(queue)
    assert 0 < due <= 45
    assert (job.retries_left, job.retry_intervals, job.timeout) == (3, [1, 2, 3], 77)
    store.release("idem_1", "another")
    enqueue_now(queue, job)
    work(queue)
    assert [event.idempotency_key for event in got] == ["idem_1"]


def test_without_delays_a_failed_event_is_a_dead_letter_at_once(queue: Queue, router: WebhookRouter) -> None:
    router.on("*")(lambda event: 1 / 0)
    hand_over_to(queue, router, PATH, retry_delays=[])
    assert router.hand_over is not None
    router.hand_over(body_of())
    work(queue)
    assert len(queue.failed_job_registry) == 1
