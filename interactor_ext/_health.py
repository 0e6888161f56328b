"""What a health check says, told from how its one request ended."""

from __future__ import annotations

from typing import Literal, NamedTuple

from interactor_ext._errors import APIStatusError, AuthenticationError, InteractorError, ServerError


class Health(NamedTuple):
    """What `health()` found."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: float
    """How long it took, with the token request if one was due."""
    token_valid: bool
    error: str | None = None
    """What is wrong, where something is."""


def judge(error: InteractorError | None, seconds: float, *, token_valid: bool) -> Health:
    # Whoever answers 403 or 404 lives and knows the token; that this client may not list is no matter of health.
    answered = isinstance(error, APIStatusError) and not isinstance(error, AuthenticationError | ServerError)
    if error is None or answered:
        return Health("healthy", seconds * 1000, token_valid)
    return Health("unhealthy", seconds * 1000, token_valid and not isinstance(error, AuthenticationError), str(error))
