"""Spans beside the instrumentation of httpx, and the context of the caller in threads of the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import pytest

from interactor_ext import RetryPolicy
from interactor_ext.sandbox import Sandbox
from interactor_ext.telemetry import OpenTelemetryTelemetry
from tests.support import patient
from tests.support.modes import opened, sync_and_async

trace = pytest.importorskip("opentelemetry.sdk.trace", reason="pip install opentelemetry-sdk")

user: ContextVar[str] = ContextVar("user", default="nobody")
FAST = RetryPolicy(base_delay=0.001)


@pytest.fixture
def traced() -> Iterator[tuple[Any, Any]]:
    """A provider of tracers, and the spans that have ended."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, spans = trace.TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider, spans
    provider.shutdown()


def transport(mode: str, notes: list[Any]) -> Any:
    """A transport that notes, of each request, the span and the user of the context that it is sent in."""
    from opentelemetry.trace import get_current_span

    def note(request: httpx.Request) -> None:
        notes.append((request.url.path.split("/")[-1], get_current_span().get_span_context().span_id, user.get()))

    class Noting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            note(request)
            return super().handle_request(request)

    class AsyncNoting(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            note(request)
            return await super().handle_async_request(request)

    return Noting() if mode == "sync" else AsyncNoting()


async def list_tools(mode: str, **settings: Any) -> None:
    """One call that gets a 503 first, and needs a token."""
    async with opened(mode, {"retry_policy": FAST, **settings}) as client:
        await client.tools.list()


@sync_and_async
def test_span_is_current_while_its_request_is_sent_and_no_longer(
    interactor_sandbox: Sandbox, traced: tuple[Any, Any], mode: str
) -> None:
    provider, spans = traced
    notes: list[Any] = []
    interactor_sandbox.faults.add("list_tools", status=503)
    tracer = provider.get_tracer("application")

    async def main() -> None:
        user.set("user_1")
        with tracer.start_as_current_span("page") as page:
            telemetry = OpenTelemetryTelemetry(tracer_provider=provider)
            await list_tools(mode, telemetry=telemetry, transport=transport(mode, notes))
            from opentelemetry.trace import get_current_span

            assert get_current_span() is page

    asyncio.run(main())
    *requests, page = spans.get_finished_spans()
    ids = [span.context.span_id for span in requests]
    # The token request is made in a thread of its own by the sync client.
    assert notes == list(zip(["token", "tools", "tools"], ids, ["user_1"] * 3, strict=True))
    assert {span.parent.span_id for span in requests} == {page.context.span_id}
    assert {span.context.trace_id for span in requests} == {page.context.trace_id}


@sync_and_async
def test_one_span_a_request_beside_the_instrumentation_of_httpx(
    interactor_sandbox: Sandbox, traced: tuple[Any, Any], mode: str
) -> None:
    instrumentation = pytest.importorskip(
        "opentelemetry.instrumentation.httpx", reason="pip install opentelemetry-instrumentation-httpx"
    )
    provider, spans = traced
    interactor_sandbox.faults.add("list_tools", status=503)
    httpx_spans = instrumentation.HTTPXClientInstrumentor()
    httpx_spans.instrument(tracer_provider=provider)
    try:
        asyncio.run(list_tools(mode, telemetry=OpenTelemetryTelemetry(tracer_provider=provider)))
        assert patient.get(interactor_sandbox.core_api_url).status_code == 404
    finally:
        httpx_spans.uninstrument()
    scopes = [span.instrumentation_scope.name for span in spans.get_finished_spans()]
    assert scopes == ["interactor", "interactor", "interactor", instrumentation.__name__]
