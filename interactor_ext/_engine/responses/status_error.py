"""The typed error for a response that is no success, with advice, whatever form its body has.

What an error quotes of the server is cleaned of secrets and control characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from interactor_ext._engine.call import Call, describe_request, secrets_of
from interactor_ext._engine.errors import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.redaction import clean_json, clean_text
from interactor_ext._engine.retry_policy import retry_after_of

if TYPE_CHECKING:
    from interactor_ext._engine import deprecation
else:
    deprecation = LazyModule("interactor_ext._engine.deprecation")  # on the way of a 410 alone

_LARGEST_BODY = 1_048_576
_CLASSES: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: ValidationError,
    429: RateLimitError,
}
_ADVICE: Mapping[type, str] = {
    AuthenticationError: "Check the client id and the client secret, and that they are for this environment.",
    PermissionDeniedError: "Check that the OAuth client has the scope for this operation and access to this namespace.",
    ConflictError: "Its current state doesn't allow this. Fetch it to check its status.",
    GoneError: "This part of the API was switched off. A newer version of the SDK may have its successor.",
    ServerError: "The platform failed. Try again later; if it keeps failing, give its support the request id.",
}
# Headers that can hold a secret, and that no caller needs.
_WITHHELD = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})
_QUOTES = frozenset("\"'`\u2018\u2019\u201c\u201d")
_LONGEST_NAME = 200
_LONGEST_VALUE = 100


def status_error(response: httpx.Response) -> APIStatusError:
    """The error for a response that is no success. The body of a stream must have been read before."""
    status = response.status_code
    body = read_error_body(response.content)
    cls = class_for(status)
    if status == 400 and body.code and _is_for_token(response.request):  # without a code, it is a gateway's
        cls = AuthenticationError
    secrets = secrets_of(response.request)
    about = described(response, secrets)
    about["code"] = _code(body, cls, secrets)
    about["details"] = clean_json(body.details, secrets)
    if body.request_id:
        about["request_id"] = clean_text(body.request_id, secrets)[:_LONGEST_NAME]
    message = clean_text(body.message, secrets) if body.message else f"The server responded with {status}"
    sentence = _sentence(message, describe_request(response.request), about, _advice(cls, about, response))
    if issubclass(cls, GoneError):
        sentence += deprecation.sunset_notice(response)
    error = cls(sentence, **about)
    error.message = message
    return error


def code_of(response: httpx.Response) -> str:
    """The `code` of the error for a response, for the log."""
    body = read_error_body(response.content if response.is_closed else b"")
    return _code(body, class_for(response.status_code), secrets_of(response.request))


def _code(body: ErrorBody, cls: type[APIStatusError], secrets: tuple[str, ...]) -> str:
    return clean_text(body.code, secrets)[:_LONGEST_NAME] if body.code else cls.default_code


def class_for(status: int) -> type[APIStatusError]:
    return _CLASSES.get(status) or (ServerError if 500 <= status <= 599 else APIStatusError)


def _sentence(message: str, request: str, about: Mapping[str, Any], advice: str) -> str:
    fields = [
        f"{detail['field']}: {detail.get('message')}" if detail.get("field") else str(detail.get("message"))
        for detail in about["details"][:5]
        if not (str(detail.get("message")) in message and str(detail.get("field") or "") in message)
    ]
    if fields:
        message = clean_text(f"{message.rstrip('.:')}: {'; '.join(fields)}")
    known = f"{about['status']} {about['code']}"
    if about["request_id"]:
        known += f", request id {about['request_id']}"
    return f"{message.rstrip('.')} ({request}: {known})." + (f" {advice}" if advice else "")


def _advice(cls: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
    """The advice at the end of an error message."""
    if about["code"] == "REFRESH_FAILED":
        return "The user must connect the credential again."
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
    """The target of a redirect without user, query and fragment, which may hold secrets."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.partition(";")[0], "", ""))
    return f"It redirects to {place[:_LONGEST_NAME]}. " if place else ""


def found_instead(response: httpx.Response) -> str:
    """What a success holds instead of the requested data, as the end of a sentence; "" if that is unknown."""
    page = re.match(rb"\s*<(!doctype html|html)\b", response.content[:_LONGEST_NAME], re.IGNORECASE)
    if page or "text/html" in response.headers.get("content-type", "").lower():
        return web_page_instead_of("JSON", response)
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, Mapping) or "data" in body or not body.get("error"):
        return ""
    error = read_error_body(response.content)
    said = ": ".join(dict.fromkeys(each for each in (error.code, error.message) if each))
    said = clean_text(said, secrets_of(response.request))
    return f"is an error, though its status is {response.status_code}: {said.rstrip('.')}." if said else ""


def web_page_instead_of(expected: str, response: httpx.Response) -> str:
    return (
        f"is a web page instead of {expected}: a proxy's, a login page, or that of a network that wants you to sign "
        f"in. Check the network, and {Call.of(response.request).url_variable}."
    )


def _quoted_fields(request: httpx.Request) -> str:
    """The credentials of a token request that have quotes around them, as `docker --env-file` leaves them."""
    if not _is_for_token(request):
        return ""
    fields = {name: str(value) for name, value in json.loads(request.content).items()}
    quoted = [name for name, value in fields.items() if value[:1] in _QUOTES and value[-1:] in _QUOTES]
    return " and ".join(name for name in quoted if name in ("client_id", "client_secret"))


def _is_for_token(request: httpx.Request) -> bool:
    return getattr(Call.of(request).operation, "id", "") == "create_token"


def _not_found_advice(request: httpx.Request) -> str:
    """What to check after a 404. It quotes ids and the namespace, so it must be cleaned of secrets."""
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
    return repr(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}...")


def described(response: httpx.Response, secrets: tuple[str, ...]) -> dict[str, Any]:
    """The attributes of an error that tell of its response."""
    headers = httpx.Headers(
        [(name, clean_text(value, secrets)) for name, value in response.headers.multi_items() if name not in _WITHHELD],
        encoding="utf-8",
    )
    return {
        "status": response.status_code,
        "request_id": headers.get("x-request-id", "")[:_LONGEST_NAME] or None,
        "headers": headers,
        "retry_after": retry_after_of(headers),
    }


class ErrorBody(NamedTuple):
    code: str | None = None
    message: str | None = None
    details: list[dict[str, Any]] = []  # noqa: RUF012  (never changed; a NamedTuple has no default factory)
    request_id: str | None = None


def read_error_body(content: bytes) -> ErrorBody:
    """The parts of an error body. Raises nothing: what cannot be read is left out."""
    if not content or len(content) > _LARGEST_BODY:
        return ErrorBody()
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(body, Mapping):
        return ErrorBody()
    error = body.get("error")
    if isinstance(error, Mapping):
        return ErrorBody(
            code=_text(error.get("code")),
            message=_text(error.get("message")),
            details=_details(error.get("details")),
            request_id=_text(error.get("request_id")) or _text(body.get("request_id")),
        )
    text = _text(error)
    description = _text(body.get("error_description"))
    # As in `invalid_client` of RFC 6749 and `insufficient_scope` of RFC 6750.
    is_code = text is not None and (description is not None or ("_" in text and text.isidentifier()))
    return ErrorBody(
        code=text if is_code else _text(body.get("code")),
        message=description or text or _text(body.get("message")) or _text(body.get("detail")),
        details=_details(body.get("details")),
        request_id=_text(body.get("request_id")),
    )


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _details(value: object) -> list[dict[str, Any]]:
    if isinstance(value, Mapping):
        return [{"field": field, "message": message} for field, message in value.items()]
    items = value if isinstance(value, list) else []
    return [dict(item) if isinstance(item, Mapping) else {"message": item} for item in items]
