"""The clients, InteractorClient and AsyncInteractorClient, and their views. Views share one pool, token and limits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack

import httpx

from interactor_client.advised import called, missing
from interactor_client.api import AsyncResources, Resources
from interactor_ext._engine import telemetry_events
from interactor_ext._engine.arguments import require_kind
from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.logs import line_of_caller
from interactor_ext._engine.responses.read import read_response
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.waiting import NO_ASYNC_WITH, NO_WITH, require_asyncio
from interactor_ext._interactor import models
from interactor_ext._interactor.config import ConfigFields, InteractorConfig
from interactor_ext._interactor.tokens import TokenStore, revocation
from interactor_ext._interactor.tokens.auth import NotNarrowedError
from interactor_ext._interactor.views import credential_auth, extras, low_level, shared_state
from interactor_ext._interactor.views.http import AsyncViewClient, ViewClient
from interactor_ext._interactor.views.reports import Health, OnResponse, RateLimit, health_from
from interactor_ext._interactor.views.sequences import AsyncSequences, Sequences
from interactor_ext._interactor.views.view import Immutable, StreamURL, View, room_stream, workflow_stream
from interactor_ext.chat import AsyncChats, Chats

if TYPE_CHECKING:
    from builtins import property as cached_property  # as in interactor_client.api

    from interactor_ext._engine.limits import limiter
    from interactor_ext._interactor.views.shared_state import AsyncSharedState, ClientOptions, SharedState
else:
    from functools import cached_property

    limiter = LazyModule("interactor_ext._engine.limits.limiter")

S = TypeVar("S", "SharedState", "AsyncSharedState")
N = TypeVar("N", httpx.BaseTransport, httpx.AsyncBaseTransport)
# Not `Self`, which jedi mistakes for the class that it is written in.
C = TypeVar("C", bound="_Client[Any, Any]")


class _Client(Immutable, Generic[S, N]):
    """What the sync and the async client have in common: views, settings, and whether they are closed."""

    _config: InteractorConfig
    _shared: S
    _view: View
    _is_view = False

    def __init__(
        self,
        config: InteractorConfig | None = None,
        *,
        transport: N | None = None,
        token_store: TokenStore | None = None,
        retry_policy: RetryPolicy | None = None,
        rate_limiter: limiter.RateLimiter | None = None,
        circuit_breaker: CircuitBreaker | bool | None = None,
        telemetry: telemetry_events.Telemetry | None = None,
        **fields: Unpack[ConfigFields],
    ) -> None:
        self._config = _settings_of(config, fields, retry_policy)
        options = shared_state.ClientOptions(
            transport, token_store, retry_policy, rate_limiter, circuit_breaker, telemetry
        )
        self._shared = self._share(options)
        self._shared.kind = type(self)
        self._open(View.of(self.config))

    def _share(self, options: ClientOptions) -> S:
        raise NotImplementedError

    def _open(self, view: View) -> None:
        self._view = view
        sender: Any = self._shared.open(view)
        self._sender = sender
        self._http = sender.http

    @classmethod
    def _of(cls, shared: S, view: View) -> Self:
        derived = object.__new__(cls)
        derived._config = view.config
        derived._shared = shared
        derived._is_view = True
        derived._open(view)
        return derived

    def _derive(self, view: View) -> Self:
        return self._of(self._shared, view)

    def _without_key(self) -> Self:
        """For the calls before and after the one that this view's key is meant for."""
        return self._derive(self._view._replace(idempotency_key=None))

    @property
    def config(self) -> InteractorConfig:
        """The settings that the client was created with; a view may override some."""
        return self._config

    def __repr__(self) -> str:
        closed = ", closed" if self.is_closed else ""
        return f"{type(self).__name__}({self._view.describe()}{closed})"

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_")]

    def namespace(self: C, namespace: str) -> C:
        """A view whose calls all belong to this tenant.

        Raises:
            ConfigurationError: the namespace is empty, contains a control character, or begins or ends with white
                space.
        """
        return self._derive(self._view.with_namespace(namespace))

    def for_event(self: C, event: models.WebhookEvent) -> C:
        """A view of the tenant that a webhook event belongs to. If `event.namespace` is None, it is the default
        namespace, even with `require_namespace`.

        Raises:
            ConfigurationError: not an event, or its namespace can't be sent in a header.
        """
        return self._derive(self._view.for_event(event))

    def with_options(
        self: C,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        deadline: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        query: extras.Query | None = None,
        on_response: OnResponse | None = None,
    ) -> C:
        """A view with other settings for its calls; None leaves a setting unchanged.

        `timeout` (for one attempt) and `deadline` (for a whole call) are in seconds. `max_retries` is how often a call
        is retried at most, 0 for never. `idempotency_key` replaces the random key of a call that supports one: use such
        a view for a single call, and for repeating that call. Another call that changes something is refused with a
        ConfigurationError; calls that only read need no key and send none.

        `headers` and `query` are added to each request of the view, streams included, but not to token requests. They
        are merged with the parent view's; None removes a name. They don't override what a method sets itself, and names
        that the client or HTTP sets are refused.

        `on_response` is called with a `ResponseInfo` for the response to each call, errors included, after any
        callbacks set before. It must not block: the async client calls it in the event loop. Its exceptions are logged.
        Without a response it isn't called.

        Raises:
            ConfigurationError: a value is out of range or can't be sent.
        """
        options = timeout, max_retries, deadline, idempotency_key, headers, query, on_response
        return self._derive(self._view.with_options(*options))

    def _ask_little(self) -> Any:
        """Make the call of a health check; in the async client, its coroutine."""
        view: Any = self.with_options(max_retries=0, deadline=self._view.time_for_health())
        if not self._view.lacks_namespace:
            return view.assistants.list(per_page=1)
        return view.oauth.get_jwks() if self.is_authenticated() else view.get_access_token()

    @called
    def is_authenticated(self) -> bool:
        """Whether there is an unexpired access token. Sends nothing."""
        return self._shared.tokens.valid() is not None

    @property
    def rate_limit(self) -> dict[str, RateLimit]:
        """The latest rate limits from the server, by scope: "client", "namespace" (this view's own), and others.

        Empty before the first response.
        """
        return self._shared.limits.seen(self._view.namespace)

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed; its views close with it."""
        return self._shared.transport.closing.is_set


missing(_Client, "from_env from_config from_service_account_json from_service_account_file")


class InteractorClient(_Client["SharedState", httpx.BaseTransport], Chats, Sequences, Resources, calls=True):
    """The client for threads. One client serves a whole process.

    The settings are the fields of `InteractorConfig`, as keywords; the rest comes from `config` or, without one, from
    the environment: `InteractorClient(config)`, `InteractorClient(timeout=5)`. `transport` replaces the connection
    pool, and is closed with the client. `token_store` shares the access token with other clients. `retry_policy`
    decides what is retried and when. `rate_limiter` (see `interactor_ext.limits`) makes calls wait instead of being
    refused. `circuit_breaker` blocks calls to a host that keeps failing; pass another `CircuitBreaker`, or False for
    none. `telemetry` (see `interactor_ext.telemetry`) gets an event for each request.

    Views (`namespace`, `with_options`) are immutable, cheap, and share everything else. They own nothing, so closing
    one does nothing. A client that is never closed releases its connections when it is garbage collected.

    Raises:
        ConfigurationError: settings are missing or wrong. Nothing was sent.
    """

    _http: ViewClient

    def _share(self, options: ClientOptions) -> SharedState:
        return shared_state.SharedState(self._config, options)

    @cached_property
    def api(self) -> low_level.ViewApi:
        """The `client=` argument for the functions of `interactor_client.api`.

        Requests have this view's token, namespace and options, and failures raise the errors of this package.
        """
        return low_level.ViewApi(self._http)

    def get_access_token(self) -> str:
        """A valid access token, requested if there is none yet. It is a secret.

        Raises:
            AuthenticationError: the client id, the secret or the scopes were refused.
            APIConnectionError: the account server did not respond.
        """
        return self._shared.tokens.get(self._view.ends_at()).access_token

    def revoke_token(self) -> bool:
        """Revoke the client's access token, in its token store as well, and forget it. Returns whether there was one.

        The next call requests another. Tokens in stream URLs that were handed out stay valid until they expire.
        Raises InteractorError if the store fails, as a token in it may then still be valid.
        """
        return self._run_effects(revocation.revoke(self))

    def jwks(self) -> models.JsonWebKeySet:
        """The public keys that access tokens are signed with, as `oauth.get_jwks`. It needs no token."""
        return self.oauth.get_jwks()

    def health(self) -> Health:
        """Get a token if there is none yet, and send one small request to the Core API. Raises no InteractorError.

        Takes at most the view's `timeout`, token included. If the client requires a namespace and the view doesn't
        have one, only the account server is checked, because everything in the Core API belongs to a tenant.
        """
        started, error = time.perf_counter(), None
        try:
            self._ask_little()
        except InteractorError as caught:
            error = caught
        return health_from(error, time.perf_counter() - started, token_valid=self.is_authenticated())

    def request(
        self,
        method: str,
        path: str,
        *,
        params: extras.Query | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Call an endpoint that has no method yet, with the view's token, namespace and options.

        `path` is relative to the Core API's URL: `client.request("GET", "/things/th_1")`. Percent-encode ids in it. The
        whole body is read, so this isn't for streams. A POST or PATCH that may have arrived is only retried with an
        Idempotency-Key header, set here or through `with_options`. Errors and logs quote the path; metrics don't.

        Raises:
            APIStatusError: an error status.
            APIConnectionError: no response.
            ConfigurationError: a header or a parameter is refused. Nothing was sent.
            ValueError, TypeError: the method, the path or the body can't be sent, such as a path to another place or a
                body that isn't JSON. Nothing was sent.
        """
        arguments = extras.request_arguments(
            self._view.namespace, self._view.idempotency_key, method, path, params, json, headers
        )
        return read_response(self._http.request(**arguments), _as_it_is)

    def room_stream_url(self, room_id: str, *, allow_broad_token: bool = False) -> str:
        """The URL of a room's events for a browser's EventSource, which can't send headers. It contains a token that
        isn't limited to this room or namespace: only give it to a user who may see all of them, and keep it out of
        logs.

        The token has the scope `rooms:read`. If the account server supports `resource` (RFC 8707), as the sandbox does,
        it only opens room streams, in any namespace. Otherwise anyone with the URL can read all rooms and messages, in
        any namespace, until the token expires. `interactor_ext.relay` keeps the token in your backend.

        Raises:
            ConfigurationError: the account server issues no token with only that scope. With `allow_broad_token` the
                URL then has the client's own token, with all rights of the client.
        """
        return self._stream_url(room_stream(self._view, room_id), allow_broad_token)

    def workflow_stream_url(self, instance_id: str, *, allow_broad_token: bool = False) -> str:
        """Like `room_stream_url`, but for a workflow instance; the scope is `workflows:read`."""
        return self._stream_url(workflow_stream(self._view, instance_id), allow_broad_token)

    def _stream_url(self, url: StreamURL, allow_broad_token: bool) -> str:
        ends_at = self._view.ends_at()
        try:
            token = self._shared.narrow(url.operation).get(ends_at)
        except NotNarrowedError:
            if allow_broad_token is not True:
                raise
            token = self._shared.tokens.get(ends_at)
        return url.with_token(token.access_token)

    def credential_auth(
        self, credential_id: str, *, hosts: Iterable[str] | str | None = None
    ) -> credential_auth.CredentialAuth:
        """Signs your own calls to a provider with the token of a user's credential: `httpx.Client(auth=...)`, httpx2
        with `httpx2_auth()`, `requests` with `requests_auth()`, and anything else with `headers(url)`.

        The token is fetched at the first call, and again a minute before it expires or after the provider responds
        with 401; that call is then sent once more. Auth objects of the same client, namespace and credential share the
        token; the first to need it requests it, with its view's options. A view's deadline only limits its own wait.

        `hosts` may get the token, such as "www.googleapis.com": over https, and over http only on this machine.
        Without `hosts` it is the host of the first call. A call to another raises ConfigurationError; a redirect to
        another is followed without the token.

        Your calls then raise CredentialExpiredError if the user must connect the credential again, and any other
        InteractorError of `credentials.get_token` and `credentials.refresh`.

        Raises:
            ConfigurationError: `hosts` is empty, or contains something that isn't a host.
            ValueError: the id can't be part of a path.
        """
        return credential_auth.CredentialAuth(self._shared, self._view, credential_id, hosts)

    def close(self) -> None:
        """Close the connections; later calls raise ConfigurationError. Closing twice does no harm."""
        self._close(f"close() in {line_of_caller()}")

    def _close(self, by: str) -> None:
        if not self._is_view:
            self._shared.transport.closing.announce(by)
            self._shared.close()

    __aenter__ = NO_ASYNC_WITH

    def __enter__(self) -> Self:
        self._shared.transport.closing.check()
        return self

    def __exit__(self, *_: object) -> None:
        self._close(f"the end of the `with` block in {line_of_caller()}")


class AsyncInteractorClient(
    _Client["AsyncSharedState", httpx.AsyncBaseTransport], AsyncChats, AsyncSequences, AsyncResources, calls=True
):
    """The client for asyncio: `InteractorClient` with coroutines. One client serves all event loops of a process."""

    _http: AsyncViewClient

    def _share(self, options: ClientOptions) -> AsyncSharedState:
        return shared_state.AsyncSharedState(self._config, options)

    @cached_property
    def api(self) -> low_level.AsyncViewApi:
        """The `client=` argument for the functions of `interactor_client.api`.

        Requests have this view's token, namespace and options, and failures raise the errors of this package.
        """
        return low_level.AsyncViewApi(self._http)

    async def get_access_token(self) -> str:
        """A valid access token, requested if there is none yet. It is a secret.

        Raises:
            AuthenticationError: the client id, the secret or the scopes were refused.
            APIConnectionError: the account server did not respond.
        """
        require_asyncio()
        return (await self._shared.tokens.get(self._view.ends_at())).access_token

    async def revoke_token(self) -> bool:
        """Like `InteractorClient.revoke_token`."""
        return await self._run_effects(revocation.revoke(self))

    async def jwks(self) -> models.JsonWebKeySet:
        """Like `InteractorClient.jwks`."""
        return await self.oauth.get_jwks()

    async def health(self) -> Health:
        """Like `InteractorClient.health`."""
        started, error = time.perf_counter(), None
        try:
            await self._ask_little()
        except InteractorError as caught:
            error = caught
        return health_from(error, time.perf_counter() - started, token_valid=self.is_authenticated())

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: extras.Query | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Like `InteractorClient.request`."""
        arguments = extras.request_arguments(
            self._view.namespace, self._view.idempotency_key, method, path, params, json, headers
        )
        return read_response(await self._http.request(**arguments), _as_it_is)

    async def room_stream_url(self, room_id: str, *, allow_broad_token: bool = False) -> str:
        """Like `InteractorClient.room_stream_url`."""
        return await self._stream_url(room_stream(self._view, room_id), allow_broad_token)

    async def workflow_stream_url(self, instance_id: str, *, allow_broad_token: bool = False) -> str:
        """Like `InteractorClient.workflow_stream_url`."""
        return await self._stream_url(workflow_stream(self._view, instance_id), allow_broad_token)

    async def _stream_url(self, url: StreamURL, allow_broad_token: bool) -> str:
        require_asyncio()
        ends_at = self._view.ends_at()
        try:
            token = await self._shared.narrow(url.operation).get(ends_at)
        except NotNarrowedError:
            if allow_broad_token is not True:
                raise
            token = await self._shared.tokens.get(ends_at)
        return url.with_token(token.access_token)

    def credential_auth(
        self, credential_id: str, *, hosts: Iterable[str] | str | None = None
    ) -> credential_auth.AsyncCredentialAuth:
        """Like `InteractorClient.credential_auth`, for `httpx.AsyncClient(auth=...)`; await its `headers(url)`."""
        return credential_auth.AsyncCredentialAuth(self._shared, self._view, credential_id, hosts)

    async def aclose(self) -> None:
        """Close the connections; later calls raise ConfigurationError. Closing twice does no harm."""
        await self._close(f"aclose() in {line_of_caller()}")

    async def _close(self, by: str) -> None:
        require_asyncio()
        if not self._is_view:
            self._shared.transport.closing.announce(by)
            await self._shared.close()

    __enter__ = NO_WITH

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._shared.transport.closing.check()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close(f"the end of the `async with` block in {line_of_caller()}")


def _as_it_is(response: httpx.Response) -> httpx.Response:
    return response


def _settings_of(
    config: InteractorConfig | None, fields: ConfigFields, retry_policy: RetryPolicy | None
) -> InteractorConfig:
    """Return a client's settings: from its keywords, then its retry policy, then `config` or the environment."""
    if isinstance(config, str | dict):
        raise ConfigurationError(
            f"config must be an InteractorConfig, not {type(config).__name__}. The settings are keywords: "
            "client_id=..., client_secret=..."
        )
    if config is not None:
        require_kind("config", config, InteractorConfig)
    if retry_policy is not None:
        require_kind("retry_policy", retry_policy, RetryPolicy)
        if fields.get("max_retries") is None:
            fields = {**fields, "max_retries": retry_policy.max_retries}
    return InteractorConfig(**fields) if config is None else config.replace(**fields)
