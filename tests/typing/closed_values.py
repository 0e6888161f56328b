"""What is sent takes the values of the contract alone, what is received any text: checked by mypy, never run.

An ignored error that is no error any more fails the check, for `warn_unused_ignores` is part of strict.
"""

from __future__ import annotations

from typing import assert_type

from interactor_client.models import WebhookEventType
from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorConfig

KNOWN = InteractorClient(environment="sandbox")
UNKNOWN = InteractorClient(environment="staging")  # type: ignore[arg-type]
CONFIG = InteractorConfig(client_id="a", client_secret="b", environment="stagin")  # type: ignore[arg-type]


def sync_surface(user: InteractorClient) -> None:
    webhook = user.webhooks.create(url="https://example.com", events=["room.message.created"])
    assert_type(webhook.events, list[WebhookEventType])
    unlisted: str = webhook.events[0]
    user.webhooks.update(webhook.id, events=["room.message.create"])  # type: ignore[list-item]
    user.wait_for_workflow("wi_1", until={"completed", "halted"})
    user.wait_for_workflow("wi_1", until={"complete"})  # type: ignore[arg-type]
    user.wait_for_workflow("wi_1", until="completed")  # type: ignore[arg-type]
    user.messages.list("room_1", order="descending")  # type: ignore[arg-type]
    user.assistants.create(name="Bot", model="any-model", system_prompt=unlisted)


async def async_surface(user: AsyncInteractorClient) -> None:
    await user.webhooks.create(url="https://example.com", events=["room.message.create"])  # type: ignore[list-item]
    await user.wait_for_workflow("wi_1", until={"complete"})  # type: ignore[arg-type]
