"""Token requests, and that for the client's own token."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.responses.read import read_response
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.tokens import Token, read_token

TokenPlan = Generator[dict[str, Any], httpx.Response, Token]
"""Yields the arguments of token requests, gets their responses, and returns the token."""
MakePlan = Callable[..., TokenPlan]
"""Takes the secret, where a function in the settings gives it."""


class NotNarrowedError(ConfigurationError):
    """The account server gives no token with fewer rights than the client has."""


def token_request(config: InteractorConfig, resource: str | None = None, secret: str | None = None) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for a token request. `secret`: what the function in the settings gave."""
    from interactor_client.api.oauth import create_token

    known = secret or config.client_secret
    body = {"grant_type": "client_credentials", "client_id": config.client_id, "client_secret": known}
    if config.scopes:
        body["scope"] = " ".join(config.scopes)
    if resource is not None:
        body["resource"] = resource
    return {
        "method": create_token.OPERATION.method,
        "url": create_token.OPERATION.path,
        "json": body,
        "extensions": {"operation": create_token.OPERATION},
    }


def token_from(response: httpx.Response, asked_at: float, model: str = "AccessToken") -> Token:
    """The token of a token response, or the error that it is."""
    return read_response(response, lambda response: read_token(response.content, asked_at, model))


def own_token(config: InteractorConfig, secret: str | None = None) -> TokenPlan:
    """The client's own token."""
    asked_at = time.time()
    return token_from((yield token_request(config, secret=secret)), asked_at)
