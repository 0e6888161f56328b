"""WebhookRouter and WebhookWorker, sync and async: handlers, deduplication, responses, ASGI, WSGI, secret rotation."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import logging
import math
import os
import socket
import threading
import time
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, cast

import anyio
import pytest

from interactor_ext import ConfigurationError, WebhookError
from interactor_ext.webhooks import (
    ClaimState,
    CredentialConnectedEvent,
    MemoryEventStore,
    QueuedEvent,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookAnswer,
    WebhookRouter,
    WebhookVerifier,
    WebhookWorker,
    arotate_secret,
    rotate_secret,
    sign,
)
from tests.support.webhook_deliveries import OLD_SECRET, SECRET, body_of, delivery

Handle = Callable[..., WebhookAnswer]


@pytest.fixture(autouse=True)
def no_record_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext.webhooks.router._RECORD_RETRY_DELAYS", (0.0, 0.0, 0.0))


def make(store: Any = None, **options: Any) -> WebhookRouter:
    """One with a queue has the name "shop"."""
    named = {"name": "shop"} if options.get("queue") is not None else {}
    return WebhookRouter(WebhookVerifier(SECRET), store, **{"duplicate_wait": 0} | named | options)


def sync_handle(router: WebhookRouter, *args: Any, **kwargs: Any) -> WebhookAnswer:
    return router.handle(*args, **kwargs)


def async_handle(router: WebhookRouter, *args: Any, **kwargs: Any) -> WebhookAnswer:
    return asyncio.run(router.ahandle(*args, **kwargs))


@pytest.fixture(params=[sync_handle, async_handle], ids=["handle", "ahandle"])
def handle(request: pytest.FixtureRequest) -> Handle:
    mode: Handle = request.param
    return mode


def status(answer: WebhookAnswer) -> tuple[int, str]:
    document = json.loads(answer.body)
    return answer.status, document["status"] if answer.status == 200 else document["error"]["code"]


# Who runs


def test_patterns_select_handlers_in_order_of_registration(handle: Handle) -> None:
    router, ran = make(), []
    router.on("workflow.*")(lambda event: ran.append("workflow"))
    router.on("*")(lambda event: ran.append("all"))
    router.on("workflow.instance.halted")(lambda event: ran.append("exact"))
    router.on("*.halted", "credential.connected")(lambda event: ran.append("either"))
    with pytest.warns(UserWarning, match="is 'workflow.instance.halted' meant"):
        router.on("workflow.instance.halte")(lambda event: ran.append("prefix"))
    router.on("room.*")(lambda event: ran.append("room"))
    router.on("work?low.*", "[w]orkflow.*", "halted")(lambda event: ran.append("no glob, no regex"))
    router.default(lambda event: ran.append("default"))
    assert status(handle(router, *delivery("workflow.instance.halted"))) == (200, "handled")
    assert ran == ["workflow", "all", "exact", "either"]


def test_misspelt_event_type_warns_at_registration() -> None:
    router = make()
    with pytest.warns(
        UserWarning, match=r"no event is called 'credential.expred': is 'credential.expired' meant\?"
    ) as w:
        router.on("room.*", "credential.expred", "credential.connected", "something.new")(lambda event: None)
    assert [warning.filename for warning in w] == [__file__]


def test_default_handler_gets_unmatched_events(handle: Handle) -> None:
    router, got = make(), []
    router.on("credential.*")(lambda event: None)
    router.default(lambda event: got.append(event.event))
    handle(router, *delivery("credential.connected", "a"))
    handle(router, *delivery("room.message.created", "b"))
    handle(router, *delivery("something.new", "c"))
    assert got == ["room.message.created", "something.new"]


def test_event_without_handler_returns_200_and_is_not_stored(handle: Handle) -> None:
    store = MemoryEventStore()
    assert status(handle(make(store), *delivery())) == (200, "ignored")
    assert store.claim("idem_1", "t", 1) is ClaimState.CLAIMED


def test_sync_and_async_handlers_get_typed_event(handle: Handle) -> None:
    router, got = make(), []

    @router.on("credential.connected")
    def plain(event: CredentialConnectedEvent) -> None:
        got.append(event.data.credential_id)

    @router.on("credential.connected")
    async def coroutine(event: CredentialConnectedEvent) -> None:
        await asyncio.sleep(0)
        got.append(event.data.provider)

    class Awaiting:
        async def __call__(self, event: CredentialConnectedEvent) -> None:
            got.append(event.namespace)

    router.on("credential.connected")(Awaiting())
    router.on("credential.connected")(functools.partial(coroutine))
    assert status(handle(router, *delivery("credential.connected"))) == (200, "handled")
    assert got == ["cred_1", "google", "user_123", "google"]
    assert callable(plain)


def test_decorators_return_the_function() -> None:
    router = make()
    handler = lambda event: None  # noqa: E731
    assert router.on("a")(handler) is handler
    assert router.default(handler) is handler


async def test_sync_handler_does_not_block_loop_and_sees_context_variables() -> None:
    router, tenant = make(), contextvars.ContextVar("tenant", default="")
    released, seen = threading.Event(), []

    @router.on("*")
    def blocking(event: Any) -> None:
        assert released.wait(60)
        seen.append((tenant.get(), threading.current_thread() is threading.main_thread()))

    tenant.set("acme")
    running = asyncio.create_task(router.ahandle(*delivery()))
    await asyncio.sleep(0)
    released.set()
    assert (await running).status == 200
    assert seen == [("acme", False)]


def test_async_handlers_of_sync_receiver_share_one_event_loop() -> None:
    router, loops = make(), []

    @router.on("*")
    async def remember(event: Any) -> None:
        loops.append(asyncio.get_running_loop())

    for key in "abc":
        assert router.handle(*delivery(key=key)).status == 200
    assert len(set(loops)) == 1


def test_nested_handle_inside_async_handler_fails_without_deadlock() -> None:
    router, inner = make(), make()

    @inner.on("*")
    async def nothing(event: Any) -> None: ...

    @router.on("*")
    async def nested(event: Any) -> None:
        answers.append(inner.handle(*delivery(key="inner")))

    answers: list[WebhookAnswer] = []
    router.handle(*delivery())
    assert [status(answer) for answer in answers] == [(500, "handler_failed")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_has_its_own_handler_loop() -> None:
    router = make()

    @router.on("*")
    async def nothing(event: Any) -> None:
        await asyncio.sleep(0)

    assert router.handle(*delivery(key="parent")).status == 200
    child = os.fork()
    if child == 0:
        os._exit(0 if router.handle(*delivery(key="child")).status == 200 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# How often


def test_duplicate_delivery_runs_no_handler(handle: Handle) -> None:
    router, ran = make(), []
    router.on("*")(ran.append)
    body, headers = delivery()
    assert status(handle(router, body, headers)) == (200, "handled")
    assert status(handle(router, body, headers)) == (200, "duplicate")
    # A replay under a fresh timestamp verifies, for the signature does not cover it. The store stops it.
    assert status(handle(router, body, sign(body, SECRET))) == (200, "duplicate")
    # Another delivery of the same event, with other bytes.
    assert status(handle(router, *delivery(attempt=2))) == (200, "duplicate")
    assert len(ran) == 1


def test_different_idempotency_keys_are_different_events(handle: Handle) -> None:
    router, ran = make(), []
    router.on("*")(ran.append)
    for key in ["a", "b", "\ud800", "\udfff", "x" * 100_000, "x" * 100_001, "é", "a\0", "a\n"]:
        assert status(handle(router, *delivery(key=key))) == (200, "handled"), key[:5]
    assert len(ran) == 9


def test_failed_handler_releases_event_for_next_attempt(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router, runs = make(), []

    @router.on("*")
    def fails_once(event: Any) -> None:
        runs.append(event.id)
        if len(runs) == 1:
            raise LookupError("card 4711 is not on file")

    answer = handle(router, *delivery())
    assert status(answer) == (500, "handler_failed")
    assert b"4711" not in answer.body
    assert "4711" in caplog.text
    assert status(handle(router, *delivery())) == (200, "handled")
    assert status(handle(router, *delivery())) == (200, "duplicate")
    assert len(runs) == 2


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, TimeoutError, RecursionError, WebhookError])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_any_handler_exception_returns_500(handle: Handle, error: type[Exception], mode: str) -> None:
    router = make()

    def fails(event: Any) -> None:
        raise error

    async def fails_async(event: Any) -> None:
        raise error

    router.on("*")(fails if mode == "sync" else fails_async)
    assert status(handle(router, *delivery())) == (500, "handler_failed")


class Abort(BaseException):
    """As some libraries have."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Abort])
def test_interrupted_handler_releases_event_and_interrupt_propagates(error: type[BaseException]) -> None:
    router, runs = make(), []

    @router.on("*")
    def interrupted(event: Any) -> None:
        runs.append(event)
        if len(runs) == 1:
            raise error

    with pytest.raises(error):
        router.handle(*delivery())
    assert status(router.handle(*delivery())) == (200, "handled")


async def test_cancelled_async_handler_releases_event() -> None:
    router, started = make(), asyncio.Event()

    @router.on("*")
    async def hangs_once(event: Any) -> None:
        if not started.is_set():
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(router.ahandle(*delivery()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status(await router.ahandle(*delivery())) == (200, "handled")


async def test_cancelled_delivery_keeps_claim_while_sync_handler_runs() -> None:
    router, runs = make(), []
    started, release = threading.Event(), threading.Event()

    @router.on("*")
    def slow(event: Any) -> None:
        runs.append(event)
        started.set()
        assert release.wait(60)

    task = asyncio.create_task(router.ahandle(*delivery()))
    await asyncio.to_thread(started.wait, 60)
    task.cancel()
    await asyncio.sleep(0.05)
    assert status(await router.ahandle(*delivery())) == (503, "in_progress")
    release.set()
    await asyncio.wait([task])
    assert status(await router.ahandle(*delivery())) == (200, "duplicate")
    assert len(runs) == 1


class AsyncStore:
    """Every step of it waits, as one over a network does."""

    def __init__(self) -> None:
        self.inner = MemoryEventStore()

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        await asyncio.sleep(0.001)
        return self.inner.claim(key, token, lease)

    async def complete(self, key: str, token: str) -> bool:
        await asyncio.sleep(0.001)
        return self.inner.complete(key, token)

    async def release(self, key: str, token: str) -> None:
        await asyncio.sleep(0.001)
        self.inner.release(key, token)


class InThread:
    """A synchronous handler that is at work until it is told to end, and an ordinary one for later deliveries."""

    def __init__(self, store: Any) -> None:
        self.router, self.runs = make(store), 0
        self.started, self.go_on = threading.Event(), threading.Event()
        self.router.on("*")(self._handle)

    def _handle(self, event: Any) -> None:
        self.runs += 1
        self.started.set()
        assert self.go_on.wait(60)

    async def has_started(self) -> None:
        while not self.started.is_set():
            await asyncio.sleep(0.001)

    async def check_that_it_counts_as_handled(self) -> None:
        assert status(await self.router.ahandle(*delivery())) == (200, "duplicate")
        assert self.runs == 1


@pytest.mark.parametrize("store", [MemoryEventStore, AsyncStore])
async def test_timeout_around_sync_handler_does_not_cancel_other_code(store: Any) -> None:
    handler = InThread(store())

    async def expire(limit: asyncio.Timeout) -> None:
        await handler.has_started()
        loop = asyncio.get_running_loop()
        limit.reschedule(loop.time())
        loop.call_later(0.03, handler.go_on.set)

    async def limited() -> None:
        async with asyncio.timeout(None) as limit:
            expiring = asyncio.create_task(expire(limit))
            await handler.router.ahandle(*delivery())
        await expiring

    async def request() -> str:
        with pytest.raises(TimeoutError):
            await limited()
        await asyncio.sleep(0.01)
        return "the code after it was not cancelled"

    assert (await asyncio.gather(request(), return_exceptions=True))[0] == "the code after it was not cancelled"
    await handler.check_that_it_counts_as_handled()


@pytest.mark.parametrize("store", [MemoryEventStore, AsyncStore])
async def test_delivery_cancelled_in_sync_handler_is_recorded_then_cancelled(store: Any) -> None:
    handler = InThread(store())
    task = asyncio.create_task(handler.router.ahandle(*delivery()))
    await handler.has_started()
    task.cancel("by a test")
    await asyncio.sleep(0)
    task.cancel("again")
    await asyncio.sleep(0)
    handler.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    await handler.check_that_it_counts_as_handled()


async def test_task_group_with_failing_sibling_raises_siblings_error() -> None:
    handler = InThread(None)

    async def fail() -> None:
        await handler.has_started()
        asyncio.get_running_loop().call_later(0.02, handler.go_on.set)
        raise LookupError("sibling")

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await handler.router.ahandle(*delivery())

    async def request() -> str:
        with pytest.raises(ExceptionGroup):
            await grouped()
        await asyncio.sleep(0.01)
        return "went on"

    assert (await asyncio.gather(request(), return_exceptions=True))[0] == "went on"
    await handler.check_that_it_counts_as_handled()


async def test_cancelled_anyio_scope_does_not_busy_wait_for_sync_handler() -> None:
    handler = InThread(AsyncStore())
    began = time.thread_time()

    async def cancel() -> None:
        await handler.has_started()
        scope.cancel()
        asyncio.get_running_loop().call_later(0.4, handler.go_on.set)

    cancelling = asyncio.create_task(cancel())
    with anyio.CancelScope() as scope:
        await handler.router.ahandle(*delivery())
    await cancelling
    assert scope.cancelled_caught
    assert time.thread_time() - began < 0.2
    await anyio.sleep(0.01)
    await handler.check_that_it_counts_as_handled()


async def test_cancelled_anyio_scope_lets_async_store_release_claim() -> None:
    router, runs = make(AsyncStore()), []

    @router.on("*")
    async def hangs_once(event: Any) -> None:
        runs.append(event)
        if len(runs) == 1:
            scope.cancel()
            await asyncio.Event().wait()

    with anyio.CancelScope() as scope:
        await router.ahandle(*delivery())
    assert scope.cancelled_caught
    assert status(await router.ahandle(*delivery())) == (200, "handled")


async def test_delivery_cancelled_during_claim_releases_claim() -> None:
    claimed = asyncio.Event()

    class SlowToAnswer(AsyncStore):
        async def claim(self, key: str, token: str, lease: float) -> ClaimState:
            state = await super().claim(key, token, lease)
            if not claimed.is_set():
                claimed.set()
                await asyncio.Event().wait()
            return state

    router = make(SlowToAnswer())
    router.on("*")(lambda event: None)
    task = asyncio.create_task(router.ahandle(*delivery()))
    await claimed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status(await router.ahandle(*delivery())) == (200, "handled")


async def test_cancelled_delivery_starts_no_further_handler() -> None:
    handler, second = InThread(None), []

    class Second:
        async def __call__(self, event: Any) -> None:
            second.append(event)

    handler.router.on("*")(Second())
    task = asyncio.create_task(handler.router.ahandle(*delivery()))
    await handler.has_started()
    task.cancel()
    await asyncio.sleep(0)
    handler.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert second == []
    assert status(await handler.router.ahandle(*delivery())) == (200, "handled")
    assert (handler.runs, len(second)) == (2, 1)


def test_ahandle_under_trio_raises_configuration_error() -> None:
    trio = pytest.importorskip("trio", reason="needs the Python package trio (pip install trio)")
    router = make()
    router.on("*")(lambda event: None)
    with pytest.raises(ConfigurationError, match="asyncio"):
        trio.run(router.ahandle, *delivery())


async def test_hanging_handlers_do_not_block_store_calls() -> None:
    go_on, running = threading.Event(), []

    class InThreads(MemoryEventStore):
        threads: ClassVar[set[threading.Thread]] = set()

        def claim(self, key: str, token: str, lease: float) -> ClaimState:
            self.threads.add(threading.current_thread())
            return super().claim(key, token, lease)

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    router = make(InThreads())

    @router.on("*")
    def hangs(event: Any) -> None:
        running.append(event)
        assert go_on.wait(60)

    hanging = [asyncio.create_task(router.ahandle(*delivery(key=key))) for key in "ab"]
    while len(running) < 2:
        await asyncio.sleep(0.001)
    async with asyncio.timeout(60):
        assert status(await router.ahandle(*delivery(key="a"))) == (503, "in_progress")
    go_on.set()
    assert [status(answer) for answer in await asyncio.gather(*hanging)] == [(200, "handled")] * 2
    assert all(thread.daemon for thread in InThreads.threads)


@pytest.fixture
def in_handler() -> Iterator[tuple[WebhookRouter, list[str], threading.Event]]:
    """A router whose handler is at work on `idem_1` until the event is set."""
    router, runs = make(duplicate_wait=0, lease=60), list[str]()
    started, release = threading.Event(), threading.Event()

    @router.on("*")
    def slow(event: Any) -> None:
        runs.append(event.id)
        started.set()
        assert release.wait(60)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(router.handle, *delivery())
        assert started.wait(60)
        yield router, runs, release
        release.set()
        assert status(first.result()) == (200, "handled")


def test_duplicate_of_event_in_progress_returns_503(
    handle: Handle, in_handler: tuple[WebhookRouter, list[str], threading.Event]
) -> None:
    router, runs, _ = in_handler
    answer = handle(router, *delivery())
    assert status(answer) == (503, "in_progress")
    assert answer.headers["Retry-After"]
    assert len(runs) == 1


def test_duplicate_waits_for_outcome_of_first_delivery(handle: Handle) -> None:
    started, copy_waits, runs = threading.Event(), threading.Event(), []

    class Watched(MemoryEventStore):
        def claim(self, key: str, token: str, lease: float) -> ClaimState:
            state = super().claim(key, token, lease)
            if state is ClaimState.IN_PROGRESS:
                copy_waits.set()
            return state

    router = make(Watched(), duplicate_wait=10)

    @router.on("*")
    def slow(event: Any) -> None:
        runs.append(event)
        started.set()
        assert copy_waits.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(router.handle, *delivery())
        assert started.wait(60)
        copy = pool.submit(handle, router, *delivery())
        assert [status(first.result())[1], status(copy.result())[1]] == ["handled", "duplicate"]
    assert len(runs) == 1


def test_concurrent_duplicates_run_one_handler() -> None:
    router, runs = make(duplicate_wait=30), []
    router.on("*")(runs.append)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: router.handle(*delivery()), range(64)))
    assert {answer.status for answer in answers} == {200}
    assert len(runs) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_event_is_claimable_again_after_lease_expires(handle: Handle) -> None:
    clock, runs = Clock(), []
    router = make(MemoryEventStore(clock=clock), lease=30)

    @router.on("*")
    def hangs_once(event: Any) -> None:
        runs.append(event)
        if len(runs) == 1:
            clock.now = 29.9
            answers.append(handle(router, *delivery()))
            clock.now = 30.1
            answers.append(handle(router, *delivery()))

    answers: list[WebhookAnswer] = []
    answers.append(handle(router, *delivery()))
    assert [status(answer) for answer in answers] == [(503, "in_progress"), (200, "handled"), (200, "handled")]
    assert len(runs) == 2
    assert status(handle(router, *delivery())) == (200, "duplicate")


# What the platform hears


def test_forged_delivery_returns_401_and_runs_no_handler(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router, ran = make(), []
    router.default(ran.append)
    body, _ = delivery()
    answer = handle(router, body, sign(body, "whsec_wrong"))
    assert status(answer) == (401, "not_genuine")
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert ran == []
    assert SECRET not in caplog.text + answer.body.decode()


def test_body_without_event_type_returns_400(handle: Handle) -> None:
    body = body_of(event=...)
    answer = handle(make(), body, sign(body, SECRET))
    assert status(answer) == (400, "not_understood")
    assert b"names no event" in answer.body


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "post", "PATCH"])
def test_other_method_than_post_returns_405(handle: Handle, method: str) -> None:
    answer = handle(make(), *delivery(), method=method)
    assert status(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


def test_max_body_counts_bytes_of_text(handle: Handle) -> None:
    body = body_of(note="e" * 50).replace(b"e" * 50, "é".encode() * 50)
    headers = sign(body, SECRET)
    assert status(handle(make(max_body=len(body)), body.decode(), headers)) == (200, "ignored")
    assert status(handle(make(max_body=len(body) - 1), body.decode(), headers)) == (413, "body_too_large")


@pytest.mark.parametrize("form", [bytes, memoryview, bytes.decode])
def test_body_over_max_body_returns_413(handle: Handle, form: Any) -> None:
    body, headers = delivery()
    assert status(handle(make(max_body=len(body)), form(body), headers)) == (200, "ignored")
    assert status(handle(make(max_body=len(body) - 1), form(body), headers)) == (413, "body_too_large")


def test_max_body_defaults_to_one_mebibyte(handle: Handle) -> None:
    assert handle(make(), b"x" * (1 << 20), {}).status == 401
    assert handle(make(), b"x" * ((1 << 20) + 1), {}).status == 413


def test_parsed_body_raises_type_error(handle: Handle) -> None:
    for body in ({"event": "x"}, None, 7):
        with pytest.raises(TypeError, match="raw body"):
            handle(make(), body, {})


class Broken(MemoryEventStore):
    """A store that is out of reach for some of its methods."""

    def __init__(self, *methods: str) -> None:
        super().__init__()
        for method in methods:
            setattr(self, method, self._fail)

    def _fail(self, *args: Any) -> Any:
        raise ConnectionError("redis://:hunter2@db:6379 is out of reach")


def test_falsy_empty_store_is_used(handle: Handle) -> None:
    class Sized(MemoryEventStore):
        def __len__(self) -> int:
            return len(self._entries)

    store = Sized()
    router = make(store)
    router.on("*")(lambda event: None)
    assert status(handle(router, *delivery())) == (200, "handled")
    assert len(store) == 1


def test_failing_store_claim_returns_503(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router, ran = make(Broken("claim")), []
    router.on("*")(ran.append)
    answer = handle(router, *delivery())
    assert status(answer) == (503, "store_unavailable")
    assert answer.headers["Retry-After"]
    assert b"hunter2" not in answer.body
    assert "out of reach" in caplog.text
    assert ran == []


def test_failing_store_complete_still_returns_200(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router = make(Broken("complete"))
    router.on("*")(lambda event: None)
    assert status(handle(router, *delivery())) == (200, "handled")
    assert "could not be recorded" in caplog.text


def test_failing_store_release_returns_500(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router = make(Broken("release"))

    @router.on("*")
    def fails(event: Any) -> None:
        raise LookupError

    assert status(handle(router, *delivery())) == (500, "handler_failed")
    assert "stays until its lease runs out" in caplog.text


def test_async_store_works_with_handle_and_ahandle(handle: Handle) -> None:
    router = make(AsyncStore())
    router.on("*")(lambda event: None)
    assert status(handle(router, *delivery())) == (200, "handled")
    assert status(handle(router, *delivery())) == (200, "duplicate")


def test_contradictory_settings_raise_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        make(MemoryEventStore(), queue=SQLiteEventQueue(tmp_path / "queue.db"))
    with pytest.raises(ConfigurationError):
        make().on()
    with pytest.raises(ConfigurationError, match=r"@router\.on"):
        make().on(print)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        make().on("")
    with pytest.raises(ConfigurationError):
        WebhookWorker(make())
    router = make()
    router.default(print)
    with pytest.raises(ConfigurationError):
        router.default(print)


NAN, INF = float("nan"), float("inf")


def test_invalid_numbers_in_settings_raise_configuration_error(queue: SQLiteEventQueue) -> None:
    wrong: list[tuple[Callable[..., Any], dict[str, list[Any]]]] = [
        (make, {"lease": [0, -1, NAN, INF, "60", True], "max_body": [-1, "1M"], "duplicate_wait": [-1, NAN, INF]}),
        (
            functools.partial(WebhookWorker, make(queue=queue)),
            {"lease": [0, NAN, INF], "retry_delays": [[-1], [NAN], ["30"]], "poll_interval": [-1, NAN, INF]},
        ),
        (MemoryEventStore, {"ttl": [0, -1, NAN, "7 days"]}),
        (functools.partial(SQLiteEventStore, "events.db"), {"ttl": [0, -1, NAN, "7 days"]}),
        (functools.partial(SQLiteEventQueue, "events.db"), {"ttl": [0, -1, NAN]}),
    ]
    for of, settings in wrong:
        for name, values in settings.items():
            for value in values:
                with pytest.raises(ConfigurationError):
                    of(**{name: value})
    assert make(lease=0.5, max_body=0, duplicate_wait=0.0)
    assert MemoryEventStore(ttl=INF)


# The two applications, without a server


async def ask_asgi(router: WebhookRouter, messages: list[dict[str, Any]], **scope: Any) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await router.asgi({"type": "http", "method": "POST", "headers": []} | scope, receive, send)
    return sent


async def test_asgi_joins_body_chunks() -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id))
    body, headers = delivery()
    chunks = [{"type": "http.request", "body": body[i : i + 7], "more_body": True} for i in range(0, len(body), 7)]
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start, content = await ask_asgi(router, [*chunks, {"type": "http.request"}], headers=raw)
    assert (start["status"], content["body"]) == (200, b'{"status": "handled"}')
    assert (b"content-type", b"application/json") in start["headers"]
    assert got == ["evt_idem_1"]


async def test_asgi_stops_reading_at_max_body() -> None:
    messages = [{"type": "http.request", "body": b"x" * 60, "more_body": True} for _ in range(9)]
    start, _ = await ask_asgi(make(max_body=100), messages)
    assert start["status"] == 413
    assert len(messages) == 7


async def test_asgi_sends_nothing_after_disconnect() -> None:
    assert await ask_asgi(make(), [{"type": "http.disconnect"}]) == []


async def test_asgi_returns_405_without_reading_body() -> None:
    start, _ = await ask_asgi(make(), [], method="GET")
    assert start["status"] == 405


async def test_asgi_handles_lifespan() -> None:
    sent = await ask_asgi(make(), [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], type="lifespan")
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_asgi_closes_websocket() -> None:
    assert await ask_asgi(make(), [], type="websocket") == [{"type": "websocket.close", "code": 1000}]


class Input:
    """A WSGI input that gives out a few bytes a read, and notes how many were asked for."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked = 0

    def read(self, size: int) -> bytes:
        self.asked += size
        chunk, self.body = self.body[: min(size, 10)], self.body[min(size, 10) :]
        return chunk


def ask_wsgi(router: WebhookRouter, stream: Any, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    body = b"".join(
        router.wsgi(
            {"REQUEST_METHOD": "POST", "wsgi.input": stream} | environ,
            lambda status, headers: started.append((status, dict(headers))),
        )
    )
    [(line, headers)] = started
    return line, headers, body


def environ_of(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def test_wsgi_joins_short_reads() -> None:
    router, got = make(), []
    router.on("*")(lambda event: got.append(event.id))
    body, headers = delivery()
    line, answered, content = ask_wsgi(router, Input(body), CONTENT_LENGTH=str(len(body)), **environ_of(headers))
    assert (line, content) == ("200 OK", b'{"status": "handled"}')
    assert answered["Content-Type"] == "application/json"
    assert got == ["evt_idem_1"]


def test_wsgi_reads_chunked_body_with_input_terminated() -> None:
    body, headers = delivery()
    line, _, _ = ask_wsgi(make(), Input(body), **{"wsgi.input_terminated": True}, **environ_of(headers))
    assert line == "200 OK"


@pytest.mark.parametrize("length", ["", "-1", "1_0", "\u0661", "x"])
def test_wsgi_without_content_length_returns_411_unread(length: str) -> None:
    stream = Input(b"x" * 100)
    line, _, content = ask_wsgi(make(), stream, CONTENT_LENGTH=length)
    assert line == "411 Length Required"
    assert b"Content-Length" in content
    assert stream.asked == 0


def test_wsgi_chunked_body_without_input_terminated_returns_411() -> None:
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args: Any) -> None: ...

    app = cast("Any", make().wsgi)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        with socket.create_connection(server.server_address[:2], timeout=60) as client:
            # The body would follow: nothing waits for it.
            client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        serving.join(60)
    assert answer.startswith(b"HTTP/1.0 411 ")


def test_wsgi_and_asgi_treat_repeated_timestamp_header_alike(handle: Handle) -> None:
    body, headers = delivery()
    pairs = [*headers.items(), ("X-Interactor-Timestamp", headers["X-Interactor-Timestamp"])]
    assert status(handle(make(), body, pairs)) == (200, "ignored")
    environ = environ_of(headers)
    environ["HTTP_X_INTERACTOR_TIMESTAMP"] += "," + environ["HTTP_X_INTERACTOR_TIMESTAMP"]
    assert ask_wsgi(make(), Input(body), CONTENT_LENGTH=str(len(body)), **environ)[0] == "200 OK"


class Recording:
    """A telemetry."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def sending(self, request: Any) -> None: ...

    def record(self, event: Any) -> None:
        self.events.append(event)


async def test_telemetry_records_deliveries_refused_unread() -> None:
    class Breaks:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError

    telemetry = Recording()
    router = make(max_body=100, telemetry=telemetry)
    assert (await ask_asgi(router, [{"type": "http.request", "body": b"x" * 101}]))[0]["status"] == 413
    assert ask_wsgi(router, Input(b""), CONTENT_LENGTH="101")[0].startswith("413 ")
    assert ask_wsgi(router, Input(b""))[0].startswith("411 ")
    assert ask_wsgi(router, Breaks(), CONTENT_LENGTH="5")[0].startswith("400 ")
    assert ask_wsgi(router, None, REQUEST_METHOD="GET")[0].startswith("405 ")
    assert [(event.event, event.status) for event in telemetry.events] == [("unknown", "failed")] * 4


@pytest.mark.parametrize("length", ["101", "9" * 5000])
def test_wsgi_content_length_over_limit_returns_413_unread(length: str) -> None:
    stream = Input(b"x" * 200)
    assert ask_wsgi(make(max_body=100), stream, CONTENT_LENGTH=length)[0].startswith("413 ")
    assert stream.asked == 0


def test_wsgi_broken_connection_returns_400() -> None:
    class Breaks:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError

    assert ask_wsgi(make(), Breaks(), CONTENT_LENGTH="5")[0] == "400 Bad Request"


def test_wsgi_returns_405_without_reading_body() -> None:
    line, headers, _ = ask_wsgi(make(), None, REQUEST_METHOD="GET")
    assert (line, headers["Allow"]) == ("405 Method Not Allowed", "POST")


# Answer now, work later


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SQLiteEventQueue]:
    with SQLiteEventQueue(tmp_path / "queue.db") as queue:
        yield queue


def work(worker: WebhookWorker, mode: str) -> bool:
    return worker.run_once() if mode == "sync" else asyncio.run(worker.arun_once())


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_queued_event_returns_200_at_once_and_worker_handles_it(
    handle: Handle, mode: str, queue: SQLiteEventQueue
) -> None:
    router, got = make(queue=queue), []
    router.on("credential.*")(lambda event: got.append(event.data.credential_id))
    assert status(handle(router, *delivery("credential.connected"))) == (200, "accepted")
    assert status(handle(router, *delivery("credential.connected"))) == (200, "duplicate")
    assert got == []
    worker = WebhookWorker(router)
    assert work(worker, mode)
    assert not work(worker, mode)
    assert got == ["cred_1"]
    assert status(handle(router, *delivery("credential.connected"))) == (200, "duplicate")
    assert not work(worker, mode)


def test_forged_delivery_is_not_queued(queue: SQLiteEventQueue) -> None:
    router = make(queue=queue)
    assert router.handle(body_of(), sign(body_of(), "whsec_wrong")).status == 401
    assert queue.take("t", 1) is None


def test_failing_queue_put_returns_503(handle: Handle, tmp_path: Path) -> None:
    router = make(queue=SQLiteEventQueue(tmp_path / "no" / "such" / "folder.db"))
    assert status(handle(router, *delivery())) == (503, "store_unavailable")


def test_failing_queued_event_is_retried_then_dead_letter_then_replayed(mode: str, queue: SQLiteEventQueue) -> None:
    router, runs = make(queue=queue), []

    @router.on("*")
    def fails_thrice(event: Any) -> None:
        runs.append(event.id)
        if len(runs) <= 3:
            raise LookupError(f"attempt {len(runs)}")

    worker = WebhookWorker(router, retry_delays=(0, 0))
    router.handle(*delivery())
    assert [work(worker, mode) for _ in range(4)] == [True, True, True, False]
    [letter] = queue.dead_letters()
    assert (letter.key, letter.attempts, letter.error) == ("shop:idem_1", 3, "LookupError: attempt 3")
    assert letter.event.id == "evt_idem_1"
    assert status(router.handle(*delivery())) == (200, "duplicate")
    assert queue.replay("shop:idem_1")
    assert queue.dead_letters() == []
    assert work(worker, mode)
    assert len(runs) == 4
    assert status(router.handle(*delivery())) == (200, "duplicate")


def test_event_that_kills_its_workers_becomes_dead_letter(mode: str, queue: SQLiteEventQueue) -> None:
    router, runs = make(queue=queue), []
    router.on("*")(runs.append)
    router.handle(*delivery())
    for _ in range(3):  # taken, and never heard of again
        assert queue.take("dead worker", lease=-1) is not None
    assert work(WebhookWorker(router, retry_delays=(0, 0)), mode)
    assert runs == []
    assert "died" in queue.dead_letters()[0].error


def test_unreadable_queued_body_becomes_dead_letter_at_once(mode: str, queue: SQLiteEventQueue) -> None:
    queue.put("shop:k", b"[]")
    router = make(queue=queue)
    assert work(WebhookWorker(router), mode)
    assert queue.dead_letters()[0].error.startswith("WebhookPayloadError")


def test_keyboard_interrupt_in_worker_releases_event(queue: SQLiteEventQueue) -> None:
    router, runs = make(queue=queue), []

    @router.on("*")
    def interrupted_once(event: Any) -> None:
        runs.append(event)
        if len(runs) == 1:
            raise KeyboardInterrupt

    router.handle(*delivery())
    worker = WebhookWorker(router, handler_timeout=math.inf)
    with pytest.raises(KeyboardInterrupt):
        worker.run_once()
    assert worker.run_once()
    assert len(runs) == 2


class Garbled(Exception):
    def __str__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no namespace \ud800"), "ValueError: no namespace \\ud800"),
        (Garbled(), "Garbled"),
    ],
)
def test_error_text_not_storable_in_database_is_escaped(
    mode: str, queue: SQLiteEventQueue, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest-xdist cannot carry a captured line with such a character to its parent.
    monkeypatch.setattr(logging.getLogger("interactor.webhooks"), "disabled", True)
    router = make(queue=queue)

    @router.on("*")
    def fails(event: Any) -> None:
        raise error

    router.handle(*delivery())
    worker = WebhookWorker(router, retry_delays=(0,))
    assert [work(worker, mode) for _ in range(3)] == [True, True, False]
    assert [letter.error for letter in queue.dead_letters()] == [said]


class LosesTouch(SQLiteEventQueue):
    """Out of reach from some time on."""

    is_gone = False

    def retry(self, *args: Any) -> bool:
        if self.is_gone:
            raise ConnectionError("gone")
        return super().retry(*args)

    def complete(self, *args: Any) -> bool:
        if self.is_gone:
            raise ConnectionError("gone")
        return super().complete(*args)


@pytest.fixture
def losing_queue(tmp_path: Path) -> Iterator[LosesTouch]:
    with LosesTouch(tmp_path / "losing.db") as queue:
        yield queue


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Abort])
def test_interrupt_propagates_from_worker_that_cannot_release_event(
    losing_queue: LosesTouch, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    router = make(queue=losing_queue)

    @router.on("*")
    def interrupted(event: Any) -> None:
        losing_queue.is_gone = True
        raise error

    router.handle(*delivery())
    with pytest.raises(error):
        WebhookWorker(router, handler_timeout=math.inf, poll_interval=0.01).run()
    assert "until its lease runs out" in caplog.text


@pytest.mark.parametrize("handler_mode", ["sync", "async"])
async def test_cancelled_worker_ends_with_unreachable_queue(losing_queue: LosesTouch, handler_mode: str) -> None:
    router, started = make(queue=losing_queue), threading.Event()
    go_on = threading.Event()

    def blocks(event: Any) -> None:
        started.set()
        assert go_on.wait(60)

    async def waits(event: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    router.on("*")(blocks if handler_mode == "sync" else waits)
    await router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(router, poll_interval=0.01).arun())
    while not started.is_set():
        await asyncio.sleep(0.001)
    losing_queue.is_gone = True
    worker.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([worker], timeout=60)
    assert worker.cancelled()


async def test_worker_cancelled_in_sync_handler_records_completion(queue: SQLiteEventQueue) -> None:
    handler = InThread(None)
    router = make(queue=queue)
    router.on("*")(handler._handle)
    await router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(router).arun_once())
    await handler.has_started()
    worker.cancel()
    await asyncio.sleep(0)
    handler.go_on.set()
    await asyncio.wait([worker], timeout=60)
    assert worker.cancelled()
    assert queue.complete("shop:idem_1", "another") is False


def test_running_worker_drains_queue_and_stops(queue: SQLiteEventQueue) -> None:
    router, stop, got = make(queue=queue), threading.Event(), []

    @router.on("*")
    def last_one_stops(event: Any) -> None:
        got.append(event.id)
        if len(got) == 5:
            stop.set()

    for key in "abcde":
        router.handle(*delivery(key=key))
    worker = threading.Thread(target=WebhookWorker(router, poll_interval=0.01).run, args=(stop,))
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    assert len(got) == 5


async def test_running_async_worker_drains_queue_until_cancelled(queue: SQLiteEventQueue) -> None:
    router, done, got = make(queue=queue), asyncio.Event(), []

    @router.on("*")
    async def note(event: Any) -> None:
        got.append(event.id)
        if len(got) == 5:
            done.set()

    for key in "abcde":
        await router.ahandle(*delivery(key=key))
    worker = asyncio.create_task(WebhookWorker(router, poll_interval=0.01).arun())
    await asyncio.wait_for(done.wait(), 60)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert len(got) == 5


class FlakyQueue(SQLiteEventQueue):
    """Out of reach twice, then there."""

    failures = 2

    def take(self, token: str, lease: float) -> QueuedEvent | None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("gone")
        return super().take(token, lease)


@pytest.fixture
def flaky_queue(tmp_path: Path) -> Iterator[FlakyQueue]:
    with FlakyQueue(tmp_path / "flaky.db") as queue:
        yield queue


def test_worker_survives_unreachable_queue(flaky_queue: FlakyQueue, caplog: pytest.LogCaptureFixture) -> None:
    router, stop = make(queue=flaky_queue), threading.Event()
    router.on("*")(lambda event: stop.set())
    router.handle(*delivery())
    WebhookWorker(router, poll_interval=0.01).run(stop)
    assert stop.is_set()
    assert caplog.text.count("out of reach; trying again") == 2


async def test_async_worker_survives_unreachable_queue(flaky_queue: FlakyQueue) -> None:
    router, done = make(queue=flaky_queue), asyncio.Event()

    @router.on("*")
    async def note(event: Any) -> None:
        done.set()

    await router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(router, poll_interval=0.01).arun())
    await asyncio.wait_for(done.wait(), 60)
    worker.cancel()
    await asyncio.wait([worker])
    assert flaky_queue.failures == 0


# Rotation


class Platform:
    """`client.webhooks`, as far as a rotation sees it."""

    def __init__(self, secret: Any = "whsec_new") -> None:
        self.secret = secret
        self.rotated: list[str] = []

    def rotate_secret(self, webhook_id: str, /) -> Any:
        self.rotated.append(webhook_id)
        return self


class AsyncPlatform(Platform):
    async def rotate_secret(self, webhook_id: str, /) -> Any:
        return super().rotate_secret(webhook_id)


def rotate(mode: str, platform_secret: Any, verifier: WebhookVerifier, hand_over: Callable[[str], object]) -> Any:
    if mode == "sync":
        return rotate_secret(Platform(platform_secret), "wh_1", verifier=verifier, hand_over=hand_over)

    async def ahand_over(secret: str) -> None:
        hand_over(secret)

    return asyncio.run(arotate_secret(AsyncPlatform(platform_secret), "wh_1", verifier=verifier, hand_over=ahand_over))


def verifies(verifier: WebhookVerifier, secret: str) -> bool:
    try:
        verifier.verify(body_of(), sign(body_of(), secret))
    except WebhookError:
        return False
    return True


def test_rotation_verifies_with_old_and_new_secret_until_finish(mode: str) -> None:
    verifier, kept = WebhookVerifier(OLD_SECRET), []
    rotation = rotate(mode, "whsec_new", verifier, kept.append)
    assert kept == ["whsec_new"]
    assert verifies(verifier, "whsec_new")
    assert verifies(verifier, OLD_SECRET)
    rotation.finish()
    assert verifies(verifier, "whsec_new")
    assert not verifies(verifier, OLD_SECRET)


def test_finish_of_rotation_keeps_secrets_of_later_rotations(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    first = rotate(mode, "whsec_1", verifier, print)
    second = rotate(mode, "whsec_2", verifier, print)
    first.finish()
    known = ["whsec_2", "whsec_1", OLD_SECRET]
    assert [verifies(verifier, secret) for secret in known] == [True, True, False]
    first.finish()
    second.finish()
    assert [verifies(verifier, secret) for secret in known] == [True, False, False]


def test_finish_of_rotation_keeps_secret_added_again(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    rotation = rotate(mode, "whsec_new", verifier, print)
    verifier.add_secret(OLD_SECRET)
    rotation.finish()
    assert verifies(verifier, OLD_SECRET)


def test_secret_whose_hand_over_failed_still_verifies(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)

    def full(secret: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space") as caught:
        rotate(mode, "whsec_new", verifier, full)
    assert "rotate again" in caught.value.__notes__[0]
    assert "whsec_new" not in caught.value.__notes__[0]
    assert verifies(verifier, "whsec_new")
    assert verifies(verifier, OLD_SECRET)


@pytest.mark.parametrize("secret", [None, "", 7])
def test_rotation_without_secret_in_response_raises(mode: str, secret: Any) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    with pytest.raises(WebhookError, match="rotate again"):
        rotate(mode, secret, verifier, print)
    assert verifies(verifier, OLD_SECRET)


def test_adding_known_secret_makes_it_newest() -> None:
    verifier = WebhookVerifier([OLD_SECRET, SECRET])
    verifier.add_secret(SECRET)
    verifier.forget_old_secrets()
    assert verifies(verifier, SECRET)
    assert not verifies(verifier, OLD_SECRET)
