"""From the bytes of a genuine delivery to one typed event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from interactor_client import models
from interactor_ext._errors import WebhookPayloadError

if TYPE_CHECKING:
    # At run time the union would load the models of every event there is.
    from interactor_client.models import WebhookEvent

Body = bytes | bytearray | memoryview | str

_FAMILY = models.EVENT_MODELS["WebhookEvent"]
_FALLBACK = ""
# https://www.rfc-editor.org/rfc/rfc8259#section-2
_WHITESPACE = " \t\n\r"
# Event type -> model class, filled as types arrive: a receiver imports the models of what it receives.
_classes: dict[str, Any] = {}


def raw_body(body: Body) -> bytes:
    """The bytes of a body; str is taken as UTF-8. Raises TypeError for a body that was parsed already."""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(
        f"The raw body is needed, as bytes or str, not {type(body).__name__}: the signature covers the bytes that were "
        "sent, and a parsed body cannot be turned back into them."
    )


def parse_event(body: Body) -> WebhookEvent:
    """The event in a body whose signature was checked before; nothing is verified here.

    Also reads bodies whose type stands in `type`, whose time stands in `created_at`, that lack `idempotency_key` (then
    `id` serves) or `namespace` (then `data.namespace`). A type that is not in the catalogue becomes
    `UnknownWebhookEvent`. Raises WebhookPayloadError, which names the model and the field where one does not fit.
    """
    return read_event(body if type(body) is bytes else raw_body(body))


def read_event(raw: bytes) -> WebhookEvent:
    document = _json_object(raw)
    kind = document.get("event")
    if kind is None:
        kind = document["event"] = document.get("type")
    if not isinstance(kind, str) or not kind:
        raise WebhookPayloadError("The body names no event: neither `event` nor `type` holds a text.")
    _fill_gaps(document)
    try:
        event: WebhookEvent = (_classes.get(kind) or _load(kind)).from_dict(document)
    except Exception as error:
        # A model raises DecodeError; the rest of what hostile JSON can provoke (huge numbers, deep nesting) joins it.
        raise WebhookPayloadError(f"A {kind[:80]!r} event that does not fit its model: {error}") from error
    if not event.idempotency_key:
        raise WebhookPayloadError(
            "The body has neither `idempotency_key` nor `id`, so a replay could not be told apart."
        )
    return event


def _fill_gaps(document: dict[str, Any]) -> None:
    """Put what the platform's other guides place elsewhere where the models expect it; the original field stays."""
    if not document.get("idempotency_key"):
        document["idempotency_key"] = document.get("id")
    if document.get("timestamp") is None:
        document["timestamp"] = document.get("created_at")
    if document.get("namespace") is None:
        data = document.get("data")
        document["namespace"] = data.get("namespace") if isinstance(data, dict) else None


def _load(kind: str) -> Any:
    name = _FAMILY.get(kind)
    if name is None:
        # Not remembered under its own name: strangers' event types must not fill memory.
        return _classes.get(_FALLBACK) or _load(_FALLBACK)
    _classes[kind] = getattr(models, name)
    return _classes[kind]


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode().strip(_WHITESPACE)
        document, end = _decode(text)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except UnicodeDecodeError as error:
        raise WebhookPayloadError(f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise WebhookPayloadError(f"The body is not JSON: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise WebhookPayloadError(
            "The body is JSON that cannot be read: a number too long, or nested too deep."
        ) from error
    if not isinstance(document, dict):
        raise WebhookPayloadError(f"The body is a JSON {type(document).__name__}, and an event is an object.")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# raw_decode, for decode() searches for white space with a regular expression at both ends.
_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
