"""The advice at the end of an error's message, by status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from interactor_client.base import components
from interactor_ext._engine.call import Call, secrets_of
from interactor_ext._engine.errors import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from interactor_ext._engine.redaction import clean_text

_ADVICE: Mapping[type, str] = {
    AuthenticationError: "Check the client id and the client secret, and that they are for this environment.",
    PermissionDeniedError: "Check that the OAuth client has the scope for this operation and access to this namespace.",
    ConflictError: "Its current state doesn't allow this. Fetch it to check its status.",
    GoneError: "This part of the API was switched off. A newer version of the SDK may have its successor.",
    ServerError: "The platform failed. Try again later; if it keeps failing, give its support the request id.",
}
_QUOTES = frozenset("\"'`\u2018\u2019\u201c\u201d")
_MAX_VALUE_LENGTH = 100
_MAX_PLACE_LENGTH = 200


def advice_on(cls: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
    """Return the advice at the end of an error message."""
    if about["code"] in (own := components("interactor_client")["ErrorCode"]["x-advice"]):
        return str(own[about["code"]])
    if about["code"] == "invalid_scope":
        return "The OAuth client may not request one of the scopes. Check INTERACTOR_SCOPES or scopes=."
    if issubclass(cls, RateLimitError) and about["retry_after"] is not None:
        return f"Retry after {about['retry_after']:g} s."
    if 300 <= about["status"] < 400:
        advice = "Redirects aren't followed, because they would send the token elsewhere."
        where = _target(about["headers"].get("location", ""))
        return f"{where}{advice} Check {Call.of(response.request).url_variable}."
    if issubclass(cls, NotFoundError):
        return clean_text(_not_found_advice(response.request), secrets_of(response.request))
    if about["status"] in (405, 501):
        return (
            "This server doesn't have the operation. Nothing was done, and retrying won't help. "
            f"If it isn't the platform, check {Call.of(response.request).url_variable}."
        )
    if issubclass(cls, AuthenticationError) and (quoted := _quoted_fields(response.request)):
        return f"{quoted} is sent with the quotes around it. Remove them where it is set."
    if issubclass(cls, ConflictError) and "idempotency-key" in response.request.headers:
        call = Call.of(response.request)
        if call.may_be_done:
            other = "" if call.has_own_key else ", or the key was used for another body"
            return f"An earlier attempt may still be running{other}. Check whether it took effect before you repeat it."
        if not call.has_own_key:
            return "An idempotency key belongs to one request body. Use a new key for another body."
    return next((_ADVICE[each] for each in cls.__mro__ if each in _ADVICE), "")


def _target(location: str) -> str:
    """Return a redirect's target without user, query and fragment, which may contain secrets."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.partition(";")[0], "", ""))
    return f"It redirects to {place[:_MAX_PLACE_LENGTH]}. " if place else ""


def _quoted_fields(request: httpx.Request) -> str:
    """Return the credentials of a token request that have quotes around them, as `docker --env-file` leaves them."""
    call = Call.of(request)
    if not call.api.is_token_request(call):
        return ""
    fields = {name: str(value) for name, value in json.loads(request.content).items()}
    quoted = [name for name, value in fields.items() if value[:1] in _QUOTES and value[-1:] in _QUOTES]
    return " and ".join(name for name in quoted if name in ("client_id", "client_secret"))


def _not_found_advice(request: httpx.Request) -> str:
    """Say what to check after a 404. Quotes ids and the namespace, so the result must be cleaned of secrets."""
    call = Call.of(request)
    operation, namespace = call.operation, call.namespace
    where = "without a namespace" if namespace is None else f"in the namespace {_short(namespace)}"
    if operation is None:
        return f"Check the path and its ids: the request was {where}."
    if "{" not in operation.path:
        return f"The path contains no id, so the URL is wrong: check {call.url_variable}, which ends in /api/v1."
    steps = zip(operation.path.split("/"), call.path.partition("?")[0].split("/"), strict=False)
    ids = [f"{name.strip('{}')} {_short(unquote(step))}" for name, step in steps if name.startswith("{")]
    advice = (
        "resources of a namespace are only visible there, through client.namespace(...)"
        if namespace is None
        else "check both, because resources in other namespaces aren't visible here"
    )
    return f"No {' and '.join(ids)} {where}: {advice}."


def _short(text: str) -> str:
    return repr(text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}...")
