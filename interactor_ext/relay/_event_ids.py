"""Ids of the relay's events: they hold the platform's own id, unreadable, and are good in every process of a backend.

An id is made with a key derived from the client secret, in the manner of SIV (RFC 5297): a digest of the position is
its authentication and the nonce of its encryption. So the same event has the same id everywhere, and an id that was
made up, or is another room's or tenant's, is none.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, shake_256
from hmac import compare_digest
from typing import NamedTuple

_TAG_BYTES = 16


class Position(NamedTuple):
    """A place in a stream of the platform: after the event with this id, the `number`th that has it.

    After all of them for the number 0; after the end of the stream for -1.
    """

    id: str
    number: int

    def repeats(self, resume: Position) -> bool:
        """Whether a reader that resumes there has the event. A number without an id is of one connection."""
        return self.id == resume.id != "" and self.number <= resume.number


END = Position("", -1)


class EventIds:
    """The ids of one stream."""

    def __init__(self, secret: str, *stream: str) -> None:
        root = blake2b(secret.encode("utf-8", "surrogatepass"), person=b"relay event ids", digest_size=32).digest()
        name = "\0".join(stream).encode("utf-8", "surrogatepass")
        self._key = blake2b(name, key=root, digest_size=32).digest()

    def encode(self, position: Position) -> str:
        text = f"{position.number}:{position.id}".encode("utf-8", "replace")
        tag = self._tag(text)
        return urlsafe_b64encode(tag + self._mask(tag, text)).decode().rstrip("=")

    def line(self, position: Position) -> bytes:
        """The field of an event."""
        return f"id: {self.encode(position)}\n".encode()

    def decode(self, text: str) -> Position | None:
        """The position; None for what is no id of this stream."""
        try:
            sent = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            return None
        tag = sent[:_TAG_BYTES]
        plain = self._mask(tag, sent[_TAG_BYTES:])
        if not compare_digest(tag, self._tag(plain)):
            return None
        number, _, upstream = plain.decode().partition(":")
        return Position(upstream, int(number))

    def _tag(self, text: bytes) -> bytes:
        return blake2b(text, key=self._key, digest_size=_TAG_BYTES).digest()

    def _mask(self, tag: bytes, text: bytes) -> bytes:
        stream = shake_256(self._key + tag).digest(len(text))
        return bytes(a ^ b for a, b in zip(text, stream, strict=True))


class Numbering:
    """Tells the events of one connection that share an id apart. Where there are no ids at all, the numbers begin
    anywhere: no other connection gives them to other events.
    """

    def __init__(self) -> None:
        self._last = Position("", secrets.randbits(48))

    def next(self, event_id: str) -> Position:
        number = self._last.number + 1 if event_id == self._last.id else 1
        self._last = Position(event_id, number)
        return self._last
