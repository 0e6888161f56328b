"""An HTTP server on raw sockets that answers with exactly the bytes it is told, well-formed or not."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

SECRET = "secret_8f3a61c9d2"


class Asked(NamedTuple):
    """A request, as it came."""

    method: str
    target: str
    headers: dict[str, bytes]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers.get("authorization", b"").decode().removeprefix("Bearer ")


class Broken(bytes):
    """An answer after which the server hangs up, orderly or with a reset."""

    reset = False


class Reset(Broken):
    reset = True


Answer = bytes | None
"""What is sent back as it stands; None hangs up."""


def http(status: int, body: bytes | str = b"", *headers: str, content_type: str | None = "application/json") -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def js(status: int, value: Any, *headers: str) -> bytes:
    return http(status, json.dumps(value), *headers)


def token_answer(access_token: str, expires_in: Any = 3600) -> bytes:
    return js(200, {"data": {"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in}})


ASSISTANT = {
    "id": "asst_1",
    "name": "Bot",
    "model": "gpt-4",
    "system_prompt": "x",
    "tools": [],
    "data_sources": [],
    "created_at": "2026-01-20T10:00:00Z",
    "updated_at": "2026-01-20T10:00:00Z",
}


class OddServer:
    """Answers the Core API's calls with `answer`, token requests with `answer_token`; keeps what was asked.

    Without `answer_token` the tokens are token_1, token_2, and so on, good for an hour.
    """

    def __init__(
        self, answer: Callable[[Asked], Answer], answer_token: Callable[[Asked], Answer] | None = None
    ) -> None:
        self._answer = answer
        self._answer_token = answer_token or (lambda asked: token_answer(f"token_{len(self.token_requests)}"))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.calls: list[Asked] = []
        self.token_requests: list[Asked] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def settings(self) -> dict[str, Any]:
        """Keywords for a client of this server, which shows its first answer to everything."""
        return {
            "client_id": "client_x",
            "client_secret": SECRET,
            "core_api_url": f"{self.url}/core",
            "account_server_url": f"{self.url}/account",
            "max_retries": 0,
            "timeout": 60,
        }

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(60)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a connection of the odd server hangs"
        assert not self.errors, self.errors

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            while True:
                asked, received = self._read(connection, received)
                answer = None if asked is None else self._decide(asked)
                if answer is None:
                    break
                connection.sendall(answer)
                if isinstance(answer, Broken):
                    if answer.reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
        with self._lock:
            self._open.discard(connection)

    def _read(self, connection: socket.socket, received: bytes) -> tuple[Asked | None, bytes]:
        while b"\r\n\r\n" not in received:
            if not (data := connection.recv(65536)):
                return None, b""
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        headers = {name.decode().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        method, target, _ = first.decode().split(" ")
        if headers.get("transfer-encoding") == b"chunked":
            while not body.endswith(b"0\r\n\r\n"):
                if not (data := connection.recv(65536)):
                    return None, b""
                body += data
            return Asked(method, target, headers, body), b""
        length = int(headers.get("content-length", b"0"))
        while len(body) < length:
            if not (data := connection.recv(65536)):
                return None, b""
            body += data
        return Asked(method, target, headers, body[:length]), body[length:]

    def _decide(self, asked: Asked) -> Answer:
        try:
            if asked.target.startswith("/account/oauth/token"):
                with self._lock:
                    self.token_requests.append(asked)
                return self._answer_token(asked)
            with self._lock:
                self.calls.append(asked)
            return self._answer(asked)
        except BaseException as error:
            self.errors.append(error)
            return None
