"""OpenTelemetry spans and metrics, by the semantic conventions for HTTP clients.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and .../http-metrics/
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.equality import EqualBySettings
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
    TokenRequested,
    WebhookQueue,
    WebhookReceived,
)
from interactor_ext._interactor import __version__

if TYPE_CHECKING:
    from opentelemetry import metrics, trace
else:
    metrics = LazyModule("opentelemetry.metrics")
    trace = LazyModule("opentelemetry.trace")

# In seconds, as the conventions recommend.
_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
_SCHEMA = "https://opentelemetry.io/schemas/1.27.0"


class OpenTelemetryTelemetry(EqualBySettings):
    """A span for each request that is sent, and `http.client.request.duration`; instruments named `interactor.*` for
    the rest. The extra `[otel]` only installs the API: the providers are yours, or the global ones.

    Requests carry the trace context as the global propagator writes it. The span is the current one while its request
    is sent, and instrumentations of HTTP clients, such as httpx's, don't create another. The tenant is on the spans, as
    `interactor.namespace`; metrics never have it. Objects with the same settings are equal.

    Raises:
        ConfigurationError: opentelemetry-api isn't installed.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        try:
            from opentelemetry import context, metrics, propagate, trace
        except ImportError as error:
            raise ConfigurationError(
                "OpenTelemetryTelemetry needs an extra: pip install 'interactor-sdk[otel]'"
            ) from error
        self._settings = (type(self), tracer_provider, meter_provider)
        self._context = context
        # Only the instrumentations' package has a public name for it.
        self._suppress = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
        self._trace = trace
        self._inject = propagate.inject
        self._tracer = trace.get_tracer("interactor", __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter("interactor", __version__, meter_provider, _SCHEMA)
        self._durations = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._token_requests = meter.create_counter(
            "interactor.token.refreshes", "{refresh}", "Token refresh attempts."
        )
        self._streams = meter.create_up_down_counter("interactor.stream.active", "{stream}", "Open streams.")
        self._disconnects = meter.create_counter("interactor.stream.disconnects", "{disconnect}", "Streams that ended.")
        self._webhooks = meter.create_histogram(
            "interactor.webhook.processing.duration",
            "s",
            "Processing time of webhooks.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._queued = meter.create_gauge("interactor.webhook.queue.events", "{event}", "Events in the webhook queue.")
        self._oldest = meter.create_gauge("interactor.webhook.queue.oldest", "s", "Age of the oldest waiting event.")
        self._pools: weakref.WeakSet[Pool] = weakref.WeakSet()
        meter.create_observable_up_down_counter(
            "interactor.pool.connections",
            [self._observe_pools],
            "{connection}",
            "Open and idle connections, and requests waiting for one.",
        )

    def sending(self, request: Sending) -> object:
        """Like `Telemetry.sending`."""
        attributes: dict[str, Any] = {
            **_about(request),
            "url.full": request.url,
            "interactor.operation": request.operation,
        }
        if request.resends:
            attributes["http.request.resend_count"] = request.resends
        if request.namespace:
            attributes["interactor.namespace"] = request.namespace
        span = self._tracer.start_span(
            f"{request.method} {request.endpoint}", kind=self._trace.SpanKind.CLIENT, attributes=attributes
        )
        context = self._trace.set_span_in_context(span)
        self._inject(request.headers, context)
        return span, self._context.attach(self._context.set_value(self._suppress, True, context))

    def record(self, event: Event) -> None:
        """Like `Telemetry.record`."""
        match event:
            case RequestEnded():
                self._ended(event)
            case PoolOpened(pool=pool):
                self._pools.add(pool)
            case TokenRequested(ok=ok):
                self._token_requests.add(1, {"status": "success" if ok else "failure"})
            case StreamConnected(kind=kind):
                self._streams.add(1, {"type": kind})
            case StreamDisconnected(kind=kind, reason=reason):
                self._streams.add(-1, {"type": kind})
                self._disconnects.add(1, {"type": kind, "reason": reason})
            case WebhookReceived(event=name, status=status, seconds=seconds):
                self._webhooks.record(seconds, {"event": name, "status": status})
            case WebhookQueue(service=service, oldest=oldest):
                for state in ("waiting", "retrying", "unhandled", "dead"):
                    self._queued.set(getattr(event, state), {"service": service, "state": state})
                self._oldest.set(oldest, {"service": service})

    def _observe_pools(self, options: object) -> Iterator[metrics.Observation]:
        numbers = ConnectionCounts.sum(pool.connections() for pool in list(self._pools))
        for state, number in numbers._asdict().items():
            yield metrics.Observation(number, {"state": state})

    def _ended(self, event: RequestEnded) -> None:
        outcome: dict[str, Any] = {}
        if event.status is not None:
            outcome["http.response.status_code"] = event.status
        if event.error is not None:
            outcome["error.type"] = str(event.status) if event.status is not None else _name(event.exception)
        self._durations.record(event.seconds, {**_about(event.request), **outcome})
        if not isinstance(event.started, tuple):
            return  # it couldn't be started
        span: trace.Span
        span, token = event.started
        if self._trace.get_current_span() is span:  # not if the garbage collector ends a call in another context
            self._context.detach(token)
        if event.code is not None:
            outcome["interactor.error_code"] = event.code
        if request_id := event.headers.get("x-request-id"):
            outcome["interactor.request_id"] = request_id
        span.set_attributes(outcome)
        if event.error is not None:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()


def _about(request: Sending) -> dict[str, Any]:
    return {
        "http.request.method": request.method,
        "server.address": request.host,
        "server.port": request.port,
        "url.template": request.endpoint,
    }


def _name(exception: BaseException | None) -> str:
    return "_OTHER" if exception is None else f"{type(exception).__module__}.{type(exception).__qualname__}"
