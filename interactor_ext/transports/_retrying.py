"""Sends a call with retries, rate limits, circuit breaker and deadline, over any transport of httpx.

One sync and one async loop around `Attempts`. The body of a response is read here, within its attempt, so that a body
that breaks off or comes slowly is a failure like any other; httpx would read it after the transport has returned. The
body of a stream is left to its reader.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from interactor_ext._lazy import LazyModule
from interactor_ext.limits._buckets import WouldWait
from interactor_ext.transports._attempts import Attempts, EndedWith, Rules
from interactor_ext.transports._circuit_breaker import is_failure
from interactor_ext.transports._closed import Closing
from interactor_ext.transports._closer import close_when_dropped, start_closer
from interactor_ext.transports._decoding import Decoding, check_size
from interactor_ext.transports._httpx_internals import Head, discard_after, discard_if_desynchronised, watch_network
from interactor_ext.transports._interrupts import interrupt_behind
from interactor_ext.transports._sync_pool import HeldBody

if TYPE_CHECKING:
    import asyncio

    from interactor_ext.telemetry._requests import Measured
else:
    asyncio = LazyModule("asyncio")


class CallTransport(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self._closing = Closing()
        watch_network(inner)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self._closing)
        try:
            while True:
                try:
                    response = self._attempt(attempts)
                    delay = attempts.after_response(response)
                    if delay is None:
                        return attempts.outcome(response)
                except httpx.TransportError as error:
                    if interrupt_behind(error) is not None:
                        raise
                    attempts.closing.check()
                    delay = attempts.after_error(error)
                    if delay is None:
                        raise
                attempts.closing.pause(delay)
        except EndedWith as ended:
            return ended.response()
        finally:
            attempts.restore_timeouts()

    def _attempt(self, attempts: Attempts) -> httpx.Response:
        if attempts.limiter is not None:
            try:
                attempts.limiter.wait(attempts.keys, attempts.time_left(), attempts.closing)
            except WouldWait as refusal:
                attempts.would_wait(refusal)
        attempts.closing.check()
        permit = attempts.enter_circuit()
        failed: bool | None = None
        measured: Measured | None = None
        try:
            ends_at = attempts.begin()
            measured = attempts.measure()
            response = self._exchange(attempts, ends_at)
            failed = is_failure(response.status_code)
        except BaseException as error:
            if measured is not None:
                measured.failed(error)
            if isinstance(error, httpx.TransportError):
                failed = None if attempts.closing.has_come else attempts.blames_host(error)
            raise
        finally:
            if permit is not None:
                permit.end(failed=failed)
        if measured is not None:
            measured.answered(response)
        return response

    def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        attempts.request.extensions["timeout"] = attempts.timeouts(ends_at)
        response = self._inner.handle_request(attempts.request)
        if attempts.is_stream and response.is_success:
            discard_after(response)
            if not isinstance(response.stream, HeldBody):
                response.stream = _ForeignBody(response.stream)
            try:
                decoding = _decoding(response, None)
            except httpx.DecodingError:
                response.close()
                raise
            if decoding is not None:
                response.stream = _DecodedBody(response.stream, decoding)
        else:
            response = _read(response, ends_at, self._rules.max_response_size)
        return response

    def close(self) -> None:
        self._closing.come()
        self._inner.close()


class AsyncCallTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self._closing = Closing()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self._closing)
        try:
            while True:
                try:
                    response = await self._attempt(attempts)
                    delay = attempts.after_response(response)
                    if delay is None:
                        return attempts.outcome(response)
                except httpx.TransportError as error:
                    if interrupt_behind(error) is not None:
                        raise
                    attempts.closing.check()
                    delay = attempts.after_error(error)
                    if delay is None:
                        raise
                await attempts.closing.pause_async(delay)
        except EndedWith as ended:
            return ended.response()
        finally:
            attempts.restore_timeouts()

    async def _attempt(self, attempts: Attempts) -> httpx.Response:
        if attempts.limiter is not None:
            try:
                await attempts.limiter.wait_async(attempts.keys, attempts.time_left(), attempts.closing)
            except WouldWait as refusal:
                attempts.would_wait(refusal)
        attempts.closing.check()
        permit = attempts.enter_circuit()
        failed: bool | None = None
        measured: Measured | None = None
        try:
            ends_at = attempts.begin()
            measured = attempts.measure()
            response = await self._exchange(attempts, ends_at)
            failed = is_failure(response.status_code)
        except BaseException as error:
            if measured is not None:
                measured.failed(error)
            if isinstance(error, httpx.TransportError):
                failed = None if attempts.closing.has_come else attempts.blames_host(error)
            raise
        finally:
            if permit is not None:
                permit.end(failed=failed)
        if measured is not None:
            measured.answered(response)
        return response

    async def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        response: httpx.Response | None = None
        attempts.request.extensions["timeout"] = attempts.timeouts_async(ends_at)
        try:
            async with asyncio.timeout(ends_at - time.monotonic()):
                response = await self._inner.handle_async_request(attempts.request)
                if attempts.is_stream and response.is_success:
                    discard_after(response)
                    try:
                        decoding = _decoding(response, None)
                    except httpx.DecodingError:
                        await response.aclose()
                        raise
                    if decoding is not None:
                        response.stream = _AsyncDecodedBody(response.stream, decoding)
                else:
                    response = await _aread(response, self._rules.max_response_size)
        except TimeoutError as error:
            if response is None or response.is_success:
                raise httpx.ReadTimeout("no complete answer in time") from error
            response = _without_body(response)
        return response

    async def aclose(self) -> None:
        self._closing.come()
        await self._inner.aclose()


class _Body(httpx.SyncByteStream):
    """A body that is cut between two chunks at the latest; over a transport of httpx, sooner."""

    def __init__(self, response: httpx.Response, ends_at: float, limit: int) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._limit = limit
        self._decoding = _decoding(response, limit)
        self._head = Head.of(response)
        self._stream = response.stream
        self._ends_at = ends_at

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            if self._decoding is None:  # as nearly always, and a generator more would show in the benchmark
                size += len(chunk)
                check_size(size, self._limit)
                yield chunk
            else:
                yield from self._decoding.pieces(chunk)
            if time.monotonic() > self._ends_at:
                raise httpx.ReadTimeout("no complete answer in time")

    def close(self) -> None:
        network = discard_if_desynchronised(self._head, self._stream)
        if network is not None:
            network.close()
        self._stream.close()


class _ForeignBody(httpx.SyncByteStream):
    """The body of a stream over a transport that is none of ours, closed by the closer thread if its reader drops it.

    The generators of httpx close themselves when the garbage collector finds them, and take locks then that the very
    thread may hold. So they are held elsewhere.
    """

    def __init__(self, stream: Any) -> None:
        start_closer()
        self._stream = stream
        self._chunks: list[Iterator[bytes]] = []
        self._watch = close_when_dropped(self, functools.partial(_close_held, stream, self._chunks))

    def __iter__(self) -> Iterator[bytes]:
        self._chunks[:] = [iter(self._stream)]
        return self

    def __next__(self) -> bytes:
        return next(self._chunks[0])

    def close(self) -> None:
        self._watch.cancel()
        self._stream.close()


def _close_held(stream: Any, chunks: list[Iterator[bytes]]) -> None:
    stream.close()
    chunks.clear()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, limit: int) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._limit = limit
        self._decoding = _decoding(response, limit)
        self._head = Head.of(response)
        self._stream = response.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            if self._decoding is None:
                size += len(chunk)
                check_size(size, self._limit)
                yield chunk
            else:
                for piece in self._decoding.pieces(chunk):
                    yield piece

    async def aclose(self) -> None:
        network = discard_if_desynchronised(self._head, self._stream)
        if network is not None:
            await network.aclose()
        await self._stream.aclose()


class _DecodedBody(httpx.SyncByteStream):
    """The body of a stream that was sent packed, in pieces of which each is small."""

    def __init__(self, stream: Any, decoding: Decoding) -> None:
        self._stream = stream
        self._decoding = decoding

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield from self._decoding.pieces(chunk)

    def close(self) -> None:
        self._stream.close()


class _AsyncDecodedBody(httpx.AsyncByteStream):
    def __init__(self, stream: Any, decoding: Decoding) -> None:
        self._stream = stream
        self._decoding = decoding

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for piece in self._decoding.pieces(chunk):
                yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def _decoding(response: httpx.Response, limit: int | None) -> Decoding | None:
    """From here on the body counts as one that was sent as it is, so that httpx does not decode it as well."""
    # To look up a header in httpx's way costs three times as much.
    for name, _ in response.headers.raw:
        if len(name) == 16 and name.lower() == b"content-encoding":
            return Decoding(response.headers.pop("content-encoding"), limit)
    return None


def _read(response: httpx.Response, ends_at: float, limit: int) -> httpx.Response:
    """Read the body, and decode it, so that httpx has nothing left to read: twice would take a twentieth of a call."""
    began = time.perf_counter()
    try:
        response.stream = _Body(response, ends_at, limit)
        response.read()
        check_size(len(response.content), limit)  # a foreign transport may have read it itself
    except (httpx.TransportError, httpx.DecodingError):
        if response.is_success:
            raise
        return _without_body(response)
    finally:
        response.close()
    # httpx sets it when it reads a body itself.
    response.elapsed = timedelta(seconds=time.perf_counter() - began)
    return response


async def _aread(response: httpx.Response, limit: int) -> httpx.Response:
    began = time.perf_counter()
    try:
        response.stream = _AsyncBody(response, limit)
        await response.aread()
        check_size(len(response.content), limit)
    except (httpx.TransportError, httpx.DecodingError):
        if response.is_success:
            raise
        return _without_body(response)
    finally:
        await response.aclose()
    response.elapsed = timedelta(seconds=time.perf_counter() - began)
    return response


def _without_body(response: httpx.Response) -> httpx.Response:
    """What a failure says of itself is worth less than its status."""
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(
        response.status_code, headers=headers, stream=httpx.ByteStream(b""), extensions=response.extensions
    )
