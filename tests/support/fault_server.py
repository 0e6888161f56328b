"""A server on raw sockets that misbehaves as told, in ways that an HTTP library would not permit."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

TIME = "2026-01-01T00:00:00Z"
ASSISTANT = {
    "id": "asst_1",
    "name": "Support Bot",
    "model": "gpt-4",
    "system_prompt": "You help.",
    "tools": [],
    "data_sources": [],
    "created_at": TIME,
    "updated_at": TIME,
}
TOOL = {
    "id": "tool_1",
    "name": "look_up",
    "description": "Looks up.",
    "parameters": {},
    "created_at": TIME,
    "updated_at": TIME,
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_for_token(self) -> bool:
        return self.path.endswith("/oauth/token")


class Connection:
    """One accepted socket. Every wait ends when the server closes."""

    def __init__(self, server: FaultServer, sock: socket.socket) -> None:
        self.server = server
        self.socket = sock

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def stall(self) -> None:
        """Say nothing until the client has gone, or the test ends."""
        self.socket.settimeout(0.02)
        while not self.server.closing.is_set():
            try:
                if not self.socket.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def drip(self, byte: bytes) -> None:
        """A byte every 20 ms, for ever."""
        with contextlib.suppress(OSError):
            while not self.server.closing.wait(0.02):
                self.socket.sendall(byte)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Action = Callable[[Connection, Request], bool]
"""What is done with one request. True to go on with the connection."""


def reply(status: str | int, body: bytes | dict[str, object] = b"", **headers: str) -> Action:
    """A well-formed response; keywords are headers, with underscores for hyphens."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    fields = {"content-type": "application/json", "content-length": str(len(data))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    line = f"HTTP/1.1 {status} Said\r\n" if isinstance(status, int) else f"{status}\r\n"

    def act(connection: Connection, request: Request) -> bool:
        connection.send(f"{line}{head}\r\n".encode() + data)
        return True

    return act


def send_and(data: bytes, then: Callable[[Connection], None] = lambda connection: None) -> Action:
    """Send exactly this, then something else, then close."""

    def act(connection: Connection, request: Request) -> bool:
        connection.send(data)
        then(connection)
        return False

    return act


def error(status: int, code: str = "API_ERROR", **headers: str) -> Action:
    return reply(status, {"error": {"code": code, "message": f"Fault {status}.", "request_id": "req_1"}}, **headers)


def token(**fields: object) -> Action:
    return reply(200, {"data": {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600, **fields}})


def fine(connection: Connection, request: Request) -> bool:
    """What the real server would say."""
    if request.is_for_token:
        return token()(connection, request)
    if request.method == "DELETE":
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True
    status = 201 if request.method == "POST" else 200
    return reply(status, {"data": TOOL if "/tools" in request.path else ASSISTANT})(connection, request)


def slow(seconds: float, then: Action) -> Action:
    def act(connection: Connection, request: Request) -> bool:
        return not connection.server.closing.wait(seconds) and then(connection, request)

    return act


GOOD_BODY = json.dumps({"data": ASSISTANT}).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def head(length: int | str) -> bytes:
    return HEAD + f"content-length: {length}\r\n\r\n".encode()


def gzipped(data: bytes) -> bytes:
    return HEAD + f"content-encoding: gzip\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


BAD_GZIP = gzipped(gzip.compress(GOOD_BODY)[:10] + b"\xff" * 40)


@dataclass
class FaultServer:
    """Serves each request with the next action of its script, and the last one again and again."""

    script: list[Action] = field(default_factory=lambda: [fine])
    token_script: list[Action] = field(default_factory=lambda: [fine])
    seen: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._start(self._accept)

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def calls(self) -> list[Request]:
        """What came for the Core API."""
        with self._lock:
            return [request for request in self.seen if not request.is_for_token]

    def token_requests(self) -> list[Request]:
        with self._lock:
            return [request for request in self.seen if request.is_for_token]

    def close(self) -> None:
        self.closing.set()
        # `accept` does not notice that its socket was closed; a last guest ends it.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(self, sock)
        try:
            with sock, sock.makefile("rb") as reader, contextlib.suppress(OSError):
                while not self.closing.is_set():
                    request = _read_request(reader)
                    if request is None or not self._next(request)(connection, request):
                        return
        finally:
            with self._lock:
                self._open.discard(sock)

    def _next(self, request: Request) -> Action:
        with self._lock:
            self.seen.append(request)
            script = self.token_script if request.is_for_token else self.script
            return script.pop(0) if len(script) > 1 else script[0]


def _read_request(reader: object) -> Request | None:
    line = reader.readline().decode("latin-1")  # type: ignore[attr-defined]
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while (field_line := reader.readline().decode("latin-1").strip()) != "":  # type: ignore[attr-defined]
        name, _, value = field_line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    body = reader.read(length)  # type: ignore[attr-defined]
    # A client that runs out of time may leave amid its request.
    return Request(method, path, headers, body) if len(body) == length else None


@contextlib.contextmanager
def refusing_url() -> Iterator[str]:
    """Where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextlib.contextmanager
def mute_url() -> Iterator[str]:
    """Where connections are made, and a TLS handshake is never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def deaf_url() -> Iterator[str]:
    """Where connections are neither accepted nor refused: the queue is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
