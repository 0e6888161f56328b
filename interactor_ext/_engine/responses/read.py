"""Turns a response into a model: reads and unpacks the body up to a limit and parses it, or raises the typed error.

A few kilobytes of gzip may unpack to more than the memory.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_ext._engine.call import describe_request, secrets_of
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.responses import status_error

T = TypeVar("T")

ACCEPT_ENCODING = "gzip"
"""The only coding that is requested, and not for streams. Its decoder can stop within a chunk, and every server has
it."""
_PIECE = 64 * 1024


class BodyRefused(httpx.DecodingError):
    """The body is too large, or has a coding that wasn't requested."""


class BodyBuffer:
    """Collects a response's decoded body, up to a limit.

    Raises httpx.DecodingError if the body can't be unpacked or is too large.
    """

    def __init__(self, response: httpx.Response, limit: int) -> None:
        self._began = time.perf_counter()
        self._response = response
        self._gunzip = gunzip_of(response)
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        for piece in (chunk,) if self._gunzip is None else self._gunzip.pieces(chunk):
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(self._limit)
            self._chunks.append(piece)

    def finish(self) -> None:
        """Set the response's body."""
        self._response.stream = httpx.ByteStream(b"".join(self._chunks))
        self._response.read()
        # httpx sets it when it reads a body itself.
        self._response.elapsed = timedelta(seconds=time.perf_counter() - self._began)


class Gunzip:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(str(error)) from error
            if piece:
                yield piece
            packed = self._inflate.unconsumed_tail
            if not packed and len(piece) < _PIECE:
                return


def gunzip_of(response: httpx.Response, accepted: Collection[str] = ("gzip", "x-gzip")) -> Gunzip | None:
    """Return what unpacks a body, if it is packed. Removes the header, or httpx would unpack it as well.

    Raises BodyRefused for a coding that wasn't requested.
    """
    # A lookup through httpx's headers costs three times as much.
    for name, _ in response.headers.raw:
        if len(name) == 16 and name.lower() == b"content-encoding":
            coding = response.headers.pop("content-encoding").strip().lower()
            if coding in accepted:
                return Gunzip()
            if coding not in ("", "identity"):
                raise BodyRefused(
                    f"its encoding is {coding[:40]!r}, which wasn't requested. The server, or a proxy in front of "
                    "it, must respect the request's `Accept-Encoding`"
                )
            break
    return None


def media_type(response: httpx.Response) -> str:
    """The media type without its parameters; "" if the response doesn't say."""
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def too_large(limit: int) -> BodyRefused:
    return BodyRefused(
        f"it has more than {limit} bytes, the limit of max_response_size. Request less at a time, for "
        "example with a smaller per_page, or raise the client's max_response_size= if you trust the "
        "server"
    )


def read_response(response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
    """Parse a success with `parse`.

    Raises:
        APIStatusError: the status isn't a success.
        ResponseValidationError: the body doesn't fit its model.
    """
    if not response.is_success:
        raise status_error.status_error(response)
    try:
        result = parse(response)
        if result is None and response.content and status_error.found_instead(response):
            raise DecodeError("response", "", "must be empty")
        return result
    except DecodeError as error:
        raise validation_error(response, error) from error


def validation_error(response: httpx.Response, error: DecodeError, item: Any = None) -> ResponseValidationError:
    """Make the error for a success whose body, or one item of it, doesn't fit its model.

    It only quotes the body where `error` does.
    """
    about = status_error.described(response, secrets_of(response.request))
    what = f"The response to {describe_request(response.request)}"
    instead = status_error.found_instead(response) if item is None else ""
    message = f"{what} {instead}" if instead else f"{what} doesn't fit its model: {error}"
    known = f" (request id {about['request_id']})" if about["request_id"] else ""
    invalid = ResponseValidationError(
        message + known, model=error.model, field=error.field, path=error.path, item=item, **about
    )
    invalid.message = message
    return invalid
