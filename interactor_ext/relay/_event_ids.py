"""Ids of the relay's events: encrypted ids of the platform, valid in every process of a backend.

An id is encrypted with a key derived from the client secret, as in SIV (RFC 5297): a digest of the position serves as
both authentication tag and nonce. The same event therefore has the same id everywhere, and an id that was made up, or
comes from another room or tenant, is invalid.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, shake_256
from hmac import compare_digest
from typing import NamedTuple

_TAG_BYTES = 16


class Position(NamedTuple):
    """A position in a stream of the platform: after the `number`th event that has this id.

    Number 0 means after all of them, and -1 after the end of the stream.
    """

    id: str
    number: int

    def repeats(self, resume: Position) -> bool:
        """Whether a reader that resumes there already has the event. Numbers without an id only apply to one
        connection.
        """
        return self.id == resume.id != "" and self.number <= resume.number


END = Position("", -1)


class EventIds:
    """The event ids of one stream."""

    def __init__(self, secret: str, *stream: str) -> None:
        root = blake2b(secret.encode("utf-8", "surrogatepass"), person=b"relay event ids", digest_size=32).digest()
        name = "\0".join(stream).encode("utf-8", "surrogatepass")
        self._key = blake2b(name, key=root, digest_size=32).digest()

    def encode(self, position: Position) -> str:
        text = f"{position.number}:{position.id}".encode("utf-8", "replace")
        tag = self._tag(text)
        return urlsafe_b64encode(tag + self._mask(tag, text)).decode().rstrip("=")

    def line(self, position: Position) -> bytes:
        """Return the `id:` field of an event."""
        return f"id: {self.encode(position)}\n".encode()

    def decode(self, text: str) -> Position | None:
        """Return the position, or None if `text` isn't an id of this stream."""
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
    """Number the events of one connection that share an id. Without ids, numbers start at a random value, so no other
    connection uses them for different events.
    """

    def __init__(self) -> None:
        self._last = Position("", secrets.randbits(48))

    def next(self, event_id: str) -> Position:
        number = self._last.number + 1 if event_id == self._last.id else 1
        self._last = Position(event_id, number)
        return self._last
