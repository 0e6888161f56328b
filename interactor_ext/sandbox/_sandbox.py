"""The class Sandbox: its options, how it is run and served, and its methods for tests."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import weakref
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette

import interactor_ext
from interactor_client.advised import Advised
from interactor_ext._engine.waiting import NoContextManager
from interactor_ext._interactor import models
from interactor_ext.sandbox.app import build_app
from interactor_ext.sandbox.clock import Clock, unix_seconds
from interactor_ext.sandbox.delivery.deliveries import Delivery, DeliveryOptions
from interactor_ext.sandbox.http.cors import origin_name
from interactor_ext.sandbox.http.dialects import Dialect, dialects
from interactor_ext.sandbox.http.guard import host_name
from interactor_ext.sandbox.http.server import Server, listen, origin, serving, terminating
from interactor_ext.sandbox.platform import credentials, instances
from interactor_ext.sandbox.platform.contract import ACCOUNT_PREFIX, CORE_PREFIX, load_contract
from interactor_ext.sandbox.platform.deprecations import LINK, Deprecated
from interactor_ext.sandbox.platform.faults import FAILURE, Faults
from interactor_ext.sandbox.platform.providers import Provider
from interactor_ext.sandbox.platform.scripts import Replies
from interactor_ext.sandbox.platform.seeds import Seed, export_seed, load_seed, read_seed
from interactor_ext.sandbox.platform.state import Settings, State
from interactor_ext.sandbox.problems import Problem
from interactor_ext.sandbox.storage.datafile import DamagedFile, DataFile
from interactor_ext.sandbox.storage.journal import Journal, RequestRecord
from interactor_ext.sandbox.storage.persistence import Persistence
from interactor_ext.sandbox.storage.records import JsonObject
from interactor_ext.sandbox.work import running_loop

T = TypeVar("T")


class Sandbox(Advised, calls=True):
    """A local simulation of the platform. Several may run at once; they share nothing.

    `with Sandbox() as sandbox:`, or `with Sandbox().run(port) as sandbox:`, serves it from a thread, for sync and async
    callers. `.app` is an ASGI app for your own server. `client_id`, `client_secret` and `scopes` belong to the
    initial OAuth client. `token_lifetime` and `keepalive` (of silent streams) are seconds. With `enforce_limits`,
    exceeding the documented rate limits results in 429; otherwise they are only counted and reported. `word_delay` is
    the real time in seconds between two words of a streamed reply. `retry` is the delay, in milliseconds, that streams
    tell clients to wait before a reconnect. A stream stores the newest `replay` events for resuming, each journal the
    newest `history` entries. Syncing a data source takes `sync_time` seconds of the clock.
    `delivery` says how webhooks are delivered. All times come from `clock`. Requests whose Host is not an address, a
    local name or one of `allowed_hosts` get 403: they may come from a web page through DNS rebinding. Pages of
    `allow_origins` (`["http://localhost:3000"]`) may call the API and read its streams from a browser (CORS); pages of
    other origins can't. `faults` and `replies` control what calls get, and what assistants reply. `dialect` lists where
    to follow the platform's guide when it contradicts the contract (dialects.py): `current_page`, `whole_objects`,
    `enabled`, `bare_signature`, `deprecation_true`. `/openapi.yaml` and `/api/v1/openapi.yaml` are the contract, with
    this sandbox as its servers.

    State is in memory, or in the file `data`, which survives a restart and the death of the process (see datafile.py).
    One sandbox at a time may open it; it is closed when `run` or `serve` ends. `seed` is a file of initial data, loaded
    at the start and after `reset` (see seeds.py), unless `data` already contains something. The constructor raises
    OSError for a file that can't be opened, and ConfigurationError (also a ValueError) for one that is damaged or
    foreign; the file is unchanged. A seed is loaded completely or not at all. If `data` can't be written, the change
    is rolled back: methods raise OSError, and API calls get 507.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _process: int = 0
    _origin: str | None = None

    __aenter__: NoContextManager = NoContextManager(
        "Write `with {0}() as sandbox:`, also in coroutines: {0} runs in its own thread"
    )
    _running: AbstractContextManager[Sandbox] | None = None

    def __init__(
        self,
        *,
        client_id: str = "sandbox_client",
        client_secret: str = "sandbox_secret",  # noqa: S107  # no secret: it opens a sandbox that holds none
        scopes: Iterable[str] = ("admin",),
        token_lifetime: float = 3600,
        enforce_limits: bool = False,
        keepalive: float = 30.0,
        retry: int | None = None,
        word_delay: float = 0.0,
        replay: int = 2000,
        history: int = 10_000,
        sync_time: float = 2.0,
        delivery: DeliveryOptions | None = None,
        clock: Clock | None = None,
        data: str | os.PathLike[str] | None = None,
        seed: str | os.PathLike[str] | None = None,
        allowed_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        dialect: Iterable[Dialect] = (),
    ) -> None:
        _require_lists(allowed_hosts=allowed_hosts, allow_origins=allow_origins, dialect=dialect)
        contract = load_contract()
        self.client_id = client_id
        self.client_secret = client_secret
        self.clock: Clock = clock or Clock()
        self.faults: Faults = Faults(contract.operations)
        settings = Settings(
            keeps_clock=clock is None,
            token_lifetime=token_lifetime,
            enforce_limits=enforce_limits,
            keepalive=keepalive,
            retry=retry,
            word_delay=word_delay,
            replay=replay,
            history=history,
            sync_time=sync_time,
            delivery=delivery or DeliveryOptions(),
            allowed_hosts=frozenset(map(host_name, allowed_hosts)),
            allow_origins=frozenset(map(origin_name, allow_origins)),
            dialect=dialects(dialect),
        )

        def fresh(persistence: Persistence) -> State:
            return State(settings, self.clock, self.faults, contract, persistence)

        load = None if seed is None else partial(load_seed, os.fspath(seed), read_seed(seed), contract)
        if load is not None:
            # Loaded into a temporary state first, so an invalid seed changes nothing.
            load(fresh(Persistence()))
        self._data = data
        self._persistence = Persistence() if data is None else DataFile(data)
        try:
            self._state = fresh(self._persistence)
            self._accounts = self._state.accounts
            self.replies: Replies = Replies(self._state.store, self._on_loop)
            self.app: Starlette = build_app(contract, self._state, self._remember_loop, self)
            self._fill(scopes, load)
        except BaseException:
            self._persistence.roll_back()
            self._persistence.close()
            raise

    def _fill(self, scopes: Iterable[str], load: Callable[[State], None] | None) -> None:
        try:
            self._state.restore()
        except (AttributeError, LookupError, TypeError, ValueError, sqlite3.Error):
            raise DamagedFile(f"{self._data} is damaged: its records don't fit together") from None
        self.add_client(self.client_id, self.client_secret, scopes=scopes)
        if load is not None:
            self._state.load_seed = load
            if self._state.store.is_empty():
                load(self._state)
        self._persistence.commit()

    @contextmanager
    def run(self, port: int = 0, *, host: str = "127.0.0.1") -> Iterator[Sandbox]:
        """Serve from a thread until the block ends; port 0 chooses a free one. The state survives the block.

        Raises OSError if the port can't be used, RuntimeError if this sandbox is already being served.
        """
        with self._listening(host, port) as sock, serving(self._server(), sock):
            yield self

    def serve(self, port: int, *, host: str = "127.0.0.1", announce: Callable[[], None]) -> None:
        """Serve from this thread until a signal; `announce` is called when the server listens. Raises like `run`.

        SIGTERM ends it with SystemExit 143, once the data file is closed.
        """
        with self._listening(host, port) as sock, terminating():
            announce()
            self._server().run(sockets=[sock])

    def __enter__(self) -> Sandbox:
        """Like `run()`, on a free port."""
        running = self.run()
        running.__enter__()
        self._running = running
        return self

    def __exit__(self, *error: Any) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.__exit__(*error)

    @property
    def core_api_url(self) -> str:
        """The base URL of the Core API. Raises RuntimeError while the sandbox isn't served."""
        return self._url() + CORE_PREFIX

    @property
    def account_server_url(self) -> str:
        """The base URL of the account server. Raises RuntimeError while the sandbox isn't served."""
        return self._url() + ACCOUNT_PREFIX

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that point the SDK to this sandbox, including the secret."""
        return {
            "INTERACTOR_CLIENT_ID": self.client_id,
            "INTERACTOR_CLIENT_SECRET": self.client_secret,
            "INTERACTOR_ACCOUNT_SERVER_URL": self.account_server_url,
            "INTERACTOR_CORE_API_URL": self.core_api_url,
        }

    def client(self, **options: Any) -> interactor_ext.InteractorClient:
        """An SDK client of this sandbox; `options` are its arguments. Environment variables are ignored."""
        from interactor_ext._engine.network.sync_transport import Transport

        options = self._with_connection(options)
        if options.get("transport") is not None:
            return interactor_ext.InteractorClient(**options)
        options["transport"] = transport = Transport(trust_env=False)
        client = interactor_ext.InteractorClient(**options)
        # For clients that are never closed, as with the transport that a client creates for itself.
        weakref.finalize(client._shared.transport, transport.retire)
        return client

    def async_client(self, **options: Any) -> interactor_ext.AsyncInteractorClient:
        """Like `client`, for asyncio."""
        from interactor_ext._engine.network.async_transport import AsyncTransport

        options = self._with_connection(options)
        if options.get("transport") is None:
            options["transport"] = AsyncTransport(trust_env=False)
        return interactor_ext.AsyncInteractorClient(**options)

    @property
    def requests(self) -> Journal[RequestRecord]:
        """The API requests with their response status, oldest first."""
        return self._state.requests

    @property
    def events(self) -> Journal[JsonObject]:
        """The published events, as webhook bodies, oldest first."""
        return self._state.events

    @property
    def emails(self) -> Journal[JsonObject]:
        """The emails that workflows would have sent."""
        return self._state.emails

    @property
    def delivery(self) -> DeliveryOptions:
        """How webhooks are delivered from now on: `sandbox.delivery.duplicate = 0.2`. `reset` undoes it."""
        return self._state.outbox.options

    @property
    def deliveries(self) -> Journal[Delivery]:
        """Every attempt to deliver an event to a webhook, in the order of completion."""
        return self._state.outbox.journal

    def redeliver(self, what: Delivery | str) -> None:
        """Send an event again, byte for byte the same, with six attempts.

        A Delivery, or its id, goes to its webhook again, an event id to every active webhook that subscribes to it now.
        Raises ValueError if there is none, or if the event is no longer in `events`.
        """
        self._on_loop(lambda: self._state.redeliver(what))

    def wait_for_deliveries(self, timeout: float = 10.0) -> None:
        """Wait until each event has had its first attempt and no retry is due.

        Raises TimeoutError after `timeout` real seconds, RuntimeError unless another thread serves this sandbox.
        """
        self._wait(self._state.outbox.wait_until_idle, timeout)

    def run_until_idle(self, timeout: float = 10.0) -> None:
        """Let time pass until nothing is left to happen: retries of deliveries, expiries of credentials, syncs.

        The clock jumps to the time of each; with a frozen clock they happen at exactly their times. Raises like
        `wait_for_deliveries`.
        """
        self._wait(self._state.run_until_idle, timeout)

    def snapshot(self) -> JsonObject:
        """Return the platform's whole state and the clock's time, as JSON for `restore`, here or in another sandbox."""
        return self._on_loop(self._state.snapshot)

    def restore(self, snapshot: JsonObject) -> None:
        """Return to a snapshot. Journals, faults and tokens stay, streams are disconnected. Raises ValueError."""
        self._on_loop(lambda: self._state.return_to(snapshot))

    def export(self) -> Seed:
        """Return the contents of a seed file that produces this state: see seeds.py.

        Rooms have their messages, without tool calls; workflow instances start again.
        """
        return self._on_loop(lambda: export_seed(self._state, load_contract()))

    @property
    def open_streams(self) -> int:
        """The number of connected stream subscribers."""
        return self._on_loop(lambda: self._state.streams.open)

    def reset(self) -> None:
        """Return to the initial state: the seed's data, no tokens, no added clients, replies or faults, empty journals,
        real time. Streams are disconnected.
        """
        self._on_loop(self._state.clear)

    def revoke_tokens(self) -> None:
        """Revoke every access token: the next call of each client gets 401."""
        self._on_loop(self._accounts.revoke_all)

    def deprecate(
        self,
        operation: str,
        *,
        at: float | datetime | None = None,
        sunset: float | datetime | None = None,
        link: str | None = None,
    ) -> None:
        """Add `Deprecation`, `Sunset` and `Link` headers to an operation (an operationId); after `sunset` it gets 410.

        Times are Unix seconds or datetimes with a zone; `at` is now by default, and all are times of `clock`. Raises
        ValueError for an operation the contract doesn't have. `reset` undoes it.
        """
        if operation not in load_contract().operations:
            raise ValueError(f"operation {operation!r} isn't in the contract")
        since = self.clock.now() if at is None else unix_seconds("at", at)
        until = None if sunset is None else unix_seconds("sunset", sunset)
        self._state.deprecations[operation] = Deprecated(operation, since, until, link or LINK)

    def close(self) -> None:
        """Close the data file, like the end of `run` and `serve`; only needed after serving `.app` yourself."""
        self._persistence.close()

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        *,
        scopes: Iterable[str] = ("admin",),
        namespaces: Iterable[str] | None = None,
    ) -> None:
        """Add another OAuth client; it sees the same data, or only the data of `namespaces`.

        Its calls with another namespace, or without one, get 403; "" in `namespaces` allows calls without one. Raises
        ValueError for an unknown scope.
        """
        _require_lists(scopes=scopes, namespaces=namespaces)
        self._on_loop(lambda: self._accounts.register(client_id, client_secret, scopes, namespaces))

    def add_credential(
        self,
        provider: str,
        *,
        namespace: str = "",
        service_id: str = "",
        scopes: Iterable[str] = (),
        expires_in: float = credentials.TOKEN_LIFETIME,
        refreshable: bool = True,
        status: str = "active",
    ) -> JsonObject:
        """Create a credential without the OAuth flow; returns it as the API does.

        Without a `service_id` it belongs to the service `svc_<provider>`. Unless it is `refreshable`, it becomes
        `expired` after `expires_in` seconds of the clock.
        """
        record = self._on_loop(
            lambda: credentials.connect(
                self._state,
                namespace,
                provider=provider,
                service_id=service_id,
                scopes=scopes,
                expires_in=expires_in,
                refreshable=refreshable,
                status=status,
            )
        )
        return dict(record.public)

    def provider(self, name: str) -> Provider:
        """The API of a provider, such as "google", on this sandbox: see providers.py. `reset` forgets its responses."""
        made = Provider(name, self._state.store, self._state.timed, lambda: self._url())
        return self._on_loop(lambda: self._state.providers.setdefault(name, made))

    def expire_credential(self, credential_id: str) -> JsonObject:
        """Expire an active credential permanently: requests for its token get 409 REFRESH_FAILED from now on.

        Its namespace's webhooks get `credential.expired`. Returns the credential as the API does. Raises ValueError if
        there is no such credential or it isn't active.
        """
        return dict(self._raising_value_error(lambda: credentials.expire(self._state, credential_id)).public)

    def fail_workflow(self, instance_id: str, *, error: str = FAILURE) -> JsonObject:
        """Fail a workflow instance, whatever its state: its stream ends with an `error` event.

        Its namespace's webhooks get `workflow.instance.failed`. Returns the instance as the API does. Raises ValueError
        if there is no such instance or it has ended.
        """
        return dict(self._raising_value_error(lambda: instances.fail(self._state, instance_id, error)).public)

    def decide(
        self,
        flow_id: str | models.OAuthAuthorization,
        *,
        approve: bool = True,
        scopes: Collection[str] | None = None,
        account: str = "",
        error: str = "access_denied",
    ) -> str:
        """Approve or deny an OAuth flow, given as the object or its id, as the user would; returns the URL that the
        browser is sent to.

        `scopes` are the ones that the user grants (None: all), `account` is the account at the provider, and `error` is
        the provider's error if `approve` is False, such as "server_error". Raises ValueError if there is no such flow,
        it has ended, or it doesn't request one of the scopes.
        """
        error = "" if approve else error
        found = flow_id if isinstance(flow_id, str) else str(flow_id.flow_id)
        return self._raising_value_error(
            lambda: credentials.authorize(self._state, found, error=error, scopes=scopes, account=account)
        )

    def emit(self, stream_id: str, event: JsonObject) -> None:
        """Emit a custom event on the stream of a room or workflow instance."""
        self._on_loop(lambda: self._state.streams.emit(stream_id, event))

    def disconnect_streams(self) -> None:
        """Disconnect every open stream, as a restart of the platform does; subscribers can resume."""
        self._on_loop(self._state.streams.disconnect)

    def __repr__(self) -> str:
        return f"Sandbox({self._origin or 'not running'})"

    def _with_connection(self, options: dict[str, Any]) -> dict[str, Any]:
        connection: dict[str, Any] = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "account_server_url": self.account_server_url,
            "core_api_url": self.core_api_url,
        }
        if options.get("config") is None:
            connection["scopes"] = ()  # otherwise the client would use INTERACTOR_SCOPES
            connection["environment"] = "production"  # otherwise the client would read INTERACTOR_ENVIRONMENT
            connection["require_namespace"] = False
        return {**connection, **options}

    def _server(self) -> Server:
        return Server(self.app, before_shutdown=self._state.stop)

    @contextmanager
    def _listening(self, host: str, port: int) -> Iterator[socket.socket]:
        if self._origin is not None:
            raise RuntimeError("this sandbox is already being served: create another one")
        with listen(host, port) as sock:
            if self._persistence.open():
                self._state.restore()
            self._persistence.commit()
            self._origin = origin(sock)
            try:
                yield sock
            finally:
                self._origin = self._loop = None
                self._persistence.close()

    def _url(self) -> str:
        if self._origin is None:
            raise RuntimeError("the sandbox isn't running: use `with Sandbox() as sandbox:`")
        return self._origin

    def _remember_loop(self) -> None:
        self._loop, self._process = asyncio.get_running_loop(), os.getpid()
        self._state.start()

    def _other_threads_loop(self) -> asyncio.AbstractEventLoop | None:
        """Return the serving loop, if another thread runs it."""
        loop = self._loop
        if loop is None or not loop.is_running() or loop is running_loop():
            return None
        if os.getpid() != self._process:
            raise RuntimeError(
                "This sandbox is served by the process that this one was forked from: use it there, or create another."
            )
        return loop

    def _wait(self, wait: Callable[[], Coroutine[Any, Any, None]], timeout: float) -> None:
        if (loop := self._other_threads_loop()) is None:
            raise RuntimeError("a sandbox can only deliver while this thread waits if another thread serves it")
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(wait(), timeout), loop).result()

    def _raising_value_error(self, work: Callable[[], T]) -> T:
        """Like `_on_loop`, but raise a Problem as the ValueError that methods document."""
        try:
            return self._on_loop(work)
        except Problem as problem:
            raise ValueError(problem.message) from None

    def _on_loop(self, work: Callable[[], T]) -> T:
        """Run `work` on the serving loop if another thread runs one, else here, and commit."""

        def committed() -> T:
            try:
                return work()
            finally:
                self._persistence.commit()

        if (loop := self._other_threads_loop()) is None:
            return committed()

        async def there() -> T:
            return committed()

        return asyncio.run_coroutine_threadsafe(there(), loop).result()


def _require_lists(**options: object) -> None:
    for name, value in options.items():
        if isinstance(value, str):
            raise ValueError(f"{name} must be a list of strings, not the single string {value!r}")
