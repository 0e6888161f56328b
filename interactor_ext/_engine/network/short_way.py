"""A fast path for ordinary requests and responses: with h11, they take half of the time of a call.

It accepts only what leaves no room for interpretation. Everything else is replayed into h11 from the first byte, so h11
still decides what is valid.
"""

from __future__ import annotations

import re

import httpx

from interactor_ext._engine.network.http1 import Exchange, Head

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"(?:[!-~]+(?: +[!-~]+)*)?"
_REQUEST = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:%b: %b\r\n)+\r\n" % (_TOKEN, _VALUE))
_RESPONSE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) (%b)\r\n((?:%b: %b\r\n)+)\r\n" % (_VALUE, _TOKEN, _VALUE))
_FIELD = re.compile(rb"(%b): (%b)\r\n" % (_TOKEN, _VALUE))
_LENGTH = re.compile(rb"[0-9]{1,15}")
_START = b"HTTP/1.1 "
_END = b"\r\n\r\n"
_MAX_HEAD = 16 * 1024
_ODD = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"})
_WITHOUT_BODY = frozenset({204, 304})
# Names of other lengths needn't be lowered, which saves 2 us for a response with 20 headers.
_LENGTHS = frozenset(map(len, (b"content-length", b"connection", *_ODD)))


class ShortExchange(Exchange):
    """An `Exchange` that uses h11 only if it must."""

    def __init__(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(method, target, headers)
        self._content = b""
        self._received = b""
        self._missing = -1
        """Bytes of the body that are still missing on the fast path; negative if too many have come."""

    def whole(self, content: bytes) -> bytes:
        request = _ordinary_request(*self._request, content)
        if request is None:
            return super().whole(content)
        self._content = content
        return request

    def receive(self, data: bytes) -> None:
        if self._parser is not None:
            super().receive(data)
        elif self.head is not None:
            if not data:
                raise httpx.RemoteProtocolError(f"the server closed the connection {self._missing} bytes too early")
            self._add(data)
        else:
            self._received = received = self._received + data
            end = received.find(_END)
            response = _ordinary_response(received[: end + 4]) if data and end >= 0 else None
            if response is not None:
                self.head, self._missing = response
                self._received = b""
                self._add(received[end + 4 :])
            elif not data or end >= 0 or _is_odd(received):
                super().whole(self._content)
                self._received = b""
                super().receive(received)
                if not data:
                    super().receive(b"")

    @property
    def can_reuse(self) -> bool:
        return super().can_reuse if self._parser is not None else self._missing == 0 and not self._is_cut_off

    def _add(self, data: bytes) -> None:
        missing = self._missing
        if data:
            self._body.append(data if len(data) <= missing else data[:missing])
        self._missing = missing - len(data)
        self.is_complete = self._missing <= 0


def _ordinary_request(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], content: bytes) -> bytes | None:
    """The bytes of a request, or None if h11 must decide."""
    if method in (b"HEAD", b"CONNECT"):
        return None
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    hosts, length = 0, b"0"
    for name, value in headers:
        match name.lower():
            case b"host":
                hosts += 1
            case b"content-length":
                length = value
            case b"connection" if value != b"keep-alive":
                return None
            case odd if odd in _ODD:
                return None
        lines.append(b"%b: %b" % (name, value))
    head = b"\r\n".join(lines) + _END
    # A line break within a value would make two fields of one.
    is_plain = hosts == 1 and length == b"%d" % len(content) and head.count(b"\n") == len(lines) + 1
    return head + content if is_plain and _REQUEST.fullmatch(head) else None


def _ordinary_response(head: bytes) -> tuple[Head, int] | None:
    """The head of a response and the length of its body, or None if h11 must decide."""
    found = _RESPONSE.fullmatch(head)
    if found is None:
        return None
    status = int(found[1])
    headers: list[tuple[bytes, bytes]] = _FIELD.findall(found[3])
    length: int | None = None
    for name, value in headers:
        if len(name) not in _LENGTHS:
            continue
        match name.lower():
            case b"content-length":
                if length is not None or _LENGTH.fullmatch(value) is None:
                    return None
                length = int(value)
            case b"connection" if value.lower() != b"keep-alive":
                return None
            case odd if odd in _ODD:
                return None
    if length is None or status in _WITHOUT_BODY:
        return None
    return Head(status, found[2], headers, b"HTTP/1.1"), length


def _is_odd(received: bytes) -> bool:
    """Whether the received part of a head can't become an ordinary one. h11 also accepts bare line feeds."""
    return (
        received[: len(_START)] != _START[: len(received)]
        or len(received) > _MAX_HEAD
        or received.count(b"\n") != received.count(b"\r\n")
    )
