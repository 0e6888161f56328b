"""A proxy between a client and a server that loses and truncates responses on request."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.support.scripted_server import Connection, Request, Server

LOST = -1
"""Nothing of the response arrives: the server has processed the request, and the client can't know."""

HELD = b""
"""The request isn't passed on, and gets no response."""

Allow = Callable[[str, int], int | bytes | None]
"""Its arguments are a request, as in "GET /api/v1/rooms/room_1/stream", and how many of the same came before. Returns
how many bytes of the response's body get through before the connection is cut; None for all of them, LOST for not even
the head. Bytes are sent in place of the response."""


class ChaosProxy(Server):
    def __init__(self, target: str, allow: Allow) -> None:
        """`target` is a URL of the server; `url` is the same URL through this proxy."""
        super().__init__()
        parts = urlsplit(target)
        self.url += parts.path
        self._server = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._allow = allow
        self._seen: Counter[str] = Counter()
        self.cuts: list[str] = []
        """The requests whose responses were cut or lost."""

    def respond(self, connection: Connection, request: Request) -> bool:
        """This request and those that follow it over the same connection."""
        with socket.create_connection(self._server) as there:
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = _Answers(there, connection.socket, self.cuts)
            answers.start()
            following: Request | None = request
            try:
                while following is not None and self._passes_on(following, connection, answers):
                    following = connection.read()
            finally:
                with contextlib.suppress(OSError):
                    there.shutdown(socket.SHUT_RDWR)
                answers.join(60)
        return False

    def _passes_on(self, request: Request, connection: Connection, answers: _Answers) -> bool:
        name = f"{request.method} {request.target.partition('?')[0]}"
        with self._lock:
            number = self._seen[name]
            self._seen[name] += 1
        allowed = self._allow(name, number)
        if isinstance(allowed, bytes):
            connection.send(allowed)
            if allowed == HELD:
                connection.stall()
            return False
        answers.expect(name, allowed)
        answers.server.sendall(request.to(request.target))
        return True


class _Answers(threading.Thread):
    """Forwards the server's bytes. Where they are cut or end, the client's connection ends."""

    def __init__(self, server: socket.socket, client: socket.socket, cuts: list[str]) -> None:
        super().__init__(daemon=True)
        self.server, self._client, self._cuts = server, client, cuts

    def expect(self, request: str, allowed: int | None) -> None:
        self._request, self._allowed = request, allowed
        self._received, self._sent = b"", 0

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.server.recv(65536):
                if self._allowed is None:
                    self._client.sendall(data)
                elif self._is_cut(data, self._allowed):
                    self._cuts.append(self._request)
                    break
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _is_cut(self, data: bytes, allowed: int) -> bool:
        self._received += data
        head, end_of_head, _ = self._received.partition(b"\r\n\r\n")
        if allowed == LOST or not end_of_head:
            return allowed == LOST
        end = len(head + end_of_head) + allowed
        self._client.sendall(self._received[self._sent : end])
        self._sent = len(self._received)
        return self._sent >= end
