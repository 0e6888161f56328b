"""Logs each webhook delivery and records it in telemetry."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from interactor_client.models import EVENT_MODELS
from interactor_ext._engine.effects import Effects
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.telemetry_events import Reporter, WebhookReceived
from interactor_ext._engine.waiting.own_errors import cause_of
from interactor_ext.webhooks.answers import WebhookAnswer

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

Outcome = Literal["processed", "duplicate", "failed", "refused"]

# Telemetry outcome by the status or error in the response, else "failed", which no outside caller can cause. A queued
# event is recorded once a worker has handled it.
_OUTCOMES: dict[str, Outcome | None] = {
    "handled": "processed",
    "ignored": "processed",
    "duplicate": "duplicate",
    "in_progress": "duplicate",
    "accepted": None,
    "not_genuine": "refused",
    "body_too_large": "refused",
    "body_incomplete": "refused",
    "length_required": "refused",
}


class DeliveryWatch:
    """Logs and records one delivery, or one run of an event that was handed over or queued.

    `event` is set once it is known.
    """

    def __init__(self, reporter: Reporter | None, event: WebhookEvent | None = None) -> None:
        self._reporter = reporter
        self._began = time.perf_counter()
        self.event = event

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Log the error or interruption that ends the block."""
        try:
            yield
        except GeneratorExit:  # may come from the garbage collector, which mustn't wait for the lock of a log handler
            raise
        except Exception as error:
            self._ended("failed", "failed", reason=type(cause_of(error)).__name__)
            raise
        except BaseException as error:
            self._ended("interrupted", None, reason=type(error).__name__)
            raise

    def answered(self, answer: WebhookAnswer) -> None:
        document: dict[str, Any] = json.loads(answer.body)
        error: dict[str, str] = document.get("error", {})
        said = error["code"] if error else document["status"]
        self._ended(said, _OUTCOMES.get(said, "failed"), status=answer.status, reason=error.get("message", ""))

    def observe_handlers(self, plan: Effects[None]) -> Effects[None]:
        """Watch the handlers of a queued event."""
        with self.errors():
            yield from plan
        self._ended("handled", "processed")

    def _ended(self, said: str, outcome: Outcome | None, *, status: int | None = None, reason: str = "") -> None:
        event, seconds = self.event, time.perf_counter() - self._began
        level = logging.INFO if not reason else logging.WARNING
        if logger.isEnabledFor(level):
            fields: dict[str, Any] = {
                "event_id": None if event is None else event.id,
                "event_type": None if event is None else event.event,
                "namespace": None if event is None else event.namespace,
                "outcome": said,
                "status_code": status,
                "duration_ms": round(seconds * 1000, 1),
            }
            logger.log(
                level,
                "Webhook delivery %s: event %r (%r) of namespace %r, in %.0f ms%s",
                said,
                *(fields[name] for name in ("event_id", "event_type", "namespace", "duration_ms")),
                f" ({reason})" if reason else "",
                extra=fields,
            )
        if outcome is not None and self._reporter is not None:
            self._reporter.record(WebhookReceived(label(event), outcome, seconds))


def label(event: WebhookEvent | None) -> str:
    """Return an event's type as a metric label, with a bounded number of values."""
    if event is None:
        return "unknown"
    return event.event if event.event in EVENT_MODELS["WebhookEvent"] else "other"
