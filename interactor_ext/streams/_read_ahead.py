"""Reads the chunks of an asynchronous response in a task of its own, a little ahead of who takes them.

A response whose read is cancelled is lost. So the reading task is never cancelled with its reader, and a time limit on
waiting for an event costs no connection.
"""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from interactor_ext._errors import InteractorError

BROKEN = (InteractorError, httpx.HTTPError, httpx.StreamError, OSError)
"""What may be raised while a connection is opened or read. OSError is for transports that do not translate it."""
# Enough that the two tasks seldom take turns, and so few that the first event does not wait for many others.
_MOST_AHEAD = 16

_Chunks = asyncio.Queue[bytes | Exception | None]
"""After the chunks come the error that broke the response, or None, and nothing else."""


class ReadAhead:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks: _Chunks = asyncio.Queue(_MOST_AHEAD)
        # The task must not hold this object, which could then never be dropped.
        self._task = asyncio.create_task(_read(response, self._chunks))

    async def next(self) -> bytes | None:
        """The next chunk when it has come, None at the end; raises what broke it. A cancelled reader loses none."""
        chunk = await self._chunks.get()
        if isinstance(chunk, bytes):
            return chunk
        self._chunks.put_nowait(chunk)  # whoever comes again finds the same end
        if chunk is None:
            return None
        raise chunk

    async def aclose(self) -> None:
        """Close the response. The task does so even if the caller is cancelled meanwhile."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await _close(self._response)  # by now it is closed, unless the task was cancelled before its first step

    def __del__(self) -> None:
        # Garbage may be collected in any thread, and after the loop was closed.
        if not self._task.done():
            with contextlib.suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)


async def _read(response: httpx.Response, chunks: _Chunks) -> None:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    end: Exception | None = None
    try:
        async for chunk in response.stream:
            await chunks.put(chunk)
    except asyncio.CancelledError:
        while not chunks.empty():
            chunks.get_nowait()
        chunks.put_nowait(httpx.ReadError("the task that reads it was cancelled"))
        raise
    except Exception as error:
        end = error
    finally:
        await _close(response)
    await chunks.put(end)


async def _close(response: httpx.Response) -> None:
    with contextlib.suppress(*BROKEN):  # it is lost already, and is to be closed
        await response.aclose()
