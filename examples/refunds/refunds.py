"""Refunds by an assistant: small ones are paid at once, others wait until a manager approves them."""

import os

from interactor_ext import InteractorClient, ToolContext, ToolSet, get_client
from interactor_ext.tools import ToolError, WaitingCall
from interactor_ext.webhooks import SQLiteEventStore

ORDERS = {"user_alice": {"o_1": 40, "o_2": 250}}  # stands for your database
MANAGERS = {"carol"}
paid: dict[str, str] = {}  # stands for your bank; it takes each key once

# The ledger is shared by all processes, so that no refund is paid twice, whatever dies.
tools = ToolSet(ledger=SQLiteEventStore(os.environ.get("REFUNDS_DB", "refunds.db")))


@tools.tool(approval=lambda arguments: arguments["amount"] > 100, show=("order", "amount"), idempotent=True)
def refund(context: ToolContext, order: str, amount: int) -> str:
    """Pays a customer back.

    Args:
        order: The order's number.
        amount: In euros.
    """
    price = ORDERS.get(context.namespace or "", {}).get(order)
    if price is None:
        raise ToolError("The customer has no such order.")
    if not 0 < amount <= price:
        raise ToolError(f"Between 1 and {price} euros can be refunded.")
    paid.setdefault(context.idempotency_key, f"{amount} euros for {order}")
    return f"{amount} euros are on their way."


def customer(name: str) -> InteractorClient:
    return get_client(require_namespace=True).namespace(f"user_{name}")


def ask(name: str, text: str) -> tuple[str, list[WaitingCall]]:
    """The answer to a customer, and what a manager has to decide about before there is one."""
    user = customer(name)
    bot = user.assistants.ensure(name="Refunds", model="gpt-4", system_prompt="You help customers.", tools=tools)
    room = user.rooms.create(bot.id)
    with user.chat(room.id, text, tools=tools) as reply:
        said = "".join(reply.text())
        return said, reply.waiting


def decide(manager: str, name: str, call: WaitingCall, *, approved: bool) -> str:
    """What the customer reads once a manager has decided."""
    if manager not in MANAGERS:
        raise PermissionError(f"{manager} decides about no refunds")
    user = customer(name)
    if approved:
        tools.approve(user, call, by=manager)
    else:
        tools.reject(user, call, reason="The manager did not approve it.", by=manager)
    return user.messages.list(call.room_id, order="desc").data[0].content
