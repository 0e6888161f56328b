"""Requests and responses of the relay, independent of ASGI and WSGI, and the wording of refusals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import blake2b
from logging import ERROR, WARNING
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.arguments import require_flags
from interactor_ext._engine.errors import (
    APITimeoutError,
    AuthenticationError,
    CircuitOpenError,
    ConfigurationError,
    ConflictError,
    GoneError,
    InteractorError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from interactor_ext._engine.logs import relay_logger as logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext.relay._public import dump

if TYPE_CHECKING:
    import asyncio

    from interactor_ext.relay._reader import Reader

_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.:~-]{0,127}")
# Servers, frameworks and this module could read different paths into these.
_AMBIGUOUS_PATH = re.compile(rb"%(?:2f|5c|25|2e|[01][0-9a-f]|7f)|\\", re.IGNORECASE)
_ORIGIN = re.compile(r"(https?)://((?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_RETRY_SECONDS = 5.0
_PREFLIGHT_SECONDS = 600
_MAX_WARNINGS = 20

_WORDS = {
    400: ("BAD_REQUEST", "The request was incomplete."),
    401: ("AUTH_ERROR", "Sign in first."),
    403: ("FORBIDDEN", "Requests from this origin are not allowed."),
    404: ("NOT_FOUND", "Not found."),
    405: ("METHOD_NOT_ALLOWED", "This method isn't allowed here."),
    408: ("TIMEOUT", "The request took too long to arrive."),
    409: ("CONFLICT", "This contradicts an earlier request."),
    411: ("LENGTH_REQUIRED", "The request needs a Content-Length."),
    413: ("TOO_LARGE", "The request is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The content type must be application/json."),
    422: ("VALIDATION_ERROR", "The request isn't valid."),
    429: ("RATE_LIMITED", "Too many requests. Try again later."),
    500: ("INTERNAL_ERROR", "Something went wrong."),
    502: ("UPSTREAM_ERROR", "The service couldn't respond."),
    503: ("UNAVAILABLE", "The service isn't available right now. Try again later."),
}


@dataclass(slots=True)
class Request:
    """`headers` have lower-case names. `scope` is passed to `authorize`."""

    method: str
    scheme: str
    path: str
    """The decoded path, relative to the relay's mount point."""
    raw_path: bytes
    """The path as sent, including any prefix; empty if the server doesn't provide it."""
    query: Mapping[str, str]
    """The last value of each query parameter."""
    headers: Mapping[str, str]
    scope: Any
    read_body: Callable[[int], Awaitable[bytes] | bytes]
    """Read the body, of at most that many bytes. Raises Refused, or ClientGone if the browser has left."""


@dataclass(slots=True)
class Response:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Reader = b""
    work: Collection[asyncio.Task[Any]] = ()
    """Tasks that continue after the response."""


class Refused(Exception):
    """The response to a refused request."""

    def __init__(
        self, status: int, *, words: tuple[str, str] | None = None, retry_after: float | None = None, **headers: str
    ) -> None:
        super().__init__(status)
        code, message = words or _WORDS[status]
        self.response = json_response({"error": {"code": code, "message": message}}, status)
        self.response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        if retry_after is not None:
            self.response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))


class Site(Enum):
    UNSAID = auto()
    OWN = auto()
    ALLOWED = auto()
    FOREIGN = auto()


def json_response(document: Any, status: int = 200) -> Response:
    body = dump(document).encode("utf-8", "replace")
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(status, headers, body)


def unless_known(response: Response, request: Request) -> Response:
    """Return the response, or 304 if the browser has it already."""
    assert isinstance(response.body, bytes)
    etag = f'"{blake2b(response.body, digest_size=12).hexdigest()}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(304, {"ETag": etag, "Cache-Control": "no-store"})
    response.headers["ETag"] = etag
    return response


def segments(request: Request) -> list[str]:
    """Return the path's segments. Raises Refused for a path that parsers could read differently."""
    if _AMBIGUOUS_PATH.search(request.raw_path) or not request.path.startswith("/"):
        raise Refused(404)
    return request.path.split("/")[1:]


def is_id(segment: str) -> bool:
    return _ID.fullmatch(segment) is not None


def _normalized(origin: Any) -> str | None:
    match = _ORIGIN.fullmatch(origin.lower()) if isinstance(origin, str) else None
    if match is None:
        return None
    scheme, host = match.groups()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"


class AllowedSites:
    """Which pages may use the relay: those on its own host and on the allowed origins."""

    def __init__(self, allowed: Iterable[str], *, trust_forwarded_host: bool) -> None:
        require_flags(trust_forwarded_host=trust_forwarded_host)
        if isinstance(allowed, str) or not isinstance(allowed, Iterable):
            raise ConfigurationError("allowed_origins must be a list of origins, such as ['https://app.example'].")
        known = {origin: _normalized(origin) for origin in allowed}
        if unknown := [origin for origin, name in known.items() if name is None]:
            raise ConfigurationError(
                "allowed_origins must contain origins such as https://app.example, without a path or *, "
                f"not {unknown[0]!r}."
            )
        self._allowed = frozenset(known.values())
        self._trusts_forwarded = trust_forwarded_host
        self._warned: set[tuple[str, str]] = set()

    def of(self, request: Request) -> Site:
        """An https page is on the relay's own host even if a proxy in front has terminated TLS.

        Browsers send no Origin for an image or a script, but report a page on another site in Sec-Fetch-Site.
        """
        sent = request.headers.get("origin")
        if sent is None:
            return Site.FOREIGN if request.headers.get("sec-fetch-site") == "cross-site" else Site.UNSAID
        origin = _normalized(sent)
        if origin is None:
            return Site.FOREIGN
        host = request.headers.get("host", "")
        if self._trusts_forwarded:
            # The first value is the host that the browser requested; each proxy appends its own.
            host = request.headers.get("x-forwarded-host", host).partition(",")[0].strip()
        if origin in {_normalized(f"{scheme}://{host}") for scheme in (request.scheme, "https")}:
            return Site.OWN
        if origin in self._allowed:
            return Site.ALLOWED
        self._warn(origin, clean_text(host))
        return Site.FOREIGN

    def _warn(self, origin: str, host: str) -> None:
        """Warn once per pair, up to a limit: anyone can send any values."""
        if (origin, host) not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add((origin, host))
            logger.warning(
                'The relay refused a page of "%s": the Host of its request is "%s". If a proxy (Vite, '
                "Next.js, nginx) replaced Host, let it keep Host, or let it set X-Forwarded-Host and pass "
                "trust_forwarded_host=True to the Relay. If the page is on another host, pass "
                'allowed_origins=["%s"].',
                *(origin, host, origin),
            )


def cors_headers(request: Request, origin: Site, vary: str | None) -> dict[str, str]:
    headers = {"Vary": f"{vary}, Origin" if vary else "Origin"}
    if origin is Site.ALLOWED:
        headers |= {
            "Access-Control-Allow-Origin": request.headers["origin"],
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "ETag, Retry-After",
        }
    return headers


def preflight(request: Request, methods: Iterable[str]) -> Response:
    """Return the response to OPTIONS, which permits any header a page may use to sign in."""
    names = ", ".join(methods)
    headers = {"Allow": names, "Cache-Control": "no-store"}
    if "access-control-request-method" in request.headers:
        headers |= {"Access-Control-Allow-Methods": names, "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS)}
        if asked := request.headers.get("access-control-request-headers"):
            headers["Access-Control-Allow-Headers"] = asked
    return Response(204, headers)


def require_json(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415)


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object that can be forwarded. Raises Refused for anything else."""
    try:
        document = json.loads(body.decode())
        # JSON can contain a lone surrogate or 1e999, but neither can be forwarded.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused(422) from None
    if not isinstance(document, dict):
        raise Refused(422)
    return document


def refusal_for(error: InteractorError) -> Refused:
    """What a browser learns about an error of the platform: what it can act on, without the error's text."""
    match error:
        # If the platform responds with 403 for another tenant's records, browsers mustn't learn that they exist.
        case NotFoundError() | GoneError() | PermissionDeniedError():
            return Refused(404)
        case ConflictError():
            return Refused(409)
        case ValidationError():
            return Refused(422)
        case RateLimitError() | CircuitOpenError() | APITimeoutError() | ConfigurationError() | ServerError(status=503):
            return Refused(503, retry_after=error.retry_after or _RETRY_SECONDS)
    return Refused(502)


def relay_closed() -> Refused:
    return Refused(503, retry_after=_RETRY_SECONDS)


def log_failure(what: str, error: Exception) -> None:
    """Log without the text of a platform error, which may quote a message. What only the operator can repair is logged
    as an ERROR, which reaches stderr if logging isn't configured.
    """
    if isinstance(error, InteractorError) and not isinstance(error, ConfigurationError):
        about = [type(error).__name__]
        if error.status is not None:
            about.append(f"status {error.status}")
        if error.request_id:
            about.append(f"request id {clean_text(error.request_id)[:100]}")
        is_refused = isinstance(error, AuthenticationError | PermissionDeniedError)
        logger.log(ERROR if is_refused else WARNING, "%s of the relay failed: %s.", what, ", ".join(about))
    else:
        logger.error("%s of the relay failed.", what, exc_info=error)
