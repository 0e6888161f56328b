"""Closes or resets the TCP connection of a request, which an ASGI app cannot do by itself."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from interactor_ext.sandbox.http.problems import Problem
from interactor_ext.sandbox.storage.records import new_id

EXTENSION = "interactor.sandbox.cut"
# On, with no time to linger: closing sends a reset instead of an orderly end.
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class ConnectionCut(Exception):
    """The connection is to end here and now. `reset`: by a TCP reset, else by an end of what was sent so far."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class CuttableProtocol(H11Protocol):
    """Tells the app how to cut the connection off, in the scope's extension `interactor.sandbox.cut`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: Any = self.app

        def cut(*, reset: bool) -> None:
            if reset:
                sock = transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
                transport.abort()
            else:
                transport.close()

        async def with_extension(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[EXTENSION] = cut
            await app(scope, receive, send)

        self.app = with_extension

    def shutdown(self) -> None:
        """As the server ends: who has not sent all of a request by now is not waited for."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.abort()
            return
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.abort()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or more of it than the server reads, gets the contract's envelope as all other errors do."""
        request_id = new_id("req")
        content = json.dumps(Problem(400, msg).envelope(request_id)).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "x-request-id": request_id,
            "connection": "close",
        }
        response = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
        try:
            for event in (response, h11.Data(data=content), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            # Another answer was under way, a stream for example.
            self.abort()
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()


def is_cuttable(scope: Scope) -> bool:
    """Whether the sandbox's own server stands below."""
    return EXTENSION in scope.get("extensions", {})


async def cut_off(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """End the connection, and return when it has ended. Raises RuntimeError under a server that has no way to."""
    if not is_cuttable(scope):
        raise RuntimeError("only the sandbox's own server can cut a connection off: use Sandbox.run or Sandbox.serve")
    cut: Callable[..., None] = scope["extensions"][EXTENSION]
    cut(reset=reset)
    # A return before the server has noticed would count as a forgotten answer.
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut_short(chunks: AsyncIterator[bytes], *, events: int, size: int | None) -> AsyncIterator[bytes]:
    """The beginning of a stream: so many events, or so many bytes if `size` is given. Then raises ConnectionCut."""
    async for chunk in chunks:
        if size is not None:
            yield chunk[:size]
            size -= len(chunk)
            if size <= 0:
                raise ConnectionCut(reset=False)
            continue
        for block in chunk.split(b"\n\n")[:-1]:
            if b"\ndata: " in block:
                if events == 0:
                    raise ConnectionCut(reset=False)
                events -= 1
            yield block + b"\n\n"
        if events == 0:
            raise ConnectionCut(reset=False)
