"""A Celery worker notes each question exactly once: one transaction has the row and the record of the event."""

from django.conf import settings
from django.db import transaction
from redis import Redis

from interactor_ext.webhooks import RedisEventStore, RoomMessageCreatedEvent, WebhookRouter, WebhookVerifier
from interactor_ext.webhooks.celery import hand_over_to
from shop.celery import app
from shop.models import Question

SECRET = settings.INTERACTOR_WEBHOOK_SECRET
store = RedisEventStore(Redis.from_url(settings.CELERY_BROKER_URL))
router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop")
hand_over_to(app, router, queue="webhooks")


@router.on("room.message.created", once=transaction.atomic)
def note_question(event: RoomMessageCreatedEvent) -> None:
    if event.data.role == "user":
        Question.objects.create(company=event.namespace, text=event.data.content)
