"""Token requests: for the client's own token, and for those of stream URLs, with one scope for one kind of stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx

from interactor_ext._config import InteractorConfig
from interactor_ext._errors import APIStatusError, ConfigurationError
from interactor_ext._responses._read import read_response
from interactor_ext.tokens._store import Token, read_token

TokenPlan = Generator[dict[str, Any], httpx.Response, Token]
"""Yields the arguments of token requests, gets their responses, and returns the token."""
MakePlan = Callable[..., TokenPlan]
"""Takes the secret, where a function in the settings gives it."""

# Seconds until a refusal is asked about again: only 20 token requests a minute are allowed.
_REFUSAL_LASTS = 300.0
# A token request that these refuse would be refused for any scope.
_OTHER_REASONS = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"})


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


class NarrowToken:
    """A token with one scope, and by RFC 8707 for one resource where the account server takes that."""

    def __init__(self, config: InteractorConfig, scope: str, resource: str) -> None:
        self.config = config.replace(scopes=(scope,))
        self.resource = resource
        self._scope = scope
        self._refusal = ""
        self._refused_until = 0.0

    def check(self) -> None:
        """Raises NotNarrowedError if it was refused a short while ago."""
        if time.monotonic() < self._refused_until:
            raise NotNarrowedError(self._refusal)

    def plan(self, secret: str | None = None) -> TokenPlan:
        self.check()
        try:
            try:
                return (yield from self._request(secret, self.resource))
            except APIStatusError as error:
                # RFC 6749 section 3.2 has servers ignore what they do not know; a strict one refuses it.
                if error.status not in (400, 422) or error.code in _OTHER_REASONS:
                    raise
            return (yield from self._request(secret, None))
        except APIStatusError as error:
            if error.status not in (400, 403, 422) or error.code in _OTHER_REASONS:
                raise
            raise self._refused(str(error)) from error

    def _request(self, secret: str | None, resource: str | None) -> TokenPlan:
        asked_at = time.time()
        response = yield token_request(self.config, resource, secret)
        token = token_from(response, asked_at)
        if not self._is_narrow(response):
            raise self._refused("It granted other scopes.")
        return token

    def _is_narrow(self, response: httpx.Response) -> bool:
        body = json.loads(response.content)  # a token was found in it
        data = body.get("data")
        granted = (data if isinstance(data, dict) else body).get("scope")
        # RFC 6749 section 5.1: without it, the scope is the one that was asked for.
        return granted is None or (isinstance(granted, str) and granted.split() == [self._scope])

    def _refused(self, reason: str) -> NotNarrowedError:
        self._refusal = (
            f"The account server gave no token with the scope {self._scope} alone, so the URL would carry every right "
            "of this client. Relay the stream with interactor_ext.relay, or let the URL carry them with "
            f"allow_broad_token=True. {reason}"
        )
        self._refused_until = time.monotonic() + _REFUSAL_LASTS
        return NotNarrowedError(self._refusal)
