"""hand_over_to of Celery: delays of retries, dead letters, and what becomes of a task that cannot be sent again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Reject, Retry

from interactor_ext import ConfigurationError, WebhookPayloadError
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter
from interactor_ext.webhooks.celery import hand_over_to
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import body_of, delivery
from tests.support.webhook_routers import make, status

pytestmark = pytest.mark.filterwarnings("ignore:This webhook router remembers events in the memory")


@signals.setup_logging.connect
def leave_logging(**_: Any) -> None:
    """Else Celery would set the level of the root logger, for all later tests as well."""


@contextmanager
def running(app: Celery) -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, shutdown_timeout=60, pool="solo"):
        yield


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Celery]:
    app = Celery(request.node.name, broker="memory://", set_as_current=False)
    app.conf.update(worker_prefetch_multiplier=1, task_default_queue=request.node.name)
    yield app
    app.close()


def dead_letters(app: Celery) -> list[Any]:
    with app.connection_for_read() as connection, connection.SimpleQueue("interactor_webhooks_dead") as queue:
        found = []
        while True:
            try:
                message = queue.get(block=False)
            except queue.Empty:
                return found
            message.ack()
            found.append(message.payload[0])


@pytest.mark.full
def test_failed_event_runs_again_after_each_delay_and_becomes_a_dead_letter(app: Celery) -> None:
    router, attempts, other = make(), [], threading.Event()
    hand_over_to(app, router, retry_delays=[0.01, 0.02])
    router.on("room.*")(lambda event: attempts.append(event.id) or 1 / 0)
    router.on("workflow.*")(lambda event: other.set())
    body, headers = delivery()
    assert status(router.handle(body, headers)) == (200, "accepted")
    with running(app):
        found: list[Any] = []
        eventually(lambda: found or found.extend(dead_letters(app)))
        assert found == [[body.decode()]]
        assert len(attempts) == 3
        router.handle(*delivery("workflow.instance.halted", "idem_2"))
        assert other.wait(60)


@pytest.mark.full
def test_event_that_can_never_be_handled_becomes_a_dead_letter_at_once(app: Celery) -> None:
    task = hand_over_to(app, make())
    task.apply_async(("not what was handed over",))
    with running(app):
        found: list[Any] = []
        eventually(lambda: found or found.extend(dead_letters(app)))
    assert found == [["not what was handed over"]]


class Sent:
    """A task whose `retry` notes what it is given."""

    def __init__(self, task: Any, monkeypatch: pytest.MonkeyPatch, *, broker_is_down: bool = False) -> None:
        self.task, self.calls, self._down = task, [], broker_is_down
        monkeypatch.setattr(task, "retry", self._retry)
        monkeypatch.setattr(task, "apply_async", self._apply_async)

    def _retry(self, args: Any, **options: Any) -> None:
        if self._down:
            raise Reject(ConnectionError("down"), requeue=False)  # as celery.app.task.Task.retry does
        self.calls.append((args, options["countdown"]))
        raise Retry

    def _apply_async(self, args: Any, **options: Any) -> None:
        if self._down:
            raise ConnectionError("down")

    def run(self, *args: Any) -> None:
        self.task.push_request(args=args, called_directly=False, is_eager=False)
        try:
            self.task.run(*args)
        finally:
            self.task.pop_request()


def failing(app: Celery) -> Any:
    router = make(lease=50.0)
    router.on("*")(lambda event: 1 / 0)
    return hand_over_to(app, router)


def test_long_delay_is_made_of_countdowns_that_brokers_wait_for(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(failing(app), monkeypatch)
    with pytest.raises(Retry):
        sent.run(body_of().decode(), 4)
    (text, failures, due), countdown = sent.calls.pop()
    assert (text, failures, countdown) == (body_of().decode(), 5, 600.0)
    assert due - time.time() == pytest.approx(7200, abs=600)
    with pytest.raises(Retry):
        sent.run(text, failures, due)
    assert sent.calls == [((text, 5, due), 600.0)]


def test_busy_event_is_not_counted_as_failed(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryEventStore()
    router = make(store, lease=50.0)
    router.on("*")(print)
    store.claim("idem_1", "another", 500.0)
    sent = Sent(hand_over_to(app, router), monkeypatch)
    with pytest.raises(Retry):
        sent.run(body_of().decode(), 3)
    (_, failures, _), countdown = sent.calls.pop()
    assert failures == 3
    assert 0 <= countdown <= 50


@pytest.mark.parametrize("failures", [0, 5])
def test_task_that_cannot_be_sent_again_goes_back_to_the_broker(
    app: Celery, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent(failing(app), monkeypatch, broker_is_down=True)
    with pytest.raises(Reject) as caught:
        sent.run(body_of().decode(), failures)
    assert caught.value.requeue is True


def test_eager_task_raises_the_error_of_its_handler(app: Celery) -> None:
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    task = failing(app)
    with pytest.raises(ZeroDivisionError):
        task.delay(body_of().decode())
    with pytest.raises(WebhookPayloadError):
        task("{}")


def test_store_of_one_process_and_wrong_delays_are_told(app: Celery) -> None:
    with pytest.warns(UserWarning, match="store that all workers share") as told:
        hand_over_to(app, make())
    assert told[0].filename == __file__
    with pytest.raises(ConfigurationError, match="retry_delays"):
        hand_over_to(app, make(), task_name="other", retry_delays=[-1])


def test_body_survives_the_queue_whatever_it_is(app: Celery) -> None:
    got: list[bytes] = []

    class Noting(WebhookRouter):
        def run(self, body: Any) -> None:
            got.append(body)

    app.conf.update(task_always_eager=True)
    router = Noting(None)  # type: ignore[arg-type]
    hand_over_to(app, router)
    assert router.hand_over is not None
    bodies = [
        b"{}",
        b'{"a": "\xc3\xa9"}',
        b"\xff{",
        b"",
        b"[]",
        b'{"\x00"',
        b"{\xed\xa0\x80}",
        b"{\xef\xbf\xbf}",
        b" {}\r\n",
    ]
    for body in bodies:
        router.hand_over(body)
    assert got == bodies
