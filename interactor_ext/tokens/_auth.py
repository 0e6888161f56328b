"""Bearer authentication: adds the access token to each request, and repeats a request once after a 401."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Generic, TypeVar

import httpx

from interactor_ext._call import Call
from interactor_ext.tokens._cache import AsyncTokenCache, TokenCache
from interactor_ext.tokens._store import Token

C = TypeVar("C", TokenCache, AsyncTokenCache)
F = TypeVar("F", Callable[[], Token], Callable[[], Awaitable[Token]])


class _BearerAuth(httpx.Auth, Generic[C, F]):
    """What both auth flows do alike.

    `wants_token` says which requests get the token, and `deadline` when the wait for one ends, by `time.monotonic()`.
    `fetch` makes the token requests in place of the cache's own.
    """

    def __init__(
        self,
        tokens: C,
        wants_token: Callable[[httpx.Request], bool],
        deadline: Callable[[httpx.Request], float | None],
        fetch: F | None = None,
    ) -> None:
        self._tokens: C = tokens
        self._wants_token = wants_token
        self._deadline = deadline
        self._fetch: F | None = fetch

    def _reject(self, token: Token) -> None:
        self._tokens.reject(token)

    def _is_repeated(self, request: httpx.Request, response: httpx.Response, token: Token) -> bool:
        """Whether a request that was answered with 401 goes out once more, with a new token."""
        if not _carried(response, token):
            return False
        self._reject(token)
        # A generator body is consumed once it was sent. By name: a credential's auth serves httpx2 too.
        is_replayable = type(request.stream).__name__ == "ByteStream"
        if not is_replayable:
            # Else a server that refuses any token would cost a token request for each such call.
            self._tokens.replayed(refused=True)
        return is_replayable


class BearerAuth(_BearerAuth[TokenCache, Callable[[], Token]]):
    """The auth flow of synchronous clients."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx for each request: signs it, and once more after a 401."""
        if not self._wants_token(request):
            yield request
            return
        token = self._tokens.fresh() or self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        if response.status_code != 401 or not self._is_repeated(request, response, token):
            return
        # Unread, it would keep its connection, which the token request may be waiting for.
        response.read()
        token = self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        self._tokens.replayed(refused=response.status_code == 401 and _carried(response, token))


class AsyncBearerAuth(_BearerAuth[AsyncTokenCache, Callable[[], Awaitable[Token]]]):
    """The auth flow of asynchronous clients."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by httpx for each request: signs it, and once more after a 401."""
        if not self._wants_token(request):
            yield request
            return
        token = self._tokens.fresh() or await self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        if response.status_code != 401 or not self._is_repeated(request, response, token):
            return
        await response.aread()
        token = await self._tokens.get(self._deadline(request), self._fetch)
        response = yield _signed(request, token)
        self._tokens.replayed(refused=response.status_code == 401 and _carried(response, token))


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
