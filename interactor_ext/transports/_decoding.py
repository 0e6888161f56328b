"""Decodes compressed bodies in small pieces, up to a limit: a few kilobytes may decompress to more than the memory.

Only codings whose decoders can stop in the midst of a chunk are offered to the server and accepted from it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import httpx

ACCEPT_ENCODING = "gzip, deflate"
_PIECE = 64 * 1024
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BodyRefused(httpx.DecodingError):
    """The body is too large, or its encoding has no decoder that can stop at a limit."""


class BodyBuffer:
    """The decoded body of a response, collected up to a limit.

    Raises httpx.DecodingError where it cannot be unpacked, or may not.
    """

    def __init__(self, response: httpx.Response, limit: int) -> None:
        self._began = time.perf_counter()
        self._response = response
        self._inflaters = inflaters_of(response)
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        for piece in _unpacked(chunk, self._inflaters) if self._inflaters else (chunk,):
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(self._limit)
            self._chunks.append(piece)

    def finish(self) -> None:
        """Give the response its body."""
        self._response.stream = httpx.ByteStream(b"".join(self._chunks))
        self._response.read()
        # httpx sets it when it reads a body itself.
        self._response.elapsed = timedelta(seconds=time.perf_counter() - self._began)


class DecodedStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a compressed stream, in pieces of which each is small."""

    def __init__(self, stream: Any, inflaters: Sequence[_Inflater]) -> None:
        self._stream = stream
        self._inflaters = inflaters

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield from _unpacked(chunk, self._inflaters)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for piece in _unpacked(chunk, self._inflaters):
                yield piece

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def inflaters_of(response: httpx.Response) -> list[_Inflater]:
    """What undoes the encodings of a body, the last one first. Takes the header away: httpx would decode it as well."""
    # To look up a header in httpx's way costs three times as much.
    for name, _ in response.headers.raw:
        if len(name) == 16 and name.lower() == b"content-encoding":
            names = [name.strip().lower() for name in response.headers.pop("content-encoding").split(",")]
            return [_inflater(name) for name in reversed(names) if name not in ("", "identity")]
    return []


def too_large(limit: int) -> BodyRefused:
    return BodyRefused(
        f"it has more than {limit} bytes, which is max_response_size. Ask for less at once, by a smaller per_page "
        "for instance, or raise max_response_size= of the client if you trust the server"
    )


def _unpacked(chunk: bytes, inflaters: Sequence[_Inflater]) -> Iterator[bytes]:
    if not inflaters:
        yield chunk
        return
    for piece in inflaters[0].pieces(chunk):
        yield from _unpacked(piece, inflaters[1:])


class _Inflater:
    def __init__(self, window: int) -> None:
        self._inflate = zlib.decompressobj(window)
        # Some servers send "deflate" without the header that it should have.
        self._may_be_raw = window == zlib.MAX_WBITS

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                if not self._may_be_raw:
                    raise httpx.DecodingError(str(error)) from error
                self._may_be_raw = False
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                continue
            self._may_be_raw = False
            if piece:
                yield piece
            packed = self._inflate.unconsumed_tail
            if not packed and len(piece) < _PIECE:
                return


def _inflater(name: str) -> _Inflater:
    if name not in _WINDOWS:
        raise BodyRefused(
            f"it is packed as {name[:40]!r}, which was not asked for, since it cannot be unpacked within a limit. "
            f"Have the server, or what stands in between, obey the request's `Accept-Encoding: {ACCEPT_ENCODING}`"
        )
    return _Inflater(_WINDOWS[name])
