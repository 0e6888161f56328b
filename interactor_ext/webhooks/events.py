"""Parses the raw body of a genuine delivery into a typed event."""

from __future__ import annotations

import functools
import json
from typing import Any

from interactor_client import models
from interactor_client.errors import DecodeError
from interactor_client.wire import as_datetime
from interactor_ext._engine.arguments import is_number
from interactor_ext._engine.errors import WebhookPayloadError

Body = bytes | bytearray | memoryview | str

_FAMILY = models.EVENT_MODELS["WebhookEvent"]
# White space, and the byte order mark that some servers add at the start.
_AROUND = " \t\n\r\ufeff"
# decode() runs a regular expression for white space at both ends.
_decode = json.JSONDecoder().raw_decode


def raw_body(body: Body) -> bytes:
    """Return the bytes of a body; str is encoded as UTF-8. Raises TypeError for a body that is already parsed."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    raise TypeError(
        f"The raw body is required, as bytes or str, not {type(body).__name__}: the signature covers "
        "the bytes that were sent, and a parsed body can't be turned back into them."
    )


def parse_event(body: Body) -> models.WebhookEvent:
    """Parse the event in a body whose signature was verified before; nothing is verified here.

    Also reads bodies with the type in `type` and the time in `created_at`, bodies without `idempotency_key` (`id` is
    used instead, and the other way round) or `namespace` (then `data.namespace`, else None: the default one), ids that
    are numbers, and a time that is missing or unreadable (None). A type that isn't in the catalogue becomes
    `UnknownWebhookEvent`; an event that does not fit the model of its type becomes `InvalidWebhookEvent`, a subclass
    that says what does not fit. Raises WebhookPayloadError if there is no type, or neither key nor id.
    """
    return read_event(raw_body(body))


def read_event(raw: bytes) -> models.WebhookEvent:
    document = _json_object(raw)
    kind = document.get("event")
    try:
        if document.get("namespace") is None:  # the default namespace, or it is in `data`
            _fill_gaps(document)
        event: models.WebhookEvent = _model(kind).from_dict(document)
        if kind and event.idempotency_key and event.timestamp is not None:
            return event
    except Exception:  # noqa: S110
        # A model raises DecodeError; hostile JSON (such as a list for the type) can cause other errors.
        pass
    return _read_alternative(raw, document)


def _read_alternative(raw: bytes, document: dict[str, Any]) -> models.WebhookEvent:
    """Return the event of a body with alternative or malformed envelope fields."""
    kind = next((kind for name in ("event", "type") if (kind := document.get(name)) and isinstance(kind, str)), None)
    if kind is None:
        raise WebhookPayloadError("The body isn't an event: neither `event` nor `type` is a string.")
    document["event"] = kind
    _fill_gaps(document)
    key, own_id = _id_text(document.get("idempotency_key") or None), _id_text(document.get("id"))
    document["idempotency_key"], document["id"] = key or own_id, own_id or key
    if not document["id"]:
        raise WebhookPayloadError(
            "The body has neither `idempotency_key` nor `id`, so a replay couldn't be recognized."
        )
    if is_number(document["namespace"]):
        document["namespace"] = str(document["namespace"])
    document["timestamp"] = _time_or_none(document["timestamp"])
    try:
        event: models.WebhookEvent = _model(kind).from_dict({"data": None} | document)
        return event
    except Exception as error:
        # Not only DecodeError: data may also be nested too deep.
        what = str(error) if isinstance(error, DecodeError) else f"can't be read ({type(error).__name__})"
    if not isinstance(document["namespace"], str | None):
        document["namespace"] = None
    from interactor_ext.webhooks._invalid_event import InvalidWebhookEvent  # imported late, like all models

    invalid = InvalidWebhookEvent.from_dict({"data": None} | document)
    invalid.validation_error, invalid.raw = what, raw
    return invalid


def validation_error_of(event: models.WebhookEvent) -> str | None:
    """Return the validation error of an `InvalidWebhookEvent`; None for any other event."""
    return getattr(event, "validation_error", None)


def _fill_gaps(document: dict[str, Any]) -> None:
    """Copy fields that other guides of the platform place elsewhere to where the models expect them."""
    if not document.get("idempotency_key"):
        document["idempotency_key"] = document.get("id")
    if document.get("timestamp") is None:
        document["timestamp"] = document.get("created_at")
    if document.get("namespace") is None:
        data = document.get("data")
        document["namespace"] = data.get("namespace") if isinstance(data, dict) else None


def _id_text(value: Any) -> str:
    """Return an id as text; "" for a value that isn't an id."""
    if isinstance(value, str):
        return value
    return str(value) if is_number(value) else ""


def _time_or_none(value: Any) -> Any:
    try:
        return as_datetime("", "", value)
    except DecodeError:
        return None


@functools.lru_cache(maxsize=64)  # bounded, because deliveries can contain any event type
def _model(kind: str) -> Any:
    """Return the model of an event type. It is imported at its first use."""
    return getattr(models, _FAMILY.get(kind) or _FAMILY[""])


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode().strip(_AROUND)
        document, end = _decode(text)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (ValueError, RecursionError) as error:
        raise WebhookPayloadError(f"The body isn't readable JSON: {error}.") from error
    if not isinstance(document, dict):
        raise WebhookPayloadError(f"The body is a JSON {type(document).__name__}; an event is an object.")
    return document
