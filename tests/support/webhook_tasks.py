"""A router whose events run on Celery, RQ or SQS, which receivers and workers import. `python -m` works on SQS.

Each handler run is counted in Redis. A victim's first run waits there until the test kills it.
"""

from __future__ import annotations

import os
from typing import Any

from redis import Redis

from interactor_ext.webhooks import RedisEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET

SOCKET, ENGINE = os.environ["TASKS_REDIS"], os.environ["TASKS_ENGINE"]
VISIBILITY = 5
redis = Redis(unix_socket_path=SOCKET)
router = WebhookRouter(
    WebhookVerifier(SECRET), RedisEventStore(redis), name="shop", lease=float(os.environ["TASKS_LEASE"])
)


@router.on("*")
def handler(event: Any) -> None:
    redis.rpush("started", event.idempotency_key)
    if redis.srem("victims", event.idempotency_key):
        redis.rpush("hanging", os.getpid())
        redis.blpop(["never"])
    redis.rpush("ended", event.idempotency_key)


if ENGINE == "celery":
    from celery import Celery

    from interactor_ext.webhooks.celery import hand_over_to

    app = Celery(broker=f"redis+socket://{SOCKET}")
    app.conf.update(
        broker_transport_options={"visibility_timeout": VISIBILITY},
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
    )
    hand_over_to(app, router, retry_delays=[1, 1])
elif ENGINE == "rq":
    from rq import Queue

    from interactor_ext.webhooks.rq import hand_over_to as hand_over_to_rq

    hand_over_to_rq(
        Queue("events", connection=redis), router, "tests.support.webhook_tasks:router", retry_delays=[1, 1]
    )
else:
    import boto3

    from interactor_ext.webhooks.sqs import SQSWorker
    from interactor_ext.webhooks.sqs import hand_over_to as hand_over_to_sqs

    url = os.environ["TASKS_SQS"]
    client = boto3.client("sqs", "us-east-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test")
    queue_url = client.get_queue_url(QueueName="events")["QueueUrl"]
    hand_over_to_sqs(client, queue_url, router)
    if __name__ == "__main__":
        SQSWorker(client, queue_url, router, retry_delays=[1, 1], visibility=VISIBILITY).run()
