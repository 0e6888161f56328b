"""WebhookRouter, sync and async: handlers, deduplication and responses."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import math
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import anyio
import pytest

from interactor_ext import ConfigurationError, WebhookError
from interactor_ext.webhooks import (
    ClaimState,
    CredentialConnectedEvent,
    MemoryEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookAnswer,
    WebhookRouter,
    WebhookVerifier,
    WebhookWorker,
    sign,
)
from tests.support.clock import Clock
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.webhook_deliveries import SECRET, body_of, delivery
from tests.support.webhook_routers import Abort, BlockingHandler, Failing, Handle, make, status

pytest_plugins = ["tests.support.webhook_fixtures"]
NAN, INF = math.nan, math.inf


class AsyncStore:
    """A store whose every method awaits, as over a network."""

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


def test_patterns_select_handlers_in_order_of_registration(handle: Handle) -> None:
    router, ran = make(), []
    router.on("workflow.*")(lambda event: ran.append("workflow"))
    router.on("*")(lambda event: ran.append("all"))
    router.on("workflow.instance.halted")(lambda event: ran.append("exact"))
    router.on("*.halted", "credential.connected")(lambda event: ran.append("either"))
    meant = r"Unknown event 'workflow.instance.halte'\. Did you mean 'workflow.instance.halted'\?"
    with pytest.warns(UserWarning, match=meant) as told:
        router.on("something.new", "workflow.instance.halte")(lambda event: ran.append("prefix"))
    with pytest.warns(UserWarning, match=r"Unknown event '.*'\. Did you mean 'workflow\.\*'\?"):
        router.on("work?low.*", "[w]orkflow.*", "halted", "billing.*")(lambda event: ran.append("no glob, no regex"))
    for wrong, right in {"workflow.halted": "workflow.instance.halted", "tool.*": "room.tool_call.*"}.items():
        with pytest.warns(UserWarning, match=f"Unknown event '{re.escape(wrong)}'. Did you mean '{re.escape(right)}'"):
            router.on(wrong)
    assert [warning.filename for warning in told] == [__file__]
    router.on("room.*")(lambda event: ran.append("room"))
    router.default(lambda event: ran.append("default"))
    assert status(handle(router, *delivery("workflow.instance.halted"))) == (200, "handled")
    assert ran == ["workflow", "all", "exact", "either"]


def test_default_handler_gets_unmatched_events(handle: Handle) -> None:
    router, got = make(), []
    router.on("credential.*")(lambda event: None)
    router.default(lambda event: got.append(event.event))
    handle(router, *delivery("credential.connected", "a"))
    handle(router, *delivery("room.message.created", "b"))
    handle(router, *delivery("something.new", "c"))
    assert got == ["room.message.created", "something.new"]
    with pytest.raises(ConfigurationError, match="default handler"):
        router.default(print)
    with pytest.raises(ConfigurationError, match=r"with only the event, not as <lambda>\(\)"):
        make().default(lambda: None)
    make().default(min)  # of which Python knows no signature


@pytest.mark.parametrize("annotation", [CredentialConnectedEvent, "CredentialConnectedEvent"])
def test_handler_for_class_of_another_event_causes_warning(annotation: Any, recwarn: pytest.WarningsRecorder) -> None:
    def connect(event: Any) -> None: ...

    connect.__annotations__["event"] = annotation
    for pattern in ("credential.connected", "credential.*", "credential.expired"):
        make().on(pattern)(connect)
    (told,) = recwarn
    assert "connect expects a CredentialConnectedEvent, but isn't registered for 'credential" in str(told.message)
    assert told.filename == __file__


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

    for handler in (Awaiting(), functools.partial(coroutine)):
        assert router.on("credential.connected")(handler) is handler
    assert status(handle(router, *delivery("credential.connected"))) == (200, "handled")
    assert got == ["cred_1", "google", "user_123", "google"]
    assert callable(plain)


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
    router, answers = make(), list[WebhookAnswer]()

    @router.on("*")
    async def nested(event: Any) -> None:
        if event.idempotency_key != "inner":
            answers.append(router.handle(*delivery(key="inner")))

    router.handle(*delivery())
    assert [status(answer) for answer in answers] == [(500, "handler_failed")]


@needs_fork
@in_threads
def test_forked_child_has_its_own_handler_loop() -> None:
    router = make()

    @router.on("*")
    async def nothing(event: Any) -> None:
        await asyncio.sleep(0)

    assert router.handle(*delivery(key="parent")).status == 200
    assert ended_well(in_child(lambda: router.handle(*delivery(key="child")).status == 200))


# Deduplication


@pytest.mark.parametrize("store", [MemoryEventStore, AsyncStore])
def test_duplicate_delivery_runs_no_handler(handle: Handle, store: Any) -> None:
    router, ran = make(store()), []
    router.on("*")(ran.append)
    body, headers = delivery()
    assert status(handle(router, body, headers)) == (200, "handled")
    assert status(handle(router, body, headers)) == (200, "duplicate")
    # A replay under a fresh timestamp verifies, for the signature does not cover it. The store stops it.
    assert status(handle(router, body, sign(body, SECRET))) == (200, "duplicate")
    # Another delivery of the same event, with other bytes.
    assert status(handle(router, *delivery(attempt=2))) == (200, "duplicate")
    assert len(ran) == 1


def test_delivery_waits_for_its_store_twice(handle: Handle) -> None:
    store = Mock(wraps=MemoryEventStore(), ttl=86_400)
    router = make(store)
    router.on("*")(lambda event: None)
    assert status(handle(router, *delivery())) == (200, "handled")
    assert [name for name, *_ in store.method_calls] == ["claim", "complete"]


def test_second_router_with_the_same_name_and_store_is_warned_of(tmp_path: Path) -> None:
    def shop(name: str, path: str = "events.db", secret: str = SECRET) -> WebhookRouter:
        return WebhookRouter(WebhookVerifier(secret), SQLiteEventStore(tmp_path / path), name=name)

    first = shop("shop")
    others = [shop("billing"), shop("shop", "other.db"), shop("shop")]  # the application is made again
    with pytest.warns(UserWarning, match=rf"router created at {re.escape(__file__)}:\d+ has the same name and SQLite"):
        others.append(shop("shop", secret="whsec_of_another_webhook"))
    with pytest.warns(UserWarning, match="only the other's handlers run"):
        WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore(tmp_path / "events.db"), name="shop")
    assert first.handle(*delivery()).status == 200


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


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Abort])
def test_interrupted_handler_releases_event_and_interrupt_propagates(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    router, runs = make(), []

    def interrupt(*_: Any) -> None:
        raise error

    @router.on("*")
    def interrupted(event: Any) -> None:
        runs.append(event)
        if len(runs) == 1:
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(error):
            router.handle(*delivery())
    finally:
        signal.signal(signal.SIGTERM, before)
    (record,) = (each for each in caplog.records if each.name == "interactor.webhooks")
    assert (vars(record)["outcome"], vars(record)["event_id"]) == ("interrupted", runs[0].id)
    assert status(router.handle(*delivery())) == (200, "handled")


async def cancelled_twice(handler: BlockingHandler) -> None:
    task = asyncio.create_task(handler.router.ahandle(*delivery()))
    await handler.has_started()
    for message in ("by a test", "again"):
        task.cancel(message)
        await asyncio.sleep(0)
    assert status(await handler.router.ahandle(*delivery())) == (503, "in_progress")
    handler.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def timed_out(handler: BlockingHandler) -> None:
    async def limited() -> None:
        async with asyncio.timeout(None) as limit:
            handler.when_started(lambda loop: limit.reschedule(loop.time()))
            await handler.router.ahandle(*delivery())

    with pytest.raises(TimeoutError):
        await limited()


async def with_failing_sibling(handler: BlockingHandler) -> None:
    async def fail() -> None:
        await handler.has_started()
        asyncio.get_running_loop().call_later(0.02, handler.go_on.set)
        raise LookupError("sibling")

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await handler.router.ahandle(*delivery())

    with pytest.raises(ExceptionGroup):
        await grouped()


async def in_cancelled_scope(handler: BlockingHandler) -> None:
    began = time.thread_time()
    with anyio.CancelScope() as scope:
        handler.when_started(lambda _: scope.cancel(), goes_on_after=0.4)
        await handler.router.ahandle(*delivery())
    assert scope.cancelled_caught
    assert time.thread_time() - began < 0.2  # anyio cancels in each turn of the loop, and nothing turns with it


@pytest.mark.parametrize("store", [MemoryEventStore, AsyncStore])
@pytest.mark.parametrize("ends", [cancelled_twice, timed_out, with_failing_sibling, in_cancelled_scope])
async def test_delivery_that_ends_in_a_sync_handler_is_recorded_and_cancels_nothing_else(ends: Any, store: Any) -> None:
    handler = BlockingHandler(store())

    async def request() -> str:
        await ends(handler)
        await asyncio.sleep(0.01)
        return "went on"

    assert await asyncio.gather(request(), return_exceptions=True) == ["went on"]
    await handler.check_that_it_counts_as_handled()


@pytest.mark.parametrize("store", [MemoryEventStore, AsyncStore])
async def test_cancelled_async_handler_releases_event(store: Any) -> None:
    router, runs = make(store()), []

    @router.on("*")
    async def hangs_twice(event: Any) -> None:
        runs.append(event)
        if len(runs) <= 2:
            scope.cancel() if len(runs) == 1 else task.cancel()
            await asyncio.Event().wait()

    with anyio.CancelScope() as scope:
        await router.ahandle(*delivery())
    assert scope.cancelled_caught
    task = asyncio.create_task(router.ahandle(*delivery()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status(await router.ahandle(*delivery())) == (200, "handled")


async def test_delivery_cancelled_during_claim_releases_claim() -> None:
    class SlowToAnswer(AsyncStore):
        async def claim(self, key: str, token: str, lease: float) -> ClaimState:
            state = await super().claim(key, token, lease)
            if not task.cancelling():
                task.cancel()
                await asyncio.Event().wait()
            return state

    router = make(SlowToAnswer())
    router.on("*")(lambda event: None)
    task = asyncio.create_task(router.ahandle(*delivery()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status(await router.ahandle(*delivery())) == (200, "handled")


async def test_cancelled_delivery_starts_no_further_handler() -> None:
    handler, second = BlockingHandler(None), []

    @handler.router.on("*")
    async def further(event: Any) -> None:
        second.append(event)

    task = asyncio.create_task(handler.router.ahandle(*delivery()))
    handler.when_started(lambda _: task.cancel())
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


@pytest.fixture
def in_handler() -> Iterator[BlockingHandler]:
    """A handler that is handling `idem_1`."""
    handler = BlockingHandler(None)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(handler.router.handle, *delivery())
        assert handler.started.wait(60)
        yield handler
        handler.go_on.set()
        assert status(first.result()) == (200, "handled")


def test_duplicate_of_event_in_progress_returns_503(handle: Handle, in_handler: BlockingHandler) -> None:
    answer = handle(in_handler.router, *delivery())
    assert status(answer) == (503, "in_progress")
    assert answer.headers["Retry-After"]
    assert in_handler.runs == 1


def test_concurrent_duplicates_run_one_handler() -> None:
    router, runs = make(), []
    router.on("*")(runs.append)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: router.handle(*delivery()), range(64)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert len(runs) == 1


class RenewedStore(MemoryEventStore):
    """`renewed` is set when one token has claimed thrice."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed = threading.Event()
        self._tokens: list[str] = []

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        self._tokens.append(token)
        if self._tokens.count(token) == 3:
            self.renewed.set()
        return super().claim(key, token, lease)


def test_lease_is_renewed_while_a_handler_runs(handle: Handle) -> None:
    store = RenewedStore()
    router = make(store, lease=0.03, handler_timeout=60)
    router.on("*")(lambda event: store.renewed.wait(60) or pytest.fail("not renewed"))
    assert status(handle(router, *delivery())) == (200, "handled")


def test_renewal_that_fails_is_logged_and_leaves_the_handler_alone(
    handle: Handle, caplog: pytest.LogCaptureFixture
) -> None:
    logged = threading.Event()

    class FailsLater(MemoryEventStore):
        claims = 0

        def claim(self, key: str, token: str, lease: float) -> ClaimState:
            self.claims += 1
            if self.claims == 3:
                logged.set()
            if self.claims > 1:
                raise ConnectionError("out of reach")
            return super().claim(key, token, lease)

    router = make(FailsLater(), lease=0.03, handler_timeout=60)
    router.on("*")(lambda event: logged.wait(60))
    assert status(handle(router, *delivery())) == (200, "handled")
    assert "A lease couldn't be renewed" in caplog.text


def test_event_is_claimable_again_after_lease_expires(handle: Handle) -> None:
    clock, runs = Clock(0.0), []
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


# Responses


@pytest.mark.parametrize("form", [bytes, memoryview, bytes.decode])
def test_body_over_max_body_returns_413(handle: Handle, form: Any) -> None:
    body = body_of(note="e" * 50).replace(b"e" * 50, "é".encode() * 50)
    headers = sign(body, SECRET)
    assert status(handle(make(max_body=len(body)), form(body), headers)) == (200, "ignored")
    assert status(handle(make(max_body=len(body) - 1), form(body), headers)) == (413, "body_too_large")
    assert handle(make(), b"x" * (1 << 20), {}).status == 401
    assert handle(make(), b"x" * ((1 << 20) + 1), {}).status == 413


def test_falsy_empty_store_is_used(handle: Handle) -> None:
    class Sized(MemoryEventStore):
        def __len__(self) -> int:
            return 0

    store = Sized()
    router = make(store)
    router.on("*")(lambda event: None)
    assert status(handle(router, *delivery())) == (200, "handled")
    assert store.claim("idem_1", "t", 1) is ClaimState.COMPLETED


@pytest.mark.parametrize(
    ("method", "key", "answered", "logged"),
    [
        ("claim", "good", (503, "store_unavailable"), "out of reach"),
        ("complete", "good", (200, "handled"), "couldn't be recorded"),
        ("release", "bad", (500, "handler_failed"), "remains until its lease expires"),
    ],
)
def test_store_that_fails_costs_the_answer_or_a_warning(
    handle: Handle,
    method: str,
    key: str,
    answered: tuple[int, str],
    logged: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks._threads._RECORD_RETRY_DELAYS", (0.0,) * 3)
    router, ran = make(Failing(MemoryEventStore(), **{method: INF})), []

    @router.on("*")
    def handler(event: Any) -> None:
        ran.append(event.idempotency_key)
        if event.idempotency_key == "bad":
            raise LookupError

    answer = handle(router, *delivery(key=key))
    assert status(answer) == answered
    assert ("Retry-After" in answer.headers) is (answered[0] == 503)
    assert b"hunter2" not in answer.body
    assert logged in caplog.text
    assert ran == ([] if method == "claim" else [key])


class PutOnly:
    """A queue that only the receiver's half is written of."""

    def __init__(self) -> None:
        self.events: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> bool:
        return self.events.setdefault(key, body) is body


def test_put_only_queue_takes_genuine_events(handle: Handle) -> None:
    queue = PutOnly()
    router = make(queue=Failing(queue, put=1))
    body, headers = delivery()
    assert status(handle(router, body, sign(body, "whsec_wrong"))) == (401, "not_genuine")
    assert status(handle(router, body, headers)) == (503, "store_unavailable")
    assert queue.events == {}
    assert status(handle(router, body, headers)) == (200, "accepted")
    assert queue.events == {"shop:idem_1": body}


def test_put_may_be_asynchronous(handle: Handle) -> None:
    class Put:
        async def put(self, key: str, body: bytes) -> bool:
            return key == "shop:idem_1"

    assert status(handle(make(queue=Put()), *delivery())) == (200, "accepted")


def generated(body: bytes) -> Iterator[None]:
    yield


def test_contradictory_settings_raise_configuration_error(queue: SQLiteEventQueue) -> None:
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("not both", lambda: make(MemoryEventStore(), queue=queue)),
        ("not both", lambda: make(queue=queue, hand_over=print)),
        ("the class MemoryEventStore", lambda: make(MemoryEventStore)),
        ("a verifier, not NoneType", lambda: WebhookRouter(None)),  # type: ignore[arg-type]
        ("a verifier, not the class WebhookVerifier", lambda: WebhookRouter(WebhookVerifier)),  # type: ignore[arg-type]
        ("must be a function", lambda: make(hand_over="shop.tasks.run")),
        ("generator", lambda: make(hand_over=generated)),
        ("one parameter", lambda: make(hand_over=lambda: None)),
        ("event type", lambda: make().on()),
        (r"@router\.on", lambda: make().on(print)),  # type: ignore[arg-type]
        ("event type", lambda: make().on("")),
        ("queue", lambda: WebhookWorker(make())),
        ("EventQueue", lambda: WebhookWorker(make(queue=PutOnly()))),
    ]
    for said, construct in wrong:
        with pytest.raises(ConfigurationError, match=said):
            construct()


WRONG = {
    "lease": [0, -1, NAN, INF, "60", True],
    "max_body": [-1, "1M"],
    "handler_timeout": [0, -1, NAN, "60", True],
}
WRONG_OF_WORKERS = {
    "lease": [0, NAN, INF],
    "retry_delays": [[-1], [NAN], ["30"]],
    "poll_interval": [-1, NAN, INF],
    "handler_timeout": [0, -1, NAN, "60", True],
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (kind, name, value)
        for kind, settings in (("router", WRONG), ("worker", WRONG_OF_WORKERS))
        for name, values in settings.items()
        for value in values
    ],
)
def test_setting_out_of_range_raises_configuration_error(
    queue: SQLiteEventQueue, kind: str, name: str, value: Any
) -> None:
    construct = make if kind == "router" else functools.partial(WebhookWorker, make(queue=queue))
    with pytest.raises(ConfigurationError):
        construct(**{name: value})
