"""Shared by the worker and the task queues: event bodies as text, retry delays, and a check of the store."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interactor_ext._engine.arguments import at_least
from interactor_ext._engine.errors import WebhookBusyError, WebhookPayloadError
from interactor_ext.webhooks.stores._memory import MemoryEventStore

if TYPE_CHECKING:
    from interactor_ext.webhooks.router import WebhookRouter

# The platform's own redelivery schedule: 30 s, 2 min, 10 min, 30 min, 2 h.
PLATFORM_SCHEDULE = (30.0, 120.0, 600.0, 1800.0, 7200.0)
# Characters that SQS refuses in a message: https://www.w3.org/TR/REC-xml/#charsets
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_text(body: bytes) -> str:
    """Return a body as text for any task queue: unchanged if possible, so people can read it, else in base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    return text if text.startswith("{") and not _NO_XML.search(text) else base64.b64encode(body).decode()


def from_text(text: str) -> bytes:
    """Return the body from the text of `to_text`. Raises WebhookPayloadError for any other text."""
    if text.startswith("{"):
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise WebhookPayloadError("The message in the task queue isn't what `hand_over` put there.") from error


def next_attempt(error: Exception, failures: int, delays: Sequence[float]) -> tuple[float, int] | None:
    """Return the delay in seconds until an event runs again after an error, and its number of failures; None to give
    up.

    `failures` counts those before this error. A busy event hasn't failed: no handler ran.
    """
    if isinstance(error, WebhookBusyError):
        return error.retry_after or 0.0, failures
    if isinstance(error, WebhookPayloadError) or failures >= len(delays):
        return None
    return delays[failures], failures + 1


def prepare(router: WebhookRouter, retry_delays: Sequence[float]) -> tuple[float, ...]:
    """Return the validated delays. Warns if workers can't see which events others have handled."""
    if isinstance(router.store, MemoryEventStore):
        warnings.warn(
            "This webhook router remembers events in the memory of one process, so another worker would "
            "handle a duplicate again. Give it a store that all workers share, such as RedisEventStore.",
            stacklevel=3,
        )
    return tuple(at_least(0, delay, "Each of retry_delays") for delay in retry_delays)
