"""The webhook: the web processes put each event into the queue, and the workers handle it, exactly once."""

import os

from sqlalchemy.ext.asyncio import AsyncSession

from database import Notice, Session, queue
from desk import CLIENT, telemetry
from interactor_client.models import CredentialExpiredEvent, WorkflowInstanceCompletedEvent
from interactor_ext import get_async_client
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier

SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]
router = WebhookRouter(WebhookVerifier(SECRET), queue=queue, name="desk", telemetry=telemetry)


@router.on("credential.expired", once=Session)
async def ask_to_reconnect(event: CredentialExpiredEvent, session: AsyncSession) -> None:
    session.add(Notice(company=event.namespace, text=f"Please connect your {event.data.provider} account again."))


@router.on("workflow.instance.completed", once=Session)
async def register_return(event: WorkflowInstanceCompletedEvent, session: AsyncSession) -> None:
    company = get_async_client(**CLIENT).for_event(event)
    instance = await company.workflow_instances.get(event.data.instance_id)
    session.add(Notice(company=event.namespace, text=f"The return of order {instance.context['order']} is registered."))
