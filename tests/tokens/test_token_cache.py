"""TokenCache and AsyncTokenCache: one token request for all threads and tasks, when it fails, hangs or is abandoned."""

from __future__ import annotations

import _thread
import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_ext import APIConnectionError, APITimeoutError, AuthenticationError, InteractorConfig
from interactor_ext.tokens import MemoryTokenStore, Token, _cache
from interactor_ext.tokens._cache import AsyncTokenCache, PendingFetch, TokenCache
from interactor_ext.tokens._guarded_store import GuardedStore
from tests.support.interrupts import runs_interrupted_in_each_line
from tests.support.waiting import PATIENCE, eventually, in_time

CONFIG = InteractorConfig(client_id="client_x", client_secret="secret_x", timeout=60)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Issues t1, t2, ... for `lifetime` seconds; fails with `error` while there is one; waits for `gate`."""

    def __init__(self, clock: Clock, lifetime: float = 3600) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.count = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def issue(self) -> Token:
        self.count += 1
        if self.error is not None:
            raise self.error
        return Token(f"t{self.count}", self.clock.now + self.lifetime, self.lifetime)

    def fetch(self) -> Token:
        assert self.gate.wait(60)
        return self.issue()

    async def fetch_async(self) -> Token:
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        return self.issue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return Issuer(clock)


@pytest.mark.parametrize("mode", ["sync", "async"])
class TestSyncAndAsync:
    """The same tests for sync and async: `get` calls the cache of the mode."""

    @pytest.fixture(autouse=True)
    def loop(self) -> Iterator[None]:
        with asyncio.Runner() as self.runner:
            yield

    @pytest.fixture
    def source(self, mode: str, issuer: Issuer, clock: Clock) -> Any:
        return self.make(mode, issuer, clock)

    @staticmethod
    def make(mode: str, issuer: Issuer, clock: Clock, store: GuardedStore | None = None) -> Any:
        if mode == "sync":
            return TokenCache(issuer.fetch, buffer=60, store=store, clock=clock)
        return AsyncTokenCache(issuer.fetch_async, buffer=60, store=store, clock=clock)

    def get(self, source: Any, ends_at: float | None = None) -> str:
        """The token of a call now. Then waits for a pending request to end."""
        if isinstance(source, TokenCache):
            token = source.get(ends_at)
            eventually(lambda: source._pending is None or not self.settling)
            return token.access_token

        async def get_and_settle() -> str:
            token = await source.get(ends_at)
            while source._pending is not None and self.settling:
                await asyncio.sleep(0.001)
            return token.access_token

        return self.runner.run(get_and_settle())

    settling = True

    def test_token_is_cached_until_the_refresh_buffer(self, source: Any, clock: Clock, issuer: Issuer) -> None:
        assert source.valid() is None
        assert [self.get(source) for _ in range(3)] == ["t1"] * 3
        clock.now += 3539
        assert self.get(source) == "t1"
        clock.now += 1
        assert self.get(source) == "t1"  # still valid: no call waits for the next
        assert self.get(source) == "t2"
        assert issuer.count == 2

    def test_waiting_for_a_token_ends_at_the_deadline(self, source: Any, issuer: Issuer) -> None:
        issuer.gate.clear()
        self.settling = False
        started = time.monotonic()
        with pytest.raises(APITimeoutError):
            self.get(source, time.monotonic() + 0.05)
        with pytest.raises(APITimeoutError):
            self.get(source, time.monotonic() - 1)
        assert time.monotonic() - started < 30
        issuer.gate.set()
        assert self.get(source, time.monotonic() + 60) == "t1"

    def test_token_that_expires_at_once_is_used_once(self, source: Any, issuer: Issuer) -> None:
        issuer.lifetime = 0
        assert [self.get(source) for _ in range(3)] == ["t1", "t2", "t3"]

    def test_failed_refresh_keeps_the_valid_token(
        self, source: Any, clock: Clock, issuer: Issuer, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert self.get(source) == "t1"
        clock.now += 3550
        issuer.error = AuthenticationError("not today")
        with caplog.at_level(logging.WARNING, "interactor"):
            assert self.get(source) == "t1"
            eventually(lambda: "not today" in caplog.text)
        assert "50 s more" in caplog.text
        # Not every call tries again.
        assert [self.get(source) for _ in range(5)] == ["t1"] * 5
        assert issuer.count == 2
        clock.now += 5
        issuer.error = None
        assert [self.get(source), self.get(source)] == ["t1", "t3"]

    def test_failed_fetch_without_a_valid_token_raises(self, source: Any, issuer: Issuer) -> None:
        issuer.error = APIConnectionError("down")
        for _ in range(2):
            with pytest.raises(APIConnectionError, match="down"):
                self.get(source)
        issuer.error = None
        assert self.get(source) == "t3"

    def test_rejected_token_is_not_used_while_refresh_fails(self, source: Any, issuer: Issuer) -> None:
        self.get(source)
        source.reject(source.valid())
        issuer.error = APIConnectionError("down")
        with pytest.raises(APIConnectionError):
            self.get(source)
        issuer.error = None
        assert self.get(source) == "t3"

    def test_unexpected_error_in_fetch_is_raised_once(self, source: Any, issuer: Issuer) -> None:
        issuer.error = ZeroDivisionError("a bug")
        with pytest.raises(ZeroDivisionError):
            self.get(source)
        assert issuer.count == 1

    def test_store_is_searched_before_and_saved_after_a_fetch(self, mode: str, clock: Clock, issuer: Issuer) -> None:
        store = MemoryTokenStore()

        first, second = (self.make(mode, issuer, clock, GuardedStore(store, CONFIG)) for _ in range(2))
        assert self.get(first) == self.get(second) == "t1"
        second.reject(second.valid())
        assert self.get(second) == "t2"  # and not the refused one that is still in the store
        first.reject(first.valid())
        assert self.get(first) == "t2"
        assert issuer.count == 2

    @pytest.mark.parametrize("broken", ["load", "save", "lock", "unlock", "no_lock", "rubbish", "unsendable"])
    def test_failing_store_costs_a_warning_and_a_token_request(
        self, mode: str, broken: str, clock: Clock, issuer: Issuer, caplog: pytest.LogCaptureFixture
    ) -> None:
        source = self.make(mode, issuer, clock, GuardedStore(BrokenStore(broken), CONFIG))
        with caplog.at_level(logging.WARNING, "interactor"):
            assert self.get(source) == "t1"
            eventually(lambda: "store" in caplog.text)
        assert "hunter2" not in caplog.text


class BrokenStore:
    def __init__(self, broken: str) -> None:
        self.broken = broken

    def _break(self, what: str) -> None:
        if self.broken == what:
            raise OSError("cannot reach redis with password=hunter2")

    def load(self, key: str) -> Any:
        self._break("load")
        return {"rubbish": "a string", "unsendable": Token("a b", 9e9, 3600)}.get(self.broken)

    def save(self, key: str, token: Token) -> None:
        self._break("save")

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        self._break("lock")
        yield self.broken != "no_lock"
        self._break("unlock")


def test_64_threads_make_one_request(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    issuer.gate.clear()
    with ThreadPoolExecutor(64) as threads:
        waiting = [threads.submit(source.get) for _ in range(64)]
        issuer.gate.set()
        assert {future.result().access_token for future in waiting} == {"t1"}
    assert issuer.count == 1


def test_waiting_threads_get_copies_of_one_error(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    issuer.gate.clear()
    issuer.error = AuthenticationError("refused", status=401)
    with ThreadPoolExecutor(16) as threads:
        waiting = [threads.submit(source.get) for _ in range(16)]
        eventually(lambda: source._pending is not None)
        issuer.gate.set()
        errors = [future.exception() for future in waiting]
    assert {str(error) for error in errors} == {"refused"}
    assert len({id(error) for error in errors}) == 16


def test_valid_token_is_used_during_a_refresh(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    source.get()
    clock.now += 3550
    issuer.gate.clear()
    assert [source.get().access_token for _ in range(10)] == ["t1"] * 10
    issuer.gate.set()
    eventually(lambda: source.get().access_token == "t2")
    assert issuer.count == 2


def test_late_result_of_an_abandoned_fetch_is_used(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(source, "_start", lambda pending: None)
        first = source.acquire()
        assert isinstance(first, PendingFetch)
        source.complete(first, None)
        second = source.acquire()
        assert second is not first
    source.complete(first, issuer.issue())
    assert source._pending is second  # its waiters still wait
    assert source.get().access_token == "t1"


def test_caller_fetches_by_itself_if_no_thread_can_start(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    monkeypatch.setattr(_thread, "start_new_thread", no_more)
    assert source.get().access_token == "t1"


def test_store_is_skipped_after_half_of_the_time_to_the_deadline(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    monkeypatch.setattr(_cache, "time", SimpleNamespace(monotonic=lambda: now))
    pending = PendingFetch()
    with pending.running:
        waits = source._waits(pending, ends_at=now + 3)
        assert (next(waits), pending.skips_store) == (1.0, False)
        now += 1
        assert (next(waits), pending.skips_store) == (0.5, False)
        now += 0.5
        assert (next(waits), pending.skips_store) == (1.0, True)
        now += 1
        assert (next(waits), pending.skips_store) == (0.5, True)
        now += 0.5
        with pytest.raises(APITimeoutError):
            next(waits)


def no_more(*arguments: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiters check at short intervals whether a request was abandoned."""
    monkeypatch.setattr("interactor_ext.tokens._cache._CHECK_SECONDS", 0.02)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("state", ["cold", "due", "refused"])
def test_interrupt_in_any_line_of_get_blocks_no_other_caller(state: str, issuer: Issuer, clock: Clock) -> None:
    source: TokenCache

    def prepare() -> None:
        nonlocal source
        issuer.lifetime = 3600
        source = TokenCache(issuer.fetch, buffer=60, clock=clock)
        if state != "cold":
            token = source.get()
            eventually(lambda: source._pending is None)
            if state == "due":
                clock.now += 3550
            else:
                source.reject(token)

    prepare()
    runs = 0
    for _ in runs_interrupted_in_each_line(lambda: source.get()):
        clock.now += 100  # a due token has expired
        in_time(source.get)
        runs += 1
        prepare()
    assert runs > 20


@pytest.mark.usefixtures("impatient")
def test_interrupt_of_a_caller_that_fetches_by_itself_blocks_no_other_caller(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)

    def run() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(_thread, "start_new_thread", no_more)
            source.get()

    for _ in runs_interrupted_in_each_line(run, ("interactor_ext",)):
        in_time(source.get)
        source = TokenCache(issuer.fetch, buffer=60, clock=clock)


@pytest.mark.usefixtures("impatient")
def test_interrupt_in_any_line_of_an_event_loop_blocks_no_other_loop(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)

    def run() -> None:
        asyncio.run(source.get())

    runs = 0
    for _ in runs_interrupted_in_each_line(run, ("interactor_ext",)):
        in_time(run)
        source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
        runs += 1
    assert runs > 20


@pytest.mark.usefixtures("impatient")
def test_fetch_thread_that_starts_late_makes_no_second_request(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    late: list[Callable[[], None]] = []
    start = _thread.start_new_thread

    def start_first_late(function: Callable[[], None], arguments: tuple[()]) -> int:
        if late:
            return start(function, arguments)
        late.append(function)
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", start_first_late)
        assert source.get().access_token == "t1"
    late[0]()
    eventually(lambda: all(thread.name != "interactor-token" for thread in threading.enumerate()), "its end")
    assert issuer.count == 1


def test_interrupt_of_the_fetching_caller_makes_another_caller_fetch(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some task queues raise an Exception in a task whose time is over."""

    class TimeIsUp(Exception):
        pass

    fetches: list[str] = []

    def fetch() -> Token:
        fetches.append(threading.current_thread().name)
        if len(fetches) == 1:
            eventually(lambda: source._pending is not None and source._pending.done._waiters)
            raise TimeIsUp
        return Token("t2", clock.now + 3600, 3600)

    source = TokenCache(fetch, buffer=60, clock=clock)
    with ThreadPoolExecutor(2) as threads:
        threads.submit(int).result()
        threads.submit(time.sleep, 0.01)
        threads.submit(int).result()
        monkeypatch.setattr(_thread, "start_new_thread", no_more)
        first = threads.submit(source.get)
        eventually(lambda: fetches)
        second = threads.submit(source.get)
        assert isinstance(first.exception(PATIENCE), TimeIsUp)
        assert second.result(PATIENCE).access_token == "t2"


def test_signal_handler_can_get_a_token_during_get(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)

    def call() -> Any:
        with source._lock:  # where the signal came
            return source.acquire()

    assert isinstance(in_time(call), PendingFetch)


def test_rejecting_an_old_token_keeps_the_current_one(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    old = source.get()
    source.reject(old)
    assert source.get().access_token == "t2"
    for _ in range(10):
        source.reject(old)
        assert source.get().access_token == "t2"


async def test_1000_tasks_make_one_request(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    tokens = await asyncio.gather(*(source.get() for _ in range(1000)))
    assert {token.access_token for token in tokens} == {"t1"}
    assert issuer.count == 1


async def test_cancelling_waiting_tasks_does_not_cancel_the_fetch(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    tasks = [asyncio.create_task(source.get()) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[:5]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks[:5], return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    issuer.gate.set()
    assert {token.access_token for token in await asyncio.gather(*tasks[5:])} == {"t1"}
    assert issuer.count == 1


async def test_next_task_gets_a_token_after_all_waiters_were_cancelled(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    task = asyncio.create_task(source.get())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    issuer.gate.set()
    assert (await source.get()).access_token == "t1"


async def test_aclose_cancels_the_fetch_and_waiters_start_another(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    waiting = asyncio.create_task(source.get())
    await asyncio.sleep(0)
    await source.aclose()
    issuer.gate.set()
    assert (await waiting).access_token == "t1"
    await source.aclose()


def test_aclose_in_another_loop_cancels_the_fetch(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(asyncio.run, source.get())
        eventually(lambda: source._pending is not None and source._pending.task is not None)
        first = source._pending
        asyncio.run(source.aclose())
        eventually(lambda: first is not None and first.done.is_set)
        issuer.gate.set()
        assert waiting.result(60).access_token == "t1"


def test_tasks_of_several_event_loops_share_one_fetch(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()

    async def hundred() -> set[str]:
        return {token.access_token for token in await asyncio.gather(*(source.get() for _ in range(100)))}

    with ThreadPoolExecutor(4) as threads:
        loops = [threads.submit(asyncio.run, hundred()) for _ in range(4)]
        eventually(lambda: source._pending is not None)
        issuer.gate.set()
        assert [loop.result(60) for loop in loops] == [{"t1"}] * 4
    assert issuer.count == 1


def test_end_of_the_fetching_loop_lets_another_fetch(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()

    async def give_up() -> None:
        task = asyncio.create_task(source.get())
        await asyncio.sleep(0)
        assert source._pending is not None
        task.cancel()

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(give_up())
        issuer.gate.set()
        assert threads.submit(asyncio.run, source.get()).result(60).access_token == "t1"


def test_stopped_loop_with_a_pending_fetch_blocks_no_other_loop(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    abandoned = asyncio.new_event_loop()

    async def begin() -> None:
        waiting.append(asyncio.create_task(source.get()))
        await asyncio.sleep(0)

    waiting: list[asyncio.Task[Token]] = []
    abandoned.run_until_complete(begin())  # and never run again
    pending = source._pending
    assert pending is not None
    assert pending.task is not None
    issuer.gate.set()
    assert asyncio.run(source.get()).access_token == "t1"
    # Only so that this test leaves no pending task behind.
    for task in (*waiting, pending.task):
        task.cancel()
    abandoned.run_until_complete(asyncio.gather(*waiting, pending.task, return_exceptions=True))
    abandoned.close()


async def test_store_lock_that_comes_too_late_is_released(issuer: Issuer, clock: Clock) -> None:
    memory = MemoryTokenStore()
    store = GuardedStore(memory, CONFIG)
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, store=store, clock=clock)
    with memory.lock(store.key, 1):
        waiting = asyncio.create_task(source.get())
        while source._pending is None or source._pending.session is None:
            await asyncio.sleep(0.001)
        session = source._pending.session
        waiting.cancel()
        await source.aclose()
    assert await session.ended.wait_async(PATIENCE)
    with memory.lock(store.key, 0) as held:
        assert held


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_during_a_fetch_makes_its_own(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    issuer.gate.clear()
    leader = threading.Thread(target=source.get)
    leader.start()
    eventually(lambda: source._pending is not None)
    with source._lock:  # as if a thread of the parent held it
        child = os.fork()
        if child == 0:
            issuer.gate = threading.Event()
            issuer.gate.set()
            os._exit(0 if source.get().access_token == "t1" else 1)
    _, status = os.waitpid(child, 0)
    issuer.gate.set()
    leader.join(60)
    assert os.waitstatus_to_exitcode(status) == 0


class Quits(MemoryTokenStore):
    """Raises SystemExit in `load`."""

    def load(self, key: str) -> Token | None:
        raise SystemExit(3)


class TooLate(MemoryTokenStore):
    def load(self, key: str) -> Token | None:
        return Token("t", 10**400, 3600)


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("kind", [Quits, TooLate])
def test_any_misbehaving_store_costs_a_warning_and_a_token_request(
    kind: type[MemoryTokenStore], mode: str, clock: Clock, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    store = GuardedStore(kind(), CONFIG)
    if mode == "sync":
        token = TokenCache(issuer.fetch, buffer=60, store=store, clock=clock).get()
    else:
        source = AsyncTokenCache(issuer.fetch_async, buffer=60, store=store, clock=clock)
        token = asyncio.run(source.get())
    assert token.access_token == "t1"
    assert "token store" in caplog.text


def test_system_exit_in_a_fetch_raises_connection_error_for_waiters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    requests: list[int] = []

    def fetch() -> Token:
        requests.append(1)
        raise SystemExit(3)

    source = TokenCache(fetch, buffer=60)
    with pytest.raises(APIConnectionError, match="SystemExit"):
        source.get()
    eventually(lambda: all(thread.name != "interactor-token" for thread in threading.enumerate()))
    assert len(requests) == 1


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_repeatedly_abandoned_fetches_end_at_the_deadline(mode: str) -> None:
    ends_at = time.monotonic() + 0.1
    if mode == "sync":
        source = TokenCache(lambda: pytest.fail("not asked"), buffer=60)
        source._start = lambda pending: source.complete(pending, None)  # type: ignore[method-assign]
        with pytest.raises(APITimeoutError):
            source.get(ends_at)
        return

    async def fetch() -> Token:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(APITimeoutError):
            await AsyncTokenCache(fetch, buffer=60).get(ends_at)

    asyncio.run(main())
