"""An HTTP proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

from tests.support.scripted_server import Connection, Request, Server

CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"


class Proxy(Server):
    """Accepts CONNECT for https and absolute URLs for http, and records the targets."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.asked: list[str] = []
        self.credentials: list[str] = []

    def respond(self, connection: Connection, request: Request) -> bool:
        self.asked.append(f"{request.method} {request.target}")
        if "proxy-authorization" in request.headers:
            self.credentials.append(request.headers["proxy-authorization"].decode())
        host, path = request.target, ""
        if request.method != "CONNECT":
            host, _, path = request.target.removeprefix("http://").partition("/")
        name, port = host.rsplit(":", 1)
        with socket.create_connection((name, int(port)), 60) as there:
            if request.method == "CONNECT":
                connection.send(CONNECTED)
            else:
                there.sendall(request.to(f"/{path}"))
            answers = threading.Thread(target=_pass_on, args=(there, connection.socket), daemon=True)
            answers.start()
            _pass_on(connection.socket, there)
            answers.join(60)
        return False


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Everything that comes, until one of both ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
