"""The port of a worker process for probes and Prometheus: /healthz, /livez and /metrics."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import webhooks_logger as logger

_CLIENT_SECONDS = 10.0
_JSON = "application/json"


class MetricsPort(ThreadingTCPServer):
    """Responds from its creation until the process ends. `health` returns a probe's status and document."""

    # Not an HTTPServer, which looks up its own name in DNS.
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, health: Callable[[], tuple[int, dict[str, Any]]], host: str, port: int) -> None:
        self._health = health
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _RequestHandler)
        except OSError as error:
            raise ConfigurationError(f"Can't listen on {host} port {port}: {error.strerror or error}") from error
        threading.Thread(target=self.serve_forever, name="interactor-webhook-metrics", daemon=True).start()
        logger.info("Health at http://%s:%d/healthz, metrics at /metrics.", host, self.server_address[1])

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return the status, content type and body."""
        if path == "/healthz":
            status, document = self._health()
            return status, _JSON, _json(document)
        if path == "/livez":
            return 200, _JSON, _json({"status": "alive"})
        if path != "/metrics":
            return 404, _JSON, _json({"error": "Try /healthz, /livez or /metrics."})
        try:
            import prometheus_client
        except ImportError:
            return 404, _JSON, _json({"error": "Metrics need an extra: pip install 'interactor-sdk[prometheus]'"})
        # The default registry contains the metrics of PrometheusTelemetry and of the handlers.
        return 200, prometheus_client.CONTENT_TYPE_LATEST, prometheus_client.generate_latest()


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


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
