"""The shared clients of a process: `get_client`, `get_async_client` and `reset_clients`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack

from interactor_ext._clients import AsyncInteractorClient, InteractorClient
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.logs import line_of_caller
from interactor_ext._interactor.config import ConfigFields, InteractorConfig

if TYPE_CHECKING:
    import asyncio

    import httpx

    from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker
    from interactor_ext._engine.limits.limiter import RateLimiter
    from interactor_ext._engine.retry_policy import RetryPolicy
    from interactor_ext._engine.telemetry_events import Telemetry
    from interactor_ext._interactor.tokens import TokenStore


class _Options(ConfigFields, total=False):
    config: InteractorConfig | None
    token_store: TokenStore | None
    retry_policy: RetryPolicy | None
    rate_limiter: RateLimiter | None
    circuit_breaker: CircuitBreaker | bool | None
    telemetry: Telemetry | None


class ClientKeywords(_Options, total=False):
    """The keywords of `InteractorClient`."""

    transport: httpx.BaseTransport | None


class AsyncClientKeywords(_Options, total=False):
    """The keywords of `AsyncInteractorClient`."""

    transport: httpx.AsyncBaseTransport | None


class _Made(NamedTuple):
    """A shared client, the options it was created with, and the line that created it."""

    client: Any
    options: dict[str, Any]
    where: str


C = TypeVar("C", InteractorClient, AsyncInteractorClient)

# A forked child continues with its parent's clients, without their connections.
_clients: dict[type, _Made] = {}
_lock = fork_safe_lock()
# An event loop references its tasks weakly.
_closing: set[asyncio.Task[None]] = set()


def get_client(settings: InteractorConfig | None = None, /, **options: Unpack[ClientKeywords]) -> InteractorClient:
    """The client shared by all threads.

    The first call creates it with `options` (see `InteractorClient`); later calls omit them, or pass equal ones. If it
    was closed, a new one is created, with the same options unless you pass others.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the client was created with other options. The error names
            the line that created it.
    """
    return _shared(InteractorClient, {"config": settings, **options})


def get_async_client(
    settings: InteractorConfig | None = None, /, **options: Unpack[AsyncClientKeywords]
) -> AsyncInteractorClient:
    """The async client shared by all event loops; otherwise like `get_client`."""
    return _shared(AsyncInteractorClient, {"config": settings, **options})


def _shared(kind: type[C], keywords: Any) -> C:
    options: dict[str, Any] = {name: value for name, value in keywords.items() if value is not None}
    with _lock:
        made = _clients.get(kind)
        if made is not None and not made.client.is_closed:
            if options and options != made.options:
                others = sorted(
                    name for name in options.keys() | made.options if options.get(name) != made.options.get(name)
                )
                raise ConfigurationError(
                    f"The shared client was created by {made.where} with other options: {', '.join(others)}. Pass "
                    "all options there and none here. To replace the client, for instance after changing a "
                    "notebook cell, call interactor_ext.reset_clients() first."
                )
        else:
            options = options or (made.options if made is not None else {})
            made = _clients[kind] = _Made(kind(**options), options, line_of_caller())
        client: C = made.client
        return client


def reset_clients() -> None:
    """Close and forget both, so the next call creates new ones: for tests, and when the environment has changed.

    If an event loop is running, a task of that loop closes the async client.
    """
    close_clients(f"reset_clients() in {line_of_caller()}")


def close_clients(by: str) -> None:
    """Close and forget both. Their later errors name who did it."""
    with _lock:
        made, made_async = (_clients.pop(kind, None) for kind in (InteractorClient, AsyncInteractorClient))
    if made is not None:
        made.client._close(by)
    if made_async is not None:
        _close_now(made_async.client, by)


def _close_now(client: AsyncInteractorClient, by: str) -> None:
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(client._close(by))
    else:
        closing = loop.create_task(client._close(by))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
