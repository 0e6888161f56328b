"""hand_over_to, work and lambda_consumer of SQS, on a moto server, and with a client that fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, sqs
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import body_of, delivery
from tests.support.webhook_routers import make, status

pytestmark = pytest.mark.filterwarnings("ignore:This webhook router remembers events in the memory")


class Client:
    """An SQS of one message that counts what it is asked for."""

    def __init__(self, body: str, received: int = 1) -> None:
        self.stop = threading.Event()
        self.calls: list[tuple[str, Any]] = []
        self.fails: set[str] = set()
        self._messages = [
            {
                "MessageId": "m1",
                "ReceiptHandle": "r1",
                "Body": body,
                "Attributes": {"ApproximateReceiveCount": str(received)},
            }
        ]

    def receive_message(self, **of: Any) -> dict[str, Any]:
        if self._messages:
            return {"Messages": [self._messages.pop()]}
        self.stop.set()
        return {}

    def get_queue_attributes(self, **of: Any) -> dict[str, Any]:
        self._note("attributes", None)
        return {"Attributes": {"RedrivePolicy": "{}"}}

    def delete_message(self, **of: Any) -> None:
        self._note("delete", of["ReceiptHandle"])

    def change_message_visibility(self, **of: Any) -> None:
        self._note("hide", of["VisibilityTimeout"])

    def _note(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        if name in self.fails:
            raise ConnectionError(name)


def work(client: Client, router: WebhookRouter, **options: Any) -> list[tuple[str, Any]]:
    sqs.work(client, "url", router, stop=client.stop, **options)
    return [call for call in client.calls if call[0] != "attributes"]


def test_event_goes_to_the_queue_and_is_deleted_when_it_was_handled() -> None:
    sent: list[Any] = []

    class Sender:
        def send_message(self, **of: Any) -> None:
            sent.append(of)

    router, got = make(), []
    router.on("*")(got.append)
    sqs.hand_over_to(Sender(), "url", router)
    body, headers = delivery()
    assert status(router.handle(body, headers)) == (200, "accepted")
    assert sent == [{"QueueUrl": "url", "MessageBody": body.decode()}]
    assert work(Client(sent[0]["MessageBody"]), router) == [("delete", "r1")]
    assert len(got) == 1


@pytest.mark.parametrize(("received", "delay"), [(1, 10), (2, 20), (3, 20), (40, 20)])
def test_failed_event_comes_back_after_the_delay_of_its_attempt(received: int, delay: int) -> None:
    router = make()
    router.on("*")(lambda event: 1 / 0)
    assert work(Client(body_of().decode(), received), router, retry_delays=[10, 20]) == [("hide", delay)]


def test_delay_is_no_longer_than_sqs_permits() -> None:
    assert work(Client("no event"), make(), retry_delays=[100_000]) == [("hide", 43_200)]
    assert work(Client("{}"), make(), retry_delays=[]) == [("hide", 0)]


def test_busy_event_comes_back_when_its_lease_is_over() -> None:
    store = MemoryEventStore()
    store.claim("idem_1", "another", 600)
    router = make(store, lease=45.0)
    router.on("*")(print)
    assert work(Client(body_of().decode()), router) == [("hide", 45)]


def test_message_stays_invisible_while_its_handler_runs(caplog: pytest.LogCaptureFixture) -> None:
    client, router = Client(body_of().decode()), make()
    client.fails.add("hide")

    @router.on("*")
    def handler(event: Any) -> None:
        eventually(lambda: client.calls.count(("hide", 1)) >= 2)

    calls = work(client, router, visibility=1)
    assert set(calls) == {("hide", 1), ("delete", "r1")}
    assert calls[-1] == ("delete", "r1")
    assert "could not be kept invisible" in caplog.text


def test_worker_goes_on_after_errors_of_sqs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "_PAUSE_AFTER_ERROR", 0.0)
    client, router = Client(body_of().decode()), make()
    client.fails |= {"delete", "attributes"}
    router.on("*")(lambda event: None)
    assert work(client, router) == [("delete", "r1")]
    assert client.stop.is_set()
    assert "SQS is out of reach" in caplog.text


def test_lambda_consumer_names_the_messages_that_failed() -> None:
    router, got = make(), []
    router.on("room.*")(lambda event: got.append(event.idempotency_key))
    router.on("workflow.*")(lambda event: 1 / 0)
    bodies = [
        body_of(key="a"),
        body_of("workflow.instance.halted", "b"),
        b"no event",
        body_of(key="c"),
        body_of(key="a"),
    ]
    records = [{"messageId": f"m{number}", "body": body.decode()} for number, body in enumerate(bodies)]
    answer = sqs.lambda_consumer(router)({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert got == ["a", "c"]
    assert json.dumps(answer)


@pytest.mark.parametrize("visibility", [0, -1, "60"])
def test_wrong_visibility_raises_configuration_error(visibility: Any) -> None:
    with pytest.raises(ConfigurationError, match="visibility"):
        work(Client("{}"), make(), visibility=visibility)


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


def test_event_that_fails_for_good_goes_to_the_dead_letter_queue(
    queue_of_moto: tuple[Any, str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs, "_LONGEST_POLL", 0)
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

    worker = threading.Thread(target=sqs.work, args=(client, url, router), kwargs={"stop": stop, "retry_delays": [0]})
    worker.start()
    eventually(letters)
    router.handle(*delivery("workflow.instance.halted", "idem_2"))
    worker.join(60)
    assert not worker.is_alive()
    assert [letter["Body"] for letter in letters()] == [body.decode()]
    assert len(runs) == 2
    assert "redrive" not in caplog.text


def test_queue_without_redrive_policy_logs_a_warning(
    queue_of_moto: tuple[Any, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client, _, dead = queue_of_moto
    stop = threading.Event()
    stop.set()
    sqs.work(client, dead, make(), stop=stop)
    assert "no redrive policy" in caplog.text
