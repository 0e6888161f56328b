"""Handlers of the platform's events."""

from django.conf import settings

from interactor_ext.webhooks import RoomMessageCreatedEvent, SQLiteEventStore, WebhookRouter, WebhookVerifier
from support.models import Ticket

verifier = WebhookVerifier(settings.INTERACTOR_WEBHOOK_SECRET)
router = WebhookRouter(verifier, SQLiteEventStore(settings.DATA_DIR / "events.db"), name="support")


@router.on("room.message.created")
def save_answer(event: RoomMessageCreatedEvent) -> None:
    """Runs once for each event, and again if it fails: a second run changes nothing."""
    if event.data.role == "assistant" and event.data.content:
        Ticket.objects.filter(room_id=event.data.room_id).update(answer=event.data.content)
