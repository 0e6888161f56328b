"""The state that all views of a client share (transport, access token, rate limits), and how it is built."""

from __future__ import annotations

import functools
import hashlib
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import httpx

from interactor_ext._engine import effects, telemetry_events, telemetry_requests
from interactor_ext._engine.arguments import require_kind
from interactor_ext._engine.calls.attempts import Rules
from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker
from interactor_ext._engine.calls.retrying import AsyncRetryingTransport, RetryingTransport
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.network import async_transport
from interactor_ext._engine.network.sync_transport import Transport
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.tokens import Token, TokenStore, narrowing, secret_function, store_access
from interactor_ext._interactor.tokens.auth import (
    AsyncBearerAuth,
    BearerAuth,
    MakePlan,
    TokenPlan,
    deadline_of_call,
    is_for_core_api,
    own_token,
)
from interactor_ext._interactor.tokens.cache import AsyncTokenCache, TokenCache
from interactor_ext._interactor.views.http import AsyncViewClient, AsyncViewSender, HttpContext, ViewClient, ViewSender
from interactor_ext._interactor.views.reports import RateLimits
from interactor_ext._interactor.views.view import OfOneProcess, View

if TYPE_CHECKING:
    from interactor_client.types import Operation
    from interactor_ext._engine.limits import limiter
    from interactor_ext._engine.limits.limiter import RateLimiter
    from interactor_ext._engine.network.async_transport import AsyncTransport
    from interactor_ext._engine.telemetry_events import Telemetry
    from interactor_ext._interactor.tokens.secret_function import CurrentSecret
    from interactor_ext._interactor.tokens.store_access import StoreAccess
else:  # most programs have none
    limiter = LazyModule("interactor_ext._engine.limits.limiter")

T = TypeVar("T")
C = TypeVar("C", TokenCache, AsyncTokenCache)


class ClientOptions(NamedTuple):
    """What a client consists of besides its settings. None means the default."""

    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
    token_store: TokenStore | None
    retry_policy: RetryPolicy | None
    rate_limiter: RateLimiter | None
    circuit_breaker: CircuitBreaker | bool | None
    telemetry: Telemetry | None
    view_kind: type[View] = View
    own_token: Callable[..., TokenPlan] = own_token


class _BaseSharedState(OfOneProcess, Generic[C]):
    """What both clients have in common."""

    tokens: C
    kind: Any
    """The class of the client."""

    def __init__(self, config: InteractorConfig, options: ClientOptions) -> None:
        self._config, self._options = config, options
        self.secret: CurrentSecret | None = None
        if not isinstance(config.client_secret, str):
            self.secret = secret_function.CurrentSecret(config.client_secret)
        self.credentials: dict[tuple[str | None, str], Any] = {}
        """By namespace and id, the least recently used first; each has its `tokens`."""
        self.credential_lock: threading.RLock = fork_safe_lock()
        policy = options.retry_policy or RetryPolicy(max_retries=config.max_retries)
        self._reporter = None if options.telemetry is None else telemetry_events.Reporter(options.telemetry)
        self._context = HttpContext.of(config, policy, self._reporter)
        self.limits: RateLimits = self._context.limits
        self.ensured: dict[str, Any] = self._context.ensured
        self.store: store_access.StoreAccess | None = (
            None if options.token_store is None else store_access.StoreAccess(options.token_store, config)
        )
        if options.rate_limiter is not None:
            require_kind("rate_limiter", options.rate_limiter, limiter.RateLimiter)
        identity = f"{config.account_server_url} {config.client_id}"
        self._rules = Rules(
            policy,
            _circuit_breaker(options.circuit_breaker),
            options.rate_limiter,
            client=hashlib.sha256(identity.encode()).hexdigest()[:16],
            max_response_size=config.max_response_size,
            measure=None if self._reporter is None else functools.partial(telemetry_requests.Measured, self._reporter),
        )

    def _report(self, network: object, ours: type[Transport | AsyncTransport]) -> None:
        if self._reporter is not None:
            self.tokens.on_token = self._reporter.token_in_use
            if isinstance(network, ours):
                self._reporter.pool_opened(network)

    def user_of(self, view: View) -> Any:
        """A view of the client, as users see it."""
        return self.kind._of(self, view)

    def _make_tokens(self, cache: Callable[[MakePlan, StoreAccess | None], C]) -> None:
        """Doesn't reference the shared state, which owns the tokens: a cycle would keep connections open."""
        config, store = self._config, self.store
        self.tokens = tokens = cache(functools.partial(self._options.own_token, config), store)

        def narrow(operation: Operation) -> C:
            tokens.check_open()
            narrow_config, resource = narrowing.narrowed(config, operation)
            found = tokens.narrower.get(resource)
            if found is None:
                plan = functools.partial(narrowing.narrow_token, narrow_config, resource)
                its_store = None if store is None else store.of(narrow_config, resource)
                found = tokens.narrower.setdefault(resource, cache(plan, its_store))
            if found.valid() is None:
                found.check_refusal()  # otherwise each URL of a broad token would start a thread and use the store
            return found

        self.narrow: Callable[[Operation], C] = narrow
        """Returns the tokens for the URLs of one kind of stream."""


class SharedState(_BaseSharedState[TokenCache]):
    """What the views of an `InteractorClient` share."""

    def __init__(self, config: InteractorConfig, options: ClientOptions) -> None:
        super().__init__(config, options)
        given = options.transport
        network = require_kind("transport", Transport() if given is None else given, httpx.BaseTransport)
        self.transport: RetryingTransport = RetryingTransport(network, self._rules)
        if isinstance(network, Transport) and network is not given:
            # Helps those who forget to close. It also runs when the interpreter exits, while daemon threads make calls.
            weakref.finalize(self.transport, network.retire)
        account = ViewClient(options.view_kind.of(config), self._context, self.transport, auth=None)
        secret, reporter = self.secret, self._reporter

        def cache(plan: MakePlan, store: StoreAccess | None) -> TokenCache:
            fetch = fetch_with(account, plan, secret)
            watched = fetch if reporter is None else reporter.watch(fetch)
            return TokenCache(watched, buffer=config.token_refresh_buffer, store=store)

        self._make_tokens(cache)
        self._auth = BearerAuth(self.tokens, is_for_core_api(config.core_api_url), deadline_of_call, narrow=self.narrow)
        self._report(network, Transport)

    def open(self, view: View) -> ViewSender:
        return ViewSender(ViewClient(view, self._context, self.transport, self._auth), self.user_of)

    def close(self) -> None:
        by = self.transport.closing.by
        self.tokens.close(by)
        for credential in list(self.credentials.values()):
            credential.tokens.close(by)
        self.transport.close()


class AsyncSharedState(_BaseSharedState[AsyncTokenCache]):
    """What the views of an `AsyncInteractorClient` share."""

    def __init__(self, config: InteractorConfig, options: ClientOptions) -> None:
        super().__init__(config, options)
        # The connections of our own transport end with their event loops.
        given = options.transport
        network = async_transport.AsyncTransport() if given is None else given
        network = require_kind("transport", network, httpx.AsyncBaseTransport)
        self.transport: AsyncRetryingTransport = AsyncRetryingTransport(network, self._rules)
        account = AsyncViewClient(options.view_kind.of(config), self._context, self.transport, auth=None)
        secret, reporter = self.secret, self._reporter

        def cache(plan: MakePlan, store: StoreAccess | None) -> AsyncTokenCache:
            fetch = fetch_with_async(account, plan, secret)
            watched = fetch if reporter is None else reporter.watch_async(fetch)
            return AsyncTokenCache(watched, buffer=config.token_refresh_buffer, store=store)

        self._make_tokens(cache)
        self._auth = AsyncBearerAuth(
            self.tokens, is_for_core_api(config.core_api_url), deadline_of_call, narrow=self.narrow
        )
        self._report(network, async_transport.AsyncTransport)

    def open(self, view: View) -> AsyncViewSender:
        return AsyncViewSender(AsyncViewClient(view, self._context, self.transport, self._auth), self.user_of)

    async def close(self) -> None:
        by = self.transport.closing.by
        await self.tokens.aclose(by)
        for credential in list(self.credentials.values()):
            await credential.tokens.aclose(by)
        await self.transport.aclose()


# Neither references the shared state, because its token caches reference them.


def fetch_with(http: ViewClient, plan: MakePlan, secret: CurrentSecret | None = None) -> Callable[[], Token]:
    """Return a function that makes the token requests of a plan."""

    def fetch(*known: str) -> Token:
        steps = plan(*known)
        try:
            request = next(steps)
            while True:
                request = steps.send(http.request(**request))
        except StopIteration as done:
            token: Token = done.value
            return token

    return fetch if secret is None else lambda: effects.run_sync(secret.fetch(fetch))


def fetch_with_async(
    http: AsyncViewClient, plan: MakePlan, secret: CurrentSecret | None = None
) -> Callable[[], Awaitable[Token]]:
    """Like `fetch_with`, for asyncio."""

    async def fetch(*known: str) -> Token:
        steps = plan(*known)
        try:
            request = next(steps)
            while True:
                request = steps.send(await http.request(**request))
        except StopIteration as done:
            token: Token = done.value
            return token

    return fetch if secret is None else lambda: effects.run_async(secret.fetch(fetch))


def _circuit_breaker(given: CircuitBreaker | bool | None) -> CircuitBreaker | None:
    if given is None or given is True:
        return CircuitBreaker()
    return None if given is False else require_kind("circuit_breaker", given, CircuitBreaker)
