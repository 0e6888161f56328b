"""A server of event streams on a raw socket, with misbehaviour as the test asks for."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

Handler = Callable[["Connection"], None]


class Connection:
    """One connection of a client. The request has been read; the handler writes what it likes, then it is closed."""

    def __init__(
        self, sock: socket.socket, number: int, headers: dict[str, bytes], target: str, body: bytes = b""
    ) -> None:
        self.number = number
        """From 0, in the order in which the requests came."""
        self.headers = headers
        self.target = target
        self.body = body
        self.closed_by_client = threading.Event()
        self._socket = sock

    @property
    def last_event_id(self) -> bytes:
        return self.headers.get("last-event-id", b"")

    def head(self, status: int = 200, *headers: str, content_type: str | None = "text/event-stream") -> None:
        lines = [f"HTTP/1.1 {status} Whatever", *headers, "Connection: close"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def chunk(self, data: bytes) -> None:
        """As `send`, for a head with `Transfer-Encoding: chunked`."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def reset(self) -> None:
        """Break off with a RST rather than a FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_client_to_leave(self, timeout: float = 60) -> bool:
        """True as soon as the client has closed its end."""
        self._socket.settimeout(timeout)
        try:
            gone = self._socket.recv(1) == b""
        except ConnectionError:
            gone = True
        except TimeoutError:
            gone = False
        if gone:
            self.closed_by_client.set()
        return gone


class RawServer:
    """Runs `handler` in a thread of its own for each connection, one request a connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._threads: list[threading.Thread] = []
        self._silent: set[socket.socket] = set()  # have sent no request; browsers and Node open some in advance
        self._numbering = threading.Lock()
        self.connections: list[Connection] = []
        """Those that sent a request."""
        self.errors: list[BaseException] = []
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Closing alone would not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(60)
        self._listener.close()
        for sock in self._silent.copy():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a handler of the raw server hangs"
        assert not self.errors, self.errors

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._silent.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(60)
        with sock, contextlib.suppress(ConnectionError):
            received = b""
            while b"\r\n\r\n" not in received:
                data = sock.recv(65536)
                self._silent.discard(sock)
                if not data:
                    return
                received += data
            head = received.partition(b"\r\n\r\n")[0].split(b"\r\n")
            headers = {
                name.decode().lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])
            }
            body = received.partition(b"\r\n\r\n")[2]
            while len(body) < int(headers.get("content-length", b"0")):
                data = sock.recv(65536)
                if not data:
                    return
                body += data
            with self._numbering:
                connection = Connection(sock, len(self.connections), headers, head[0].split()[1].decode(), body)
                self.connections.append(connection)
            try:
                self._handler(connection)
            except ConnectionError:
                connection.closed_by_client.set()
            except BaseException as error:
                self.errors.append(error)


def eventually(condition: Callable[[], object], timeout: float = 60) -> None:
    """Fail unless `condition` comes true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
