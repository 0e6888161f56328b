"""The application under test: a help desk that knows the customers' orders. Nothing in it knows of tests."""

import logging
import os

from interactor_ext import InteractorError, ToolContext, ToolSet, get_client
from interactor_ext.webhooks import CredentialExpiredEvent, MemoryEventStore, WebhookRouter, WebhookVerifier

logger = logging.getLogger(__name__)
tools = ToolSet()
ORDERS = {"user_alice": {17: "shipped"}, "user_bob": {18: "packed"}}  # stands for your database
router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]), MemoryEventStore())
to_reconnect: set[str | None] = set()


@tools.tool
def order_status(context: ToolContext, order: int) -> str:
    """How far an order of the customer is."""
    return ORDERS.get(context.namespace or "", {}).get(order, "unknown")


def answer(customer: str, question: str) -> str:
    user = get_client(require_namespace=True).namespace(f"user_{customer}")
    try:
        bot = user.assistants.ensure(name="Help Desk", model="gpt-4", system_prompt="Answer briefly.", tools=tools)
        room = user.rooms.create(assistant_id=bot.id)
        with user.chat(room.id, question, tools=tools) as reply:
            return reply.message().content
    except InteractorError:
        logger.exception("a question of %s was not answered", customer)
        return "Nobody is at the desk. Please come back later."


@router.on("credential.expired")
def ask_to_reconnect(event: CredentialExpiredEvent) -> None:
    to_reconnect.add(event.namespace)
