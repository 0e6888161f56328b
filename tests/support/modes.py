"""Runs one test body with the sync and the async client: `use` says what to do with a client."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, InteractorClient

sync_and_async = pytest.mark.parametrize("mode", ["sync", "async"])


def call(mode: str, settings: dict[str, Any], use: Callable[[Any], Any]) -> Any:
    """What `use(client)` returns, awaited; of an iterator, the list of its items."""
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
    """What each of `uses` returns for one client, awaited, one after the other."""

    def work(client: Any) -> Any:
        if mode == "sync":
            return [use(client) for use in uses]

        async def main() -> list[Any]:
            results = (use(client) for use in uses)
            return [await result if inspect.isawaitable(result) else result for result in results]

        return main()

    found: list[Any] = call(mode, settings, work)
    return found
