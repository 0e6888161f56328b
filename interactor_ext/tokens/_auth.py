"""Bearer authentication: adds the access token to each request, and repeats a request once after a 401."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

from interactor_ext._config import InteractorConfig
from interactor_ext._responses._read import read_response
from interactor_ext.tokens._cache import AsyncTokenCache, TokenCache
from interactor_ext.tokens._serialization import read_token
from interactor_ext.tokens._store import Token


class BearerAuth(httpx.Auth):
    """The auth flow of the synchronous views."""

    def __init__(self, tokens: TokenCache, core_api_url: str) -> None:
        self._tokens = tokens
        self._core = httpx.URL(core_api_url)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not _wants_token(request, self._core):
            yield request
            return
        token = self._tokens.fresh() or self._tokens.get(_deadline(request))
        response = yield _signed(request, token)
        if response.status_code == 401 and _is_replayable(request):
            # Unread, it would keep its connection, which the token request may be waiting for.
            response.read()
            self._tokens.reject(token)
            token = self._tokens.fresh() or self._tokens.get(_deadline(request))
            response = yield _signed(request, token)
            self._tokens.replayed(refused=response.status_code == 401)


class AsyncBearerAuth(httpx.Auth):
    """The auth flow of the asynchronous views."""

    def __init__(self, tokens: AsyncTokenCache, core_api_url: str) -> None:
        self._tokens = tokens
        self._core = httpx.URL(core_api_url)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not _wants_token(request, self._core):
            yield request
            return
        token = self._tokens.fresh() or await self._tokens.get(_deadline(request))
        response = yield _signed(request, token)
        if response.status_code == 401 and _is_replayable(request):
            await response.aread()
            self._tokens.reject(token)
            token = self._tokens.fresh() or await self._tokens.get(_deadline(request))
            response = yield _signed(request, token)
            self._tokens.replayed(refused=response.status_code == 401)


def token_request(config: InteractorConfig, resource: str | None = None) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for a token request."""
    from interactor_client.api.oauth import create_token

    body = {"grant_type": "client_credentials", "client_id": config.client_id, "client_secret": config.client_secret}
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


def token_from(response: httpx.Response, asked_at: float) -> Token:
    """The token of a token response, or the error that it is."""
    return read_response(response, lambda response: read_token(response.content, asked_at))


def _wants_token(request: httpx.Request, core: httpx.URL) -> bool:
    """The token is sent to the Core API alone, whatever URL the low-level client requests."""
    operation = request.extensions.get("operation")
    if operation is not None and operation.server == "account":
        return False
    url = request.url
    same_origin = (url.scheme, url.host, url.port) == (core.scheme, core.host, core.port)
    return same_origin and url.path.startswith(f"{core.path.rstrip('/')}/")


def _signed(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    request.extensions["token"] = token
    return request


def _deadline(request: httpx.Request) -> float | None:
    return getattr(request.extensions.get("interactor"), "ends_at", None)


def _is_replayable(request: httpx.Request) -> bool:
    # A generator body is consumed once it was sent.
    return isinstance(request.stream, httpx.ByteStream)
