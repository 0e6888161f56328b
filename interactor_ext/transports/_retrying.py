"""Sends a call with retries, rate limits, circuit breaker and deadline, over any transport of httpx.

One sync and one async loop around `Attempts`, which decides. The body of a response is read here, within its attempt,
so that a body that breaks off or comes slowly is a failure like any other; httpx would read it after the transport has
returned. The body of a stream is left to its reader.
"""

from __future__ import annotations

import time

import httpx

from interactor_ext._lazy import asyncio
from interactor_ext._responses._connection_error import interrupt_behind
from interactor_ext._responses._read import BodyBuffer, gunzip_of, too_large
from interactor_ext._waiting import Closing
from interactor_ext.transports import _foreign_stream
from interactor_ext.transports._attempts import Attempts, Rules, without_body
from interactor_ext.transports._httpx_internals import (
    NO_ANSWER,
    discard_after,
    discard_if_desynchronised,
    late,
    network_deadline,
    watch_async_network,
    watch_network,
)
from interactor_ext.transports._sync_transport import PooledBody


class CallTransport(httpx.BaseTransport):
    """The transport of a client. Knows whether the client is closed, and ends what its calls wait for when it is."""

    def __init__(self, inner: httpx.BaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self.closing: Closing = Closing()
        self._inner_closed = False
        watch_network(inner)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self.closing)
        try:
            while not isinstance(outcome := self._attempt(attempts), httpx.Response):
                self.closing.pause(outcome)
        finally:
            request.extensions["timeout"] = attempts.own_timeouts
        return outcome

    def _attempt(self, attempts: Attempts) -> httpx.Response | float:
        """The outcome of the call, or the seconds until the next attempt."""
        if attempts.limiter is not None:
            seconds = attempts.limiter.wait(attempts.keys, attempts.time_left(), attempts.closing)
            if seconds is not None:
                return attempts.refused(attempts.would_wait(seconds))
        if (why := attempts.begin()) is not None:
            return attempts.refused(why)
        attempts.request.extensions["timeout"] = attempts.timeouts()
        outer = network_deadline.get()
        try:
            network_deadline.set(attempts.ends_at)
            response = self._inner.handle_request(attempts.as_sent())
            if attempts.is_stream and response.is_success:
                if not isinstance(response.stream, PooledBody):
                    response.stream = _foreign_stream.ForeignStream(response.stream)
                try:
                    _prepare_stream(response)
                except httpx.DecodingError:
                    response.close()
                    raise
            else:
                response = _read(response, attempts.ends_at, self._rules.max_response_size)
        except BaseException as error:
            attempts.failed(error)
            if isinstance(error, httpx.TransportError):
                return attempts.after_error(error)
            raise
        finally:
            network_deadline.set(outer)
        attempts.answered(response)
        return attempts.after_response(response)

    def close(self) -> None:
        self.closing.set()
        if not self._inner_closed:
            self._inner.close()
            self._inner_closed = True  # not before: an interrupted `close` can be repeated


class AsyncCallTransport(httpx.AsyncBaseTransport):
    """`CallTransport` for the asynchronous client."""

    def __init__(self, inner: httpx.AsyncBaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self.closing: Closing = Closing()
        self._inner_closed = False
        watch_async_network(inner)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self.closing)
        try:
            while not isinstance(outcome := await self._attempt(attempts), httpx.Response):
                await self.closing.pause_async(outcome)
        finally:
            request.extensions["timeout"] = attempts.own_timeouts
        return outcome

    async def _attempt(self, attempts: Attempts) -> httpx.Response | float:
        """The outcome of the call, or the seconds until the next attempt."""
        if attempts.limiter is not None:
            seconds = await attempts.limiter.wait_async(attempts.keys, attempts.time_left(), attempts.closing)
            if seconds is not None:
                return attempts.refused(attempts.would_wait(seconds))
        if (why := attempts.begin()) is not None:
            return attempts.refused(why)
        attempts.request.extensions["timeout"] = attempts.timeouts_async()
        response: httpx.Response | None = None
        late.set(NO_ANSWER)
        try:
            try:
                async with asyncio.timeout(attempts.ends_at - time.monotonic()):
                    response = await self._inner.handle_async_request(attempts.as_sent())
                    if attempts.is_stream and response.is_success:
                        try:
                            _prepare_stream(response)
                        except httpx.DecodingError:
                            await response.aclose()
                            raise
                    else:
                        response = await _read_async(response, self._rules.max_response_size)
            except TimeoutError as error:
                if response is None or response.is_success or interrupt_behind(error) is not None:
                    raise late.get()() from error
                response = without_body(response, response.status_code)
        except BaseException as error:
            attempts.failed(error)
            if isinstance(error, httpx.TransportError):
                return attempts.after_error(error)
            raise
        attempts.answered(response)
        return attempts.after_response(response)

    async def aclose(self) -> None:
        self.closing.set()
        if not self._inner_closed:
            await self._inner.aclose()
            self._inner_closed = True


def _prepare_stream(response: httpx.Response) -> None:
    """Leave the body to the reader of the stream. Its connection serves no other call."""
    discard_after(response)
    gunzip_of(response, accepted=())


def _read(response: httpx.Response, ends_at: float, limit: int) -> httpx.Response:
    """Read and decode the body. Cut between two chunks at the latest; over a transport of httpx, sooner."""
    stream = response.stream
    try:
        if not response.is_closed:
            body = BodyBuffer(response, limit)
            for chunk in stream:  # type: ignore[union-attr]
                body.add(chunk)
                if time.monotonic() > ends_at:
                    raise httpx.ReadTimeout("no complete response in time")
            body.finish()
        elif len(response.content) > limit:  # a foreign transport has read it itself
            raise too_large(limit)
    except (httpx.TransportError, httpx.DecodingError) as error:
        if response.is_success or interrupt_behind(error) is not None:
            raise
        # The status of an error is worth more than its body.
        return without_body(response, response.status_code)
    finally:
        network = discard_if_desynchronised(response, stream)
        if network is not None:
            network.close()
        stream.close()  # type: ignore[union-attr]
    return response


async def _read_async(response: httpx.Response, limit: int) -> httpx.Response:
    stream = response.stream
    try:
        if not response.is_closed:
            body = BodyBuffer(response, limit)
            async for chunk in stream:  # type: ignore[union-attr]
                body.add(chunk)
            body.finish()
        elif len(response.content) > limit:
            raise too_large(limit)
    except (httpx.TransportError, httpx.DecodingError) as error:
        if response.is_success or interrupt_behind(error) is not None:
            raise
        return without_body(response, response.status_code)
    finally:
        network = discard_if_desynchronised(response, stream)
        if network is not None:
            await network.aclose()
        await stream.aclose()  # type: ignore[union-attr]
    return response
