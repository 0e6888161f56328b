"""The shared clients of a process: `get_client`, `get_async_client` and `reset_clients`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interactor_ext._client.client import AsyncInteractorClient, InteractorClient
from interactor_ext._fork import fork_safe_lock

if TYPE_CHECKING:
    import asyncio


C = TypeVar("C", InteractorClient, AsyncInteractorClient)

# A forked child goes on with its parent's clients, which have dropped their connections.
_clients: dict[type, Any] = {}
_lock = fork_safe_lock()
# An event loop holds its tasks weakly.
_closing: set[asyncio.Task[None]] = set()


def get_client() -> InteractorClient:
    """The shared client, the same for all threads. A new one is made if it was closed.

    Raises:
        ConfigurationError: the environment lacks a setting, or holds a wrong one.
    """
    return _shared(InteractorClient)


def get_async_client() -> AsyncInteractorClient:
    """The shared client, the same for all event loops. A new one is made if it was closed.

    Raises:
        ConfigurationError: the environment lacks a setting, or holds a wrong one.
    """
    return _shared(AsyncInteractorClient)


def _shared(kind: type[C]) -> C:
    with _lock:
        client: C | None = _clients.get(kind)
        if client is None or client.is_closed:
            client = _clients[kind] = kind()
        return client


def reset_clients() -> None:
    """Close and forget both, so that the next call makes new ones: for tests, and when the environment has changed.

    Where an event loop runs, the async client is closed by a task of that loop.
    """
    with _lock:
        client, async_client = (_clients.pop(kind, None) for kind in (InteractorClient, AsyncInteractorClient))
    if client is not None:
        client.close()
    if async_client is not None:
        _close_now(async_client)


def _close_now(client: AsyncInteractorClient) -> None:
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(client.aclose())
    else:
        closing = loop.create_task(client.aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
