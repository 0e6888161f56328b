"""Token requests, and bearer authentication, which adds the access token to each request and repeats a request once
after a 401.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from interactor_ext._engine.call import Call, describe_request
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.responses.read import read_response
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.tokens import Token, read_token
from interactor_ext._interactor.tokens.cache import AsyncTokenCache, TokenCache

if TYPE_CHECKING:
    from interactor_client.types import Operation

C = TypeVar("C", TokenCache, AsyncTokenCache)
F = TypeVar("F", Callable[[], Token], Callable[[], Awaitable[Token]])
TokenPlan = Generator[dict[str, Any], httpx.Response, Token]
"""Yields the arguments of token requests, receives their responses, and returns the token."""
MakePlan = Callable[..., TokenPlan]
"""Its argument is the secret, if a function in the settings returned it."""


class NotNarrowedError(ConfigurationError):
    """The account server issues no token with fewer rights than the client has."""


def token_request(config: InteractorConfig, resource: str | None = None, secret: str | None = None) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for a token request. `secret` is the result of the function in the
    settings."""
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
    """Read the token in a token response; raises the error for any other response."""
    return read_response(response, lambda response: read_token(response.content, asked_at, model))


def own_token(config: InteractorConfig, secret: str | None = None) -> TokenPlan:
    """Request the client's own token."""
    asked_at = time.time()
    return token_from((yield token_request(config, secret=secret)), asked_at)


class _BearerAuth(httpx.Auth, Generic[C, F]):
    """What both auth flows have in common.

    `wants_token` says which requests get the token, and `deadline` when the wait for one ends, by `time.monotonic()`.
    `fetch` makes the token requests instead of the cache's own function. `narrow` returns the tokens that may be in a
    stream's URL: some servers only accept them there. If a stream refuses even a new token in the header, it is retried
    with one in its URL; if that opens, later streams are sent that way at once.
    """

    def __init__(
        self,
        tokens: C,
        wants_token: Callable[[httpx.Request], bool],
        deadline: Callable[[httpx.Request], float | None],
        fetch: F | None = None,
        narrow: Callable[[Operation], C] | None = None,
    ) -> None:
        self._tokens: C = tokens
        self._wants_token = wants_token
        self._deadline = deadline
        self._fetch: F | None = fetch
        self._narrow: Callable[[Operation], C] | None = narrow
        self._sends_by_url = False  # streams

    def _reject(self, token: Token) -> None:
        self._tokens.reject(token)

    def _is_repeated(self, request: httpx.Request, response: httpx.Response, token: Token) -> bool:
        """Whether to repeat a request that got a 401, with a new token."""
        if not _carried(response, token):
            return False
        self._reject(token)
        # A generator body is consumed once it was sent. Checked by name, because a credential's auth also serves
        # httpx2.
        is_replayable = type(request.stream).__name__ == "ByteStream"
        if not is_replayable:
            # Otherwise a server that refuses any token would cost a token request for each such call.
            self._tokens.replayed(refused=True)
        return is_replayable

    def _goes_by_url(self, request: httpx.Request, response: httpx.Response, token: Token) -> bool:
        """Whether the server seems to refuse the header rather than the token. Called after a new token was tried."""
        is_refused = response.status_code == 401 and _carried(response, token)
        self._tokens.replayed(refused=is_refused)
        return is_refused and self._narrow is not None and Call.of(request).is_stream

    def _narrow_tokens(self, request: httpx.Request) -> C:
        operation = Call.of(request).operation
        assert self._narrow is not None
        assert operation is not None
        return self._narrow(operation)

    def _has_opened(self, response: httpx.Response, tokens: C, token: Token) -> bool:
        """Record whether a token in a URL was accepted. False if it was refused."""
        if response.status_code == 401:
            self._sends_by_url = False
            tokens.reject(token)
            return False
        self._sends_by_url = self._sends_by_url or response.is_success
        return True


class BearerAuth(_BearerAuth[TokenCache, Callable[[], Token]]):
    """The auth flow of synchronous clients."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx for each request: signs it, and signs it again after a 401."""
        if not self._wants_token(request):
            yield request
            return
        is_known = self._sends_by_url and Call.of(request).is_stream
        if not is_known:
            token = self._tokens.fresh() or self._tokens.get(self._deadline(request), self._fetch)
            response = yield _signed(request, token)
            if response.status_code != 401 or not self._is_repeated(request, response, token):
                return
            # An unread body would keep its connection, which the token request may be waiting for.
            response.read()
            token = self._tokens.get(self._deadline(request), self._fetch)
            response = yield _signed(request, token)
            if not self._goes_by_url(request, response, token):
                return
            response.read()
        for _ in range(2 if is_known else 1):  # a known token may be refused
            try:
                tokens = self._narrow_tokens(request)
                token = tokens.get(self._deadline(request))
            except InteractorError as error:
                if is_known:
                    raise
                _log_lack(request, error)
                return
            response = yield _with_token_in_url(request, token)
            if self._has_opened(response, tokens, token):
                return
            response.read()


class AsyncBearerAuth(_BearerAuth[AsyncTokenCache, Callable[[], Awaitable[Token]]]):
    """The auth flow of asynchronous clients."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by httpx for each request: signs it, and signs it again after a 401."""
        if not self._wants_token(request):
            yield request
            return
        is_known = self._sends_by_url and Call.of(request).is_stream
        if not is_known:
            token = self._tokens.fresh() or await self._tokens.get(self._deadline(request), self._fetch)
            response = yield _signed(request, token)
            if response.status_code != 401 or not self._is_repeated(request, response, token):
                return
            await response.aread()
            token = await self._tokens.get(self._deadline(request), self._fetch)
            response = yield _signed(request, token)
            if not self._goes_by_url(request, response, token):
                return
            await response.aread()
        for _ in range(2 if is_known else 1):  # a known token may be refused
            try:
                tokens = self._narrow_tokens(request)
                token = await tokens.get(self._deadline(request))
            except InteractorError as error:
                if is_known:
                    raise
                _log_lack(request, error)
                return
            response = yield _with_token_in_url(request, token)
            if self._has_opened(response, tokens, token):
                return
            await response.aread()


def is_for_core_api(core_api_url: str) -> Callable[[httpx.Request], bool]:
    """Only requests to the Core API get the client's token, whatever the low-level client requests."""
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
    """Return the value of the `Authorization` header."""
    return f"Bearer {token.access_token}"


def _signed(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers["Authorization"] = bearer(token)
    Call.of(request).token = token.access_token
    return request


def _with_token_in_url(request: httpx.Request, token: Token) -> httpx.Request:
    request.headers.pop("Authorization", None)
    call = Call.of(request)
    call.token = token.access_token
    call.hidden_query = {"token": token.access_token}
    if call.namespace is not None:
        call.hidden_query["namespace"] = call.namespace
    return request


def _log_lack(request: httpx.Request, error: InteractorError) -> None:
    logger.warning(
        "%s refuses a new token in its header, and there isn't one for its URL. %s", describe_request(request), error
    )


def _carried(response: httpx.Response, token: Token) -> bool:
    """Whether the request that got this response carried the token; after a redirect to another origin, it doesn't."""
    return bool(response.request.headers.get("Authorization") == bearer(token))
