"""What a client reports about itself and its calls: `Health`, `ResponseInfo` and `RateLimit`."""

# Without `from __future__ import annotations`: pydantic and `typing.get_type_hints` would look for the fields' types in
# `interactor_ext`, the classes' `__module__`.

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import httpx

from interactor_client.advised import Advised, no_item
from interactor_ext._engine.call import Call, secrets_of
from interactor_ext._engine.errors import APIStatusError, AuthenticationError, InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.responses import status_error

RATE_LIMITS = frozenset({b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"})
# A server may name any number of scopes, and a process may serve any number of tenants.
_MAX_KEPT = 10_000
# With these statuses, the platform is up and accepts the token. Every other error status is a fault of the platform or
# of a proxy in front of it.
_HEALTHY_STATUSES = frozenset({403, 404, 429})


@dataclass(frozen=True, slots=True)
class Health(Advised):
    """The result of `health()`. True if the status is "healthy"."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: float
    """Duration of the request, including any token request."""
    token_valid: bool
    error: str | None = None
    """The error message, if the check failed."""

    def __bool__(self) -> bool:
        return self.status == "healthy"

    if not TYPE_CHECKING:
        __getitem__ = no_item
        __iter__ = None

    def to_dict(self) -> dict[str, str | float | bool | None]:
        """The fields, as a JSON object."""
        return asdict(self)


def health_from(error: InteractorError | None, seconds: float, *, token_valid: bool) -> Health:
    # Without a token, the account server responded.
    answered = isinstance(error, APIStatusError) and error.status in _HEALTHY_STATUSES and token_valid
    if error is None or answered:
        return Health("healthy", seconds * 1000, token_valid)
    return Health("unhealthy", seconds * 1000, token_valid and not isinstance(error, AuthenticationError), str(error))


class ResponseInfo(NamedTuple):
    """A response to a call, of any status; for a stream, one for each connection."""

    operation: str
    """The operationId, such as "create_room"; "" for `client.request`."""
    status: int
    headers: Mapping[str, str]
    """Headers of the response, case-insensitive. Secrets are masked."""
    request_id: str | None
    elapsed: float
    """Duration in seconds, including the token request, waits and retries; for a stream, until its first byte."""
    retries: int
    """How many attempts of the call came before the one with this response."""


OnResponse = Callable[[ResponseInfo], object]


def tell(callbacks: Iterable[OnResponse], request: httpx.Request, response: httpx.Response, elapsed: float) -> None:
    call = Call.of(request)
    about = status_error.described(response, secrets_of(request))
    info = ResponseInfo(
        "" if call.operation is None else call.operation.id,
        response.status_code,
        about["headers"],
        about["request_id"],
        elapsed,
        call.retries,
    )
    for callback in callbacks:
        try:
            callback(info)
        except Exception:
            logger.exception("on_response failed. The call goes on.")


class RateLimit(NamedTuple):
    """The `X-RateLimit-*` headers of a response; None for each that was missing or unreadable."""

    scope: str
    """"client", "namespace" or another scope that the server named."""
    limit: int | None
    remaining: int | None
    reset: float | None
    """Unix time at which the window starts again."""


class RateLimitsByScope(Advised, dict[str, RateLimit]):
    """The rate limits that a view knows."""

    __slots__ = ()

    def __missing__(self, scope: str) -> RateLimit:
        raise KeyError(f"no response has named a rate limit of {scope!r} yet; .get({scope!r}) is None until then")


class RateLimits:
    """The last rate limits of each scope, and of each namespace for the scope "namespace"."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str | None], RateLimit] = {}

    def observe(self, headers: Mapping[bytes, bytes], namespace: str | None) -> None:
        """Record the headers of a response, whose names are in lower case."""
        limit, remaining = headers.get(b"x-ratelimit-limit"), headers.get(b"x-ratelimit-remaining")
        reset = headers.get(b"x-ratelimit-reset")
        scope = headers.get(b"x-ratelimit-scope", b"").decode(errors="replace").strip().lower()[:64] or "client"
        seen = RateLimit(scope, _count(limit), _count(remaining), _time(reset))
        if seen[1:] == (None, None, None):
            return
        if len(self._seen) >= _MAX_KEPT:
            self._seen.clear()
        self._seen[scope, namespace if scope == "namespace" else None] = seen

    def seen(self, namespace: str | None) -> RateLimitsByScope:
        seen = self._seen.copy()
        return RateLimitsByScope({scope: seen[scope, whose] for scope, whose in seen if whose in (None, namespace)})


def _count(text: bytes | None) -> int | None:
    text = (text or b"").strip()
    return int(text) if text.isdigit() and len(text) < 16 else None


def _time(text: bytes | None) -> float | None:
    try:
        seconds = float(text or b"")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
