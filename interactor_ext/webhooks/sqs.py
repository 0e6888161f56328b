"""Runs webhook handlers on Amazon SQS: `hand_over_to` in receivers, `SQSWorker` in workers, or a Lambda function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.arguments import above_zero
from interactor_ext._engine.effects import Effects, Invoke, Renewal, run_sync
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext.webhooks._tasks import PLATFORM_SCHEDULE, from_text, next_attempt, prepare, to_text
from interactor_ext.webhooks.queue._contract import QueuedEvent
from interactor_ext.webhooks.worker._worker import QueueLoop

if TYPE_CHECKING:
    from interactor_ext.webhooks.router import WebhookRouter

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
_MAX_VISIBILITY = 43_200
_MAX_DELAY = 900
# A worker that is told to stop does so within this time.
_POLL_SECONDS = 5


def hand_over_to(client: Any, queue_url: str, router: WebhookRouter) -> None:
    """Send every event of the router to the SQS queue. `client` is `boto3.client("sqs")`, or has its methods.

    In a FIFO queue each event is its own group, so none waits for another.
    """
    is_fifo = queue_url.endswith(".fifo")

    def send(body: bytes) -> None:
        name = hashlib.sha256(body).hexdigest()
        order = {"MessageGroupId": name, "MessageDeduplicationId": name} if is_fifo else {}
        client.send_message(QueueUrl=queue_url, MessageBody=to_text(body), **order)

    router.hand_over = send


class SQSWorker(QueueLoop):
    """Handles the events of an SQS queue: `run` in your own threads, or `interactor webhooks work module:name`.

    While handlers run, their message stays invisible to others; `visibility` is the number of seconds after which the
    message of a killed worker comes back. A failed event comes back after each of `retry_delays` seconds in turn, the
    last one repeatedly. The queue's redrive policy moves it to its dead-letter queue, so set `maxReceiveCount` to one
    more than the number of delays. A queue without such a policy logs a warning, because it drops the event in the
    end. An event that no handler has seen, because the store is unreachable or another worker has it, is sent again
    with all its attempts; a FIFO queue can't delay one message, so there it counts as received.
    """

    def __init__(
        self,
        client: Any,
        queue_url: str,
        router: WebhookRouter,
        *,
        retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
        visibility: int = 60,
    ) -> None:
        super().__init__()
        self.router = router
        self._client = client
        self._url = queue_url
        self._delays = prepare(router, retry_delays)
        self._visibility = above_zero(visibility, "visibility")
        self._is_checked = False

    def run_once(self) -> bool:
        """Handle the next event; returns False if none came for some seconds. Handler errors are logged."""
        if not self._is_checked:
            self._is_checked = True
            _warn_without_redrive_policy(self._client, self._url)
        if (found := self._ask(object(), self._receive)) is None:
            return False
        self._handle(*found)
        return True

    def _receive(self) -> tuple[QueuedEvent, str] | None:
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=1,
            VisibilityTimeout=self._visibility,
            WaitTimeSeconds=_POLL_SECONDS,
            AttributeNames=["ApproximateReceiveCount"],
        )
        for message in response.get("Messages", ()):
            received = int(message["Attributes"]["ApproximateReceiveCount"])
            return QueuedEvent(message["MessageId"], message["Body"].encode(), received), message["ReceiptHandle"]
        return None

    def _handle(self, queued: QueuedEvent, receipt: str) -> None:
        try:
            run_sync(self._run_hidden(queued, receipt))
        except Exception as error:
            self._failed(queued, receipt, error)
        else:
            self._delete(receipt)
        finally:
            self._taken.pop(receipt, None)

    def _run_hidden(self, queued: QueuedEvent, receipt: str) -> Effects[None]:
        """Run the handlers while keeping the message invisible."""
        renewal = Renewal(Invoke(self._hide, (receipt, self._visibility)), self._visibility / 3)
        yield Invoke(lambda: self.router.run(from_text(queued.body.decode())), renewal=renewal)

    def _failed(self, queued: QueuedEvent, receipt: str, error: Exception) -> None:
        attempt = next_attempt(error, queued.attempt - 1, self._delays)
        delay = attempt[0] if attempt is not None else self._delays[-1] if self._delays else 0.0
        logger.warning(
            "The event of SQS message %s was not handled, and is retried in %.0f s: %r", queued.key, delay, error
        )
        if attempt is None or attempt[1] == queued.attempt:
            self._hide(receipt, delay)
        else:
            self._put_back(queued, receipt, delay)

    def _put_back(self, queued: QueuedEvent, token: str, delay: float) -> bool:
        if self._url.endswith(".fifo"):
            self._hide(token, delay)
        else:
            # Each receive counts for the redrive policy, so a new message replaces this one.
            delay = min(round(delay), _MAX_DELAY)
            self._client.send_message(QueueUrl=self._url, MessageBody=queued.body.decode(), DelaySeconds=delay)
            self._delete(token)
        return True

    def _hide(self, receipt: str, seconds: float) -> None:
        seconds = min(round(seconds), _MAX_VISIBILITY)
        self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)

    def _delete(self, receipt: str) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)


def lambda_consumer(router: WebhookRouter) -> Callable[[Any, Any], dict[str, Any]]:
    """Return a handler for a Lambda function that SQS invokes. Its event source mapping needs
    `ReportBatchItemFailures`.
    """

    def handler(event: Any, context: Any) -> dict[str, Any]:
        failed = []
        for record in event["Records"]:
            try:
                router.run(from_text(record["body"]))
            except Exception as error:
                logger.warning("The event of SQS message %s was not handled: %r", record["messageId"], error)
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}

    return handler


def _warn_without_redrive_policy(client: Any, queue_url: str) -> None:
    try:
        found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    except Exception as error:
        logger.debug("The redrive policy of the SQS queue couldn't be read: %r", error)
    else:
        if "RedrivePolicy" not in found.get("Attributes", {}):
            logger.warning(
                "The SQS queue has no redrive policy: an event that fails for good is retried until SQS "
                "drops it. Give the queue a dead-letter queue."
            )
