"""The WSGI application of `interactor webhooks listen`, and its server."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx

from interactor_ext._engine.errors import InteractorError
from interactor_ext._engine.redaction import clean_text
from interactor_ext.cli.deliveries import SIGNED, TIMEOUT, post, show_answer, show_event, type_of
from interactor_ext.cli.output import write, write_labeled
from interactor_ext.cli.settings import open_private
from interactor_ext.webhooks import (
    InvalidWebhookEvent,
    MemoryEventStore,
    WebhookAnswer,
    WebhookEvent,
    WebhookRouter,
    WebhookVerifier,
)
from interactor_ext.webhooks.answers import refused
from interactor_ext.webhooks.wsgi import headers_of

_NO_RESPONSE = 502
# The headers of a delivery to forward, in addition to those that begin with X-.
_FORWARDED = ("content-type", "user-agent")


@contextmanager
def served(host: str, port: int, secret: str, save: Path | None, forward_to: str | None) -> Iterator[str]:
    """Receive deliveries in a thread while the block runs, and yield the URL. `save` is an existing folder."""
    router = WebhookRouter(WebhookVerifier(secret), MemoryEventStore(ttl=math.inf))
    router.default(_show_received)
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=TIMEOUT)) if forward_to else None
        receiver = Receiver(router, save, client, forward_to or "")
        server = stack.enter_context(make_server(host, port, receiver, Server, QuietRequestHandler))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _show_received(event: WebhookEvent) -> None:
    show_event(event.to_dict())
    if isinstance(event, InvalidWebhookEvent):
        warning = "Doesn't fit its type, so typed handlers won't get it: "
        write_labeled(warning, "red", clean_text(event.validation_error))


class Receiver:
    """A WSGI application around the router: shows refused deliveries, forwards genuine ones, and saves both."""

    def __init__(
        self, router: WebhookRouter, folder: Path | None, client: httpx.Client | None, forward_to: str
    ) -> None:
        self._router = router
        self._folder = folder
        self._client = client
        self._forward_to = forward_to
        # So that no run overwrites what another has saved, even in the same second.
        self._run = f"{time.strftime('%Y%m%d-%H%M%S')}.{os.getpid()}"
        self._numbers = itertools.count(1)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), self._router.max_body + 1)
        body = environ["wsgi.input"].read(length)
        sent = headers_of(environ)
        headers = {name: sent[name] for name in SIGNED if name in sent}
        answer = self._router.handle(body, headers, method=environ["REQUEST_METHOD"])
        if answer.status >= 400:
            _show_refused(answer.status, json.loads(answer.body)["error"]["message"])
        elif self._client is not None:
            forwarded = {name: sent[name] for name in sent if name.startswith("x-") or name in _FORWARDED}
            answer = self._forward(self._client, forwarded, body)
        if self._folder is not None and environ["REQUEST_METHOD"] == "POST":
            self._keep(self._folder, body, headers, answer.status)
        start_response(f"{answer.status} Answered", list(answer.headers.items()))
        return [answer.body]

    def _forward(self, client: httpx.Client, headers: dict[str, str], body: bytes) -> WebhookAnswer:
        """Return the application's response. Redeliveries are forwarded too: the application decides how to handle
        them.
        """
        try:
            answer = post(client, "--forward-to", self._forward_to, body, headers)
        except InteractorError as error:
            _show_refused(_NO_RESPONSE, str(error))
            return refused(_NO_RESPONSE, "no_answer", "The application didn't respond.")
        write(f"{self._forward_to} responded ", "dim", end="")
        show_answer(answer)
        return WebhookAnswer(
            answer.content, answer.status_code, {"Content-Type": answer.headers.get("content-type", "")}
        )

    def _keep(self, folder: Path, body: bytes, headers: dict[str, str], status: int) -> None:
        kind = re.sub(r"[^\w.-]", "_", type_of(body) or "unnamed")[:80]
        with open_private(folder / f"{self._run}-{next(self._numbers):04}-{status}-{kind}.json") as file:
            json.dump({"headers": headers, "raw": body.decode("utf-8", "surrogateescape")}, file, indent=2)


def _show_refused(status: int, message: str) -> None:
    write_labeled(f"Refused with {status}: ", "red", message)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that it has there)
        pass
