"""One request and its response over HTTP/1.1. h11 decides what is valid. Knows no socket and no clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import h11
import httpx

# h11's default is 16 KiB, but some servers set more cookies than that.
_MAX_HEAD = 100 * 1024
PIECE = 64 * 1024
"""The number of bytes to read or write at once."""


class Head(NamedTuple):
    """Status line and headers of a response."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    version: bytes


class Exchange:
    """Turns a request into bytes, and received bytes into the response.

    Raises httpx.LocalProtocolError if the request violates HTTP, and httpx.RemoteProtocolError if the response does.
    """

    def __init__(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.head: Head | None = None
        """The head of the final response, once it has arrived; informational responses (1xx) are skipped."""
        self.is_complete: bool = False
        self._request = method, target, headers
        self._parser: h11.Connection | None = None
        self._body: list[bytes] = []
        self._is_cut_off = False

    def at_once(self, stream: Any) -> bytes | None:
        """The whole request, if its body is in memory and small. Otherwise it must be sent in pieces."""
        if isinstance(stream, httpx.ByteStream) and len(content := b"".join(stream)) <= PIECE:
            return self.whole(content)
        return None

    def pieces(self, stream: Any) -> Iterator[bytes]:
        """The request with this body in pieces of at most `PIECE` bytes."""
        yield self._begin()
        for chunk in stream:
            yield from _cut(self._more(chunk))
        yield from _cut(self._end())

    async def pieces_async(self, stream: Any) -> AsyncIterator[bytes]:
        """The same for an async body."""
        yield self._begin()
        async for chunk in stream:
            for piece in _cut(self._more(chunk)):
                yield piece
        for piece in _cut(self._end()):
            yield piece

    def whole(self, content: bytes) -> bytes:
        """The whole request."""
        return self._begin() + self._more(content) + self._end()

    def cut_off(self) -> None:
        """Note that the rest of the request won't be sent."""
        self._is_cut_off = True

    def receive(self, data: bytes) -> None:
        """Process bytes that were read from the connection; b"" means its end."""
        parser = self._parser
        assert parser is not None
        try:
            parser.receive_data(data)
            while not self.is_complete:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            is_closed = not data and self.head is None
            problem = "the server closed the connection without a response" if is_closed else str(error)
            raise httpx.RemoteProtocolError(problem) from error

    @property
    def is_followed(self) -> bool:
        """Whether bytes were received after a complete response."""
        return self._parser is not None and self._parser.trailing_data[0] != b""

    def take(self) -> bytes:
        """Returns the part of the body that has arrived since the last call."""
        body = self._body
        if not body:
            return b""
        self._body = []
        return body[0] if len(body) == 1 else b"".join(body)

    @property
    def can_reuse(self) -> bool:
        """Whether the connection can serve another request: both sides have finished, and no byte follows the response.
        Such a byte would be taken for the next response.
        """
        parser = self._parser
        return (
            parser is not None
            and parser.our_state is h11.DONE
            and parser.their_state is h11.DONE
            and parser.trailing_data == (b"", False)
            and not self._is_cut_off
            and not (self.head is not None and self.head.status in (204, 304) and announces_body(self.head.headers))
        )

    def _begin(self) -> bytes:
        method, target, headers = self._request
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        try:
            request = h11.Request(method=method, target=target, headers=headers)
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        return self._sent(request)

    def _more(self, chunk: bytes) -> bytes:
        return self._sent(h11.Data(data=chunk)) if chunk else b""

    def _end(self) -> bytes:
        return self._sent(h11.EndOfMessage())

    def _sent(self, event: h11.Event) -> bytes:
        assert self._parser is not None
        try:
            return self._parser.send(event) or b""
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error

    def _take(self, event: object) -> None:
        match event:
            case h11.Data(data=data):
                self._body.append(bytes(data))
            case h11.Response():
                version = b"HTTP/" + event.http_version
                self.head = Head(event.status_code, event.reason, event.headers.raw_items(), version)
            case h11.EndOfMessage():
                self.is_complete = True
            case h11.PAUSED if self.head is None:
                raise httpx.RemoteProtocolError("the server switched to another protocol")
            case h11.PAUSED:  # after a response to CONNECT
                self.is_complete = True


def _cut(data: bytes) -> list[bytes]:
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


def announces_body(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the headers of a response that can't have a body announce one. It may be sent nevertheless."""
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"transfer-encoding" or (lowered == b"content-length" and value.strip() != b"0"):
            return True
    return False
