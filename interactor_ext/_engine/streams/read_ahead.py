"""Reads an asynchronous response ahead: a task puts the chunks into a bounded queue.

Cancelling a read loses the response. So the task isn't cancelled with a caller that waits for a chunk, and a time limit
on one event doesn't cost the connection.
"""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from interactor_ext._engine.streams.base import BROKEN

# Enough that the two tasks seldom take turns, and few enough that the first event doesn't wait for many others.
_MAX_AHEAD = 16

_Chunks = asyncio.Queue[bytes | Exception | None]
"""The last item is the error that broke the response, or None."""


class ReadAhead:
    """The chunks of one response."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks: _Chunks = asyncio.Queue(_MAX_AHEAD)
        # The task must not reference this object, or it could never be dropped.
        self._task = asyncio.create_task(_read(response, self._chunks))

    async def next(self) -> bytes | None:
        """Return the next chunk, or None at the end; raises what broke the response. A cancelled caller loses no
        chunk."""
        chunk = await self._chunks.get()
        if isinstance(chunk, bytes):
            return chunk
        self._chunks.put_nowait(chunk)  # for the next call
        if chunk is None:
            return None
        raise chunk

    async def aclose(self) -> None:
        """Close the response. The task does it, even if the caller is cancelled in the meantime."""
        self._task.cancel()
        try:
            await asyncio.wait([self._task])
        finally:
            await _close(self._response)  # already closed, unless the task was cancelled before its first step

    def __del__(self) -> None:
        # Garbage may be collected in any thread, and after the loop was closed.
        if not self._task.done():
            with contextlib.suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)


async def _read(response: httpx.Response, chunks: _Chunks) -> None:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    end: Exception | None = None
    try:
        try:
            async for chunk in response.stream:
                await chunks.put(chunk)
        finally:
            await _close(response)
    # perhaps while the response is being closed: a caller may still be waiting for the end
    except asyncio.CancelledError:
        while not chunks.empty():
            chunks.get_nowait()
        chunks.put_nowait(httpx.ReadError("the task that was reading it was cancelled"))
        raise
    except Exception as error:
        end = error
    await chunks.put(end)


async def _close(response: httpx.Response) -> None:
    with contextlib.suppress(*BROKEN):  # the connection is already broken
        await response.aclose()
