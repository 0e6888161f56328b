"""A webhook receiver that responds as it is told, and records requests."""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from interactor_ext.webhooks import WebhookVerifier


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str, sandbox: Any) -> Any:
        """The typed event; fails unless it was signed with this secret, by the sandbox's clock."""
        return WebhookVerifier(secret, clock=sandbox.clock.now, tolerance=60).verify(self.body, self.headers)


class Receiver:
    """`answers` are the statuses of the next requests, 200 once they are used up; `content` is the body of each.

    With `hang` set it says nothing.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: deque[int] = deque()
        self.location = ""
        self.content = b""
        self.go_on = threading.Event()
        self.go_on.set()
        self.news = threading.Condition()

    def hang(self) -> None:
        self.go_on.clear()

    def wait(self, count: int) -> list[Got]:
        """All that came, once it is so many."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.got) >= count, 60), self.got
            return list(self.got)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self.news:
            status = self.answers.popleft() if self.answers else 200
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.got.append(Got(handler.path, headers, body))
            self.news.notify_all()
        self.go_on.wait(60)
        handler.send_response(status)
        if self.location:
            handler.send_header("Location", self.location)
        handler.send_header("Content-Length", str(len(self.content)))
        handler.end_headers()
        handler.wfile.write(self.content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Who hangs up in the middle is no news here.
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Receiver, str]]:
    """A receiver and the URL at which it is."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, *_: Any) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver, f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            receiver.go_on.set()
            server.shutdown()
            thread.join()
