"""Signing, verifying and parsing: every accepted form, and the two errors that everything else raises."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import math
import pickle
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from interactor_client import models
from interactor_ext import ConfigurationError, WebhookError, WebhookPayloadError, WebhookVerificationError, webhooks
from interactor_ext.webhooks import InvalidWebhookEvent, UnknownWebhookEvent, WebhookVerifier, parse_event, sign
from tests.support.webhook_deliveries import DATA, NOW, OLD_SECRET, SECRET, body_of, delivery, envelope

BODY = body_of(timestamp="2023-11-14T22:13:20Z")  # the same in all processes, whose names of cases hold its digest
DIGEST = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
SIGNATURE = f"sha256={DIGEST}"
STAMP = str(int(NOW))
S, T = "X-Interactor-Signature", "X-Interactor-Timestamp"
GENUINE = {S: SIGNATURE, T: STAMP}


def verifier(*secrets: str | bytes, **options: Any) -> WebhookVerifier:
    return WebhookVerifier(secrets or (SECRET,), **{"clock": lambda: NOW} | options)


def environ(headers: dict[str, str]) -> dict[str, str]:
    return {"REQUEST_METHOD": "POST"} | {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()}


def test_sign_returns_documented_headers() -> None:
    headers = sign(BODY, SECRET, timestamp=NOW, event="room.message.created")
    assert headers == {
        "Content-Type": "application/json",
        S: SIGNATURE,
        "X-Interactor-Timestamp": STAMP,
        "X-Interactor-Event": "room.message.created",
    }


def test_sign_timestamp_defaults_to_now() -> None:
    assert WebhookVerifier(SECRET, tolerance=60).verify(BODY, sign(BODY, SECRET)).id == "evt_idem_1"
    moment = datetime.fromtimestamp(NOW, UTC)
    assert sign(BODY, SECRET, timestamp=moment)["X-Interactor-Timestamp"] == STAMP
    assert sign(BODY, SECRET, timestamp=NOW + 0.9)["X-Interactor-Timestamp"] == STAMP


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, bytes.decode])
def test_body_may_be_bytes_bytearray_memoryview_or_str(form: Any) -> None:
    assert sign(form(BODY), SECRET, timestamp=NOW)["X-Interactor-Signature"] == SIGNATURE
    assert verifier().verify(form(BODY), GENUINE).id == "evt_idem_1"


@pytest.mark.parametrize("body", [envelope(), [], None, 7])
def test_parsed_body_raises_type_error_with_reason(body: Any) -> None:
    with pytest.raises(TypeError, match="raw body"):
        sign(body, SECRET)
    with pytest.raises(TypeError, match="raw body"):
        verifier().verify(body, GENUINE)


def flipped(text: str, index: int) -> str:
    return text[:index] + format(int(text[index], 16) ^ 1, "x") + text[index + 1 :]


def swap(header: str, value: Any) -> dict[str, Any]:
    return GENUINE | {header: value}


HEADER_FORMS = {
    "dict": GENUINE,
    "lower case": {name.lower(): value for name, value in GENUINE.items()},
    "upper case": {name.upper(): value for name, value in GENUINE.items()},
    "pairs": list(GENUINE.items()),
    "tuple of pairs": tuple(GENUINE.items()),
    "iterator": iter(GENUINE.items()),
    "bytes pairs, as in an ASGI scope": [(name.lower().encode(), value.encode()) for name, value in GENUINE.items()],
    "dict of bytes": {name.encode(): value.encode() for name, value in GENUINE.items()},
    "httpx": httpx.Headers(GENUINE),
    "starlette": Headers(GENUINE),
    "environ": environ(GENUINE),
    "lists of values": {name: [value] for name, value in GENUINE.items()},
    "among others": {
        "Host": "example.com",
        "X-Request-Id": "req_1",
        **GENUINE,
        "X-Interactor-Somethings": "22 characters",
    },
}


def stamped(stamp: str, prefix: str = "") -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + BODY, hashlib.sha256).hexdigest()
    return {"X-Interactor-Signature": prefix + digest, "X-Interactor-Timestamp": stamp}


ISO = datetime.fromtimestamp(NOW, UTC).isoformat()
ACCEPTED = {
    **HEADER_FORMS,
    **{
        f"signature {name}": swap(S, signature)
        for name, signature in {
            "without prefix": DIGEST,
            "in capitals": f"sha256={DIGEST.upper()}",
            "with spaces around": f" {SIGNATURE}\t",
            "second of two, comma": f"sha256={'0' * 64}, {SIGNATURE}",
            "second of two, space": f"{'0' * 64} {DIGEST}",
            "beside a scheme we do not know": f"sha512={'0' * 128},{SIGNATURE}",
        }.items()
    },
    **{
        f"timestamp {timestamp!r}": swap(T, timestamp)
        for timestamp in (
            *(ISO, ISO.replace("+00:00", "Z"), ISO.removesuffix("+00:00"), "2023-11-15T03:43:20+05:30"),
            *("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20,123456Z", f"{STAMP}.25", f" {STAMP} "),
            *(str(int(NOW) - 299), str(int(NOW) + 299), f"{STAMP}, {STAMP}"),
        )
    },
    "over timestamp and body": stamped(STAMP),
    "over timestamp and body, with prefix": stamped(STAMP, "sha256="),
    "over ISO timestamp and body": stamped(ISO),
    "over timestamp and body, the timestamp merged": stamped(STAMP) | {T: f"{STAMP},{STAMP}"},
    "second of two headers": [(S, "sha256=" + "0" * 64), *((name.lower(), value) for name, value in GENUINE.items())],
    "the same timestamp twice": [*GENUINE.items(), (T.lower(), STAMP)],
}


@pytest.mark.parametrize("headers", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_every_documented_form_of_headers_verifies(headers: Any) -> None:
    assert verifier().verify(BODY, headers).id == "evt_idem_1"


def test_any_of_several_secrets_verifies() -> None:
    for secret in (SECRET, OLD_SECRET, b"\xff\x00 bytes"):
        verifier(SECRET, OLD_SECRET, b"\xff\x00 bytes").verify(BODY, sign(BODY, secret, timestamp=NOW))
    with pytest.raises(WebhookVerificationError, match="2 tried"):
        verifier(SECRET, OLD_SECRET).verify(BODY, sign(BODY, "another", timestamp=NOW))


def test_tolerance_none_needs_no_timestamp() -> None:
    unlimited = verifier(tolerance=None)
    assert unlimited.verify(BODY, {S: SIGNATURE}).id == "evt_idem_1"
    assert unlimited.verify(BODY, GENUINE | {T: "1"}).id == "evt_idem_1"


def signed(body: bytes) -> tuple[bytes, dict[str, str]]:
    return body, sign(body, SECRET, timestamp=NOW)


# Values of one header that are refused beside all else that is right.
REFUSED: dict[str, tuple[str, list[Any]]] = {
    "no text": (S, [None, 7, {}, [None], []]),
    "nothing": (S, ["", "   ", ",,,", "sha256=", "\0", "nan", "inf"]),
    "other characters": (
        S,
        [
            *("sha256=" + each * 64 for each in ("é", "\uff10", "\ud800", "g", "0")),
            *(
                "sha256=" + "_".join(DIGEST[:32]) + "_",
                "sha256=" + " ".join(DIGEST[i : i + 2] for i in range(0, 64, 2)),
            ),
            *(SIGNATURE + "\0", SIGNATURE[:20] + "\0" + SIGNATURE[21:], SIGNATURE + "\n"),
            "sha256=mYq5Y1Zx5+6u9ZQJwz3A0k8sBq5Y1Zx5+6u9ZQJwz3A=",
        ],
    ),
    "another prefix": (
        S,
        [each + DIGEST for each in ("sha1=", "sha512=", "v1=", "sha256:", "sha256=sha256=", "SHA256=")],
    ),
    "another length": (
        S,
        [
            *(SIGNATURE[:length] for length in (-1, -2, 7 + 32)),
            *(SIGNATURE + more for more in ("0", "00", DIGEST)),
            "sha256=" + "0" * 5000,
        ],
    ),
    "another bit": (S, ["sha256=" + flipped(DIGEST, 0), "sha256=" + flipped(DIGEST, 63)]),
    "no time": (T, [None, "", " ", ",,", "\0", "yesterday", "Tue, 14 Nov 2023 22:13:20 GMT"]),
    "two times": (T, [f"{STAMP}, {int(NOW) + 1}", [STAMP, str(int(NOW) + 1)]]),
    "other digits": (T, ["é", "\ud800", "\u0661\u0667" + "\u0660" * 8, "\uff11\uff17" + "\uff10" * 8, "¹⁷"]),
    "text around a time": (T, [STAMP + "\0", "2023-11-14T22:13:20\0", "2023-11-14\t22:13:20"]),
    "no plain number": (
        T,
        [
            *("1" * 5000, "1" * 39, "nan", "inf", "-Infinity"),
            *("1_700_000_000", f"+{STAMP}", f"-{STAMP}", "1.7e9", hex(int(NOW))),
        ],
    ),
    "beyond the calendar": (
        T,
        ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2023-02-30T00:00:00Z"],
    ),
    "too far away": (
        T,
        [f"{STAMP}000", "0", *(str(int(NOW) + seconds) for seconds in (-301, 301, 31_536_000))],
    ),
}
FORGED: dict[str, tuple[Any, Any]] = {
    f"{header[13:].lower()}, {name}: {ascii(value)[:60]}": (BODY, swap(header, value))
    for name, (header, values) in REFUSED.items()
    for value in values
} | {
    "no headers": (BODY, {}),
    "no pairs": (BODY, []),
    "headers None": (BODY, None),
    "headers a number": (BODY, 7),
    "headers a text": (BODY, "X-Interactor-Signature: x"),
    "pairs of one": (BODY, [(S,)]),
    "pairs of three": (BODY, [(S, SIGNATURE, "")]),
    "names that are numbers": (BODY, {1: 2}),
    "signature missing": (BODY, {T: STAMP}),
    "signature twice, both wrong": (BODY, [(S, "sha256=" + "0" * 64), (S, "sha256=" + "1" * 64), (T, STAMP)]),
    "signature non-ASCII bytes": (BODY, [(S.encode(), b"sha256=\xff\xfe" + b"0" * 62), (T.encode(), STAMP.encode())]),
    "of another body": (BODY, sign(BODY + b" ", SECRET, timestamp=NOW)),
    "of another secret": (BODY, sign(BODY, SECRET + "x", timestamp=NOW)),
    "of the secret without its prefix": (BODY, sign(BODY, SECRET.removeprefix("whsec_"), timestamp=NOW)),
    "first bit of the body": (bytes([BODY[0] ^ 1]) + BODY[1:], GENUINE),
    "last bit of the body": (BODY[:-1] + bytes([BODY[-1] ^ 1]), GENUINE),
    "body truncated": (BODY[:-1], GENUINE),
    "body extended": (BODY + b"\n", GENUINE),
    "body empty": (b"", GENUINE),
    "body empty, as text": ("", GENUINE),
    "body of 5 MB": (b"x" * 5_000_000, GENUINE),
    "body with half a character": ("\ud800", GENUINE),
    "body parsed and written again": (json.dumps(json.loads(BODY), separators=(",", ":")).encode(), GENUINE),
    "stamped with another timestamp": (BODY, stamped(STAMP) | {T: str(int(NOW) + 1)}),
    "stamped without a timestamp": (BODY, {S: stamped(STAMP)[S]}),
    "timestamp missing": (BODY, {S: SIGNATURE}),
}

# Genuine, and named neither by type nor by key.
NOT_UNDERSTOOD: dict[str, bytes] = {
    **{f"body {each!r}": each for each in (b"", b"  \n", b"\0", b"[]", b'"event"', b"7", b"null", b'{7: "x"}', b"{}")},
    **{f"type {value!r}": body_of(event=value) for value in (..., None, "", ["room.message.created"], {})},
    **{
        f"key {key!r}, id {id_!r}": body_of(idempotency_key=key, id=id_)
        for key, id_ in ((..., ...), ("", ""), ([1], {}), (True, True))
    },
    "UTF-16": BODY.decode().encode("utf-16"),
    "invalid UTF-8": BODY.replace(b"Dana", b"D\xffna"),
    "5,000 digits inside": BODY[:-1] + b', "n": ' + b"9" * 5000 + b"}",
    "truncated JSON": BODY[:-1],
    "two objects": BODY + BODY,
    "closed too often": BODY + b"}",
    "closed by another bracket": BODY[:-1] + b"]",
    "array of events": b"[" + BODY + b"]",
    "5,000 digits": b"9" * 5000,
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep inside": BODY[:-1] + b', "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "500 KB of zeros": b"0" * 500_000,
    "500 KB of quotes": b'{"' * 250_000,
    "500 KB of quotes that are escaped": b'{"' + b'\\"' * 250_000,
    "500 KB of backslashes": b'{"' + b"\\" * 500_000,
    "type too long a number": b'{"event": ' + b"9" * 5000 + b"}",
}

MOMENT = datetime.fromtimestamp(NOW, UTC)
OLDER_FIELDS = ("event", "timestamp", "idempotency_key", "namespace")
# Genuine and odd, and no less the event that it says: body, and what is read differently.
ODD: dict[str, tuple[bytes, dict[str, Any]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + BODY, {}),
    "NaN": (BODY[:-1] + b', "n": NaN}', {}),
    "Infinity": (BODY[:-1] + b', "n": -Infinity}', {}),
    "key a number": (body_of(idempotency_key=7), {"idempotency_key": "7"}),
    "key a list": (body_of(idempotency_key=[]), {"idempotency_key": "evt_idem_1"}),
    "no key": (body_of(idempotency_key=...), {"idempotency_key": "evt_idem_1"}),
    "id a number": (body_of(id=7), {"id": "7"}),
    "id and key zero": (body_of(id=0, idempotency_key=0), {"id": "0", "idempotency_key": "0"}),
    "no id": (body_of(id=...), {"id": "idem_1"}),
    "id a list": (body_of(id=[]), {"id": "idem_1"}),
    **{
        f"timestamp {value!r}": (body_of(timestamp=value), {"timestamp": None})
        for value in (..., None, [], True, "soon")
    },
    "timestamp 4,000 digits": (body_of(timestamp=int("9" * 4000)), {"timestamp": None}),
    "timestamp beyond every calendar": (body_of(timestamp="@").replace(b'"@"', b"1e999"), {"timestamp": None}),
    "timestamp in milliseconds": (body_of(timestamp=NOW * 1000), {"timestamp": MOMENT}),
    "timestamp in microseconds": (body_of(timestamp=str(int(NOW) * 10**6)), {"timestamp": MOMENT}),
    "leap second": (body_of(timestamp="2023-11-14T22:13:60Z"), {"timestamp": MOMENT + timedelta(seconds=39)}),
    "no namespace": (body_of(namespace=...), {"namespace": None}),
    "namespace null": (body_of(namespace=None), {"namespace": None}),
    "namespace a number": (body_of(namespace=7), {"namespace": "7"}),
    "the newer dialect": (
        body_of(
            **dict.fromkeys(OLDER_FIELDS, ...),
            id="evt_9",
            type="room.message.created",
            created_at=int(NOW),
            data=DATA["room.message.created"],
        ),
        {"id": "evt_9", "idempotency_key": "evt_9", "namespace": None, "timestamp": MOMENT},
    ),
}

# Genuine, of a known type, and of another form than that type has: body, and what is said of it.
INVALID: dict[str, tuple[bytes, str]] = {
    **{
        f"data {value!r}": (body_of(data=value), f"RoomMessageCreatedEvent.data must be an object, not {what}")
        for value, what in ((..., "null"), (None, "null"), ([1], "an array"), ("x", "a string"))
    },
    "a field missing": (body_of(data={"message_id": "msg_1"}), "RoomMessageCreatedData.room_id is missing"),
    "content null": (
        body_of(data=DATA["room.message.created"] | {"content": 5}),
        "RoomMessageCreatedData.content must be a string, not an integer",
    ),
    "arguments a text": (
        body_of(
            "room.tool_call.pending",
            data={"tool_call_id": "c", "room_id": "r", "tool_id": "t", "tool_name": "n", "arguments": "{}"},
        ),
        "RoomToolCallPendingData.arguments must be an object, not a string",
    ),
    "namespace an object": (
        body_of(namespace={"id": 1}),
        "RoomMessageCreatedEvent.namespace must be a string, not an object",
    ),
}


def told_secrets(error: BaseException) -> list[str]:
    told = "".join(traceback.format_exception(error)) + repr(vars(error))
    return [secret for secret in (SECRET, DIGEST) if secret in told]


@pytest.mark.parametrize(("body", "headers"), FORGED.values(), ids=FORGED.keys())
def test_invalid_signature_raises_before_parsing(body: Any, headers: Any) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verifier().verify(body, headers)
    assert str(caught.value)
    assert told_secrets(caught.value) == []


@pytest.mark.parametrize("body", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_genuine_body_without_event_raises_payload_error(body: bytes) -> None:
    with pytest.raises(WebhookPayloadError) as caught:
        verifier().verify(*signed(body))
    assert str(caught.value)
    with pytest.raises(WebhookVerificationError):
        verifier().verify(body, GENUINE)


@pytest.mark.parametrize(("body", "read_as"), ODD.values(), ids=ODD.keys())
def test_alternative_envelope_fields_keep_event_class(body: bytes, read_as: dict[str, Any]) -> None:
    event = verifier().verify(*signed(body))
    assert (type(event).__name__, event.event) == ("RoomMessageCreatedEvent", "room.message.created")
    usual = {"id": "evt_idem_1", "idempotency_key": "idem_1", "namespace": "user_123"}
    assert {name: getattr(event, name) for name in usual | read_as} == usual | read_as
    assert json.loads(json.dumps(event.to_dict()))["event"] == "room.message.created"


@pytest.mark.parametrize(("body", "problem"), INVALID.values(), ids=INVALID.keys())
def test_event_not_matching_its_model_is_invalid_webhook_event(body: bytes, problem: str) -> None:
    event = verifier().verify(*signed(body))
    assert isinstance(event, InvalidWebhookEvent)
    assert isinstance(event, UnknownWebhookEvent)
    assert (event.id, event.idempotency_key) == ("evt_idem_1", "idem_1")
    assert problem in event.validation_error
    assert event.raw == body
    assert repr(body) not in repr(event)


@pytest.mark.parametrize("value", [None, [], "x", 7, {"a": None}, ...])
def test_unknown_event_needs_only_type_and_id(value: Any) -> None:
    document = {"type": "billing.invoice.paid", "id": 12, "data": value}
    event = parse_event(json.dumps({name: each for name, each in document.items() if each is not ...}))
    assert type(event) is UnknownWebhookEvent
    assert (event.event, event.id, event.idempotency_key) == ("billing.invoice.paid", "12", "12")
    assert (event.namespace, event.timestamp) == (None, None)
    assert event.data == (None if value is ... else value)


REASONS = {
    "missing signature": ({T: STAMP}, "X-Interactor-Signature is missing"),
    "missing timestamp": ({S: SIGNATURE}, "X-Interactor-Timestamp is missing"),
    "late": (swap(T, str(int(NOW) - 301)), "301 s behind"),
    "early": (swap(T, str(int(NOW) + 400)), "400 s ahead"),
    "wrong": (swap(S, "0" * 64), "No secret matched"),
    "malformed": (swap(S, "v1=abc"), "malformed"),
}


@pytest.mark.parametrize(("headers", "reason"), REASONS.values(), ids=REASONS.keys())
def test_verification_error_names_the_reason(headers: Any, reason: str) -> None:
    with pytest.raises(WebhookVerificationError, match=reason):
        verifier().verify(BODY, headers)


header_text = st.text() | st.sampled_from([SIGNATURE, DIGEST, STAMP, "sha256="])
header_value = header_text | st.binary() | st.none() | st.integers() | st.lists(header_text)
header_name = st.sampled_from([S, T, S.lower(), T.encode(), "HTTP_X_INTERACTOR_SIGNATURE"]) | st.text() | st.binary()


@given(
    body=st.binary() | st.text() | st.just(BODY),
    headers=st.dictionaries(header_name, header_value) | st.lists(st.tuples(header_name, header_value)),
)
def test_fuzzed_headers_raise_only_webhook_errors(body: Any, headers: Any) -> None:
    raised: list[WebhookError] = []
    try:
        verifier().verify(body, headers)
    except WebhookError as error:
        raised.append(error)
    assert [told_secrets(error) for error in raised] == [[]] * len(raised)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
field_name = st.sampled_from(["id", "event", "type", "timestamp", "created_at", "idempotency_key", "namespace", "data"])


@given(st.binary())
def test_fuzzed_signed_bytes_give_event_or_payload_error(body: bytes) -> None:
    with contextlib.suppress(WebhookPayloadError):
        verifier().verify(*signed(body))


@given(st.sampled_from(sorted(models.EVENT_MODELS["WebhookEvent"])), st.dictionaries(field_name, json_value))
def test_fuzzed_signed_json_gives_event_or_payload_error(kind: str, changes: dict[str, Any]) -> None:
    document = {"event": kind, "id": "evt_1", "timestamp": 0, "namespace": "n", "data": {}} | changes
    try:
        event = verifier().verify(*signed(json.dumps(document).encode()))
    except WebhookPayloadError:
        return
    assert event.idempotency_key
    assert event.id
    assert event.timestamp is None or event.timestamp.tzinfo is not None


@pytest.mark.parametrize("secrets", ["", b"", "  ", [], (), [SECRET, ""], None, [None], 7, [7]])
def test_missing_secret_raises_at_construction(secrets: Any) -> None:
    with pytest.raises(ConfigurationError):
        WebhookVerifier(secrets)


def test_non_utf8_secret_raises_without_showing_it() -> None:
    for use in (WebhookVerifier, verifier().add_secret, lambda secret: sign(BODY, secret)):
        with pytest.raises(ConfigurationError, match="UTF-8") as caught:
            use(f"\ud800{SECRET}")
        assert told_secrets(caught.value) == []
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("error", [RuntimeError, KeyError, AttributeError, TypeError])
def test_unreadable_headers_raise_verification_error(error: type[Exception]) -> None:
    class Closed(dict[str, str]):
        def items(self) -> Any:
            raise error("the request is over")

    with pytest.raises(WebhookVerificationError, match="the signature can't be read"):
        verifier().verify(BODY, Closed(GENUINE))


@pytest.mark.parametrize("tolerance", [-1, -0.001, math.nan, math.inf, -math.inf])
def test_invalid_tolerance_raises_at_construction(tolerance: float) -> None:
    with pytest.raises(ConfigurationError):
        WebhookVerifier(SECRET, tolerance=tolerance)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        *(({"event": event}, ValueError, "printable") for event in ("a\r\nX: y", "é", "a\0")),
        ({"timestamp": datetime(2024, 1, 1)}, ValueError, "zone"),
        ({"secret": ""}, ConfigurationError, "secret"),
    ],
)
def test_sign_refuses_what_the_platform_cannot_send(wrong: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        sign(BODY, **{"secret": SECRET} | wrong)


def test_pickled_verifier_verifies() -> None:
    body = body_of("room.message.created")
    verifier: WebhookVerifier = pickle.loads(pickle.dumps(WebhookVerifier(SECRET)))
    assert verifier.verify(body, sign(body, SECRET)).event == "room.message.created"


def test_repr_shows_no_secret() -> None:
    assert SECRET not in repr(verifier())
    assert "1 secret" in repr(verifier())


# Reading

EVENT_NAMES = {kind: name for kind, name in models.EVENT_MODELS["WebhookEvent"].items() if kind}


def test_every_event_type_has_a_public_class() -> None:
    assert len(EVENT_NAMES) >= 15
    for name in models.EVENT_MODELS["WebhookEvent"].values():
        assert getattr(webhooks, name) is getattr(models, name)
        assert name in webhooks.__all__


@pytest.mark.parametrize(("kind", "data"), DATA.items())
def test_verified_event_has_typed_class_and_data(kind: str, data: dict[str, Any]) -> None:
    event = parse_event(body_of(kind, timestamp="2024-01-15T10:31:00Z"))
    assert type(event).__name__ == EVENT_NAMES[kind]
    assert (event.event, event.id, event.namespace) == (kind, "evt_idem_1", "user_123")
    assert event.timestamp == datetime(2024, 1, 15, 10, 31, tzinfo=UTC)
    for name, value in data.items():
        if not isinstance(value, dict):
            assert getattr(event.data, name) == value


def test_unknown_fields_are_readable() -> None:
    data = DATA["room.message.created"] | {"sentiment": "glad"}
    event = parse_event(body_of(data=data, trace="t1"))
    assert event.additional_properties == {"trace": "t1"}
    assert event.data.additional_properties == {"sentiment": "glad"}  # type: ignore[union-attr]
    unknown = parse_event(body_of("billing.invoice.paid", extra={"deep": [1]}, data={"total": 3}))
    assert isinstance(unknown, UnknownWebhookEvent)
    assert (unknown.event, unknown.data) == ("billing.invoice.paid", {"total": 3})
    assert unknown.additional_properties == {"extra": {"deep": [1]}}


def test_fields_of_other_guides_are_read() -> None:
    document = envelope(event=..., timestamp=..., idempotency_key=..., namespace=...)
    document |= {"type": "room.message.created", "created_at": "2024-01-15T10:31:00"}
    document["data"] = DATA["room.message.created"] | {"namespace": "org_7"}
    event = parse_event(json.dumps(document))
    assert type(event).__name__ == "RoomMessageCreatedEvent"
    assert event.idempotency_key == event.id == "evt_idem_1"
    assert event.namespace == "org_7"
    assert event.timestamp == datetime(2024, 1, 15, 10, 31, tzinfo=UTC)
    assert event.additional_properties == {"type": "room.message.created", "created_at": "2024-01-15T10:31:00"}


@pytest.mark.parametrize("key", [None, "", 0, False])
def test_empty_idempotency_key_counts_as_missing(key: Any) -> None:
    assert parse_event(body_of(idempotency_key=key)).idempotency_key == "evt_idem_1"


@pytest.mark.parametrize("secret", [f"{SECRET}\n", f" {SECRET}\r\n", f"{SECRET}\n".encode()])
def test_newline_of_a_secret_file_does_not_count(secret: str | bytes) -> None:
    body, headers = delivery()
    assert WebhookVerifier(secret).verify(body, headers).id == "evt_idem_1"
    verifier = WebhookVerifier("whsec_other")
    verifier.add_secret(secret)
    assert verifier.verify(body, sign(body, secret)).id == "evt_idem_1"
