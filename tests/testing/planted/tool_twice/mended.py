"""The shop's assistant gives money back: its calls of the tool come by webhook, and this answers them."""

import os
import sqlite3
from contextlib import closing, suppress

from interactor_ext import ConflictError, get_client
from interactor_ext.webhooks import MemoryEventStore, RoomToolCallPendingEvent, WebhookRouter, WebhookVerifier

DATABASE = "bank.db"
router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]), MemoryEventStore())


def refund(order: str, amount: int) -> str:
    query("INSERT OR IGNORE INTO refunds VALUES (?, ?)", order, amount)
    return f"{amount} were refunded"


@router.on("room.tool_call.pending")
def answer(event: RoomToolCallPendingEvent) -> None:
    """If it fails, it comes again."""
    call = event.data
    result = refund(**call.arguments) if call.tool_name == "refund" else f"There is no {call.tool_name}."
    user = get_client().for_event(event)
    with suppress(ConflictError):  # the result was submitted the time before
        user.tools.submit_result(call.room_id, tool_call_id=call.tool_call_id, result=result)


def refunds() -> list[tuple[str, int]]:
    return query("SELECT orders, amount FROM refunds")


def query(sql: str, *values: str | int) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS refunds (orders TEXT PRIMARY KEY, amount INTEGER)")
        return db.execute(sql, values).fetchall()
