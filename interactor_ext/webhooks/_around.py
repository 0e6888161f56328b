"""Runs each handler within a context manager of the application: `WebhookRouter(around=)`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from interactor_ext._errors import ConfigurationError

Around = Callable[[], AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]


def surrounded(handler: Callable[[Any], Any], around: Around) -> Callable[[Any], Any]:
    """`handler` within `around()`. A manager of both kinds is used as the handler is: sync or async."""

    async def acall(event: Any) -> None:
        await _await_within(around(), handler(event))

    def call(event: Any) -> Any:
        manager = around()
        if not isinstance(manager, AbstractContextManager):
            raise ConfigurationError(
                f"around= returned an async context manager, and the handler {handler!r} is a regular function. Make "
                "the handler `async def`, or return a regular context manager."
            )
        with manager:
            result = handler(event)
        return _await_within(around(), result) if inspect.isawaitable(result) else result

    return acall if inspect.iscoroutinefunction(handler) else call


async def _await_within(manager: Any, handling: Awaitable[Any]) -> None:
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager:
            await handling
    else:
        with manager:
            await handling
