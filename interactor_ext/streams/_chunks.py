"""The chunks of an open response, sync and async: plain iterators, and a task that reads on behalf of who may give up.

A response whose read is cancelled is lost. So an asynchronous one is read by a task of its own, and a time limit on
waiting for an event costs no connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator

import httpx

from interactor_ext._errors import InteractorError

BROKEN = (InteractorError, httpx.HTTPError, httpx.StreamError, OSError)
"""What may be raised while a connection is opened or read. OSError is for transports that do not translate it."""
# Enough that the two tasks seldom take turns, and so few that the first event does not wait for many others.
_MOST_AHEAD, _MOST_BYTES_AHEAD = 32, 64 * 1024


def chunks_of(response: httpx.Response) -> Iterator[bytes]:
    assert isinstance(response.stream, httpx.SyncByteStream)
    # What iter_raw counts and regroups costs more than the events themselves.
    return iter(response.stream)


class ReadAhead:
    """Reads an open response in a task of its own, a little ahead of who takes the chunks, and closes it."""

    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._flow = _Flow()
        self._task = asyncio.create_task(_read(response, aiter(response.stream), self._flow))

    def take(self) -> bytes | None:
        """The next chunk, if it has come."""
        flow = self._flow
        if not flow.chunks:
            return None
        if len(flow.chunks) == 1:
            flow.size = 0
            flow.room.set()
        return flow.chunks.popleft()

    async def next(self) -> bytes | None:
        """The next chunk when it has come, None at the end; raises what broke it. Who gives up waiting loses none."""
        flow = self._flow
        while not flow.chunks:
            if flow.error is not None:
                raise flow.error
            if flow.is_over:
                return None
            flow.news.clear()
            await flow.news.wait()
        return self.take()

    async def aclose(self) -> None:
        """Close the response. Who is cancelled meanwhile leaves that to the task."""
        _stop(self._task, self._flow)
        if not self._task.done():
            await asyncio.wait([self._task])

    def __del__(self) -> None:
        # Nobody will take anything any more. Garbage may be collected in any thread, and after the loop was closed.
        if not self._task.done():
            with contextlib.suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(_stop, self._task, self._flow)


class _Flow:
    """What the task and its reader share: the task must not hold the `ReadAhead`, which could then never be dropped."""

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.error: Exception | None = None
        self.has_begun = False
        self.is_wanted = True
        self.is_over = False
        self.news = asyncio.Event()
        self.room = asyncio.Event()


def _stop(task: asyncio.Task[None], flow: _Flow) -> None:
    flow.is_wanted = False
    # A task that is cancelled before its first step would never close the response.
    if flow.has_begun:
        task.cancel()


async def _read(response: httpx.Response, chunks: AsyncIterator[bytes], flow: _Flow) -> None:
    flow.has_begun = True
    try:
        if flow.is_wanted:
            async for chunk in chunks:
                flow.chunks.append(chunk)
                flow.size += len(chunk)
                if len(flow.chunks) == 1:
                    flow.news.set()
                if len(flow.chunks) >= _MOST_AHEAD or flow.size >= _MOST_BYTES_AHEAD:
                    flow.room.clear()
                    await flow.room.wait()
    except asyncio.CancelledError:
        flow.error = httpx.ReadError("the task that reads it was cancelled")
        raise
    except Exception as error:
        flow.error = error
    finally:
        flow.is_over = True
        flow.news.set()
        with contextlib.suppress(*BROKEN):  # it is lost already, and is to be closed
            await response.aclose()
