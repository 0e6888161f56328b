"""The health check: whether the platform answers, how long it takes, and whether the token is valid."""

# Without `from __future__ import annotations`: pydantic and `typing.get_type_hints` would look for the types of the
# fields in `interactor_ext`, which the class names as its module.

from typing import Literal, NamedTuple

from interactor_ext._client.view import View
from interactor_ext._errors import APIStatusError, AuthenticationError, InteractorError


class Health(NamedTuple):
    """The result of `health()`."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: float
    """How long the request took, with a token request if one was due."""
    token_valid: bool
    error: str | None = None
    """The error message, if the check failed."""


# A platform that answers so is up and accepts the token. Every other error status is a fault of the platform, or of a
# proxy in front of it.
_HEALTHY_STATUSES = frozenset({403, 404, 429})


def time_for_health(view: View) -> float:
    """The deadline of the request in seconds, with a token request if one is due."""
    return view.timeout if view.deadline is None else min(view.timeout, view.deadline)


def health_from(error: InteractorError | None, seconds: float, *, token_valid: bool) -> Health:
    # Without a token it was the account server that answered.
    answered = isinstance(error, APIStatusError) and error.status in _HEALTHY_STATUSES and token_valid
    if error is None or answered:
        return Health("healthy", seconds * 1000, token_valid)
    return Health("unhealthy", seconds * 1000, token_valid and not isinstance(error, AuthenticationError), str(error))
