"""Signs and verifies webhook deliveries: HMAC-SHA256 over the raw body.

The signature covers **only the body**. `X-Interactor-Timestamp` is not authenticated, so anyone who captures a delivery
can send it again with a fresh timestamp, and it passes verification. The tolerance reveals honest delays and skewed
clocks. A replay is stopped by the `idempotency_key` inside the signed body, and a store that remembers it
(`WebhookRouter` with `SQLiteEventStore`, `RedisEventStore` or `PostgresEventStore`).
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Never, Self

from interactor_client.advised import Advised
from interactor_ext._engine.arguments import at_least
from interactor_ext._engine.errors import ConfigurationError, WebhookVerificationError
from interactor_ext._interactor import models
from interactor_ext.webhooks._headers import EVENT, SIGNATURE, TIMESTAMP, Headers, signature_and_timestamp
from interactor_ext.webhooks.events import Body, raw_body, read_event

Secret = str | bytes

_PREFIX: Final = "sha256="
_HEX_DIGEST: Final = re.compile("[0-9a-f]{64}")
_PREFIXED_LENGTH: Final = len(_PREFIX) + 64
_MAX_TIMESTAMP_LENGTH: Final = 40

# Not a parameter of `verify`, because users override that method in their own verifiers.
REMEMBERED: Final[ContextVar[float | None]] = ContextVar("remembered", default=None)
"""For how many seconds the caller of `verify` remembers handled events; None if it doesn't."""


class _Default(int):
    """The default tolerance."""


_DEFAULT_TOLERANCE: Final = _Default(300)


def sign(
    body: Body, secret: Secret, *, timestamp: float | datetime | None = None, event: str | None = None
) -> dict[str, str]:
    """Return the headers that the platform would send with `body`.

    `timestamp` is Unix seconds or an aware datetime, now by default; the signature does not cover it. `event` adds
    `X-Interactor-Event`. Raises ConfigurationError for an empty secret, TypeError for a body that isn't raw.
    """
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: _PREFIX + _Key(secret).hexdigest(raw_body(body)),
        TIMESTAMP: str(_unix_seconds(timestamp)),
    }
    if event is not None:
        if not (event.isascii() and event.isprintable()):
            raise ValueError("An event type in a header must be printable ASCII.")
        headers[EVENT] = event
    return headers


class WebhookVerifier(Advised, calls=True):
    """Checks that a delivery comes from a sender who knows the webhook's secret, then reads its event.

    `secrets` is one secret or several, the newest first; any of them is accepted (see `rotate_secret`). White space
    around a secret, such as the newline of a file, is ignored.
    `tolerance` is how many seconds the delivery's timestamp may differ from `clock`, in either direction; None requires
    no timestamp. Unless you set it, a `WebhookRouter` with a store or queue accepts timestamps as old as that remembers
    events: the header may be the time of the event, whose last attempt comes almost 3 h later. Signatures are hex, with
    or without `sha256=`, over the body or over `{timestamp}.{body}`; with several headers or signatures, one match is
    enough. Two different timestamp headers are refused.

    The signature only covers the body, not the timestamp, so this class can't stop a replay: remember the
    `idempotency_key` of handled events, as `WebhookRouter` does with its store.
    """

    def __init__(
        self,
        secrets: Secret | Iterable[Secret],
        *others: Never,
        tolerance: float | None = _DEFAULT_TOLERANCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if others:
            raise TypeError('Pass several secrets as one argument, the newest first: WebhookVerifier(["new", "old"]).')
        self._keys = _keys(secrets)
        if tolerance is not None:
            at_least(0, tolerance, "The tolerance in seconds")
        self._tolerance = tolerance
        self.clock = clock

    def __repr__(self) -> str:
        return f"WebhookVerifier({len(self._keys)} secret(s), tolerance={self._tolerance})"

    def add_secret(self, secret: Secret) -> None:
        """Accept `secret` as well, as the newest. Safe while other threads verify."""
        key = _Key(secret)
        self._keys = (key, *(known for known in self._keys if known != key))

    def _forget(self, old: tuple[_Key, ...]) -> None:
        newest, *others = self._keys
        self._keys = (newest, *(key for key in others if key not in old))

    def forget_old_secrets(self) -> None:
        """Accept only the newest secret from now on."""
        self._keys = self._keys[:1]

    def verify(self, body: Body, headers: Headers) -> models.WebhookEvent:
        """Return the event of a genuine delivery.

        `body` is the raw body: a parsed one raises TypeError, because the signed bytes are gone. An event that does not
        fit the class of its type is an `InvalidWebhookEvent`, a subclass of `UnknownWebhookEvent` (see
        `parse_event`): keep it, or respond with 500 for a retry.

        Raises WebhookVerificationError (not genuine: respond with 401) before anything is parsed, and
        WebhookPayloadError (genuine, but it names no event: respond with 400). No other error, whatever arrives.
        """
        return read_event(self.verify_signature(body, headers))

    def verify_signature(self, body: Body, headers: Headers) -> bytes:
        """Return the raw body of a genuine delivery, unparsed. Raises WebhookVerificationError."""
        raw = raw_body(body)
        signatures, timestamps = signature_and_timestamp(headers)
        if len(timestamps) == 1 and "," in timestamps[0]:  # WSGI servers join repeated headers as "t,t"
            stamp, _, again = timestamps[0].partition(",")
            timestamps = (stamp,) if again.strip() == stamp else timestamps
        digests, keys, tolerance = _digests(signatures), self._keys, self._tolerance
        if not (_matches(keys, raw, digests) or _matches_with_timestamp(keys, raw, digests, timestamps)):
            raise WebhookVerificationError(_why_nothing_matches(keys, signatures, digests))
        if tolerance is not None:
            _check_clock(timestamps, self.clock(), tolerance)
        return raw


# Functions, because looking up a method of an `Advised` object costs 20 ns in Python 3.11.


def _matches(keys: tuple[_Key, ...], signed: bytes, digests: list[str]) -> bool:
    for key in keys:
        expected = key.hexdigest(signed)
        for digest in digests:
            if hmac.compare_digest(expected, digest):
                return True
    return False


def _matches_with_timestamp(keys: tuple[_Key, ...], raw: bytes, digests: list[str], timestamps: Sequence[str]) -> bool:
    """Verify `{timestamp}.{body}`, the public guide's scheme. No bare body looks like that: it starts with `{`."""
    if not timestamps or _parse_timestamp(timestamps[0]) is None:
        return False
    return _matches(keys, timestamps[0].encode() + b"." + raw, digests)


def _why_nothing_matches(keys: tuple[_Key, ...], signatures: Sequence[str], digests: list[str]) -> str:
    if not signatures:
        return f"The header {SIGNATURE} is missing."
    if not any(_HEX_DIGEST.fullmatch(digest) for digest in digests):
        return f"{SIGNATURE} is malformed: expected sha256= and 64 hex digits."
    return (
        f"No secret matched the signature ({len(keys)} tried). Check the webhook's secret, and "
        "that the body is the raw one: decoding and encoding it again changes its bytes."
    )


def _check_clock(timestamps: Sequence[str], now: float, tolerance: float) -> None:
    if not timestamps:
        raise WebhookVerificationError(f"The header {TIMESTAMP} is missing.")
    if len(timestamps) > 1 and len(set(timestamps)) > 1:
        raise WebhookVerificationError(f"The header {TIMESTAMP} appears more than once, with different values.")
    sent_at = _parse_timestamp(timestamps[0])
    if sent_at is None:
        raise WebhookVerificationError(f"{TIMESTAMP} is neither Unix seconds nor ISO 8601.")
    skew = sent_at - now
    limit = tolerance
    if skew < 0 and (remembered := REMEMBERED.get()) is not None and isinstance(tolerance, _Default):
        limit = remembered
    if not -limit <= skew <= limit:
        raise WebhookVerificationError(
            f"{TIMESTAMP} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's clock; "
            f"the limit is {limit:g} s."
        )


class _Key(bytes):
    """A secret, prepared once for HMAC: `hmac.digest` prepares it for each body, and is a third slower."""

    _prepared: hmac.HMAC

    def __new__(cls, secret: Any) -> Self:
        if not isinstance(secret, str | bytes):
            raise ConfigurationError(
                f"A webhook secret must be str or bytes, not {type(secret).__name__}. Is the variable set?"
            )
        secret = secret.strip()  # such as a file's last newline
        # Anyone can sign with an empty key, and a blank one usually comes from an unset variable.
        if not secret:
            raise ConfigurationError("A webhook secret must not be empty.")
        try:
            key = super().__new__(cls, secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret)
        except UnicodeEncodeError:
            # From None, because that error contains the secret.
            raise ConfigurationError("A webhook secret contains a character that UTF-8 can't represent.") from None
        key._prepared = hmac.new(key, digestmod="sha256")
        return key

    def __getstate__(self) -> None:
        """Omit the prepared key, which can't be copied or pickled."""

    def hexdigest(self, signed: bytes) -> str:
        mac = self._prepared.copy()
        mac.update(signed)
        return mac.hexdigest()


def _keys(secrets: Secret | Iterable[Secret]) -> tuple[_Key, ...]:
    is_one = isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable)
    if keys := tuple(map(_Key, (secrets,) if is_one else secrets)):
        return keys
    raise ConfigurationError("A webhook verifier needs at least one secret.")


def _digests(values: Sequence[str]) -> list[str]:
    """Return the possible digests among the header's values, in lower case."""
    if len(values) == 1 and len(values[0]) == _PREFIXED_LENGTH and values[0].isascii():
        return [values[0].removeprefix(_PREFIX).lower()]  # the usual case, 50 ns faster than the rest
    several = ",".join(values).replace("\t", ",").replace(" ", ",").split(",")
    return [value.removeprefix(_PREFIX).lower() for value in several if value.isascii()]


def _parse_timestamp(value: str) -> float | None:
    """Parse Unix seconds, whole or fractional, or ISO 8601, where no zone means UTC; None for anything else."""
    # int() and float() would also accept other scripts' digits, underscores, signs, nan and inf.
    if not value.isascii() or len(value) > _MAX_TIMESTAMP_LENGTH:
        return None
    if value.isdigit():
        return int(value)
    value = value.strip(" \t")
    if not value.isprintable():  # fromisoformat() ignores a NUL at the end
        return None
    whole, _, fraction = value.partition(".")
    if whole.isdigit() and (fraction.isdigit() or value == whole):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _unix_seconds(timestamp: float | datetime | None) -> int:
    if timestamp is None:
        return int(time.time())
    if isinstance(timestamp, datetime):
        if timestamp.tzinfo is None:
            raise ValueError("A timestamp needs a time zone.")
        return int(timestamp.timestamp())
    return int(timestamp)
