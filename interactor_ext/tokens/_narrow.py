"""Token requests for stream URLs: tokens with one scope, for one kind of stream. Loaded where a URL is asked for."""

from __future__ import annotations

import json
import time

import httpx

from interactor_ext._config import InteractorConfig
from interactor_ext._errors import APIStatusError
from interactor_ext.tokens._requests import NotNarrowedError, TokenPlan, token_from, token_request

# Seconds until a refusal is asked about again: only 20 token requests a minute are allowed.
_REFUSAL_LASTS = 300.0
# A token request that these refuse would be refused for any scope.
_OTHER_REASONS = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"})


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
            f"The account server issued no token with only the scope {self._scope}, so the URL would have "
            "all rights of this client. Relay the stream with interactor_ext.relay, or accept those "
            f"rights with allow_broad_token=True. {reason}"
        )
        self._refused_until = time.monotonic() + _REFUSAL_LASTS
        return NotNarrowedError(self._refusal)
