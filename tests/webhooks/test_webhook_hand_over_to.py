"""hand_over_to of Celery, RQ and SQS: one contract, then what is particular to each of them."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import CDeprecationWarning, Reject, Retry
from rq import Queue, SimpleWorker

from interactor_ext import ConfigurationError, WebhookPayloadError
from interactor_ext.webhooks import MemoryEventStore, SQLiteEventStore, WebhookRouter, WebhookVerifier, celery, rq, sqs
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import body_of, delivery
from tests.support.webhook_routers import make, status

pytest_plugins = ["tests.support.server_fixtures"]
pytestmark = pytest.mark.filterwarnings("ignore:This webhook router remembers events in the memory")

# The router that RQ imports by its path.
router: Any = None


@signals.setup_logging.connect
def leave_logging(**_: Any) -> None:
    """Else Celery would set the level of the root logger, for all later tests as well."""


class CeleryTasks:
    """Celery with a broker in memory; the test is its worker."""

    def __init__(self, name: str) -> None:
        self.app = Celery(name, broker="memory://", set_as_current=False)
        self.app.conf.update(worker_prefetch_multiplier=1, task_default_queue=name)

    def close(self) -> None:
        self.dead_letters()  # the broker is one for all tests
        self.app.close()

    def hand_over_to(self, router: WebhookRouter, **options: Any) -> None:
        self.task = celery.hand_over_to(self.app, router, **options)

    def work(self) -> None:
        """Handle all messages, even those that are not due."""
        for message in self.messages(self.app.conf.task_default_queue):
            text, *failures = message.payload[0][:2]
            try:
                self.run(text, *failures)
            except Retry:
                pass
            except Exception:
                assert self.dead_letters(keep=True) == [text]  # else the message would be lost

    def run(self, *args: Any) -> None:
        self.task.push_request(args=args, kwargs={}, id="1", called_directly=False, is_eager=False, delivery_info={})
        try:
            self.task.run(*args)
        finally:
            self.task.pop_request()

    def waits(self) -> float:
        """In how many seconds the one message is due. It stays in the queue."""
        [message] = self.messages(self.app.conf.task_default_queue, keep=True)
        return (datetime.fromisoformat(message.headers["eta"]) - datetime.now(UTC)).total_seconds()

    def dead_letters(self, *, keep: bool = False) -> list[str]:
        return [message.payload[0][0] for message in self.messages("interactor_webhooks_dead", keep=keep)]

    def messages(self, name: str, *, keep: bool = False) -> list[Any]:
        found: list[Any] = []
        with self.app.connection_for_read() as connection, connection.SimpleQueue(name) as queue:
            while queue.qsize():
                found.append(queue.get(block=False))
            for message in found:
                message.requeue() if keep else message.ack()
        return found


class Worker(SimpleWorker):
    def subscribe(self) -> None:
        """Start no thread that waits for commands, which takes a second to end."""

    def _install_signal_handlers(self) -> None:
        """Leave the handlers of this process to the tests that come later."""


class RQJobs:
    """RQ with a real Redis, and a worker in this process."""

    def __init__(self, redis: Any) -> None:
        self.queue = Queue("events", connection=redis, default_timeout=77)

    def close(self) -> None: ...

    def hand_over_to(self, its_router: WebhookRouter, **options: Any) -> None:
        global router
        router = its_router
        rq.hand_over_to(self.queue, router, f"{__name__}:router", **options)

    def work(self) -> None:
        for name in self.queue.scheduled_job_registry.get_job_ids(cleanup=False):
            job = self.queue.fetch_job(name)
            assert job is not None
            assert job.timeout == 77
            self.queue.scheduled_job_registry.remove(job)
            self.queue.enqueue_job(job)
        Worker([self.queue], connection=self.queue.connection).work(burst=True, logging_level="ERROR")

    def waits(self) -> float:
        registry = self.queue.scheduled_job_registry
        [name] = registry.get_job_ids(cleanup=False)
        return (registry.get_scheduled_time(name) - datetime.now(UTC)).total_seconds()

    def dead_letters(self) -> list[str]:
        jobs = [self.queue.fetch_job(name) for name in self.queue.failed_job_registry.get_job_ids()]
        return [job.args[1] for job in jobs if job is not None]


class Stop(threading.Event):
    """A worker that waits for it pauses no time."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class SQSMessages:
    """An SQS that delivers a message again once it was hidden, and stops its worker when there are no more. As a
    client, it notes what it is asked for, and fails where it is told to.
    """

    def __init__(self) -> None:
        self.stop, self.fails = Stop(), set[str]()
        self.calls: list[tuple[str, Any]] = []
        self._hidden: list[dict[str, Any]] = []
        self._options: dict[str, Any] = {}
        self._router: Any = None

    def close(self) -> None: ...

    def hand_over_to(self, router: WebhookRouter, **options: Any) -> None:
        self._router, self._options = router, options
        sqs.hand_over_to(self, "url", router)

    def work(self) -> None:
        self.stop.clear()
        self._due, self._hidden = self._hidden, []
        sqs.SQSWorker(self, "url", self._router, **self._options).run(self.stop)

    def waits(self) -> float:
        [delay] = [value for name, value in self.calls if name in ("hide", "delay")][-1:]
        return float(delay)

    def dead_letters(self) -> list[str]:
        """By a redrive policy with one receive more than there are delays."""
        most = len(self._options["retry_delays"]) + 1
        return [each["Body"] for each in self._hidden if each["Attributes"]["ApproximateReceiveCount"] >= most]

    def send_message(self, *, MessageBody: str, received: int = 0, **options: Any) -> None:  # noqa: N803
        if "DelaySeconds" in options:
            self._note("delay", options["DelaySeconds"])
        attributes = {"ApproximateReceiveCount": received}
        self._hidden.append({"MessageId": "m", "ReceiptHandle": "r", "Body": MessageBody, "Attributes": attributes})

    def receive_message(self, **_: Any) -> dict[str, Any]:
        if not self._due:
            self.stop.set()
            return {}
        self._message = self._due.pop()
        self._message["Attributes"]["ApproximateReceiveCount"] += 1
        return {"Messages": [self._message]}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        self._note("attributes", None)
        return {"Attributes": {"RedrivePolicy": "{}"}}

    def delete_message(self, *, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803
        self._note("delete", ReceiptHandle)

    def change_message_visibility(self, *, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        if self._message not in self._hidden:
            self._hidden.append(self._message)
        self._note("hide", VisibilityTimeout)

    def _note(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        if name in self.fails:
            raise ConnectionError(name)


@pytest.fixture(params=["celery", "rq", "sqs"])
def tasks(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = {
        "celery": lambda: CeleryTasks(request.node.name),
        "rq": lambda: RQJobs(request.getfixturevalue("redis")),
        "sqs": SQSMessages,
    }
    with closing(made[request.param]()) as tasks:
        yield tasks


FAILING: Callable[[Any], Any] = lambda event: 1 / 0  # noqa: E731


def test_every_event_is_handled_once(tasks: Any) -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.idempotency_key))
    tasks.hand_over_to(router)
    for _ in range(2):
        assert status(router.handle(*delivery())) == (200, "accepted")
    tasks.work()
    tasks.work()
    assert got == ["idem_1"]


def test_failed_event_runs_again_after_each_delay_and_becomes_a_dead_letter(tasks: Any) -> None:
    router, runs = make(), []
    router.on("*")(lambda event: runs.append(event.id) or 1 / 0)
    tasks.hand_over_to(router, retry_delays=[300, 500])
    body, headers = delivery()
    router.handle(body, headers)
    for delay in (300, 500):
        tasks.work()
        assert delay - 100 < tasks.waits() <= delay
        assert tasks.dead_letters() == []
    tasks.work()
    assert tasks.dead_letters() == [body.decode()]
    assert len(runs) == 3


def test_busy_event_comes_back_when_its_lease_is_over(tasks: Any) -> None:
    store, got = MemoryEventStore(), []
    router = make(store, lease=45.0)
    router.on("*")(lambda event: got.append(event.id))
    tasks.hand_over_to(router, retry_delays=[] if isinstance(tasks, CeleryTasks) else [1])
    store.claim("idem_1", "another", 600)
    router.handle(*delivery())
    for _ in range(5):  # it loses no attempt, however long it is busy
        tasks.work()
        assert 0 < tasks.waits() <= 45
        assert tasks.dead_letters() == []
    store.release("idem_1", "another")
    tasks.work()
    assert got == ["evt_idem_1"]


# Not SQS, which counts by itself, and anew with each message.
@pytest.mark.parametrize("tasks", ["celery", "rq"], indirect=True)
def test_busy_event_keeps_the_failures_that_it_had(tasks: Any) -> None:
    store, runs = MemoryEventStore(), []
    router = make(store)
    router.on("*")(lambda event: runs.append(event.id) or 1 / 0)
    tasks.hand_over_to(router, retry_delays=[300])
    router.handle(*delivery())
    tasks.work()
    store.claim("idem_1", "another", 600)
    tasks.work()
    assert tasks.dead_letters() == []
    store.release("idem_1", "another")
    tasks.work()
    assert len(runs) == 2
    assert len(tasks.dead_letters()) == 1


# Not SQS, where its redrive policy decides.
@pytest.mark.parametrize("tasks", ["celery", "rq"], indirect=True)
def test_what_can_never_be_handled_is_a_dead_letter_at_once(tasks: Any) -> None:
    router = make()
    tasks.hand_over_to(router)
    router.hand_over(b"{}")
    tasks.work()
    assert tasks.dead_letters() == ["{}"]


def test_store_of_one_process_and_wrong_delays_are_told(tasks: Any) -> None:
    def use(**options: Any) -> None:
        tasks.hand_over_to(make(), **options)
        tasks.work()

    with pytest.warns(UserWarning, match="store that all workers share"):
        use()
    with pytest.raises(ConfigurationError, match="retry_delays"):
        use(retry_delays=[-1])


def test_body_survives_the_queue_whatever_it_is(tasks: Any) -> None:
    got: list[bytes] = []

    class Noting(WebhookRouter):
        def run(self, body: Any) -> None:
            got.append(body)

    noting: Any = Noting(WebhookVerifier("whsec_1"))
    tasks.hand_over_to(noting)
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
        noting.hand_over(body)
    tasks.work()
    assert sorted(got) == sorted(bodies)


# Celery


@pytest.fixture
def in_celery(request: pytest.FixtureRequest) -> Iterator[CeleryTasks]:
    with closing(CeleryTasks(request.node.name)) as tasks:
        yield tasks


def failing() -> WebhookRouter:
    router = make(lease=50.0)
    router.on("*")(FAILING)
    return router


@pytest.mark.full
def test_celery_worker_tries_again_buries_and_goes_on(in_celery: CeleryTasks) -> None:
    router, attempts, other = make(), [], threading.Event()
    in_celery.hand_over_to(router, retry_delays=[0.01, 0.02])
    router.on("room.*")(lambda event: attempts.append(event.id) or 1 / 0)
    router.on("workflow.*")(lambda event: other.set())
    body, headers = delivery()
    router.handle(body, headers)
    with start_worker(in_celery.app, perform_ping_check=False, shutdown_timeout=60, pool="solo"):
        eventually(lambda: in_celery.dead_letters(keep=True) == [body.decode()])
        assert len(attempts) == 3
        router.handle(*delivery("workflow.instance.halted", "idem_2"))
        assert other.wait(60)


def test_long_delay_of_celery_is_made_of_countdowns_that_brokers_wait_for(in_celery: CeleryTasks) -> None:
    in_celery.hand_over_to(failing())
    args: Any = (body_of().decode(), 4)
    for _ in range(2):
        with pytest.raises(Retry):
            in_celery.run(*args)
        assert 500 < in_celery.waits() <= 600
        [message] = in_celery.messages(in_celery.app.conf.task_default_queue)
        args = message.payload[0]
        assert args[:2] == [body_of().decode(), 5]
        assert args[2] - time.time() == pytest.approx(7200, abs=600)


@pytest.mark.parametrize("failures", [0, 5])
def test_celery_task_that_cannot_be_sent_again_goes_back_to_the_broker(failures: int) -> None:
    tasks = CeleryTasks("unreachable")
    quick = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    tasks.app.conf.update(
        broker_url="redis+socket:///nowhere", broker_transport_options=quick, task_publish_retry=False
    )
    tasks.hand_over_to(failing())
    with pytest.raises(Reject) as caught:
        tasks.run(body_of().decode(), failures)
    assert caught.value.requeue is True
    tasks.app.close()


def test_two_routers_of_one_celery_application_each_get_their_own_events(in_celery: CeleryTasks) -> None:
    handled: list[str] = []
    for name in ("shop", "billing"):
        router = make(name=name)
        router.on("*")(lambda event, name=name: handled.append(name))
        task = celery.hand_over_to(in_celery.app, router)
        task.run(body_of().decode())
    assert handled == ["shop", "billing"]


def test_second_router_of_the_same_task_is_refused(in_celery: CeleryTasks) -> None:
    in_celery.hand_over_to(make())
    with pytest.raises(ConfigurationError, match="from another webhook router"):
        in_celery.hand_over_to(make())


def test_options_of_celery_are_its_own_and_the_queue_is_one_of_the_message(in_celery: CeleryTasks) -> None:
    with pytest.raises(ConfigurationError, match=r"no option 'task_name'.*WebhookRouter\(name="):
        in_celery.hand_over_to(make(), task_name="run")
    router = make(name="routed")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CDeprecationWarning)  # Celery 5.7 deprecates the attribute
        in_celery.hand_over_to(router, queue="elsewhere", time_limit=30)
        assert router.handle(*delivery()).status == 200
    assert in_celery.task.time_limit == 30
    assert len(in_celery.messages("elsewhere")) == 1


def test_eager_celery_task_raises_the_error_of_its_handler(in_celery: CeleryTasks) -> None:
    in_celery.app.conf.update(task_always_eager=True, task_eager_propagates=True)
    in_celery.hand_over_to(failing())
    with pytest.raises(ZeroDivisionError):
        in_celery.task.delay(body_of().decode())
    with pytest.raises(WebhookPayloadError):
        in_celery.task("{}")


def test_eager_celery_task_runs_in_the_thread_of_the_request(in_celery: CeleryTasks, tmp_path: Path) -> None:
    in_celery.app.conf.update(task_always_eager=True)
    router = make(SQLiteEventStore(tmp_path / "events.db"), name="eager")
    threads: list[threading.Thread] = []
    router.on("*")(lambda event: threads.append(threading.current_thread()))
    in_celery.hand_over_to(router)
    assert router.handle(*delivery()).status == 200
    assert threads == [threading.current_thread()]


# RQ


@pytest.fixture
def in_rq(redis: Any) -> RQJobs:
    return RQJobs(redis)


def test_job_leaves_redis_within_a_second_though_its_execution_was_killed(in_rq: RQJobs) -> None:
    router = make()
    router.on("*")(lambda event: None)
    in_rq.hand_over_to(router)
    for key in ("a", "b"):
        router.handle(*delivery(key=key))
    name, _ = in_rq.queue.get_job_ids()
    in_rq.queue.connection.zadd(f"rq:executions:{name}", {"an execution that has expired": 9e9})
    in_rq.work()
    assert in_rq.dead_letters() == []
    assert len(in_rq.queue.scheduled_job_registry) == 0
    keys = [key for key in in_rq.queue.connection.keys("rq:job:*") if b":" not in key.removeprefix(b"rq:job:")]
    assert {in_rq.queue.connection.ttl(key) for key in keys} <= {-2, 0, 1}


def test_dead_letter_of_rq_can_be_queued_again_and_without_delays_is_one_at_once(in_rq: RQJobs) -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id) or (1 / 0 if len(got) == 1 else None))
    in_rq.hand_over_to(router, retry_delays=[])
    router.handle(*delivery())
    in_rq.work()
    [name] = in_rq.queue.failed_job_registry.get_job_ids()
    assert in_rq.queue.failed_job_registry.requeue(name)
    in_rq.work()
    assert len(got) == 2
    assert in_rq.dead_letters() == []


# SQS


def work(client: SQSMessages, router: WebhookRouter, body: str, received: int = 0, **options: Any) -> list[Any]:
    client.hand_over_to(router, **options)
    client.send_message(QueueUrl="url", MessageBody=body, received=received)
    client.work()
    assert client.calls.count(("attributes", None)) == 1  # however often it asks for messages
    return [call for call in client.calls if call[0] != "attributes"]


@pytest.mark.parametrize(
    ("delays", "received", "hidden"),
    [([10, 20], 0, 10), ([10, 20], 1, 20), ([10, 20], 2, 20), ([10, 20], 39, 20), ([100_000], 0, 43_200), ([], 0, 0)],
)
def test_sqs_message_is_hidden_for_the_delay_of_its_attempt_that_sqs_permits(
    delays: list[float], received: int, hidden: int
) -> None:
    assert work(SQSMessages(), failing(), body_of().decode(), received, retry_delays=delays) == [("hide", hidden)]


def test_sqs_message_stays_invisible_while_its_handler_runs(caplog: pytest.LogCaptureFixture) -> None:
    client, router = SQSMessages(), make()
    client.fails.add("hide")
    router.on("*")(lambda event: eventually(lambda: client.calls.count(("hide", 1)) >= 2))
    calls = work(client, router, body_of().decode(), visibility=1)
    assert set(calls) == {("hide", 1), ("delete", "r")}
    assert calls[-1] == ("delete", "r")
    assert "A lease couldn't be renewed" in caplog.text


def test_sqs_worker_goes_on_after_errors_of_sqs(caplog: pytest.LogCaptureFixture) -> None:
    client, router = SQSMessages(), make()
    client.fails |= {"delete", "attributes"}
    router.on("*")(lambda event: None)
    assert work(client, router, body_of().decode()) == [("delete", "r")]
    assert client.stop.is_set()
    assert "queue is unavailable" in caplog.text


@pytest.mark.parametrize("visibility", [0, -1, "60"])
def test_wrong_visibility_raises_configuration_error(visibility: Any) -> None:
    with pytest.raises(ConfigurationError, match="visibility"):
        work(SQSMessages(), make(), "{}", visibility=visibility)


def test_lambda_consumer_names_the_messages_that_failed() -> None:
    router, got = make(), []
    router.on("room.*")(lambda event: got.append(event.idempotency_key))
    router.on("workflow.*")(FAILING)
    halted = body_of("workflow.instance.halted", "b")
    bodies = [body_of(key="a"), halted, b"no event", body_of(key="c"), body_of(key="a")]
    records = [{"messageId": f"m{number}", "body": body.decode()} for number, body in enumerate(bodies)]
    answer = sqs.lambda_consumer(router)({"Records": records}, None)
    assert json.loads(json.dumps(answer)) == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert got == ["a", "c"]


@pytest.fixture
def queue_of_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str, str]]:
    boto3 = pytest.importorskip("boto3", reason="needs boto3 and moto (pip install 'moto[server]')")
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-1")
        dead = client.create_queue(QueueName="dead")["QueueUrl"]
        arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 2}
        url = client.create_queue(QueueName="events", Attributes={"RedrivePolicy": json.dumps(policy)})["QueueUrl"]
        yield client, url, dead


def test_fifo_queue_of_sqs_takes_each_event_once(queue_of_moto: tuple[Any, str, str]) -> None:
    client, _, _ = queue_of_moto
    url = client.create_queue(QueueName="events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    router, stop, got = make(), threading.Event(), []
    sqs.hand_over_to(client, url, router)
    router.on("room.*")(lambda event: got.append(event.id))
    router.on("workflow.*")(lambda event: stop.set())
    for event in (*[delivery()] * 2, delivery("workflow.instance.halted", "idem_2")):
        assert status(router.handle(*event)) == (200, "accepted")
    worker = threading.Thread(target=sqs.SQSWorker(client, url, router).run, args=(stop,))
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    assert got == ["evt_idem_1"]


def test_event_that_fails_for_good_goes_to_the_dead_letter_queue_of_sqs_and_one_without_is_warned_of(
    queue_of_moto: tuple[Any, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client, url, dead = queue_of_moto
    router, stop, runs = make(), threading.Event(), []
    sqs.hand_over_to(client, url, router)
    router.on("room.*")(lambda event: runs.append(event.id) or 1 / 0)
    router.on("workflow.*")(lambda event: stop.set())
    body, headers = delivery()
    assert status(router.handle(body, headers)) == (200, "accepted")

    def letters() -> list[Any]:
        found: list[Any] = client.receive_message(QueueUrl=dead, VisibilityTimeout=0).get("Messages", [])
        return found

    worker = threading.Thread(target=sqs.SQSWorker(client, url, router, retry_delays=[0]).run, args=(stop,))
    worker.start()
    eventually(letters)
    router.handle(*delivery("workflow.instance.halted", "idem_2"))
    worker.join(60)
    assert not worker.is_alive()
    assert [letter["Body"] for letter in letters()] == [body.decode()]
    assert len(runs) == 2
    assert "redrive" not in caplog.text
    sqs.SQSWorker(client, dead, router).run_once()
    assert "no redrive policy" in caplog.text
