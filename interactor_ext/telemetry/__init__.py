"""Metrics and traces of clients and webhook routers, for Prometheus, OpenTelemetry or your own object.

    telemetry = PrometheusTelemetry()
    client = InteractorClient(telemetry=telemetry)
    router = WebhookRouter(verifier, telemetry=telemetry)

`PrometheusTelemetry` has the platform's recommended metrics, `OpenTelemetryTelemetry` spans and metrics that follow the
conventions for HTTP clients. Your own object has the two methods of `Telemetry`, and receives the events below.

`RULES` and `DASHBOARD` are the paths of a Prometheus rules file with the platform's recommended alerts, and of a
Grafana dashboard, both for the metrics of `PrometheusTelemetry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names
from interactor_ext._engine.telemetry_events import (
    Event,
    Pool,
    PoolOpened,
    RequestEnded,
    Sending,
    StreamConnected,
    StreamDisconnected,
    Telemetry,
    TokenInUse,
    TokenRequested,
    ToolDecided,
    WebhookQueue,
    WebhookReceived,
)

if TYPE_CHECKING:
    from interactor_ext._engine.network.pool import ConnectionCounts
    from interactor_ext.telemetry._opentelemetry import OpenTelemetryTelemetry
    from interactor_ext.telemetry._prometheus import DASHBOARD, RULES, PrometheusTelemetry

__all__ = [
    "DASHBOARD",
    "RULES",
    "ConnectionCounts",
    "Event",
    "OpenTelemetryTelemetry",
    "Pool",
    "PoolOpened",
    "PrometheusTelemetry",
    "RequestEnded",
    "Sending",
    "StreamConnected",
    "StreamDisconnected",
    "Telemetry",
    "TokenInUse",
    "TokenRequested",
    "ToolDecided",
    "WebhookQueue",
    "WebhookReceived",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext._engine.network.pool": ("ConnectionCounts",),
            "._opentelemetry": ("OpenTelemetryTelemetry",),
            "._prometheus": ("DASHBOARD", "RULES", "PrometheusTelemetry"),
        },
    )
