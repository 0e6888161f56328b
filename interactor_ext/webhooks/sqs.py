"""Runs webhook handlers on Amazon SQS: `hand_over_to` in receivers, `work` in workers, or a Lambda function."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from interactor_ext._effects import Call, Effects, Renewal, run_sync
from interactor_ext.logs import webhooks_logger as logger
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks._tasks import PLATFORM_SCHEDULE, from_text, next_attempt, prepare, to_text

if TYPE_CHECKING:
    from interactor_ext.webhooks.router import WebhookRouter

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
_LONGEST_VISIBILITY = 43_200
_LONGEST_POLL = 20
_LONGEST_DELAY = 900
_PAUSE_AFTER_ERROR = 5.0


def hand_over_to(client: Any, queue_url: str, router: WebhookRouter) -> None:
    """Send every event of the router to the SQS queue. `client` is `boto3.client("sqs")`, or has its methods.

    In a FIFO queue each event is a group of its own, so that none waits for another.
    """
    is_fifo = queue_url.endswith(".fifo")

    def send(body: bytes) -> None:
        name = hashlib.sha256(body).hexdigest()
        order = {"MessageGroupId": name, "MessageDeduplicationId": name} if is_fifo else {}
        client.send_message(QueueUrl=queue_url, MessageBody=to_text(body), **order)

    router.hand_over = send


def work(
    client: Any,
    queue_url: str,
    router: WebhookRouter,
    *,
    stop: threading.Event | None = None,
    retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
    visibility: int = 60,
) -> None:
    """Handle the events of the queue, one after the other, until `stop` is set; any number of threads may.

    While handlers run, their message stays invisible to others; `visibility` is the number of seconds after which the
    message of a worker that was killed comes back. A failed event comes back after each of `retry_delays` seconds in
    turn, the last one again and again: the queue's redrive policy moves it to its dead-letter queue, so let
    `maxReceiveCount` be one more than there are delays. A queue without one logs a warning, since it drops the event
    in the end. An event that no handler has seen, because the store is out of reach or another worker has it, is sent
    anew, with all attempts; a FIFO queue can't delay one message, so there it counts as received. Continues while SQS
    is out of reach.
    """
    delays = prepare(router, retry_delays)
    above_zero(visibility, "visibility")
    stop = stop or threading.Event()
    _warn_without_redrive_policy(client, queue_url)
    while not stop.is_set():
        try:
            response = client.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=visibility,
                WaitTimeSeconds=_LONGEST_POLL,
                AttributeNames=["ApproximateReceiveCount"],
            )
            for message in response.get("Messages", ()):
                _handle(client, queue_url, router, message, delays, visibility)
        except Exception:
            logger.exception("SQS is out of reach; trying again.")
            stop.wait(_PAUSE_AFTER_ERROR)


def lambda_consumer(router: WebhookRouter) -> Callable[[Any, Any], dict[str, Any]]:
    """The handler of a Lambda function that SQS invokes; its event source mapping needs `ReportBatchItemFailures`."""

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


def _handle(
    client: Any, queue_url: str, router: WebhookRouter, message: Any, delays: tuple[float, ...], visibility: int
) -> None:
    receipt = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
    hide = partial(client.change_message_visibility, **receipt)
    try:
        run_sync(_run_hidden(lambda: router.run(from_text(message["Body"])), hide, visibility))
    except Exception as error:
        received = int(message["Attributes"]["ApproximateReceiveCount"])
        attempt = next_attempt(error, received - 1, delays)
        delay = attempt[0] if attempt is not None else delays[-1] if delays else 0.0
        logger.warning(
            "The event of SQS message %s was not handled, and comes back in %.0f s: %r",
            message["MessageId"],
            delay,
            error,
        )
        if attempt is None or attempt[1] == received or queue_url.endswith(".fifo"):
            hide(VisibilityTimeout=min(round(delay), _LONGEST_VISIBILITY))
            return
        # Each receive counts for the redrive policy, so a new message takes its place.
        delay = min(round(delay), _LONGEST_DELAY)
        client.send_message(QueueUrl=queue_url, MessageBody=message["Body"], DelaySeconds=delay)
    client.delete_message(**receipt)


def _run_hidden(run: Callable[[], None], hide: Callable[..., Any], seconds: int) -> Effects[None]:
    """Run, and keep the message invisible meanwhile."""
    yield Call(run, renewal=Renewal(Call(partial(hide, VisibilityTimeout=seconds)), seconds / 3))


def _warn_without_redrive_policy(client: Any, queue_url: str) -> None:
    try:
        found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    except Exception as error:
        logger.debug("The redrive policy of the SQS queue could not be read: %r", error)
    else:
        if "RedrivePolicy" not in found.get("Attributes", {}):
            logger.warning(
                "The SQS queue has no redrive policy: an event that fails for good is tried until SQS drops it. Give "
                "the queue a dead-letter queue."
            )
