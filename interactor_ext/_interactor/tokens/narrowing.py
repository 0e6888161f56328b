"""Requests for the tokens of stream URLs, limited to one scope and one kind of stream. Loaded when needed."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from interactor_ext._engine.errors import APIStatusError
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.tokens.auth import NotNarrowedError, TokenPlan, token_from, token_request

if TYPE_CHECKING:
    from interactor_client.types import Operation

# Seconds until a refused request is tried again; only 20 token requests a minute are allowed.
_REFUSAL_LASTS = 300.0
# With these errors, a token request would be refused for any scope.
_OTHER_REASONS = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"})


# By the tag of the stream's operation in the contract.
_SCOPES = {"rooms": "rooms:read", "workflow_instances": "workflows:read"}


def narrowed(config: InteractorConfig, operation: Operation) -> tuple[InteractorConfig, str]:
    """Return the settings and the resource of a token for one kind of stream.

    In the sense of RFC 8707, the resource is all streams of the kind: a token per stream would soon reach the account
    server's limit of 20 token requests a minute.
    """
    resource = config.core_api_url + re.sub(r"\{\w+\}", "*", operation.path)
    return config.replace(scopes=(_SCOPES[operation.tag],)), resource


def narrow_token(config: InteractorConfig, resource: str, secret: str | None = None) -> TokenPlan:
    """Request a token with the only scope of `config`, restricted to one resource (RFC 8707) if the account server can
    do so."""
    try:
        try:
            return (yield from _request(config, resource, secret))
        except APIStatusError as error:
            # RFC 6749 section 3.2 says that servers ignore what they don't know; a strict one refuses it.
            if error.status not in (400, 422) or error.code in _OTHER_REASONS:
                raise
        return (yield from _request(config, None, secret))
    except APIStatusError as error:
        if error.status not in (400, 403, 422) or error.code in _OTHER_REASONS:
            raise
        raise _refused(config, str(error)) from error


def _request(config: InteractorConfig, resource: str | None, secret: str | None) -> TokenPlan:
    asked_at = time.time()
    response = yield token_request(config, resource, secret)
    token = token_from(response, asked_at)
    body = json.loads(response.content)  # valid, because a token was found in it
    data = body.get("data")
    granted = (data if isinstance(data, dict) else body).get("scope")
    # RFC 6749 section 5.1: if it is missing, it is the scope that was requested.
    if granted is None or (isinstance(granted, str) and granted.split() == list(config.scopes)):
        return token
    raise _refused(config, "It granted other scopes.")


def _refused(config: InteractorConfig, reason: str) -> NotNarrowedError:
    return NotNarrowedError(
        f"The account server issued no token with only the scope {config.scopes[0]}, so the URL would have "
        "all rights of this client. Relay the stream with interactor_ext.relay, or accept those "
        f"rights with allow_broad_token=True. {reason}",
        retry_after=_REFUSAL_LASTS,
    )
