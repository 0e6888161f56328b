"""Checked, not run: what may be passed as `telemetry=`, and what a match over its events knows."""

from __future__ import annotations

from typing import assert_type

from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.telemetry import (
    Event,
    OpenTelemetryTelemetry,
    PrometheusTelemetry,
    RequestEnded,
    Sending,
    StreamDisconnected,
    Telemetry,
)
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier


class Own:
    def sending(self, request: Sending) -> float:
        return 1.0

    def record(self, event: Event) -> None:
        match event:
            case RequestEnded(request=request, status=status, seconds=seconds):
                assert_type(request, Sending)
                assert_type(status, int | None)
                assert_type(seconds, float)
            case StreamDisconnected() as end:
                assert_type(end, StreamDisconnected)
            case _:
                pass


choices: list[Telemetry] = [PrometheusTelemetry(), OpenTelemetryTelemetry(), Own()]
InteractorClient(telemetry=choices[0])
AsyncInteractorClient(telemetry=Own())
WebhookRouter(WebhookVerifier("whsec_1"), telemetry=Own())
