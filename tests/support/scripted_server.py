"""HTTP servers on raw sockets that respond exactly as the test says, well-formed or not.

One loop, `Server`, and four ways to use it: an action for each request (`FaultServer`), a function from a request to
the bytes of its response (`OddServer`), a function that has the connection to itself (`RawServer`), statuses for
webhooks (`receiving`).
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from interactor_ext.webhooks import WebhookVerifier

SECRET = "secret_8f3a61c9d2"
TIMES = dict.fromkeys(("created_at", "updated_at"), "2026-01-20T10:00:00Z")
ASSISTANT = {
    "id": "asst_1",
    "name": "Bot",
    "model": "gpt-4",
    "system_prompt": "x",
    "tools": [],
    "data_sources": [],
    **TIMES,
}
TOOL = {"id": "tool_1", "name": "look_up", "description": "Looks up.", "parameters": {}, **TIMES}


class Request(NamedTuple):
    """A request as received. A chunked body includes the sizes."""

    method: str
    target: str
    headers: dict[str, bytes]
    body: bytes

    @property
    def is_for_token(self) -> bool:
        return self.target.endswith("/oauth/token")

    @property
    def token(self) -> str:
        return self.headers.get("authorization", b"").decode().removeprefix("Bearer ")

    def to(self, target: str) -> bytes:
        """The bytes with which a proxy passes it on."""
        fields = [f"{name}: {value.decode('latin-1')}" for name, value in self.headers.items()]
        return "\r\n".join([f"{self.method} {target} HTTP/1.1", *fields, "", ""]).encode("latin-1") + self.body


class Connection:
    """An accepted socket, with the current request."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.socket = sock
        self.number = -1
        """In a RawServer: from 0, in the order in which the requests came."""
        self.request: Request | None = None
        self.closed_by_client = threading.Event()
        self._received = b""

    @property
    def last_event_id(self) -> bytes:
        return self.request.headers.get("last-event-id", b"")

    def read(self) -> Request | None:
        """The next request; None once the client has disconnected, possibly in the middle of a request."""
        self.request = None
        with contextlib.suppress(EOFError):
            head = self._read_past(b"\r\n\r\n").removesuffix(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            method, target, _ = first.decode("latin-1").split(" ", 2)
            fields = (line.partition(b":") for line in lines)
            headers = {name.decode("latin-1").lower(): value.strip() for name, _, value in fields}
            if headers.get("transfer-encoding") == b"chunked":
                body = self._read_past(b"0\r\n\r\n")
            else:
                body = self._read(int(headers.get("content-length", b"0")))
            self.request = Request(method, target, headers, body)
        return self.request

    def _read_past(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        return self._read(self._received.index(end) + len(end))

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._received += data
        self.server.received(self, data)

    def head(self, status: int = 200, *headers: str, content_type: str | None = "text/event-stream") -> None:
        """The head of a response whose body ends with the connection."""
        lines = [f"HTTP/1.1 {status} Whatever", *headers, "Connection: close"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def chunk(self, data: bytes) -> None:
        """Like `send`, but for a head with `Transfer-Encoding: chunked`."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def drip(self, byte: bytes) -> None:
        """Send a byte every 20 ms, forever."""
        while not self.server.closing.wait(0.02):
            self.send(byte)

    def stall(self) -> None:
        """Send nothing until the client disconnects or the test ends."""
        while self.socket.recv(4096):
            pass

    def reset(self) -> None:
        """Make the connection end with an RST rather than a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_client_to_leave(self, timeout: float = 60) -> bool:
        """True as soon as the client has closed its end."""
        self.socket.settimeout(timeout)
        try:
            gone = self.socket.recv(1) == b""
        except ConnectionError:
            gone = True
        except TimeoutError:
            gone = False
        if gone:
            self.closed_by_client.set()
        return gone


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Server:
    """Serves each connection in its own thread: `respond` handles a request, and says whether to read the next.

    At the end it fails if `respond` raised, or if a thread hangs.
    """

    cuts_off_at_end = True
    """Whether the end of the test interrupts `respond`. Otherwise only connections without a request are closed;
    browsers and Node open some in advance."""

    def __init__(self, tls: ssl.SSLContext | None = None, at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._tls = tls
        self._listener = socket.create_server(at, family=_family(at[0]), backlog=512)
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.accepted = 0
        self.errors: list[BaseException] = []
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self.url = f"http://127.0.0.1:{self.address[1]}" if tls is None else f"https://localhost:{self.address[1]}"

    def respond(self, connection: Connection, request: Request) -> bool:
        raise NotImplementedError

    def received(self, connection: Connection, data: bytes) -> None:
        """Called with each part of a request before the rest is read."""

    def wrap(self, sock: socket.socket) -> socket.socket:
        """The socket to use instead of an accepted one."""
        return sock if self._tls is None else self._tls.wrap_socket(sock, server_side=True)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closing.set()
        # Just closing it wouldn't wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(60)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                if self.cuts_off_at_end or connection.request is None:
                    with contextlib.suppress(OSError):
                        connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a connection of the server hangs"
        assert not self.errors, self.errors

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(sock)

    def serve(self, sock: socket.socket) -> None:
        """Serve an accepted socket in its own thread."""
        connection = Connection(self, sock)
        with self._lock:
            self._open.add(connection)
            self.accepted += 1
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.socket = self.wrap(connection.socket)
            while (request := connection.read()) is not None and self.respond(connection, request):
                pass
        except OSError:
            connection.closed_by_client.set()
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.socket.close()
            with self._lock:
                self._open.discard(connection)


# Bytes of responses.


def http(status: int, body: bytes | str = b"", *headers: str, content_type: str | None = "application/json") -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def js(status: int, value: Any, *headers: str) -> bytes:
    return http(status, json.dumps(value), *headers)


def token_answer(access_token: str, expires_in: Any = 3600, **fields: Any) -> bytes:
    token = {"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in, **fields}
    return js(200, {"data": token})


GOOD_BODY = json.dumps({"data": ASSISTANT}).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def head(length: int | str) -> bytes:
    return HEAD + f"content-length: {length}\r\n\r\n".encode()


def gzipped(data: bytes) -> bytes:
    return HEAD + f"content-encoding: gzip\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


BAD_GZIP = gzipped(gzip.compress(GOOD_BODY)[:10] + b"\xff" * 40)


# Actions, one after the other.

Action = Callable[[Connection, Request], bool]
"""What to do with one request. Returns True to keep the connection."""


def send_and(data: bytes, then: Callable[[Connection], None] = lambda connection: None) -> Action:
    """Send exactly this, then do something else, then close."""

    def act(connection: Connection, request: Request) -> bool:
        connection.send(data)
        then(connection)
        return False

    return act


def answer_with(data: bytes) -> Action:
    """Send this, and keep the connection."""
    return lambda connection, request: send_and(data)(connection, request) or True


def reply(status: int, body: Any = b"", *, content_type: str = "application/json", **headers: str) -> Action:
    """A well-formed response; keywords are headers, with underscores for hyphens."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    content = json.dumps(body) if isinstance(body, dict) else body
    return answer_with(http(status, content, *lines, content_type=content_type))


def error(status: int, code: str = "API_ERROR", **headers: str) -> Action:
    return reply(status, {"error": {"code": code, "message": f"Fault {status}.", "request_id": "req_1"}}, **headers)


def token(**fields: Any) -> Action:
    return answer_with(token_answer("t0ken", **fields))


def fine(connection: Connection, request: Request) -> bool:
    """What the real server would say."""
    if request.is_for_token:
        return token()(connection, request)
    if request.method == "DELETE":
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True
    status = 201 if request.method == "POST" else 200
    return reply(status, {"data": TOOL if "/tools" in request.target else ASSISTANT})(connection, request)


def slow(seconds: float, then: Action) -> Action:
    return lambda connection, request: not connection.server.closing.wait(seconds) and then(connection, request)


class FaultServer(Server):
    """Handles each request with the next action of its script, and repeats the last one."""

    def __init__(
        self,
        script: list[Action] | None = None,
        token_script: list[Action] | None = None,
        tls: ssl.SSLContext | None = None,
        at: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(tls, at)
        self.script = script or [fine]
        self.token_script = token_script or [fine]
        self.seen: list[Request] = []

    def calls(self) -> list[Request]:
        """The requests to the Core API."""
        with self._lock:
            return [request for request in self.seen if not request.is_for_token]

    def token_requests(self) -> list[Request]:
        with self._lock:
            return [request for request in self.seen if request.is_for_token]

    def respond(self, connection: Connection, request: Request) -> bool:
        with self._lock:
            self.seen.append(request)
            script = self.token_script if request.is_for_token else self.script
            act = script.pop(0) if len(script) > 1 else script[0]
        return act(connection, request)


# A function from a request to the bytes of its response.


class Reset(bytes):
    """A response after which the server resets the connection."""


Asked = Request
Answer = bytes | None
"""What to send back unchanged; None hangs up."""


def settings_of(url: str, **more: Any) -> dict[str, Any]:
    """Keywords for a client of a `FaultServer` at this URL."""
    base = {"client_id": "id", "client_secret": "s3cret"}
    return {**base, "core_api_url": f"{url}/api/v1", "account_server_url": f"{url}/auth/api/v1", **more}


class OddServer(Server):
    """Responds to the Core API's calls with `answer`, to token requests with `answer_token`; records the requests.

    Without `answer_token` the tokens are token_1, token_2, and so on, valid for an hour.
    """

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        answer_token: Callable[[Request], Answer] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls)
        self._answer = answer
        self._answer_token = answer_token or (lambda asked: token_answer(f"token_{len(self.token_requests)}"))
        self.calls: list[Request] = []
        self.token_requests: list[Request] = []

    @property
    def settings(self) -> dict[str, Any]:
        """Keywords for a client of this server, which sees its first response to everything."""
        return {
            "client_id": "client_x",
            "client_secret": SECRET,
            "core_api_url": f"{self.url}/core",
            "account_server_url": f"{self.url}/account",
            "max_retries": 0,
            "timeout": 60,
        }

    def respond(self, connection: Connection, request: Request) -> bool:
        is_for_token = request.target.startswith("/account/oauth/token")
        with self._lock:
            (self.token_requests if is_for_token else self.calls).append(request)
        answer = (self._answer_token if is_for_token else self._answer)(request)
        if answer is None:
            return False
        connection.send(answer)
        if isinstance(answer, Reset):
            connection.reset()
        return not isinstance(answer, Reset)


# A function that has the connection to itself.

Handler = Callable[[Connection], None]
"""Handles the only request of a connection; then it is closed."""


def sending(
    *bodies: bytes | Callable[[Connection], bytes],
    status: int = 200,
    headers: Sequence[str] = (),
    content_type: str | None = "text/event-stream",
) -> Handler:
    """A handler that sends each connection the next of these bodies, and repeats the last one."""

    def handler(connection: Connection) -> None:
        body = bodies[min(connection.number, len(bodies) - 1)]
        connection.head(status, *headers, content_type=content_type)
        connection.send(body(connection) if callable(body) else body)

    return handler


class RawServer(Server):
    """Runs `handler` for each connection, one request a connection."""

    cuts_off_at_end = False

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler
        self.connections: list[Connection] = []
        """The connections that sent a request."""

    def respond(self, connection: Connection, request: Request) -> bool:
        connection.socket.settimeout(60)
        with self._lock:
            connection.number = len(self.connections)
            self.connections.append(connection)
        self._handler(connection)
        return False


# A receiver of webhooks.


@dataclass(frozen=True)
class Got:
    """One delivery."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str, sandbox: Any) -> Any:
        """The typed event; fails unless it was signed with this secret, by the sandbox's clock."""
        return WebhookVerifier(secret, clock=sandbox.clock.now, tolerance=60).verify(self.body, self.headers)


class Receiver(Server):
    """`answers` are the statuses of the next requests, 200 once they are used up; `content` is the body of each.

    If `hang` is set, it doesn't respond.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
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
        """All deliveries, once there are this many."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.got) >= count, 60), self.got
            return list(self.got)

    def respond(self, connection: Connection, request: Request) -> bool:
        headers = {name: value.decode("latin-1") for name, value in request.headers.items()}
        with self.news:
            status = self.answers.popleft() if self.answers else 200
            self.got.append(Got(request.target, headers, request.body))
            self.news.notify_all()
        self.go_on.wait(60)
        location = [f"Location: {self.location}"] if self.location else []
        connection.send(http(status, self.content, "Connection: close", *location, content_type=None))
        return False


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Receiver, str]]:
    """A receiver and its URL."""
    with Receiver(tls) as receiver:
        try:
            yield receiver, receiver.url
        finally:
            receiver.go_on.set()


# Addresses where nobody responds.


@contextlib.contextmanager
def refusing_url() -> Iterator[str]:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextlib.contextmanager
def mute_url() -> Iterator[str]:
    """An address that accepts connections, and never responds to a TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def deaf_url(at: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[str]:
    """An address that neither accepts nor refuses connections, because its queue is full."""
    family = _family(at[0])
    with socket.socket(family) as listener, contextlib.ExitStack() as stack:
        listener.bind(at)
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(family))
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
