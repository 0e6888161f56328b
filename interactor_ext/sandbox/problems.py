"""Problem, the exception that becomes an error response in the contract's envelope, and ConnectionCut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CODES = {
    401: "AUTH_ERROR",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    410: "GONE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
}
# A body with thousands of invalid fields only gets the first ones.
MAX_DETAILS = 50

Detail = tuple[str, str]


class Problem(Exception):
    """An error response. `details` are pairs of a field, such as `states[0].name`, and a message.

    `body`, a text or JSON, replaces the envelope.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: Iterable[Detail] = (),
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code: str = code or CODES.get(status, "API_ERROR")
        self.details: list[Detail] = list(details)[:MAX_DETAILS]
        self.headers: dict[str, str] = headers or {}
        self.body = body

    def envelope(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = [{"field": field, "message": message} for field, message in self.details]
        error["request_id"] = request_id
        return {"error": error}


class ConnectionCut(Exception):
    """The connection must end now: with a TCP reset if `reset`, else by closing it after the bytes sent so far."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


def unauthorized(message: str) -> Problem:
    # RFC 6750 section 3: the response to a refused bearer token names the required scheme.
    return Problem(401, message, headers={"www-authenticate": "Bearer"})


def not_found(what: str) -> Problem:
    return Problem(404, f"There is no {what} with this id in this namespace.")


def not_stored(error: OSError) -> Problem:
    return Problem(507, f"Nothing was done: {error}.")


def conflict(message: str, *, code: str | None = None) -> Problem:
    return Problem(409, message, code=code)


def invalid(*details: Detail) -> Problem:
    """Return the problem of an invalid request; the message names the first field."""
    field, message = details[0]
    summary = f"{field}: {message}" if field else message
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Problem(422, f"The request isn't valid: {summary}{more}.", details=details)
