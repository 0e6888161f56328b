"""Handlers that hang or raise SystemExit: each fails its own event and blocks nothing else."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.webhooks import (
    AsyncRedisEventStore,
    MemoryEventStore,
    RedisEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookAnswer,
    WebhookRouter,
    WebhookWorker,
)
from interactor_ext.webhooks._threads import STORE_SECONDS
from tests.support.waiting import PATIENCE, eventually, eventually_async, with_enough_time
from tests.support.webhook_deliveries import delivery
from tests.support.webhook_routers import Handle, make, status

pytest_plugins = ["tests.support.server_fixtures", "tests.support.webhook_fixtures"]

# The time limit of handlers that hang. Those that end have `PATIENCE`, so that a busy machine fails none of them.
SHORT = 0.2


class Hanging:
    """Sync and async handlers that hang until the test ends for events for which `hangs` is true."""

    def __init__(self, hangs: Callable[[Any], bool] = lambda event: True) -> None:
        self.hangs, self.runs, self.cancelled = hangs, list[str](), list[str]()
        self.go_on = threading.Event()

    def sync(self, event: Any) -> None:
        self.runs.append(event.idempotency_key)
        if self.hangs(event):
            self.go_on.wait(PATIENCE)

    async def coroutine(self, event: Any) -> None:
        self.runs.append(event.idempotency_key)
        if self.hangs(event):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(event.idempotency_key)
                raise

    async def blocking(self, event: Any) -> None:
        """An async handler that blocks its event loop."""
        self.sync(event)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    handlers = Hanging()
    yield handlers
    handlers.go_on.set()


@pytest.mark.parametrize("kind", ["sync", "coroutine"])
def test_hanging_handler_fails_after_timeout_and_frees_event(
    handle: Handle, kind: str, hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryEventStore()
    hasty, patient = (make(store=store, handler_timeout=seconds) for seconds in (SHORT, PATIENCE))
    for router in (hasty, patient):
        router.on("*")(getattr(hanging, kind))
    assert status(handle(hasty, *delivery())) == (500, "handler_failed")
    assert f"didn't end within {SHORT} s" in caplog.text
    # On a busy machine it may not even have begun.
    eventually(lambda: hanging.cancelled == (hanging.runs if kind == "coroutine" else []), "the cancellation")
    hanging.hangs = lambda event: False
    # The event is free for the next attempt, and so is a thread for its handler.
    assert status(handle(patient, *delivery())) == (200, "handled")
    assert status(handle(patient, *delivery())) == (200, "duplicate")


def test_handler_timeout_covers_all_handlers_of_an_event(hanging: Hanging) -> None:
    router, second = make(handler_timeout=0.2), []

    @router.on("*")
    def slow(event: Any) -> None:
        time.sleep(0.15)

    router.on("*")(hanging.sync)
    router.on("*")(second.append)
    assert status(router.handle(*delivery())) == (500, "handler_failed")
    assert second == []


def test_handler_timeout_defaults_to_lease(hanging: Hanging) -> None:
    router = make(lease=0.05)
    router.on("*")(hanging.coroutine)
    assert status(router.handle(*delivery())) == (500, "handler_failed")
    endless = make(lease=0.01, handler_timeout=math.inf)
    endless.on("*")(lambda event: time.sleep(0.05))
    assert status(endless.handle(*delivery())) == (200, "handled")


def test_sync_handler_runs_in_caller_thread_without_timeout() -> None:
    """Where nothing can end it: docs/how-to/webhooks.md advises to set `handler_timeout=`."""
    for options, own in (({}, True), ({"handler_timeout": math.inf}, True), ({"handler_timeout": 30}, False)):
        router, threads = make(**options), list[int]()
        router.on("*")(lambda event, threads=threads: threads.append(threading.get_ident()))
        assert status(router.handle(*delivery())) == (200, "handled")
        assert (threads == [threading.get_ident()]) is own


async def test_more_hanging_sync_handlers_than_threads_do_not_block_event_loop_receiver(
    hanging: Hanging,
) -> None:
    hasty, patient = (make(handler_timeout=seconds) for seconds in (2 * SHORT, PATIENCE))
    for router in (hasty, patient):
        router.on("*")(hanging.sync)
    hanging.hangs = lambda event: event.idempotency_key != "last"
    lost = [asyncio.create_task(hasty.ahandle(*delivery(key=f"k{number}"))) for number in range(40)]
    # As many as there are threads; a busy machine may end their time before they have begun.
    await eventually_async(lambda: len(hanging.runs) >= 32 or all(task.done() for task in lost))
    assert status(await patient.ahandle(*delivery(key="last"))) == (200, "handled")
    assert {status(answer) for answer in await asyncio.gather(*lost)} == {(500, "handler_failed")}


def test_waiting_for_a_thread_takes_nothing_of_the_time_of_handlers() -> None:
    def attempt(seconds: float) -> None:
        router = make(handler_timeout=seconds)
        for part in (0.6, 0.1):
            router.on("*")(lambda event, part=part: threading.Event().wait(part * seconds))

        async def deliver() -> list[WebhookAnswer]:
            return await asyncio.gather(*(router.ahandle(*delivery(key=f"k{number}")) for number in range(64)))

        assert {status(answer) for answer in asyncio.run(deliver())} == {(200, "handled")}

    with_enough_time(attempt, 0.4, 8.0)


async def test_delivery_without_a_free_thread_gets_503_and_stops_no_other_router(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full, other = make(handler_timeout=math.inf), make()
    for router in (full, other):
        router.on("*")(hanging.sync)
    first = [asyncio.create_task(full.ahandle(*delivery(key=f"k{number}"))) for number in range(32)]
    await eventually_async(lambda: len(hanging.runs) == 32)
    with monkeypatch.context() as patched:
        patched.setattr("interactor_ext._engine.effects._THREAD_SECONDS", 0.05)
        assert status(await full.ahandle(*delivery(key="late"))) == (503, "busy")
    assert "using all their threads" in caplog.text
    hanging.hangs = lambda event: False
    assert status(await other.ahandle(*delivery(key="late"))) == (200, "handled")
    hanging.go_on.set()
    assert {status(answer) for answer in await asyncio.gather(*first)} == {(200, "handled")}
    assert status(await full.ahandle(*delivery(key="late"))) == (200, "handled")


async def test_receiver_whose_threads_all_hang_says_so_at_healthz(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("interactor_ext._engine.waiting.threads._MAX_ABANDONED", 1)
    router = make(handler_timeout=SHORT)
    router.on("*")(hanging.sync)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(router.asgi), base_url="http://shop") as client:
        healthy = await client.get("/webhooks/healthz")
        while len(hanging.runs) < 33:
            await asyncio.gather(*(router.ahandle(*delivery(key=f"k{number}")) for number in range(33)))
        exhausted = await client.get("/webhooks/healthz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok", "left_behind": 0})
    assert (exhausted.status_code, exhausted.json()) == (503, {"status": "handlers_hang", "left_behind": 1})
    assert f"The handler Hanging.sync didn't end within {SHORT} s." in caplog.text
    with httpx.Client(transport=httpx.WSGITransport(router.wsgi), base_url="http://shop") as sync_client:
        assert sync_client.get("/healthz").json() == exhausted.json()
    fastapi, flask = (pytest.importorskip(each) for each in ("fastapi", "flask"))
    api, app = fastapi.FastAPI(), flask.Flask("shop")
    api.include_router(router.fastapi(), prefix="/webhooks")
    app.register_blueprint(router.flask("/webhooks"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://shop") as client:
        assert (await client.get("/webhooks/healthz")).json() == exhausted.json()
    assert (app.test_client().get("/webhooks/healthz").status_code, "/webhooks/healthz" in api.openapi()["paths"]) == (
        503,
        False,
    )


async def awaits_what_it_cancelled(event: Any) -> None:
    task = asyncio.create_task(asyncio.sleep(PATIENCE))
    task.cancel()
    await task


async def exits(event: Any) -> None:
    raise SystemExit(3)


def exits_in_thread(event: Any) -> None:
    sys.exit(3)


@pytest.mark.parametrize("handler", [awaits_what_it_cancelled, exits, exits_in_thread])
async def test_cancellation_or_exit_of_a_handler_is_its_own_error(
    handler: Callable[[Any], Any], queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, router = make(), make(queue=queue)
    for each in (receiver, router):
        each.on("room.*")(handler)
    assert status(await receiver.ahandle(*delivery())) == (500, "handler_failed")
    assert status(receiver.handle(*delivery())) == (500, "handler_failed")
    assert handler.__name__ in caplog.text  # its traceback
    for key in ("k1", "k2"):
        await router.ahandle(*delivery(key=key))
    worker = asyncio.create_task(WebhookWorker(router, retry_delays=(), poll_interval=0.01).arun())
    await eventually_async(lambda: len(queue.dead_letters()) == 2)
    assert not worker.done()
    worker.cancel()
    await asyncio.wait([worker], timeout=PATIENCE)
    assert worker.cancelled()
    assert not any("FunctionExit" in each.getMessage() for each in caplog.records)


@contextmanager
def working(router: WebhookRouter, **options: Any) -> Iterator[None]:
    """Four workers in threads, which must end without error."""
    stop = threading.Event()
    workers = [WebhookWorker(router, poll_interval=0.01, **options) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(worker.run, stop) for worker in workers]
        try:
            yield
        finally:
            stop.set()
        assert [each.result(PATIENCE) for each in running] == [None] * 4


def test_handler_blocking_its_event_loop_does_not_block_next_event(queue: SQLiteEventQueue, hanging: Hanging) -> None:
    router = make(queue=queue)
    router.on("*")(hanging.blocking)
    hanging.hangs = lambda event: event.idempotency_key == "first"
    for key in ("first", "second"):
        router.handle(*delivery(key=key))
    assert WebhookWorker(router, handler_timeout=SHORT, retry_delays=()).run_once()
    assert [letter.key for letter in queue.dead_letters()] == ["shop:first"]
    assert WebhookWorker(router, handler_timeout=PATIENCE, retry_delays=()).run_once()
    assert len(queue.dead_letters()) == 1


EXITS = [SystemExit, KeyboardInterrupt, type("Abort", (BaseException,), {})]


@pytest.mark.parametrize(
    ("error", "kind"),
    [*product(EXITS, ("sync", "async")), (asyncio.CancelledError, "sync")],  # of its `asyncio.run`
)
def test_handler_raising_base_exception_fails_its_event_only(
    queue: SQLiteEventQueue, error: type[BaseException], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    router, runs = make(queue=queue), list[str]()

    def ends(event: Any) -> None:
        runs.append(event.idempotency_key)
        if event.idempotency_key < "k06":
            raise error("card 4711")

    async def ends_async(event: Any) -> None:
        ends(event)

    router.on("*")(ends if kind == "sync" else ends_async)
    keys = [f"k{number:02}" for number in range(20)]
    for key in keys:
        router.handle(*delivery(key=key))
    with working(router, retry_delays=(0,)):
        eventually(lambda: len(queue.dead_letters()) == 6 and set(keys) == set(runs))
    assert all(letter.error.endswith(f"{error.__name__}: card 4711") for letter in queue.dead_letters())
    assert caplog.text.count("failed (attempt") == 12
    assert queue.take("t", 60) is None


PROGRAM = """
import asyncio, os, signal, sys, threading
from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker
from tests.support.webhook_deliveries import SECRET, delivery

router = WebhookRouter(WebhookVerifier(SECRET), queue=SQLiteEventQueue(sys.argv[1]), name="shop")

@router.on("*")
def hangs(event):
    os.write(1, b"hangs\\n")  # not print: a daemon thread within it aborts the end of the interpreter
    threading.Event().wait()

router.handle(*delivery())
worker, stop = WebhookWorker(router{options}), threading.Event()
{run}
"""
STOPS_AT = "signal.signal(signal.SIGTERM, lambda *_: {})\nworker.run({})"
IN_A_THREAD = "threading.Thread(target=worker.run, daemon=True).start()\nsys.stdin.readline()"
SOON = ", handler_timeout=1"
ENDINGS = {
    "SIGTERM": ("worker.run()", "", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM that exits": (STOPS_AT.format("sys.exit(3)", ""), "", signal.SIGTERM, 3),
    "Ctrl-C": ("worker.run()", "", signal.SIGINT, -signal.SIGINT),
    "SIGTERM that stops": (STOPS_AT.format("stop.set()", "stop"), SOON, signal.SIGTERM, 0),
    "Ctrl-C in asyncio": ("asyncio.run(worker.arun())", SOON, signal.SIGINT, -signal.SIGINT),
    "the end of the program": (IN_A_THREAD, "", None, 0),
}
ENDINGS_IN_QUICK_RUNS = {"SIGTERM that exits", "Ctrl-C in asyncio", "the end of the program"}


@pytest.mark.parametrize(
    ("run", "options", "number", "code"),
    [
        pytest.param(*ending, id=name, marks=() if name in ENDINGS_IN_QUICK_RUNS else pytest.mark.full)
        for name, ending in ENDINGS.items()
    ],
)
def test_process_with_hanging_handler_exits_on_signal(
    tmp_path: Path, run: str, options: str, number: signal.Signals | None, code: int
) -> None:
    program = PROGRAM.replace("{options}", options).replace("{run}", run)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "queue.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "hangs\n"
            if number is None:
                process.stdin.close()
            else:
                process.send_signal(number)
            assert process.wait(PATIENCE) == code
        finally:
            process.kill()


async def test_cancelled_worker_waits_for_hanging_handler_within_grace_period(
    queue: SQLiteEventQueue, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactor_ext._engine.effects._GRACE_SECONDS", 0.05)
    router = make(queue=queue)
    router.on("*")(hanging.sync)
    await router.ahandle(*delivery())
    worker = asyncio.create_task(WebhookWorker(router, retry_delays=()).arun())
    await eventually_async(lambda: hanging.runs)
    worker.cancel()
    await asyncio.wait([worker], timeout=PATIENCE)
    assert worker.cancelled()
    [letter] = queue.dead_letters()
    assert letter.error.startswith("TimeoutError")


# Stores, queues and hand-overs that hang


def keep_forever(*args: object) -> None:
    threading.Event().wait()


async def keep_forever_async(*args: object) -> None:
    await asyncio.Event().wait()


class HangingQueue:
    put = staticmethod(keep_forever)


@pytest.mark.parametrize(
    "options",
    [{"hand_over": keep_forever}, {"hand_over": keep_forever_async}, {"queue": HangingQueue()}],
    ids=["hand over", "async hand over", "queue"],
)
async def test_hanging_hand_over_answers_503_in_time_and_stops_no_other_router(
    options: dict[str, Any], tmp_path: Path
) -> None:
    await check_that_it_harms_no_other_router(make(**options), tmp_path)


def test_hanging_hand_over_answers_a_synchronous_caller_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext.webhooks._threads.STORE_SECONDS", 0.05)
    assert status(make(hand_over=keep_forever).handle(*delivery())) == (503, "store_unavailable")


@contextmanager
def stopped(*processes: int) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


# `make nightly`, which sets INTERACTOR_EXAMPLES, waits for what is promised: for how long, and for the answers.
SECONDS, LIMIT = (STORE_SECONDS, 15.0) if "INTERACTOR_EXAMPLES" in os.environ else (0.5, PATIENCE)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["redis", "async redis", "redis hand over"])
async def test_redis_that_is_stopped_answers_503_in_time_and_stops_no_other_router(
    kind: str, redis: Any, redis_socket: str, tmp_path: Path
) -> None:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

    client = Redis(unix_socket_path=redis_socket)
    if kind == "redis hand over":
        router = make(hand_over=lambda body: client.lpush("events", body))
    elif kind == "redis":
        router = make(RedisEventStore(client), name="shop")
    else:
        router = make(AsyncRedisEventStore(AsyncRedis(unix_socket_path=redis_socket)), name="shop")
    router.on("*")(lambda event: None)
    with stopped(redis.info()["process_id"]):
        await check_that_it_harms_no_other_router(router, tmp_path)


async def check_that_it_harms_no_other_router(router: WebhookRouter, folder: Path) -> None:
    # For what hangs alone: afterwards, a busy machine may take its time.
    with SQLiteEventStore(folder / "events.db") as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr("interactor_ext.webhooks._threads.STORE_SECONDS", SECONDS)
        lost = [asyncio.ensure_future(router.ahandle(*delivery(key=f"k{number}"))) for number in range(64)]
        await asyncio.sleep(0)  # each has its time
        patch.undo()
        other = make(store, name="other")
        other.on("*")(lambda event: None)
        assert status(await other.ahandle(*delivery())) == (200, "handled")
    async with asyncio.timeout(LIMIT):
        answers = [status(await each) for each in lost]
    assert answers == [(503, "store_unavailable")] * 64
