"""Tells a telemetry of deliveries."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

from interactor_client.models import EVENT_MODELS
from interactor_ext._plans import Plan
from interactor_ext._telemetry.events import Reporter, WebhookReceived
from interactor_ext.webhooks.answers import WebhookAnswer

Outcome = Literal["processed", "duplicate", "failed"]

# By what the answer says. An event that was put in a queue is told of when a worker has handled it.
_OUTCOMES: dict[str, Outcome | None] = {
    "handled": "processed",
    "ignored": "processed",
    "duplicate": "duplicate",
    "in_progress": "duplicate",
    "accepted": None,
}


class DeliveryWatch:
    """One delivery. `event` is its type, as soon as that is known."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._began = time.perf_counter()
        self.event: str | None = None

    def follow(self, plan: Plan[WebhookAnswer]) -> Plan[WebhookAnswer]:
        answer = yield from plan
        self.answered(answer)
        return answer

    def answered(self, answer: WebhookAnswer) -> None:
        outcome = _OUTCOMES.get(_says(answer), "failed")
        if outcome is not None:
            event = "unknown" if self.event is None else label(self.event)
            self._reporter.record(WebhookReceived(event, outcome, time.perf_counter() - self._began))


def follow_handlers(reporter: Reporter, event: str, plan: Plan[None]) -> Plan[None]:
    """The handlers of an event that comes from a queue."""
    began = time.perf_counter()
    try:
        yield from plan
    except Exception:
        reporter.record(WebhookReceived(label(event), "failed", time.perf_counter() - began))
        raise
    reporter.record(WebhookReceived(label(event), "processed", time.perf_counter() - began))


def label(event: str) -> str:
    """The type of an event, as one of a bounded number of labels."""
    return event if event in EVENT_MODELS["WebhookEvent"] else "other"


def _says(answer: WebhookAnswer) -> str:
    document: dict[str, Any] = json.loads(answer.body)
    said: str = document["status"] if "status" in document else document["error"]["code"]
    return said
