"""What web processes and Celery workers share: the Celery application, the tools, and the webhook's handlers."""

import os
import time

from celery import Celery
from redis import Redis

from interactor_ext import ToolContext, ToolSet, get_client
from interactor_ext.webhooks import RedisEventStore, RoomToolCallPendingEvent, WebhookRouter, WebhookVerifier
from interactor_ext.webhooks.celery import hand_over_to

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]

app = Celery("shop", broker=REDIS_URL)
router = WebhookRouter(WebhookVerifier(SECRET), RedisEventStore(Redis.from_url(REDIS_URL)), name="shop", lease=300)
hand_over_to(app, router)  # the web process answers at once, and a worker runs the handlers
tools = ToolSet()


@tools.tool
def sales_report(context: ToolContext, month: str) -> dict[str, float]:
    """The sales of one month.

    Args:
        month: As 2026-01.
    """
    time.sleep(1)  # stands for a query that takes longer than a web request should
    return {"orders": 17, "euros": 1234.5}


@router.on("room.tool_call.pending")
def run_tool(event: RoomToolCallPendingEvent) -> None:
    tools.run(get_client(require_namespace=True), event)  # in the namespace that the event names
