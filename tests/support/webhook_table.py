"""Deliveries of every kind with their responses, whatever receives them."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interactor_ext.webhooks import sign
from tests.support.webhook_deliveries import SECRET, body_of, timestamp

MAX_BODY = 1 << 20  # the default of a router
SIGNATURE, TIMESTAMP = "X-Interactor-Signature", "X-Interactor-Timestamp"
Pairs = list[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Delivery:
    """A request, and the status and word of its response. `chunk` is the size of each chunk of a chunked body."""

    name: str
    body: bytes
    headers: Pairs
    answer: tuple[int, str]
    chunk: int | None = None
    method: str = "POST"

    def chunks(self) -> Iterator[bytes]:
        assert self.chunk is not None
        return (self.body[start : start + self.chunk] for start in range(0, len(self.body), self.chunk))


def expired(key: str, **changes: Any) -> bytes:
    """An event for the handler of the recipes in docs/how-to/webhooks.md, which prints `cred_<key>`."""
    fitting = {"data": {"credential_id": f"cred_{key}", "provider": "google"}}
    return body_of("credential.expired", key, **(fitting | changes))


def signed(body: bytes, secret: str = SECRET, age: float = 0, **changed: str | bytes | None) -> Pairs:
    """Headers of a delivery. `signature` and `timestamp` replace a header, or omit it if None."""
    pairs: dict[str, str | bytes] = dict(sign(body, secret, timestamp=time.time() - age, event="credential.expired"))
    for name, value in changed.items():
        pairs.pop(f"X-Interactor-{name.title()}")
        if value is not None:
            pairs[f"X-Interactor-{name.title()}"] = value
    return list(pairs.items())


def typed(body: bytes, content_type: str | None) -> Pairs:
    pairs = dict(signed(body)) | {"Content-Type": content_type}
    return [(name, value) for name, value in pairs.items() if value is not None]


def signature_of(body: bytes, secret: str = SECRET) -> str:
    return sign(body, secret)[SIGNATURE]


def table() -> list[Delivery]:
    """Signed now. Rows with one name are in an order that matters."""
    rows: list[Delivery] = []

    def row(name: str, body: bytes, headers: Pairs, *answer: Any, **how: Any) -> None:
        rows.append(Delivery(name, body, headers, answer, **how))

    def genuine(name: str, key: str, word: str = "handled", **changed: Any) -> None:
        body = expired(key)
        row(name, body, signed(body, **changed), 200, word)

    def handled(name: str, body: bytes, headers: Pairs | None = None) -> None:
        row(name, body, signed(body) if headers is None else headers, 200, "handled")

    def refused(name: str, key: str, **changed: Any) -> None:
        body = expired(key)
        row(name, body, signed(body, **changed), 401, "not_genuine")

    now = int(time.time())
    genuine("genuine", "plain")
    genuine("genuine, with an ISO 8601 timestamp", "iso", timestamp=timestamp())
    genuine("genuine, with a fraction of a second", "fraction", timestamp=f"{now}.25")
    genuine("genuine, 200 s old", "old", age=200)
    genuine("genuine, the last attempt under the time of its event", "last", age=9_750)
    genuine("genuine, 200 s ahead of the clock", "ahead", age=-200)
    genuine("genuine, without sha256=", "bare", signature=signature_of(expired("bare"))[7:])
    genuine("genuine, in capital hex digits", "capitals", signature=signature_of(expired("capitals"))[7:].upper())
    body = expired("rotation")
    both = f"{signature_of(body, 'whsec_new')}, {signature_of(body)}"
    genuine("genuine, with signatures of two secrets", "rotation", signature=both)
    body = expired("twice")
    handled("genuine, with two signature headers", body, [(SIGNATURE, signature_of(body, "whsec_new")), *signed(body)])
    body = expired("stamps")
    handled("genuine, with the timestamp twice", body, [*signed(body, timestamp=str(now)), (TIMESTAMP, str(now))])
    body = expired("guide")
    guide = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    genuine("genuine, in the scheme of the public guide", "guide", signature=f"sha256={guide}", timestamp=str(now))
    genuine("genuine, without X-Interactor-Event", "nameless", event=None)
    genuine("genuine, under the name of another event", "misnamed", event="room.message.created")
    body = expired("shouted")
    handled("genuine, with names in capitals", body, [(name.upper(), each) for name, each in signed(body)])

    applications = ("json; charset=utf-8", "x-www-form-urlencoded", "octet-stream", "xml")
    types = [f"application/{each}" for each in applications] + ["text/plain; charset=latin-1", "multipart/form-data"]
    for number, content_type in enumerate(types):
        body = expired(f"type{number}", extra="é\u2028").replace(b", ", b" ,\r\n\t")
        row(f"genuine, as {content_type}", body, typed(body, content_type), 200, "handled")
    body = expired("untyped")
    handled("genuine, without Content-Type", body, typed(body, None))
    body = expired("raw", namespace="ü").replace(b'"\\u00fc"', '"usér_\u2028"'.encode())
    handled("genuine, with raw UTF-8", body)
    handled("genuine, with a byte order mark", b"\xef\xbb\xbf" + expired("marked"))
    body = expired("largest", padding="").replace(b'"padding": ""', b'"padding": "%s"')
    body %= b"x" * (MAX_BODY - len(body) + 2)
    handled("genuine, as large as allowed", body)
    handled("genuine, of the default namespace", expired("tenant", namespace=None))
    handled("genuine, of an unknown time", expired("timeless", timestamp=None))

    refused("stale by 8 days", "stale", age=8 * 86_400)
    refused("stale, with a time in the future", "future", age=-400)
    refused("stale, of 1970", "zero", timestamp="0")
    refused("stale, without a timestamp", "unstamped", timestamp=None)
    refused("stale, with an empty timestamp", "empty", timestamp="")
    refused("stale, with words for a timestamp", "words", timestamp="just now")
    refused("stale, with underscores in the timestamp", "underscores", timestamp="1_700_000_000")
    refused("stale, with a timestamp that isn't ASCII", "digits", timestamp="\u0661".encode() * 10)
    body = expired("torn")
    row("stale by its second timestamp", body, [*signed(body), (TIMESTAMP, str(now - 8 * 86_400))], 401, "not_genuine")
    body = expired("replay", timestamp=timestamp(8 * 86_400))
    row("stale, an event of last week signed now", body, signed(body), 400, "too_old")

    refused("forged with another secret", "forged", secret="whsec_wrong")
    body = expired("unsigned")
    row("forged, without headers", body, [("Content-Type", "application/json")], 401, "not_genuine")
    refused("forged, without a signature", "missing", signature=None)
    refused("forged, with an empty signature", "blank", signature="")
    refused("forged, with half a signature", "half", signature=signature_of(expired("half"))[:39])
    refused("forged, under sha1=", "sha1", signature="sha1=" + signature_of(expired("sha1"))[7:47])
    refused("forged, with bytes for a signature", "bytes", signature=b"\xff\xfe")
    refused("forged with the signature of another event", "stolen", signature=signature_of(expired("plain")))
    body = expired("tampered")
    row("forged by one changed byte", body.replace(b"google", b"goggle"), signed(body), 401, "not_genuine")
    row("forged, with nothing in it", b"", [(SIGNATURE, "sha256=" + "0" * 64)], 401, "not_genuine")

    genuine("duplicate, byte for byte", "plain", "duplicate")
    genuine("duplicate under a later timestamp", "plain", "duplicate", age=-60)
    body = expired("plain", extra=1)
    row("duplicate by its key, with another body", body, signed(body), 200, "duplicate")

    for name, body, answer in (
        ("odd, without an id", b'{"event": "credential.expired"}', (400, "not_understood")),
        ("odd, no JSON", b"event=credential.expired", (400, "not_understood")),
        ("odd, in UTF-16", expired("utf16").decode().encode("utf-16"), (400, "not_understood")),
        ("odd, an array", b"[1, 2]", (400, "not_understood")),
        ("odd, signed and empty", b"", (400, "not_understood")),
        ("odd, not of its event's class", expired("wrong_type", data=7), (500, "handler_failed")),
        ("odd, of an event without a handler", body_of("room.message.created", "unheard"), (200, "ignored")),
        ("odd, of an event of the future", body_of("room.archived", "unknown"), (200, "ignored")),
    ):
        row(name, body, signed(body), *answer)

    body = b"x" * (MAX_BODY + 1)
    row("oversize by a byte", body, signed(body), 413, "body_too_large")
    row("oversize and unsigned", body * 2, [], 413, "body_too_large")
    row("oversize and chunked", body, signed(body), 413, "body_too_large", chunk=1 << 16)
    for name, secret, chunk, answer in (
        ("chunked", SECRET, 50, (200, "handled")),
        ("chunked, a duplicate", SECRET, 1 << 20, (200, "duplicate")),
        ("chunked and forged", "whsec_wrong", 50, (401, "not_genuine")),
    ):
        body = expired("chunks")
        row(name, body, signed(body, secret), *answer, chunk=chunk)
    row("with GET", b"", [], 405, "method_not_allowed", method="GET")
    body = expired("put")
    row("with PUT", body, signed(body), 405, "method_not_allowed", method="PUT")
    return rows
