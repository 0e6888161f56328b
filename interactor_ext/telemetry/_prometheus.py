"""Prometheus metrics of clients and webhook routers: the platform's recommended ones, in prometheus-client."""

from __future__ import annotations

import hashlib
import os
import time
import weakref
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.network.pool import ConnectionCounts
from interactor_ext._engine.telemetry_events import (
    Event,
    Pool,
    PoolOpened,
    RequestEnded,
    Sending,
    StreamConnected,
    StreamDisconnected,
    TokenInUse,
    TokenRequested,
    WebhookQueue,
    WebhookReceived,
)

if TYPE_CHECKING:
    import prometheus_client
    from prometheus_client import Counter, Histogram
    from prometheus_client.registry import Collector
else:
    prometheus_client = LazyModule("prometheus_client")

RULES = Path(__file__).with_name("alerts") / "interactor.rules.yml"
"""The path of the alert rules for Prometheus."""
DASHBOARD = RULES.with_name("interactor.dashboard.json")
"""The path of the dashboard for Grafana."""

M = TypeVar("M", bound="Collector")
_Labels = tuple[str, str, "int | str", str]
"""Endpoint, method, status and namespace."""
BUCKETS = (10, 50, 100, 250, 500, 1000, 2500, 5000)
"""Milliseconds."""
_HASH_DIGITS = 2
# Each error code of a server becomes a label, and each label a time series.
_MAX_CODES = 100
_COMMON_ERRORS = (
    ("auth", "AUTH_ERROR"),
    ("auth", "FORBIDDEN"),
    ("rate_limit", "RATE_LIMITED"),
    ("validation", "NOT_FOUND"),
    ("validation", "VALIDATION_ERROR"),
    ("server", "API_ERROR"),
    ("network", "NETWORK_ERROR"),
    ("network", "TIMEOUT"),
)


class PrometheusTelemetry:
    """Metrics named `interactor_...`, in `registry` or else in the default one. Extra `[prometheus]`.

    Pass the same object to all clients and webhook routers of a process. Requests are counted as they are sent, so a
    retried call counts more than once. `status` is the response's, or "error", "timeout" or "cancelled".
    `namespace_label`: False leaves that label empty; "hash" divides the tenants into 256 groups, so their number is
    bounded.

    Multi-process mode works as prometheus-client describes it (`PROMETHEUS_MULTIPROC_DIR`); the token's expiry and the
    connections of a process are then as of the end of its last request.

    Raises:
        ConfigurationError: prometheus-client isn't installed, or the registry already has these metrics.
    """

    def __init__(
        self,
        registry: prometheus_client.CollectorRegistry | None = None,
        *,
        namespace_label: bool | Literal["hash"] = True,
    ) -> None:
        try:
            import prometheus_client
        except ImportError as error:
            raise ConfigurationError(
                "PrometheusTelemetry needs an extra: pip install 'interactor-sdk[prometheus]'"
            ) from error
        if namespace_label not in (True, False, "hash"):
            raise ConfigurationError(f"namespace_label must be True, False or 'hash', not {namespace_label!r}")
        self._namespace_label = namespace_label
        self._codes = {code for _, code in _COMMON_ERRORS}
        self._expires_at: float | None = None
        self._pools: weakref.WeakSet[Pool] = weakref.WeakSet()
        # In multi-process mode a gauge is read from a file, so its value can't be computed at a scrape.
        self._pushes = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        # Looking these up in prometheus-client would check each label and take a lock.
        self._known: dict[_Labels, tuple[Counter, Histogram]] = {}
        metrics = self._make()
        self._create_known_series()
        try:
            for metric in metrics:
                (prometheus_client.REGISTRY if registry is None else registry).register(metric)
        except ValueError as error:
            raise ConfigurationError(
                f"{error}. One PrometheusTelemetry serves all clients: create one per registry."
            ) from error

    def _make(self) -> list[Collector]:
        from prometheus_client import Counter, Gauge, Histogram

        made: list[Collector] = []

        def make(kind: Callable[..., M], name: str, what: str, *labels: str, **options: Any) -> M:
            metric = kind(f"interactor_{name}", what, labels, registry=None, **options)
            made.append(metric)
            return metric

        self._requests = make(
            Counter, "requests_total", "Total API requests", "endpoint", "method", "status", "namespace"
        )
        self._durations = make(
            Histogram,
            "request_duration_ms",
            "Request latency in milliseconds",
            "endpoint",
            "method",
            buckets=BUCKETS,
        )
        self._token_requests = make(Counter, "token_refresh_total", "Token refresh attempts", "status")
        latest = partial(make, Gauge, multiprocess_mode="livemostrecent")
        self._expiry = latest("token_expiry_seconds", "Seconds until current token expires")
        self._queued = latest("webhook_queue_events", "Events in the webhook queue", "service", "state")
        self._oldest = latest("webhook_queue_oldest_seconds", "Age of the oldest waiting event", "service")
        self._webhooks = make(Counter, "webhook_received_total", "Webhooks received", "event", "status")
        self._webhook_durations = make(
            Histogram, "webhook_processing_duration_ms", "Webhook processing time", "event", buckets=BUCKETS
        )
        total = partial(make, Gauge, multiprocess_mode="livesum")
        self._streams = total("sse_connections_active", "Active SSE connections", "type")
        self._disconnects = make(Counter, "sse_disconnects_total", "SSE disconnection events", "type", "reason")
        self._errors = make(Counter, "errors_total", "API errors by type", "type", "code")
        connections = total("pool_connections", "Open and idle connections, and requests waiting for one", "state")
        self._states = {state: connections.labels(state) for state in ConnectionCounts._fields}
        if not self._pushes:
            self._expiry.set_function(self._seconds_left)
            for state, gauge in self._states.items():
                gauge.set_function(partial(self._connections, state))
        return made

    def _create_known_series(self) -> None:
        """Create the series with known labels, because `rate()` needs an earlier value to see the first event."""
        for status in ("success", "failure"):
            self._token_requests.labels(status)
        for kind in ("room", "workflow"):
            self._streams.labels(kind)
            for reason in ("timeout", "error", "client_close", "done"):
                self._disconnects.labels(kind, reason)
        for error, code in _COMMON_ERRORS:
            self._errors.labels(error, code)

    def sending(self, request: Sending) -> None:
        """Like `Telemetry.sending`."""

    def record(self, event: Event) -> None:
        """Like `Telemetry.record`."""
        match event:
            case RequestEnded():
                self._ended(event)
            case PoolOpened(pool=pool):
                self._pools.add(pool)
            case TokenRequested(ok=ok):
                self._token_requests.labels("success" if ok else "failure").inc()
            case TokenInUse(expires_at=expires_at):
                self._expires_at = expires_at
                if self._pushes:
                    self._push()
            case StreamConnected(kind=kind):
                self._streams.labels(kind).inc()
            case StreamDisconnected(kind=kind, reason=reason):
                self._streams.labels(kind).dec()
                self._disconnects.labels(kind, reason).inc()
            case WebhookReceived(event=name, status=outcome, seconds=seconds):
                self._webhooks.labels(name, outcome).inc()
                self._webhook_durations.labels(name).observe(seconds * 1000)
            case WebhookQueue(service=service, oldest=oldest):
                for state in ("waiting", "retrying", "unhandled", "dead"):
                    self._queued.labels(service, state).set(getattr(event, state))
                self._oldest.labels(service).set(oldest)

    def _ended(self, event: RequestEnded) -> None:
        request = event.request
        namespace = request.namespace
        if self._namespace_label is not True:
            namespace = _group(namespace) if self._namespace_label else ""
        labels = request.endpoint, request.method, event.status or _status(event), namespace
        known = self._known.get(labels)
        if known is None:
            known = self._known[labels] = self._look_up(*labels)
        requests, durations = known
        requests.inc()
        durations.observe(event.seconds * 1000)
        if event.error is not None and event.error != "cancelled":
            self._errors.labels(event.error, self._code(event)).inc()
        if self._pushes:
            self._push()

    def _look_up(self, endpoint: str, method: str, status: int | str, namespace: str) -> tuple[Counter, Histogram]:
        requests = self._requests.labels(endpoint, method, str(status), namespace)
        return requests, self._durations.labels(endpoint, method)

    def _code(self, event: RequestEnded) -> str:
        code = event.code or ""
        if code in self._codes or event.status is None:
            return code
        if len(self._codes) < _MAX_CODES:
            self._codes.add(code)
            return code
        # A webhook receiver, which also creates one of these, doesn't need it.
        from interactor_ext._engine.responses.status_error import class_for

        return class_for(event.status).default_code

    def _push(self) -> None:
        if self._expires_at is not None:
            self._expiry.set(self._seconds_left())
        for state, gauge in self._states.items():
            gauge.set(self._connections(state))

    def _connections(self, state: str) -> int:
        return int(getattr(ConnectionCounts.sum(pool.connections() for pool in list(self._pools)), state))

    def _seconds_left(self) -> float:
        return 0.0 if self._expires_at is None else max(0.0, self._expires_at - time.time())


@lru_cache(maxsize=4096)
def _group(namespace: str) -> str:
    return hashlib.sha256(namespace.encode()).hexdigest()[:_HASH_DIGITS] if namespace else ""


def _status(event: RequestEnded) -> str:
    """Return the status label of a request without a response."""
    if event.error == "cancelled":
        return "cancelled"
    return "timeout" if event.code == "TIMEOUT" else "error"
