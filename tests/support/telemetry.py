"""A telemetry that records its calls."""

from __future__ import annotations

from typing import Any

from interactor_ext.telemetry import Event, Sending


class Recorded:
    def __init__(self) -> None:
        self.sent: list[Sending] = []
        self.events: list[Any] = []

    def sending(self, request: Sending) -> object:
        self.sent.append(request)
        return len(self.sent)

    def record(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]
