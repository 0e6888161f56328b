"""Parses server-sent events: the type, the JSON and the model of each, and the error of an `error` event."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from interactor_client import models
from interactor_client.errors import DecodeError
from interactor_ext._errors import ResponseValidationError, StreamError
from interactor_ext._redaction import clean_json, clean_text
from interactor_ext._responses import _status_error
from interactor_ext.sse import ServerSentEvent

CONTROL = frozenset({"done", "error", "heartbeat", "ping"})
"""Event types that control the stream and are not returned to the caller."""

# Half the time of json.loads, which looks for white space with regular expressions.
_decode_json = json.JSONDecoder().raw_decode


class Received(NamedTuple):
    """An event and its type; `payload` is None where the data is no JSON object."""

    type: str
    payload: dict[str, Any] | None
    sent: ServerSentEvent


class EventReader:
    """Reads the events of one family, a key of `models.EVENT_MODELS`."""

    def __init__(self, family: str) -> None:
        names = models.EVENT_MODELS[family]
        self._builders: dict[str, Callable[[dict[str, Any]], Any]] = {
            event_type: getattr(models, name).from_dict for event_type, name in names.items() if event_type
        }
        self._unknown: Callable[[dict[str, Any]], Any] = getattr(models, names[""]).from_dict
        self._known = CONTROL.union(self._builders)

    def read(self, sent: ServerSentEvent) -> Received:
        """The type is in the JSON or in the `event` field: the first known one counts, else that of the JSON."""
        text = sent.data.strip(" \t\r\n")
        try:
            payload, end = _decode_json(text)
        except (ValueError, RecursionError):
            return Received(sent.event, None, sent)
        if end != len(text) or type(payload) is not dict:
            return Received(sent.event, None, sent)
        event_type = payload.get("type")
        if type(event_type) is str and (event_type in self._known or (event_type and sent.event not in self._known)):
            return Received(event_type, payload, sent)
        return Received(sent.event, payload, sent)

    def model(self, event: Received) -> Any:
        """The typed event; the family's unknown event for a type that has no model, or data that is no JSON object.

        Raises:
            ResponseValidationError: the data lacks what its model needs.
        """
        event_type, payload, sent = event
        if payload is None:
            return self._unknown({"type": event_type, "data": sent.data})
        build = self._builders.get(event_type, self._unknown)
        if payload.get("type") != event_type:
            payload = {**payload, "type": event_type}
        try:
            return build(payload)
        except DecodeError as error:
            raise ResponseValidationError(
                f"A {clean_text(event_type)} event doesn't fit its model: {error}",
                model=error.model,
                field=error.field,
            ) from error


@cache
def event_reader(family: str) -> EventReader:
    """The reader of a family, cached: it loads the models of the family."""
    return EventReader(family)


def stream_error(event: Received, request: str) -> StreamError:
    """The error in an `error` event, in any of the forms of an error response."""
    body = _status_error.read_error_body(event.sent.data.encode())
    message = body.message or (event.sent.data if event.payload is None else "") or "The stream reported an error"
    known = body.code or StreamError.default_code
    if body.request_id:
        known += f", request id {body.request_id}"
    return StreamError(
        f"{clean_text(message).rstrip('.')} ({request}: {clean_text(known)}).",
        code=clean_text(body.code)[:100] if body.code else None,
        details=clean_json(body.details),
        request_id=clean_text(body.request_id)[:200] if body.request_id else None,
    )
