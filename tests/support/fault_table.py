"""Faults of networks and servers, and the expected outcome of a call for each.

`read`, `create` (no idempotency key), `keyed` (with one) and `delete` say how the call ends: "ok", or the name of the
error. `sent` is how often the server saw each, in that order; None where it can't know.
"""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass, field

from tests.support.scripted_server import (
    BAD_GZIP,
    GOOD_BODY,
    HEAD,
    Action,
    Connection,
    answer_with,
    error,
    fine,
    head,
    reply,
    send_and,
    slow,
    token,
)

RETRIES = 1
ALL = RETRIES + 1


@dataclass(frozen=True)
class Fault:
    name: str
    read: str
    create: str
    keyed: str
    delete: str
    sent: tuple[int, int, int, int] | None
    script: list[Action] = field(default_factory=lambda: [fine])
    token_script: list[Action] = field(default_factory=lambda: [fine])
    timeout: float = 60.0
    """Short if the fault makes the client wait."""
    where: str = "server"

    def outcome(self, call: str) -> str:
        return str(getattr(self, call))

    def times_sent(self, call: str) -> int | None:
        return None if self.sent is None else self.sent[CALLS.index(call)]


CALLS = ["read", "create", "keyed", "delete"]
SHORT = 2.0
"""For faults that make the client wait. Long compared with sending a request on a busy machine."""


def always(name: str, outcome: str, *script: Action, sent: tuple[int, int, int, int], timeout: float = 60.0) -> Fault:
    return Fault(name, outcome, outcome, outcome, outcome, sent, list(script), timeout=timeout)


def lost(name: str, outcome: str, *script: Action, timeout: float = 60.0) -> Fault:
    """The request may have arrived: all but the unkeyed POST are retried, in vain."""
    return always(name, outcome, *script, sent=(ALL, 1, ALL, ALL), timeout=timeout)


def final(name: str, outcome: str, *script: Action) -> Fault:
    """Not worth another attempt."""
    return always(name, outcome, *script, sent=(1, 1, 1, 1))


def passing(name: str, create: str, *script: Action) -> Fault:
    """Over after one request. `create` is how the unkeyed POST ends, which may have arrived."""
    return Fault(name, "ok", create, "ok", "ok", (2, 2 if create == "ok" else 1, 2, 2), [*script, fine])


def without_token(name: str, outcome: str, *script: Action, timeout: float = 60.0) -> Fault:
    return Fault(name, outcome, outcome, outcome, outcome, (0, 0, 0, 0), token_script=list(script), timeout=timeout)


def stall(connection: Connection) -> None:
    connection.stall()


def reset(connection: Connection) -> None:
    connection.reset()


HALF = GOOD_BODY[:40]
HTML = reply(502, b"<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
YESTERDAY = email.utils.formatdate(time.time() - 86400, usegmt=True)

FAULTS = [
    # No connection.
    Fault("refused", *["APIConnectionError"] * 4, None, where="refusing"),
    Fault("never accepted", *["APITimeoutError"] * 4, None, timeout=SHORT, where="deaf"),
    Fault("a TLS handshake that stalls", *["APITimeoutError"] * 4, None, timeout=SHORT, where="mute"),
    # A connection, and no response.
    lost("reset before the headers", "APIConnectionError", send_and(b"", reset)),
    lost("closed without a word", "APIConnectionError", send_and(b"")),
    lost("silence", "APITimeoutError", send_and(b"", stall), timeout=SHORT),
    lost("silence within the headers", "APITimeoutError", send_and(HEAD[:30], stall), timeout=SHORT),
    lost("trickling headers", "APITimeoutError", send_and(HEAD + b"x: ", lambda c: c.drip(b"x")), timeout=SHORT),
    lost("reset within the headers", "APIConnectionError", send_and(HEAD[:30], reset)),
    lost("garbage", "APIConnectionError", send_and(b"\x00\xff\x16\x03garbage\r\n\r\n")),
    lost("an unwanted upgrade", "APIConnectionError", send_and(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", stall)),
    # A success with no body or half of one. The unkeyed POST has been done, and isn't repeated.
    lost("silence within the body", "APITimeoutError", send_and(head(500) + HALF, stall), timeout=SHORT),
    lost("a trickling body", "APITimeoutError", send_and(head(10**6) + HALF, lambda c: c.drip(b" ")), timeout=SHORT),
    lost("reset within the body", "APIConnectionError", send_and(head(500) + HALF, reset)),
    lost("a body cut short", "APIConnectionError", send_and(head(500) + HALF)),
    # A wrong body. DELETE doesn't look at it.
    Fault("bad gzip", *["APIConnectionError"] * 4, (1, 1, 1, 1), [send_and(BAD_GZIP)]),
    Fault("too short a length", *["ResponseValidationError"] * 3, "ok", (1, 1, 1, 1), [send_and(head(40) + GOOD_BODY)]),
    Fault("HTML", *["ResponseValidationError"] * 4, (1, 1, 1, 1), [reply(200, b"<html>")]),
    Fault("no UTF-8", *["ResponseValidationError"] * 3, "ok", (1, 1, 1, 1), [reply(200, b'{"data":"\xff\xfe"}')]),
    Fault("nothing", *["ResponseValidationError"] * 3, "ok", (1, 1, 1, 1), [reply(200)]),
    Fault("deep JSON", *["ResponseValidationError"] * 3, "ok", (1, 1, 1, 1), [reply(200, b"[" * 100_000)]),
    # Statuses.
    passing("429 once", "ok", error(429, "RATE_LIMITED")),
    passing("429 once, to be retried at once", "ok", error(429, "RATE_LIMITED", retry_after="0")),
    passing("429 once, with nonsense", "ok", error(429, "RATE_LIMITED", retry_after="-1e999, soon")),
    passing("429 once, with a date gone by", "ok", error(429, "RATE_LIMITED", retry_after=YESTERDAY)),
    passing("429 once, without its body", "ok", send_and(b"HTTP/1.1 429 No\r\ncontent-length: 99\r\n\r\n{", reset)),
    passing("503 once", "ServerError", error(503)),
    passing("502 once", "ServerError", HTML),
    passing("504 once", "ServerError", reply(504)),
    passing("reset once", "APIConnectionError", send_and(b"", reset)),
    always("429 for ever", "RateLimitError", error(429, "RATE_LIMITED"), sent=(ALL, ALL, ALL, ALL)),
    final("429 for an hour", "RateLimitError", error(429, "RATE_LIMITED", retry_after="3600")),
    lost("503 for ever", "ServerError", error(503)),
    lost(
        "503 without its body",
        "ServerError",
        send_and(b"HTTP/1.1 503 No\r\ncontent-length: 99\r\n\r\n{", stall),
        timeout=SHORT,
    ),
    lost("502 and bad gzip", "ServerError", answer_with(BAD_GZIP.replace(b"200 OK", b"502 No"))),
    final("500", "ServerError", error(500)),
    final("520", "ServerError", reply(520, b"<html>", content_type="text/html")),
    final("999", "APIStatusError", reply(999)),
    final("422", "ValidationError", error(422, "VALIDATION_ERROR")),
    final("403 and HTML", "PermissionDeniedError", reply(403, b"<html>", content_type="text/html")),
    final("a redirect", "APIStatusError", reply(302, location="/elsewhere")),
    # Odd, but correct.
    final("interim responses", "ok", lambda c, r: c.send(b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n") or fine(c, r)),
    # The token.
    Fault("a slow token", *["ok"] * 4, (1, 1, 1, 1), token_script=[slow(0.2, fine)]),
    Fault("a token after a 503", *["ok"] * 4, (1, 1, 1, 1), token_script=[error(503), fine]),
    Fault("a token after a reset", *["ok"] * 4, (1, 1, 1, 1), token_script=[send_and(b"", reset), fine]),
    Fault("a token that has expired", *["ok"] * 4, (1, 1, 1, 1), token_script=[token(expires_in=0)]),
    without_token("a token never", "APITimeoutError", send_and(b"", stall), timeout=SHORT),
    without_token("a token refused", "AuthenticationError", error(401, "invalid_client")),
    without_token("no token in it", "ResponseValidationError", reply(200, {"data": {}})),
    without_token("a token of garbage", "APIConnectionError", send_and(b"\x00\xff\r\n\r\n")),
    always("401 for ever", "AuthenticationError", error(401, "AUTH_ERROR"), sent=(2, 2, 2, 2)),
]
