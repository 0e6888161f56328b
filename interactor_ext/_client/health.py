"""What a health check says, told from how its one request ended."""

from __future__ import annotations

from typing import Literal, NamedTuple

from interactor_ext._client.view import View
from interactor_ext._errors import APIStatusError, AuthenticationError, InteractorError


class Health(NamedTuple):
    """What `health()` found."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: float
    """How long it took, with the token request if one was due."""
    token_valid: bool
    error: str | None = None
    """What is wrong, where something is."""


# Whoever answers so lives and knows the token: that this client may not list, or has called too often, is no matter of
# health. Every other status but success is a fault, or comes from something that stands in the platform's place.
_ANSWERS = frozenset({403, 404, 429})


def time_for_health(view: View) -> float:
    """The deadline of the one request, in seconds: `timeout` is for an attempt, and the token may need another."""
    return view.timeout if view.deadline is None else min(view.timeout, view.deadline)


def health_from(error: InteractorError | None, seconds: float, *, token_valid: bool) -> Health:
    # Without a token it was the account server that answered, and no call gets through.
    answered = isinstance(error, APIStatusError) and error.status in _ANSWERS and token_valid
    if error is None or answered:
        return Health("healthy", seconds * 1000, token_valid)
    return Health("unhealthy", seconds * 1000, token_valid and not isinstance(error, AuthenticationError), str(error))
