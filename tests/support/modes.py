"""Runs one test body with the sync and the async client."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, InteractorClient

sync_and_async = pytest.mark.parametrize("mode", ["sync", "async"])
# The modules that define the classes of resources and other parts of clients.
PARTS = ("interactor_client.api.", "interactor_ext._clients.", "interactor_ext._interactor.views.")


def call(mode: str, settings: dict[str, Any], use: Callable[[Any], Any]) -> Any:
    """Return the result of `use(client)`, awaited; for an iterator, the list of its items."""
    if mode == "sync":
        with InteractorClient(**settings) as client:
            result = use(client)
            return list(result) if isinstance(result, Iterator) else result

    async def main() -> Any:
        async with AsyncInteractorClient(**settings) as client:
            result = use(client)
            if isinstance(result, AsyncIterator):
                return [item async for item in result]
            return await result if inspect.isawaitable(result) else result

    return asyncio.run(main())


def in_turn(mode: str, settings: dict[str, Any], *uses: Callable[[Any], Any]) -> list[Any]:
    """Return the awaited results of each of `uses`, one after the other, with one client."""

    def work(client: Any) -> Any:
        if mode == "sync":
            return [use(client) for use in uses]

        async def main() -> list[Any]:
            results = (use(client) for use in uses)
            return [await result if inspect.isawaitable(result) else result for result in results]

        return main()

    found: list[Any] = call(mode, settings, work)
    return found


class Awaited:
    """A sync client or something it returned, with the names of its async twin: `await`, `async with` and `async for`
    work, and nothing else runs in the meantime.
    """

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._value, "close" if name == "aclose" else name)
        if callable(found):
            return lambda *args, **kwargs: Awaited(found(*args, **kwargs))
        is_part = type(found).__module__.startswith(PARTS) and not isinstance(found, dict)
        return Awaited(found) if is_part else found

    def __await__(self) -> Any:
        return self._value
        yield  # makes it a generator

    async def __aenter__(self) -> Awaited:
        return Awaited(self._value.__enter__())

    async def __aexit__(self, *exc_info: Any) -> Any:
        return self._value.__exit__(*exc_info)

    def __aiter__(self) -> Awaited:
        return Awaited(iter(self._value))

    async def __anext__(self) -> Any:
        try:
            return next(self._value)
        except StopIteration:
            raise StopAsyncIteration from None

    def __repr__(self) -> str:
        return repr(self._value)


@asynccontextmanager
async def client_of(mode: str, settings: dict[str, Any]) -> AsyncIterator[Any]:
    if mode == "sync":
        with InteractorClient(**settings) as client:
            yield client
    else:
        async with AsyncInteractorClient(**settings) as async_client:
            yield async_client


@asynccontextmanager
async def opened(mode: str, settings: dict[str, Any]) -> AsyncIterator[Any]:
    """A client, used like an async one."""
    async with client_of(mode, settings) as client:
        yield Awaited(client) if mode == "sync" else client


async def done(result: Any) -> Any:
    """Return what a sync method returned, or an async one's coroutine returns."""
    return await result if inspect.isawaitable(result) else result


async def at_once(mode: str, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Return the results of coroutines that use a client of `opened`, each in its own thread or task."""
    if mode == "async":
        return await asyncio.gather(*coroutines)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(coroutines)) as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, asyncio.run, each) for each in coroutines))
