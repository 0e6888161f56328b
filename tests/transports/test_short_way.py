"""The short way of reading a response against h11: the same response or the same error, for any bytes, cut anywhere.

The bytes are ordinary responses with a few changes, so that most of them are almost right.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.short_way import ShortExchange
from tests.support.cases import NIGHTLY

JSON = b'{"data":{"id":"asst_1","name":"Bot","system_prompt":"Be brief.","tools":[]}}'
GZIP = gzip.compress(JSON, mtime=0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SEEDS = [
    (b"GET", HEAD + b"Content-Length: 76\r\n\r\n" + JSON),
    (b"POST", b"HTTP/1.1 201 \r\ncontent-length:76\r\nConnection: keep-alive\r\nx:\r\n\r\n" + JSON),
    (b"GET", HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP),
    (b"GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"),
    (b"DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
    (b"HEAD", HEAD + b"Content-Length: 76\r\n\r\n"),
    (b"GET", HEAD + b"Transfer-Encoding: chunked\r\n\r\n4c\r\n%b\r\n1\r\n\n\r\n0\r\n\r\n" % JSON),
    (b"GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nid: 1\ndata: {}\n\nid: 2\ndata: {}\n\n"),
]
# What may be put in the place of what the patterns find; %d is what was there.
SWAPS = {
    rb"HTTP/1\.1": b"HTTP/1.0|HTTP/1.2|HTTP/2|http/1.1| HTTP/1.1|\r\nHTTP/1.1|HTTP/1.1 ".split(b"|"),
    rb"(?<= )\d{3}(?= )": b"000|099|100|101|199|204|205|304|599|600|999".split(b"|"),
    rb"(?<= )[A-Z][\w ]*(?=\r\n)": b"|\t |\xe9|\x00|\x0b|\x0c|\x7f|a\rb".split(b"|"),
    rb"(?<=:)\s?\d+": b"|+%d|-%d|0%d|\t%d \t|\x0b%d|%d\x0c|%d, %d|%d,2|1_0|0x2|99999999999999999999".split(b"|"),
    rb"\r\n": b"|\n|\r|\r\r\n|\n\r\n|\r\n\n|\n\n| \r\n|\x0b\r\n|\x00\r\n".split(b"|"),
    rb"[\w-]+(?=:)": b"|Content-Length|Transfer-Encoding|Connection|a b|a\xff|a_b|a | a".split(b"|"),
    rb"keep-alive|close|chunked|gzip|json": b"close|Keep-Alive|keep-alive, CLOSE|cHunked|gzip, chunked".split(b"|"),
    rb":": b"| :|::|:\x0b|:\x00|: \xff|:\x1c|:\n |:\r\n ".split(b"|"),
}
LINES = [
    *(b"Content-Length: 2", b"Content-Length: 76", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"),
    *(b"Connection: close", b"Connection: Keep-Alive", b"connection: keep-alive, Close", b"Connection: upgrade"),
    *b"| folded|\tfolded: x|x|:x|x: a\tb |x: \xff|HTTP/1.1 100 Continue".split(b"|"),
    *b"x: a\x01b|x: a\x0bb|x: a\x0cb|x: a\x00b".split(b"|"),
]
AFTER = [b"\n", b"\r\n", b"\x00", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"]


@dataclass(frozen=True)
class Outcome:
    head: Any
    body: bytes
    is_complete: bool
    can_reuse: bool
    has_failed: bool = False

    def of_caller(self) -> Any:
        """How much of a response comes before its error depends on where the bytes were cut."""
        return self.has_failed or self


def drive(exchange: Exchange, pieces: list[bytes]) -> Outcome:
    """What comes of these bytes. An empty piece is the end of the connection."""
    left = list(pieces)
    exchange.whole(b"")
    head, body = None, b""
    while left and not exchange.is_complete:
        try:
            exchange.receive(left.pop(0))
        except httpx.RemoteProtocolError:
            return Outcome(head, body, False, False, True)
        head = exchange.head
        body += exchange.take()
    # A connection with something left to read isn't used again.
    return Outcome(head, body, exchange.is_complete, exchange.is_complete and exchange.can_reuse and not left)


def almost(random: Random, data: bytes) -> bytes:
    """These bytes, changed in up to three places."""
    for _ in range(random.choice([0, 1, 1, 1, 1, 2, 2, 3])):
        at = random.randint(0, len(data))
        match random.choice(["swap", "swap", "line", "line again", "insert", "remove", "end", "after"]):
            case "swap":
                found = random.choice([*re.finditer(random.choice([*SWAPS]), data)] or [None])
                if found is not None:
                    new = random.choice(SWAPS[found.re.pattern]).replace(b"%d", found[0].strip())
                    data = data[: found.start()] + new + data[found.end() :]
            case "line" | "line again" as change:
                lines = data.splitlines(keepends=True) or [b""]
                line = random.randrange(len(lines))
                lines.insert(line, lines[line] if change == "line again" else random.choice(LINES) + b"\r\n")
                data = b"".join(lines)
            case "insert":
                data = data[:at] + random.randbytes(1) + data[at:]
            case "remove":
                data = data[:at] + data[at + random.randint(1, 3) :]
            case "end":
                data = data[:at]
            case "after":
                data += random.choice(AFTER)
    return data


def cut(random: Random, data: bytes) -> list[bytes]:
    """As one piece, byte by byte, or in up to four pieces."""
    bounds = random.choice([range(1, len(data)), random.choices(range(len(data) + 1), k=random.randint(0, 3))])
    return [data[start:end] for start, end in pairwise(sorted({0, *bounds, len(data)}))]


@pytest.mark.full
@settings(max_examples=50_000 if NIGHTLY else 2_000)
@given(st.randoms(use_true_random=True))
def test_any_bytes_are_read_as_by_h11_however_they_are_cut(random: Random) -> None:
    method, response = random.choice(SEEDS)
    received = almost(random, response)
    end = random.choice([[], [], [b""]])
    pieces = [*cut(random, received), *end]
    note(f"{method!r}: {pieces}")
    request = method, b"/", [(b"Host", b"x")]
    expected = drive(Exchange(*request), pieces)
    assert drive(ShortExchange(*request), pieces) == expected
    assert drive(Exchange(*request), [*filter(None, [received]), *end]).of_caller() == expected.of_caller()
