"""The port of a worker process for probes and Prometheus: /healthz and /metrics."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_CLIENT_SECONDS = 10.0
_JSON = "application/json"


class Health(NamedTuple):
    """What a worker process knows of itself."""

    is_stopping: bool
    reaches_queue: bool
    running: int
    """Events."""
    left_behind: int
    """Threads."""


class MetricsPort(ThreadingHTTPServer):
    """Answers from the time it is made until it is closed, in daemon threads. Raises OSError without the port."""

    def __init__(self, health: Callable[[], Health], host: str, port: int) -> None:
        self._health = health
        self._own_metrics = _metrics_of(health)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _RequestHandler)
        threading.Thread(target=self.serve_forever, name="interactor-webhook-metrics", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        # Not that of HTTPServer, which asks DNS for its own name.
        socketserver.TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        if path == "/healthz":
            return self._answer_health()
        if path == "/metrics" and self._own_metrics is not None:
            import prometheus_client

            # The default registry holds the metrics of PrometheusTelemetry, and those of the handlers.
            registries = (prometheus_client.REGISTRY, self._own_metrics)
            text = b"".join(prometheus_client.generate_latest(registry) for registry in registries)
            return 200, prometheus_client.CONTENT_TYPE_LATEST, text
        if path == "/metrics":
            return 404, _JSON, _json({"error": "Metrics need an extra: pip install 'interactor-sdk[prometheus]'"})
        return 404, _JSON, _json({"error": "Try /healthz or /metrics."})

    def _answer_health(self) -> tuple[int, str, bytes]:
        health = self._health()
        status = "ok" if health.reaches_queue else "queue_unreachable"
        document = {
            "status": "stopping" if health.is_stopping else status,
            "running": health.running,
            "left_behind": health.left_behind,
        }
        # A process that stops is let finish: no probe may have it killed.
        return 200 if health.reaches_queue or health.is_stopping else 503, _JSON, _json(document)


class _RequestHandler(BaseHTTPRequestHandler):
    server_version = "interactor-webhooks"
    sys_version = ""
    timeout = _CLIENT_SECONDS

    def do_GET(self) -> None:
        assert isinstance(self.server, MetricsPort)
        status, content_type, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that it has there)
        pass


def _metrics_of(health: Callable[[], Health]) -> CollectorRegistry | None:
    """A registry of what the process knows of itself; None without prometheus-client."""
    try:
        from prometheus_client import CollectorRegistry, Gauge
    except ImportError:
        return None
    registry = CollectorRegistry()
    gauges: dict[str, tuple[str, Callable[[], float]]] = {
        "running": ("Events being handled", lambda: health().running),
        "left_behind": ("Threads held by handlers that didn't end in time", lambda: health().left_behind),
        "queue_up": ("1 if the queue responded last time, else 0", lambda: health().reaches_queue),
    }
    for name, (what, value) in gauges.items():
        Gauge(f"interactor_webhook_worker_{name}", what, registry=registry).set_function(value)
    return registry


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
