"""Streams of the sandbox through a network that cuts them: both colours see each event once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from interactor_client.models import MessageComplete, MessageDelta, WorkflowState, WorkflowStateChanged
from interactor_ext.sandbox import Sandbox
from tests.integration.raw_sse_server import eventually
from tests.integration.stream_reader import COLOURS

both_colours = pytest.mark.parametrize("colour", COLOURS)

COUNT = 200
TEXT = "".join(f"{number} " for number in range(COUNT))


class CuttingProxy:
    """Hands bytes on between clients and a server, and cuts a stream after so many bytes of its body."""

    def __init__(self, port: int, allowance: Callable[[int], int | None]) -> None:
        """`allowance` takes the number of the stream's connection, from 0; None lets everything through."""
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
            back = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join(10)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            left: int | None = None
            head = b""
            while data := server.recv(65536):
                if head is not None and left is None:
                    head += data
                    if b"\r\n\r\n" not in head:
                        client.sendall(data)
                        continue
                    start, _, body = head.partition(b"\r\n\r\n")
                    if b"text/event-stream" not in start.lower():
                        client.sendall(data)
                        head = b""
                        continue
                    left = self._allowance(self.streams)
                    self.streams += 1
                    client.sendall(data[: len(data) - len(body)])
                    data = body
                    if left is None:
                        left = 2**60
                client.sendall(data[:left])
                left -= len(data)
                if left <= 0:
                    break
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut(sandbox: Sandbox, allowance: Callable[[int], int | None]) -> Iterator[CuttingProxy]:
    port = int(sandbox.core_api_url.split(":")[2].split("/")[0])
    proxy = CuttingProxy(port, allowance)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(10)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as running:
        yield running


def new_room(sandbox: Sandbox) -> str:
    with sandbox.client(namespace="user_1") as client:
        bot = client.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
        return client.rooms.create(assistant_id=bot.id).id


def say(sandbox: Sandbox, room: str, numbers: range) -> None:
    for number in numbers:
        sandbox.emit(room, {"type": "message.delta", "content": f"{number} "})


def read(colour: str, sandbox: Sandbox, room: str, *, during: Callable[[Any], None], port: int | None = None) -> str:
    """The text up to the last of `COUNT` events; `during` is called on entering, and after each event."""
    url = sandbox.core_api_url if port is None else f"http://127.0.0.1:{port}/{sandbox.core_api_url.split('/', 3)[3]}"
    text = ""
    if colour == "sync":
        with sandbox.client(namespace="user_1", core_api_url=url) as client:
            with client.rooms.stream(room) as stream:
                during(None)
                for event in stream:
                    text += event.content
                    during(event)
                    if text.endswith(f" {COUNT - 1} "):
                        break
        return text

    async def main() -> str:
        text = ""
        async with sandbox.async_client(namespace="user_1", core_api_url=url) as client:
            async with client.rooms.stream(room) as stream:
                await asyncio.to_thread(during, None)
                async for event in stream:
                    text += event.content
                    await asyncio.to_thread(during, event)
                    if text.endswith(f" {COUNT - 1} "):
                        break
        return text

    return asyncio.run(main())


@both_colours
@pytest.mark.parametrize("every", [40, 75, 100, 333, 1000, 5000])
def test_the_connection_is_cut_after_every_so_many_bytes(colour: str, every: int, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with cut(sandbox, lambda number: max(every, 130) if number else every) as proxy:
        text = read(
            colour,
            sandbox,
            room,
            during=lambda event: say(sandbox, room, range(COUNT)) if event is None else None,
            port=proxy.port,
        )
    assert text == TEXT
    assert proxy.streams > 1
