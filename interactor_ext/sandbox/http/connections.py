"""Closes or resets a request's TCP connection, which an ASGI app can't do itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from interactor_ext.sandbox.problems import ConnectionCut

EXTENSION = "interactor.sandbox.cut"
# SO_LINGER with a timeout of 0: closing sends a TCP reset.
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class CuttableProtocol(H11Protocol):
    """Gives the app a function that closes the connection, in the scope's extension `interactor.sandbox.cut`."""

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
        """Abort a connection with an incomplete request at server shutdown."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.abort()
            return
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.abort()

    def abort(self) -> None:
        self.transport.abort()


def is_cuttable(scope: Scope) -> bool:
    """Whether the sandbox's own server serves this request."""
    return EXTENSION in scope.get("extensions", {})


async def cut_off(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection, and return once it is closed. Raises RuntimeError under another server."""
    if not is_cuttable(scope):
        raise RuntimeError("only the sandbox's own server can cut a connection: use Sandbox.run or Sandbox.serve")
    cut: Callable[..., None] = scope["extensions"][EXTENSION]
    cut(reset=reset)
    # Returning before the server has noticed would count as a missing response.
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut_short(chunks: AsyncIterator[bytes], *, events: int, size: int | None) -> AsyncIterator[bytes]:
    """Pass on the first `events` events, or the first `size` bytes, of a stream. Then raises ConnectionCut."""
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
