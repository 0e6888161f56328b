"""Routers, handlers and statuses for tests of webhooks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from interactor_ext.webhooks import WebhookAnswer, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET, delivery

Handle = Callable[..., WebhookAnswer]


def make(store: Any = None, **options: Any) -> WebhookRouter:
    """A router. With a queue, its name is "shop"."""
    named = {"name": "shop"} if options.get("queue") is not None else {}
    return WebhookRouter(WebhookVerifier(SECRET), store, **named | options)


def sync_handle(router: WebhookRouter, *args: Any, **kwargs: Any) -> WebhookAnswer:
    return router.handle(*args, **kwargs)


def async_handle(router: WebhookRouter, *args: Any, **kwargs: Any) -> WebhookAnswer:
    return asyncio.run(router.ahandle(*args, **kwargs))


def status(answer: WebhookAnswer) -> tuple[int, str]:
    document = json.loads(answer.body)
    return answer.status, document["status"] if answer.status == 200 else document["error"]["code"]


class Abort(BaseException):
    """A BaseException, as some libraries define."""


class Failing:
    """A store or queue with methods that raise this many times; `math.inf` means always."""

    def __init__(self, inner: Any, **failures: float) -> None:
        self.inner, self.failures = inner, failures

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)

        def call(*args: Any) -> Any:
            if self.failures.get(name, 0) > 0:
                self.failures[name] -= 1
                raise ConnectionError("redis://:hunter2@db:6379 is out of reach")
            return value(*args)

        return call if callable(value) else value


class BlockingHandler:
    """A sync handler that runs until `go_on` is set, or an async one that never ends."""

    def __init__(self, store: Any, *, is_async: bool = False, **options: Any) -> None:
        self.router, self.runs = make(store, **options), 0
        self.started, self.go_on = threading.Event(), threading.Event()
        self.router.on("*")(self._ahandle if is_async else self._handle)

    def _handle(self, event: Any) -> None:
        self.runs += 1
        self.started.set()
        assert self.go_on.wait(60)

    async def _ahandle(self, event: Any) -> None:
        self.started.set()
        await asyncio.Event().wait()

    async def has_started(self) -> None:
        while not self.started.is_set():
            await asyncio.sleep(0.001)

    def when_started(self, end: Callable[[asyncio.AbstractEventLoop], object], goes_on_after: float = 0.03) -> None:
        """Call `end` once the handler is running; it continues some seconds later."""

        async def wait() -> None:
            await self.has_started()
            loop = asyncio.get_running_loop()
            end(loop)
            loop.call_later(goes_on_after, self.go_on.set)

        self._waiting = asyncio.create_task(wait())

    async def check_that_it_counts_as_handled(self) -> None:
        assert status(await self.router.ahandle(*delivery())) == (200, "duplicate")
        assert self.runs == 1
