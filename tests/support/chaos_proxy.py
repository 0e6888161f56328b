"""A proxy between a client and a server that loses and truncates responses on request."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1\.1\r\n")
_END_OF_HEAD = b"\r\n\r\n"

LOST = -1
"""Nothing of the response arrives: the server has done what was requested, and the client can't know."""

HELD = b""
"""The request isn't passed on, and gets no response."""

Allow = Callable[[str, int], int | bytes | None]
"""Its arguments are a request, as in "GET /api/v1/rooms/room_1/stream", and how many of the same came before. Returns
how many bytes of the response's body get through before the connection is cut; None for all of them, LOST for not even
the head. Bytes are sent in place of the response."""


class ChaosProxy:
    """Serves from a thread, one request at a time per connection, which is how the SDK sends them."""

    def __init__(self, target: str, allow: Allow) -> None:
        """`target` is a URL of the server; `url` is the same URL through this proxy."""
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._target = target
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._allow = allow
        self._seen: dict[str, int] = {}
        self._ready = threading.Event()
        self.cuts: list[str] = []
        """The requests whose responses were cut or lost."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="chaos-proxy")
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._relay(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=512)
        self.url = self._target.replace(self._origin, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 1)
        self._ready.set()
        await self._stop.wait()
        server.close()
        # Each relay ends by itself and closes its sockets; cancelling it might leave one open.
        await asyncio.gather(*tasks)

    async def _relay(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        writers = [back]
        with contextlib.suppress(OSError):
            server, there = await asyncio.open_connection(self._host, self._port)
            writers.append(there)
            connection = _Connection(self, client, back, server, there)
            ways = [connection.ask(), connection.answer(), self._stop.wait()]
            running = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for way in running:
                way.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for writer in writers:
            # What was let through is flushed, unless nobody waits for it any more.
            writer.transport.abort() if self._stop.is_set() else writer.close()
        for writer in writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def allowance(self, request: str) -> int | bytes | None:
        number = self._seen[request] = self._seen.get(request, -1) + 1
        return self._allow(request, number)


class _Connection:
    def __init__(
        self,
        proxy: ChaosProxy,
        client: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        there: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client, self._back = client, back
        self._server, self._there = server, there
        self._request = ""
        self._left: int | None = None
        self._in_head = True

    async def ask(self) -> None:
        while data := await self._client.read(65536):
            if match := _REQUEST.match(data):
                target = match["target"].partition(b"?")[0]
                self._request = f"{match['method'].decode()} {target.decode()}"
                allowed = self._proxy.allowance(self._request)
                if isinstance(allowed, bytes):
                    await self._answer_instead(allowed)
                    return
                self._left, self._in_head = allowed, True
            self._there.write(data)
            await self._there.drain()

    async def _answer_instead(self, response: bytes) -> None:
        self._back.write(response)
        await self._back.drain()
        while response == HELD and await self._client.read(65536):
            pass

    async def answer(self) -> None:
        head = b""
        while data := await self._server.read(65536):
            if self._left == LOST:
                break
            if self._left is not None:
                if self._in_head:
                    head += data
                    if _END_OF_HEAD not in head:
                        continue
                    self._in_head = False
                    start = head.index(_END_OF_HEAD) + len(_END_OF_HEAD)
                    data, head, self._left = head, b"", self._left + start
                data = data[: self._left]
                self._left -= len(data)
            self._back.write(data)
            await self._back.drain()
            if self._left == 0:
                break
        else:
            return
        self._proxy.cuts.append(self._request)
