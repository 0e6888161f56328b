"""What the service and its worker share: the settings of their clients, the queue, and the webhook's handler."""

import os
from contextlib import suppress
from typing import Any

from redis import Redis

from interactor_ext import NotFoundError, get_client
from interactor_ext.telemetry import PrometheusTelemetry
from interactor_ext.tokens import RedisTokenStore
from interactor_ext.webhooks import CredentialExpiredEvent, SQLiteEventQueue, WebhookRouter, WebhookVerifier

SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]
# Without time limits, a Redis that hangs would hold up whoever asks it.
redis = Redis.from_url(
    os.environ.get("REDIS_URL", "redis://localhost:6379/0"),
    socket_timeout=2,
    socket_connect_timeout=2,
    decode_responses=True,
)
# Groups of tenants, since a label with a value for each would make a time series for each.
telemetry = PrometheusTelemetry(namespace_label="hash")
# One token for all processes. No request outlasts the 30 seconds that a load balancer waits, and an attempt without a
# response leaves time for another.
CLIENT: dict[str, Any] = {
    "token_store": RedisTokenStore(redis),
    "telemetry": telemetry,
    "require_namespace": True,
    "timeout": 10,
    "deadline": 25,
}
# A file on a volume of this machine; on several machines it is a PostgresEventQueue.
queue = SQLiteEventQueue(os.environ.get("QUEUE", "queue.db"))
router = WebhookRouter(WebhookVerifier(SECRET), queue=queue, name="support", telemetry=telemetry)


@router.on("credential.expired")
def remember(event: CredentialExpiredEvent) -> None:
    """Runs in the worker, beside other events, in any order, and again if it fails: so it only adds a fact."""
    user, credential_id = get_client(**CLIENT).for_event(event), event.data.credential_id
    with suppress(NotFoundError):  # deleted since
        redis.hset(f"expired:{event.namespace}", credential_id, user.credentials.get(credential_id).provider)
