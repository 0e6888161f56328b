"""Prometheus metrics, OpenTelemetry spans and custom telemetry of calls, streams and webhooks, under faults."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from interactor_ext import APIConnectionError, ConfigurationError, InteractorClient, InteractorError, RetryPolicy
from interactor_ext._engine.call import Call
from interactor_ext.sandbox import Sandbox
from interactor_ext.telemetry import (
    Event,
    OpenTelemetryTelemetry,
    PoolOpened,
    PrometheusTelemetry,
    RequestEnded,
    Sending,
    StreamDisconnected,
    Telemetry,
)
from interactor_ext.transports import AsyncTransport, Transport
from interactor_ext.webhooks import MemoryEventStore, SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker
from tests.support.modes import at_once, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, Answer, Asked, OddServer, js
from tests.support.telemetry import Recorded
from tests.support.waiting import eventually_async
from tests.support.webhook_deliveries import SECRET, delivery

prometheus_client = pytest.importorskip("prometheus_client", reason="pip install prometheus-client")
pytest_plugins = ["tests.support.sandbox_fixtures"]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
FAST = RetryPolicy(base_delay=0.001, max_delay=0.01)


def scrape(registry: Any) -> Samples:
    from prometheus_client.parser import text_string_to_metric_families

    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def values(samples: Samples, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """Values by labels, without those that are 0."""
    return {labels: value for (each, labels), value in samples.items() if each == name and value}


class Tally:
    """The expected counts, kept by the script itself."""

    def __init__(self) -> None:
        self.requests: Counter[frozenset[tuple[str, str]]] = Counter()
        self.durations: Counter[frozenset[tuple[str, str]]] = Counter()
        self.errors: Counter[frozenset[tuple[str, str]]] = Counter()

    def sent(self, method: str, endpoint: str, *statuses: int | str, namespace: str = "user_1") -> None:
        for status in statuses:
            about = {"method": method, "endpoint": endpoint}
            self.requests[frozenset({**about, "status": str(status), "namespace": namespace}.items())] += 1
            self.durations[frozenset(about.items())] += 1

    def failed(self, kind: str, code: str, times: int = 1) -> None:
        self.errors[frozenset({"type": kind, "code": code}.items())] += times


def client_of(sandbox: Sandbox, mode: str, **settings: Any) -> AbstractAsyncContextManager[Any]:
    """A client of the sandbox, to be used as an async one."""
    return opened(mode, sandbox._with_connection(settings))


@sync_and_async
async def test_scrape_counts_requests_errors_tokens_and_streams(sandbox: Sandbox, mode: str) -> None:
    registry = prometheus_client.CollectorRegistry()
    telemetry = PrometheusTelemetry(registry)
    tally = Tally()
    began = time.time()

    async def streams(user: Any, room_id: str) -> None:
        active = frozenset({("type", "room")})
        async with user.rooms.stream(room_id):
            assert values(scrape(registry), "interactor_sse_connections_active") == {active: 1}
        sandbox.emit(room_id, {"type": "done"})
        async with user.rooms.stream(room_id, last_event_id="0"):
            pass
        async with user.rooms.stream(room_id) as stream:
            sandbox.disconnect_streams()
            sandbox.emit(room_id, {"type": "message.delta", "content": "again"})
            await anext(stream)
        async with user.rooms.stream(room_id) as stream:
            sandbox.emit(room_id, {"type": "error", "error": {"code": "X", "message": "no"}})
            await anext(stream)
        silent = user.rooms.stream(room_id, max_reconnects=0)
        (silent._value if mode == "sync" else silent)._idle_timeout = 2.5  # also for the head of the response
        async with silent as stream:
            with pytest.raises(InteractorError):
                await anext(stream)
        tally.sent("GET", "/rooms/{room_id}/stream", *[200] * 6)

    async with client_of(sandbox, mode, telemetry=telemetry, retry_policy=FAST) as client:
        user = client.namespace("user_1")
        bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
        tally.sent("POST", "/oauth/token", 200, namespace="")
        tally.sent("POST", "/assistants", 201)
        for _ in range(3):
            await user.assistants.get(bot.id)
        tally.sent("GET", "/assistants/{assistant_id}", *[200] * 3)

        sandbox.faults.add("list_assistants", status=503, times=2)
        await user.assistants.list()
        tally.sent("GET", "/assistants", 503, 503, 200)
        tally.failed("server", "API_ERROR", 2)

        sandbox.faults.add("list_rooms", status=429, retry_after=0)
        await client.namespace("user_2").rooms.list()
        tally.sent("GET", "/rooms", 429, 200, namespace="user_2")
        tally.failed("rate_limit", "RATE_LIMITED")

        sandbox.revoke_tokens()
        await user.tools.list()
        tally.sent("GET", "/tools", 401, 200)
        tally.sent("POST", "/oauth/token", 200, namespace="")
        tally.failed("auth", "AUTH_ERROR")

        for status, kind, code in [(403, "auth", "NO"), (404, "validation", "NOT_FOUND"), (422, "validation", "V")]:
            sandbox.faults.add("get_tool", status=status, code=code)
            with pytest.raises(InteractorError):
                await user.tools.get("tool_1")
            tally.sent("GET", "/tools/{tool_id}", status)
            tally.failed(kind, code)

        sandbox.faults.add("get_tool", status=422, code="what a server says is no label")
        with pytest.raises(InteractorError):
            await user.tools.get("tool_1")
        tally.sent("GET", "/tools/{tool_id}", 422)
        tally.failed("validation", "VALIDATION_ERROR")

        sandbox.faults.add("get_webhook", latency=60, times=1)
        with pytest.raises(APIConnectionError):
            await user.with_options(timeout=0.2, max_retries=0).webhooks.get("wh_1")
        tally.sent("GET", "/webhooks/{webhook_id}", "timeout")
        tally.failed("network", "TIMEOUT")

        room = await user.rooms.create(assistant_id=bot.id)
        tally.sent("POST", "/rooms", 201)
        await streams(user, room.id)
    async with client_of(sandbox, mode, telemetry=telemetry, client_secret="a wrong one") as client:
        with pytest.raises(InteractorError):
            await client.get_access_token()
    tally.sent("POST", "/oauth/token", 401, namespace="")
    tally.failed("auth", "AUTH_ERROR")

    samples = scrape(registry)
    assert values(samples, "interactor_requests_total") == tally.requests
    assert values(samples, "interactor_errors_total") == tally.errors
    assert values(samples, "interactor_request_duration_ms_count") == tally.durations
    bounds = {dict(labels)["le"] for name, labels in samples if name == "interactor_request_duration_ms_bucket"}
    assert sorted(map(float, bounds)) == [10, 50, 100, 250, 500, 1000, 2500, 5000, float("inf")]
    slow = frozenset({"method": "GET", "endpoint": "/webhooks/{webhook_id}"}.items())
    # Timers may end a little early.
    assert 100 <= values(samples, "interactor_request_duration_ms_sum")[slow] < 30_000
    assert values(samples, "interactor_token_refresh_total") == {
        frozenset({("status", "success")}): 2,
        frozenset({("status", "failure")}): 1,
    }
    left = samples["interactor_token_expiry_seconds", frozenset()]
    assert 3600 - (time.time() - began) - 1 <= left <= 3600
    assert values(samples, "interactor_sse_connections_active") == {}
    assert values(samples, "interactor_sse_disconnects_total") == {
        frozenset({("type", "room"), ("reason", reason)}): count
        for reason, count in {"client_close": 4, "error": 1, "timeout": 1}.items()
    }
    # A closed client leaves no connection.
    assert values(samples, "interactor_pool_connections") == {}


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_webhooks_are_counted_by_outcome(mode: str) -> None:
    registry = prometheus_client.CollectorRegistry()
    router = WebhookRouter(WebhookVerifier(SECRET), store=MemoryEventStore(), telemetry=PrometheusTelemetry(registry))

    @router.on("room.*", "made.up")
    def handle(event: Any) -> None:
        if event.id == "evt_bad":
            raise RuntimeError

    def deliver(body: bytes, headers: dict[str, str], method: str = "POST") -> None:
        if mode == "sync":
            router.handle(body, headers, method=method)
        else:
            asyncio.run(router.ahandle(body, headers, method=method))

    for key in ("a", "b", "b", "bad", "bad"):
        deliver(*delivery(key=key))
    deliver(*delivery("credential.connected", key="nobody listens"))
    deliver(*delivery("made.up", key="c"))
    deliver(delivery()[0], delivery(key="another body")[1])
    deliver(b"", {}, "GET")
    samples = scrape(registry)
    message = ("event", "room.message.created")
    assert values(samples, "interactor_webhook_received_total") == {
        frozenset({message, ("status", "processed")}): 2,
        frozenset({message, ("status", "duplicate")}): 1,
        frozenset({message, ("status", "failed")}): 2,
        frozenset({("event", "credential.connected"), ("status", "processed")}): 1,
        frozenset({("event", "other"), ("status", "processed")}): 1,
        frozenset({("event", "unknown"), ("status", "refused")}): 1,
    }
    assert values(samples, "interactor_webhook_processing_duration_ms_count")[frozenset({message})] == 5


def test_queued_webhook_is_counted_when_it_is_handled(tmp_path: Any) -> None:
    registry = prometheus_client.CollectorRegistry()
    failures = iter([RuntimeError(), None])
    with SQLiteEventQueue(tmp_path / "queue.db") as queue:
        router = WebhookRouter(
            WebhookVerifier(SECRET), queue=queue, name="shop", telemetry=PrometheusTelemetry(registry)
        )

        @router.on("*")
        def handle(event: Any) -> None:
            if error := next(failures):
                raise error

        assert router.handle(*delivery()).status == 200
        assert values(scrape(registry), "interactor_webhook_received_total") == {}
        assert router.handle(*delivery()).status == 200  # a duplicate
        worker = WebhookWorker(router, retry_delays=[0, 0])
        assert worker.run_once()
        assert worker.run_once()
    counted = values(scrape(registry), "interactor_webhook_received_total")
    assert {dict(labels)["status"]: value for labels, value in counted.items()} == {
        "duplicate": 1,
        "failed": 1,
        "processed": 1,
    }


def queue_reports(folder: Any, telemetry: Telemetry) -> None:
    """A worker reports a queue with one event that waits, one that has failed and one that is dead."""
    with SQLiteEventQueue(folder / "queue.db") as queue:
        router = WebhookRouter(WebhookVerifier(SECRET), queue=queue, name="shop", telemetry=telemetry)
        router.on("*")(lambda event: 1 / 0)
        for key, delays in (("a", []), ("b", [3600]), ("c", None)):
            router.handle(*delivery(key=key))
            if delays is not None:
                WebhookWorker(router, retry_delays=delays).run_once()
        WebhookWorker(router).report()


def test_worker_reports_what_is_in_its_queue(tmp_path: Any) -> None:
    registry = prometheus_client.CollectorRegistry()
    queue_reports(tmp_path, PrometheusTelemetry(registry))
    samples = scrape(registry)
    counted = values(samples, "interactor_webhook_queue_events")
    assert counted == {
        frozenset({("service", "shop"), ("state", state)}): 1 for state in ("waiting", "retrying", "dead")
    }
    assert 0 < samples["interactor_webhook_queue_oldest_seconds", frozenset({("service", "shop")})] < 600


@sync_and_async
async def test_pool_metrics_show_open_and_idle_connections(sandbox: Sandbox, mode: str) -> None:
    registry = prometheus_client.CollectorRegistry()
    telemetry = PrometheusTelemetry(registry)

    def pool() -> dict[str, float]:
        return {
            dict(labels)["state"]: value
            for labels, value in values(scrape(registry), "interactor_pool_connections").items()
        }

    async with client_of(sandbox, mode, telemetry=telemetry, namespace="user_1") as client:
        bot = await client.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
        assert pool() == {"open": 1, "idle": 1}
        room = await client.rooms.create(assistant_id=bot.id)
        assert pool() == {"open": 1, "idle": 1}
        async with client.rooms.stream(room.id):
            assert pool() == {"open": 1}
            await client.rooms.get(room.id)
            assert pool() == {"open": 2, "idle": 1}
    assert pool() == {}


@sync_and_async
async def test_pool_metrics_show_waiting_requests(mode: str) -> None:
    telemetry, answer = Recorded(), threading.Event()

    async def wait_for(*numbers: int) -> None:
        [found] = telemetry.of(PoolOpened)
        await eventually_async(lambda: found.pool.connections() == numbers, f"{numbers} open, idle and waiting")

    def handle(asked: Asked) -> Answer:
        answer.wait(60)
        return js(200, {"data": ASSISTANT})

    async def get() -> None:
        await client.assistants.get("a")

    transport = (Transport if mode == "sync" else AsyncTransport)(max_connections=2)
    with OddServer(handle) as server:
        async with opened(mode, {**server.settings, "telemetry": telemetry, "transport": transport}) as client:
            await client.get_access_token()
            async with asyncio.TaskGroup() as group:
                group.create_task(at_once(mode, *(get() for _ in range(6))))
                await wait_for(2, 0, 4)
                answer.set()
            await wait_for(2, 2, 0)
    await wait_for(0, 0, 0)


@pytest.mark.parametrize(("label", "expected"), [(True, {"user_1", "user_2"}), (False, {""}), ("hash", {"79", "d3"})])
def test_namespace_label_can_be_disabled_or_hashed(sandbox: Sandbox, label: Any, expected: set[str]) -> None:
    registry = prometheus_client.CollectorRegistry()
    with sandbox.client(telemetry=PrometheusTelemetry(registry, namespace_label=label)) as client:
        client.get_access_token()
        for namespace in ("user_1", "user_2"):
            client.namespace(namespace).tools.list()
    counted = values(scrape(registry), "interactor_requests_total")
    names = {dict(labels)["namespace"] for labels in counted if ("endpoint", "/tools") in labels}
    assert names == expected
    with pytest.raises(ConfigurationError, match="namespace_label"):
        PrometheusTelemetry(prometheus_client.CollectorRegistry(), namespace_label="sha256")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="One PrometheusTelemetry serves all clients"):
        PrometheusTelemetry(registry)


def ended(namespace: str = "", status: int = 200, code: str | None = None) -> RequestEnded:
    request = httpx.Request("GET", "https://core.test", extensions={"call": Call(namespace=namespace)})
    error: Any = None if code is None else "server"
    return RequestEnded(Sending(request, 0), None, 0.01, status, error, code, {}, None)


@pytest.mark.parametrize(("label", "most"), [(False, 1), ("hash", 256)])
def test_disabled_or_hashed_namespace_label_bounds_the_series(label: Any, most: int) -> None:
    registry = prometheus_client.CollectorRegistry()
    telemetry = PrometheusTelemetry(registry, namespace_label=label)
    for number in range(2000):
        telemetry.record(ended(f"user_{number}"))
    counted = values(scrape(registry), "interactor_requests_total")
    assert sum(counted.values()) == 2000
    assert len(counted) <= most


def test_number_of_error_code_labels_is_bounded() -> None:
    registry = prometheus_client.CollectorRegistry()
    telemetry = PrometheusTelemetry(registry)
    for number in range(1000):
        telemetry.record(ended(status=503, code=f"E_{number}"))
        telemetry.record(ended(status=404, code="MINE"))
    errors = values(scrape(registry), "interactor_errors_total")
    by_code = {dict(labels)["code"]: count for labels, count in errors.items()}
    assert sum(by_code.values()) == 2000
    assert len(by_code) <= 101
    assert by_code["MINE"] == 1000
    assert by_code["E_1"] == 1
    assert by_code["API_ERROR"] > 800


MULTIPROCESS = """
    import os, sys
    from interactor_ext import InteractorClient
    from interactor_ext.telemetry import PrometheusTelemetry
    telemetry = PrometheusTelemetry()
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            with InteractorClient(telemetry=telemetry) as client:
                for _ in range(5):
                    client.namespace("user_1").assistants.list()
                os.write(1, b".")
                sys.stdin.read()  # a gauge counts live processes alone
                os._exit(0)
    sys.stdin.read()
    for _ in range(2):
        os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="prometheus-client's multi-process mode is for forked servers")
def test_multiprocess_mode_sums_forked_workers(sandbox: Sandbox, tmp_path: Any) -> None:
    from prometheus_client.multiprocess import MultiProcessCollector

    environment = {**os.environ, **sandbox.env, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(MULTIPROCESS)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.read(2) == b".."
            registry = prometheus_client.CollectorRegistry()
            MultiProcessCollector(registry, str(tmp_path))
            samples = scrape(registry)
        finally:
            process.stdin.close()
    about = {"endpoint": "/assistants", "method": "GET", "status": "200", "namespace": "user_1"}
    assert samples["interactor_requests_total", frozenset(about.items())] == 10
    assert samples["interactor_token_refresh_total", frozenset({("status", "success")})] == 2
    assert 3500 < samples["interactor_token_expiry_seconds", frozenset()] <= 3600
    assert samples["interactor_pool_connections", frozenset({("state", "open")})] == 2


class Lines:
    """A custom telemetry, in twenty lines."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write

    def sending(self, request: Sending) -> object:
        request.headers["X-Trace"] = "trace-1"
        return time.monotonic()

    def record(self, event: Event) -> None:
        match event:
            case RequestEnded(request=request, status=status):
                self.write(f"{request.method} {request.endpoint} {status} #{request.resends}")
            case StreamDisconnected(kind=kind, reason=reason):
                self.write(f"{kind} {reason}")


@sync_and_async
async def test_custom_telemetry_receives_every_event(sandbox: Sandbox, mode: str) -> None:
    assert len(inspect.getsource(Lines).splitlines()) <= 20
    lines: list[str] = []

    async with client_of(sandbox, mode, telemetry=Lines(lines.append), retry_policy=FAST) as client:
        sandbox.faults.add("list_tools", status=503)
        await client.tools.list()
    assert lines == ["POST /oauth/token 200 #0", "GET /tools 503 #0", "GET /tools 200 #1"]
    assert dict(sandbox.requests[-1].raw_headers)[b"x-trace"] == b"trace-1"


@sync_and_async
async def test_failing_telemetry_breaks_no_call(sandbox: Sandbox, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def sending(self, request: Sending) -> object:
            raise RuntimeError("sending")

        def record(self, event: Event) -> None:
            raise RuntimeError("record")

    async with client_of(sandbox, mode, telemetry=Broken()) as client:
        await client.tools.list()
    assert "RuntimeError: sending" in caplog.text
    assert "RuntimeError: record" in caplog.text


async def test_cancelled_call_is_not_counted_as_an_error(sandbox: Sandbox) -> None:
    registry = prometheus_client.CollectorRegistry()
    async with sandbox.async_client(telemetry=PrometheusTelemetry(registry)) as client:
        await client.get_access_token()
        fault = sandbox.faults.add("list_tools", latency=60)
        call = asyncio.ensure_future(client.tools.list())
        await eventually_async(lambda: fault.left == 0, "its arrival at the sandbox")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    samples = scrape(registry)
    statuses = {dict(labels)["status"] for labels in values(samples, "interactor_requests_total")}
    assert statuses == {"200", "cancelled"}
    assert values(samples, "interactor_errors_total") == {}


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({"content-encoding": "gzip"}, gzip.compress(b'{"error": {"code": "CREDENTIAL_LOCKED"}}'), "CREDENTIAL_LOCKED"),
        ({"content-encoding": "gzip"}, b"no gzip at all", "API_ERROR"),
        ({}, b"<html>", "API_ERROR"),
        ({}, b'{"error": "invalid_client"}', "invalid_client"),
    ],
    ids=["packed", "broken", "html", "oauth"],
)
def test_error_code_label_is_the_servers_code_if_readable(headers: dict[str, str], content: bytes, code: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(502, headers=headers, stream=httpx.ByteStream(content))

    registry = prometheus_client.CollectorRegistry()
    settings: dict[str, Any] = {"client_id": "a", "client_secret": "b", "max_retries": 0}
    settings |= {"transport": httpx.MockTransport(answer), "telemetry": PrometheusTelemetry(registry)}
    with InteractorClient(**settings) as client, pytest.raises(InteractorError):
        client.get_access_token()
    assert values(scrape(registry), "interactor_errors_total") == {
        frozenset({"type": "server", "code": code}.items()): 1
    }


def test_repr_of_request_ended_shows_no_secret() -> None:
    """It shows neither response headers nor messages of exceptions."""
    answers: list[httpx.Response | Exception] = [
        httpx.Response(200, json={"access_token": "t0ken", "expires_in": 900}),
        httpx.Response(503, headers={"set-cookie": "session=s3cr3t"}),
        httpx.ReadError("s3cr3t"),
    ]
    telemetry = Recorded()

    def answer(request: httpx.Request) -> httpx.Response:
        match answers.pop(0):
            case Exception() as error:
                raise error
            case response:
                return response

    settings: dict[str, Any] = {"client_id": "a", "client_secret": "b", "max_retries": 0, "telemetry": telemetry}
    with InteractorClient(**settings, transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            with pytest.raises(InteractorError):
                client.namespace("user_1").tools.list()
    told = telemetry.of(RequestEnded)
    assert [re.sub(r", \S+ s\)", ")", repr(event)) for event in told] == [
        "RequestEnded(POST /oauth/token: 200)",
        "RequestEnded(GET /tools: 503, API_ERROR)",
        "RequestEnded(GET /tools: no response, NETWORK_ERROR)",
    ]
    assert [event.started for event in told] == [1, 2, 3]
    assert len({*told, *told}) == 3
    assert told[1].headers["set-cookie"] == "session=s3cr3t"
    assert repr(told[2].exception) == "ReadError('s3cr3t')"
    assert all(0 < event.seconds < 60 for event in told)


def test_url_given_to_telemetry_has_its_token_redacted(sandbox: Sandbox) -> None:
    telemetry = Recorded()
    with sandbox.client(telemetry=telemetry) as client:
        client.api.get_httpx_client().get("/rooms/room_1/stream", params={"token": "tok_s3cret", "namespace": "user_1"})
    assert telemetry.sent[-1].url.endswith("/rooms/room_1/stream?token=%2A%2A%2A&namespace=user_1")


@pytest.fixture
def opentelemetry() -> Iterator[tuple[Any, Any, Any]]:
    pytest.importorskip("opentelemetry.sdk", reason="pip install opentelemetry-sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider, meter_provider = TracerProvider(), MeterProvider([reader])
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = OpenTelemetryTelemetry(tracer_provider=tracer_provider, meter_provider=meter_provider)
    yield telemetry, spans, reader
    tracer_provider.shutdown()
    meter_provider.shutdown()


def metrics_of(reader: Any) -> dict[str, Any]:
    [resource] = reader.get_metrics_data().resource_metrics
    [scope] = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


@sync_and_async
async def test_opentelemetry_spans_and_metrics_follow_the_http_conventions(
    sandbox: Sandbox, mode: str, opentelemetry: tuple[Any, Any, Any]
) -> None:
    telemetry, exporter, reader = opentelemetry

    async with client_of(sandbox, mode, telemetry=telemetry, retry_policy=FAST, namespace="user_1") as client:
        sandbox.faults.add("get_tool", status=503)
        with pytest.raises(InteractorError):
            await client.tools.get("tool_1")
        # The time must do for sending the request, on a busy machine too.
        sandbox.faults.add("list_tools", latency=60)
        with pytest.raises(InteractorError):
            await client.with_options(timeout=2.5, max_retries=0).tools.list()
    spans = {
        (span.name, span.attributes.get("http.request.resend_count", 0)): span for span in exporter.get_finished_spans()
    }
    first, second = (spans["GET /tools/{tool_id}", resends] for resends in (0, 1))
    port = int(sandbox.core_api_url.split(":")[2].split("/")[0])
    assert first.kind.name == "CLIENT"
    assert {name: first.attributes[name] for name in first.attributes if name != "interactor.request_id"} == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"{sandbox.core_api_url}/tools/tool_1",
        "url.template": "/tools/{tool_id}",
        "http.response.status_code": 503,
        "error.type": "503",
        "interactor.error_code": "API_ERROR",
        "interactor.namespace": "user_1",
        "interactor.operation": "get_tool",
    }
    assert first.attributes["interactor.request_id"].startswith("req_")
    assert [span.status.status_code.name for span in (first, second)] == ["ERROR", "ERROR"]
    assert second.attributes["interactor.error_code"] == "NOT_FOUND"
    assert spans["POST /oauth/token", 0].status.status_code.name == "UNSET"
    silent = spans["GET /tools", 0]
    assert silent.attributes["error.type"] == "httpx.ReadTimeout"
    assert "http.response.status_code" not in silent.attributes
    sent = dict(next(r for r in sandbox.requests if r.operation == "get_tool").raw_headers)[b"traceparent"].decode()
    assert sent.startswith(f"00-{first.context.trace_id:032x}-{first.context.span_id:016x}-")

    metrics = metrics_of(reader)
    durations = metrics["http.client.request.duration"]
    assert durations.unit == "s"
    counts = {
        (point.attributes["url.template"], point.attributes.get("http.response.status_code")): point.count
        for point in durations.data.data_points
    }
    assert counts == {
        ("/oauth/token", 200): 1,
        ("/tools/{tool_id}", 503): 1,
        ("/tools/{tool_id}", 404): 1,
        ("/tools", None): 1,
    }
    assert json.loads(durations.data.to_json())["data_points"][0]["explicit_bounds"][0] == 0.005
    assert [point.value for point in metrics["interactor.token.refreshes"].data.data_points] == [1]
    assert {point.value for point in metrics["interactor.pool.connections"].data.data_points} == {0}
    assert "user_1" not in " ".join(metric.to_json() for metric in metrics.values())


def test_opentelemetry_counts_webhooks_and_streams(
    sandbox: Sandbox, opentelemetry: tuple[Any, Any, Any], tmp_path: Any
) -> None:
    telemetry, _, reader = opentelemetry
    queue_reports(tmp_path, telemetry)
    router = WebhookRouter(WebhookVerifier(SECRET), telemetry=telemetry)
    router.handle(*delivery())
    with sandbox.client(telemetry=telemetry, namespace="user_1") as client:
        bot = client.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
        with client.rooms.stream(client.rooms.create(assistant_id=bot.id).id):
            pass
    metrics = {
        name: [(dict(point.attributes), getattr(point, "value", None)) for point in metric.data.data_points]
        for name, metric in metrics_of(reader).items()
    }
    assert metrics["interactor.stream.active"] == [({"type": "room"}, 0)]
    assert metrics["interactor.stream.disconnects"] == [({"type": "room", "reason": "client_close"}, 1)]
    assert {point["status"] for point, _ in metrics["interactor.webhook.processing.duration"]} == {
        "processed",
        "failed",
    }
    assert sorted(point["state"] for point, number in metrics["interactor.webhook.queue.events"] if number == 1) == [
        "dead",
        "retrying",
        "waiting",
    ]
    [(point, oldest)] = metrics["interactor.webhook.queue.oldest"]
    assert point == {"service": "shop"}
    assert 0 < oldest < 600


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("prometheus_client", "PrometheusTelemetry", "prometheus"), ("opentelemetry", "OpenTelemetryTelemetry", "otel")],
)
def test_missing_extra_raises_configuration_error_that_names_it(
    module: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    import interactor_ext.telemetry

    with pytest.raises(ConfigurationError, match=rf"interactor-sdk\[{extra}\]"):
        getattr(interactor_ext.telemetry, name)()
