"""A network that cuts event streams: between any client and any server, after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Allowance = Callable[[int], int | None]


@contextmanager
def cut(port: int, allowance: Allowance) -> Iterator[CuttingProxy]:
    """`allowance` says after how many bytes of its body the stream of that number, from 0, is cut; None: never."""
    proxy = CuttingProxy(port, allowance)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(10)


class CuttingProxy:
    """Hands everything on, both ways, but for the end of the streams that it cuts."""

    def __init__(self, port: int, allowance: Allowance) -> None:
        self._target = port
        self._allowance = allowance
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.streams = 0

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            answers = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            answers.start()
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            answers.join(10)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                head, _, body = data.partition(b"\r\n\r\n")
                if b"text/event-stream" in head.lower():
                    # The head comes in one piece, from a server on this machine.
                    client.sendall(data[: len(data) - len(body)])
                    self._answer_stream(body, server, client)
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)

    def _answer_stream(self, data: bytes, server: socket.socket, client: socket.socket) -> None:
        left = self._allowance(self.streams)
        self.streams += 1
        while True:
            client.sendall(data[:left])
            if left is not None:
                left -= len(data)
                if left <= 0:
                    return
            if not (data := server.recv(65536)):
                return
