"""Sends a call with retries, rate limits, circuit breaker and deadline, over any transport of httpx.

One sync and one async loop around `Attempts`, which makes the decisions. The body of a response is read here, within
its attempt: a body that breaks off or is slow is then a failure like any other. httpx would read it after the transport
has returned. The body of a stream is left to its reader.
"""

from __future__ import annotations

import math
import time
from typing import Any

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.calls import foreign_stream
from interactor_ext._engine.calls.attempts import Attempts, Rules, without_body
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.network.http1 import announces_body
from interactor_ext._engine.network.sync_transport import PooledBody
from interactor_ext._engine.responses.connection_error import handler_behind, interrupt_behind
from interactor_ext._engine.responses.read import BodyBuffer, gunzip_of, too_large
from interactor_ext._engine.waiting import Closing


class RetryingTransport(httpx.BaseTransport):
    """A client's transport. It knows whether the client is closed, and wakes waiting calls when it gets closed."""

    def __init__(self, inner: httpx.BaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self.closing: Closing = Closing()
        self._inner_closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self.closing)
        try:
            while not isinstance(outcome := self._attempt(attempts), httpx.Response):
                self.closing.pause(outcome)
        finally:
            request.extensions["timeout"] = attempts.own_timeouts
        return outcome

    def _attempt(self, attempts: Attempts) -> httpx.Response | float:
        """Returns the outcome of the call, or the seconds until the next attempt."""
        if attempts.limiter is not None:
            seconds = attempts.limiter.wait(attempts.keys, attempts.time_left(), attempts.closing)
            if seconds is not None:
                return attempts.refused(attempts.would_wait(seconds))
        if (why := attempts.begin()) is not None:
            return attempts.refused(why)
        attempts.request.extensions["timeout"] = attempts.timeouts()
        attempts.call.wait_ends_at = attempts.ends_at
        try:
            response = self._inner.handle_request(attempts.as_sent(self._inner))
            if attempts.is_stream and response.is_success:
                if not isinstance(response.stream, PooledBody):
                    response.stream = foreign_stream.ForeignStream(response.stream)
                try:
                    gunzip_of(response, accepted=())
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
            attempts.call.wait_ends_at = math.inf
        attempts.answered(response)
        return attempts.after_response(response)

    def close(self) -> None:
        self.closing.set()
        if not self._inner_closed:
            self._inner.close()
            self._inner_closed = True  # set last, so an interrupted `close` can be repeated


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """`RetryingTransport` for the asynchronous client."""

    def __init__(self, inner: httpx.AsyncBaseTransport, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules
        self.closing: Closing = Closing()
        self._inner_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempts = Attempts(request, self._rules, self.closing)
        try:
            while not isinstance(outcome := await self._attempt(attempts), httpx.Response):
                await self.closing.pause_async(outcome)
        finally:
            request.extensions["timeout"] = attempts.own_timeouts
        return outcome

    async def _attempt(self, attempts: Attempts) -> httpx.Response | float:
        """Returns the outcome of the call, or the seconds until the next attempt."""
        if attempts.limiter is not None:
            seconds = await attempts.limiter.wait_async(attempts.keys, attempts.time_left(), attempts.closing)
            if seconds is not None:
                return attempts.refused(attempts.would_wait(seconds))
        if (why := attempts.begin()) is not None:
            return attempts.refused(why)
        attempts.request.extensions["timeout"] = attempts.timeouts_async()
        response: httpx.Response | None = None
        attempts.call.late = None
        try:
            try:
                async with asyncio.timeout(attempts.ends_at - time.monotonic()) as attempts.call.timer:
                    response = await self._inner.handle_async_request(attempts.as_sent(self._inner))
                    if attempts.is_stream and response.is_success:
                        try:
                            gunzip_of(response, accepted=())
                        except httpx.DecodingError:
                            await response.aclose()
                            raise
                    else:
                        response = await _read_async(response, self._rules.max_response_size)
            except TimeoutError as error:
                if response is None or response.is_success or handler_behind(error) is not None:
                    raise _late(attempts.call) from error
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


def _late(call: Call) -> httpx.TimeoutException:
    return httpx.ReadTimeout("no complete response in time") if call.late is None else call.late()


def _read(response: httpx.Response, ends_at: float, limit: int) -> httpx.Response:
    """Read and decode the body. A foreign transport may exceed `ends_at` by one chunk."""
    stream = response.stream
    try:
        if not response.is_closed:
            body = BodyBuffer(response, limit)
            for chunk in stream:  # type: ignore[union-attr]
                body.add(chunk)
                if time.monotonic() > ends_at:
                    raise httpx.ReadTimeout("no complete response in time")
            body.finish()
        elif len(response.content) > limit:  # a foreign transport has already read it
            raise too_large(limit)
    except (httpx.TransportError, httpx.DecodingError) as error:
        if response.is_success or interrupt_behind(error) is not None:
            raise
        # An error's status is more useful than its body.
        return without_body(response, response.status_code)
    finally:
        if (network := _foreign_network(response)) is not None:
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
        if (network := _foreign_network(response)) is not None:
            await network.aclose()
        await stream.aclose()  # type: ignore[union-attr]
    return response


def _foreign_network(response: httpx.Response) -> Any:
    """The network stream to close after a response that can't have a body, but whose headers announce one: that body
    would be taken for the response to the next call, perhaps another tenant's. Only foreign transports need it.
    """
    if response.status_code not in (204, 304) or not announces_body(response.headers.raw):
        return None
    # Over HTTP/2 other calls share the connection, and each frame names its response.
    is_http_1 = response.extensions.get("http_version") in (b"HTTP/1.1", b"HTTP/1.0")
    return response.extensions.get("network_stream") if is_http_1 else None
