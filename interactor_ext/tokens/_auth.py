"""Bearer authentication: adds the access token to each request, and repeats a request once after a 401."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import httpx

from interactor_ext._call import Call
from interactor_ext._config import InteractorConfig
from interactor_ext._responses._read import read_response
from interactor_ext.tokens._cache import AsyncTokenCache, TokenCache
from interactor_ext.tokens._serialization import read_token
from interactor_ext.tokens._store import Token


class BearerAuth(httpx.Auth):
    """The auth flow of synchronous clients.

    `wants_token` says which requests get the token, and `deadline` when the wait for one ends, by `time.monotonic()`.
    `fetch` makes the token requests in place of the cache's own.
    """

    def __init__(
        self,
        tokens: TokenCache,
        wants_token: Callable[[httpx.Request], bool],
        deadline: Callable[[httpx.Request], float | None],
        fetch: Callable[[], Token] | None = None,
    ) -> None:
        self._tokens = tokens
        self._wants_token = wants_token
        self._deadline = deadline
        self._fetch = fetch

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx for each request: signs it, and once more after a 401."""
        if not self._wants_token(request):
            yield request
            return
        token = self._tokens.fresh() or self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        if response.status_code != 401 or not _carried(response, token):
            return
        self._reject(token)
        if not _is_replayable(request):
            # Else a server that refuses any token would cost a token request for each such call.
            self._tokens.replayed(refused=True)
            return
        # Unread, it would keep its connection, which the token request may be waiting for.
        response.read()
        token = self._tokens.fresh() or self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        self._tokens.replayed(refused=response.status_code == 401 and _carried(response, token))

    def _reject(self, token: Token) -> None:
        self._tokens.reject(token)


class AsyncBearerAuth(httpx.Auth):
    """The auth flow of asynchronous clients; see `BearerAuth`."""

    def __init__(
        self,
        tokens: AsyncTokenCache,
        wants_token: Callable[[httpx.Request], bool],
        deadline: Callable[[httpx.Request], float | None],
        fetch: Callable[[], Awaitable[Token]] | None = None,
    ) -> None:
        self._tokens = tokens
        self._wants_token = wants_token
        self._deadline = deadline
        self._fetch = fetch

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by httpx for each request: signs it, and once more after a 401."""
        if not self._wants_token(request):
            yield request
            return
        token = self._tokens.fresh() or await self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        if response.status_code != 401 or not _carried(response, token):
            return
        self._reject(token)
        if not _is_replayable(request):
            self._tokens.replayed(refused=True)
            return
        await response.aread()
        token = self._tokens.fresh() or await self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        self._tokens.replayed(refused=response.status_code == 401 and _carried(response, token))

    def _reject(self, token: Token) -> None:
        self._tokens.reject(token)


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


def token_from(response: httpx.Response, asked_at: float, model: str = "AccessToken") -> Token:
    """The token of a token response, or the error that it is."""
    return read_response(response, lambda response: read_token(response.content, asked_at, model))


def is_for_core_api(core_api_url: str) -> Callable[[httpx.Request], bool]:
    """Which requests get the client's token: those to the Core API alone, whatever the low-level client requests."""
    core = httpx.URL(core_api_url)

    def wants_token(request: httpx.Request) -> bool:
        if Call.of(request).is_for_account_server:
            return False
        url = request.url
        same_origin = (url.scheme, url.host, url.port) == (core.scheme, core.host, core.port)
        return same_origin and url.path.startswith(f"{core.path.rstrip('/')}/")

    return wants_token


def deadline_of_call(request: httpx.Request) -> float | None:
    return Call.of(request).ends_at


def bearer(token: Token) -> str:
    """The value of the header `Authorization`."""
    return f"Bearer {token.access_token}"


def _signed(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = bearer(token)
    Call.of(request).token = token.access_token
    return request


def _carried(response: httpx.Response, token: Token) -> bool:
    """Whether the answered request had the token: after a redirect to another origin it has none."""
    return bool(response.request.headers.get("Authorization") == bearer(token))


def _is_replayable(request: httpx.Request) -> bool:
    # A generator body is consumed once it was sent.
    return isinstance(request.stream, httpx.ByteStream)
