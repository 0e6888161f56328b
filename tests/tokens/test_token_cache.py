"""TokenCache and AsyncTokenCache: one token request for all threads and tasks, when it fails, hangs or is abandoned."""

from __future__ import annotations

import _thread
import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_ext import APIConnectionError, APITimeoutError, ConfigurationError, InteractorConfig
from interactor_ext._interactor.tokens import cache
from interactor_ext._interactor.tokens.cache import AsyncTokenCache, TokenCache
from interactor_ext._interactor.tokens.store_access import StoreAccess
from interactor_ext.tokens import MemoryTokenStore, Token
from tests.support.clock import Clock
from tests.support.interrupts import runs_interrupted_in_each_line
from tests.support.virtual_time import VirtualTimeLoop
from tests.support.waiting import eventually, in_time, refuse_threads


class Issuer:
    """Issues t1, t2, ... for `lifetime` seconds; fails with `error` while there is one; waits for `gate`.

    `asked` counts requests as they come, `count` as they are answered.
    """

    def __init__(self, clock: Clock, lifetime: float = 3600) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.asked = self.count = 0
        self.error: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()

    def issue(self) -> Token:
        self.count += 1
        if self.error is not None:
            raise self.error
        return Token(f"t{self.count}", self.clock.now + self.lifetime, self.lifetime)

    def fetch(self) -> Token:
        self.asked += 1
        assert self.gate.wait(60)
        return self.issue()

    async def fetch_async(self) -> Token:
        self.asked += 1
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        return self.issue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return Issuer(clock)


def new_store() -> StoreAccess:
    return StoreAccess(MemoryTokenStore(), InteractorConfig(client_id="x", client_secret="y"))


def settled(source: Any) -> bool:
    """Whether no request is under way."""
    return source._pending is None


@pytest.mark.parametrize("mode", ["sync", "async"])
class TestSyncAndAsync:
    """The same tests for sync and async: `get` calls the cache of the mode."""

    @pytest.fixture(autouse=True)
    def loop(self) -> Iterator[None]:
        with asyncio.Runner() as self.runner:
            yield

    @pytest.fixture
    def source(self, mode: str, issuer: Issuer, clock: Clock) -> Any:
        if mode == "sync":
            return TokenCache(issuer.fetch, buffer=60, clock=clock)
        return AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)

    def get(self, source: Any, ends_at: float | None = None, *, settling: bool = True) -> str:
        """The token of a call now. Then waits for a pending request to end."""
        if isinstance(source, TokenCache):
            token = source.get(ends_at)
            eventually(lambda: settled(source) or not settling)
            return token.access_token

        async def get_and_settle() -> str:
            token = await source.get(ends_at)
            while settling and not settled(source):
                await asyncio.sleep(0.001)
            return str(token.access_token)

        return self.runner.run(get_and_settle())

    def test_token_is_cached_until_the_refresh_buffer(self, source: Any, clock: Clock, issuer: Issuer) -> None:
        assert source.valid() is None
        assert [self.get(source) for _ in range(3)] == ["t1"] * 3
        clock.now += 3539
        assert self.get(source) == "t1"
        clock.now += 1
        issuer.gate.clear()
        assert [self.get(source, settling=False) for _ in range(10)] == ["t1"] * 10  # valid: no call waits for the next
        issuer.gate.set()
        assert [self.get(source), self.get(source)] == ["t1", "t2"]
        assert issuer.count == 2

    def test_waiting_for_a_token_ends_at_the_deadline(self, source: Any, issuer: Issuer) -> None:
        issuer.gate.clear()
        started = time.monotonic()
        for seconds in (0.05, -1):
            with pytest.raises(APITimeoutError):
                self.get(source, time.monotonic() + seconds)
        assert time.monotonic() - started < 30
        issuer.gate.set()
        assert self.get(source, time.monotonic() + 60) == "t1"

    def test_token_that_expires_at_once_is_used_once(self, source: Any, issuer: Issuer) -> None:
        issuer.lifetime = 0
        assert [self.get(source) for _ in range(3)] == ["t1", "t2", "t3"]

    def test_unexpected_error_in_fetch_is_raised_once(self, source: Any, issuer: Issuer) -> None:
        issuer.error = ZeroDivisionError("a bug")
        with pytest.raises(ZeroDivisionError):
            self.get(source)
        assert issuer.count == 1


def test_fetch_that_fails_a_test_is_raised_once(issuer: Issuer, clock: Clock) -> None:
    issuer.error = pytest.fail.Exception("a request that the test did not expect")
    with pytest.raises(APIConnectionError, match="Failed"):
        TokenCache(issuer.fetch, buffer=60, clock=clock).get()
    assert issuer.count == 1


def test_token_request_without_a_thread_raises_configuration_error(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", refuse_threads)
        with pytest.raises(ConfigurationError, match="Couldn't start a thread"):
            source.get()
    assert source.get().access_token == "t1"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiters check at short intervals whether a request was abandoned; a store waits shortly for one that was."""
    monkeypatch.setattr("interactor_ext._interactor.tokens.cache._CHECK_SECONDS", 0.02)
    monkeypatch.setattr("interactor_ext._interactor.tokens.store_access._MAX_REQUEST_SECONDS", 0.5)


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
            eventually(lambda: settled(source))
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
@pytest.mark.parametrize("has_store", [False, True])
def test_interrupt_in_any_line_of_an_event_loop_blocks_no_other_loop(
    has_store: bool, issuer: Issuer, clock: Clock
) -> None:
    def run() -> None:
        asyncio.run(source.get())

    def prepare() -> None:
        nonlocal source
        store = new_store() if has_store else None
        source = AsyncTokenCache(issuer.fetch_async, buffer=60, store=store, clock=clock)

    source: AsyncTokenCache
    prepare()
    runs = 0
    for _ in runs_interrupted_in_each_line(run, ("interactor_ext",)):
        in_time(run)
        prepare()
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


@pytest.mark.parametrize("seconds", [1, 2, 3])
@pytest.mark.parametrize("error", [None, APITimeoutError("no response")])
def test_task_that_is_done_when_a_waiter_looks_makes_no_second_request(
    error: Exception | None, seconds: int, issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its callback has not run by then: both come at the same instant."""
    issuer.error = error

    async def fetch() -> Token:
        await asyncio.sleep(seconds)
        return issuer.issue()

    source = AsyncTokenCache(fetch, buffer=60, clock=clock)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=runner.get_loop().time))
        with nullcontext() if error is None else pytest.raises(APITimeoutError):
            assert runner.run(source.get()).access_token == "t1"
        assert (issuer.count, runner.get_loop().time()) == (1, seconds)


def test_signal_handler_can_get_a_token_during_get(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)

    def call() -> Any:
        with source._lock:  # where the signal came
            return source.acquire()

    in_time(call)


def test_tasks_of_several_event_loops_share_one_fetch(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()

    async def hundred() -> set[str]:
        return {token.access_token for token in await asyncio.gather(*(source.get() for _ in range(100)))}

    with ThreadPoolExecutor(4) as threads:
        loops = [threads.submit(asyncio.run, hundred()) for _ in range(4)]
        eventually(lambda: issuer.asked)
        issuer.gate.set()
        assert [loop.result(60) for loop in loops] == [{"t1"}] * 4
    assert issuer.count == 1


def test_stopped_loop_with_a_pending_fetch_blocks_no_other_loop(issuer: Issuer, clock: Clock) -> None:
    source = AsyncTokenCache(issuer.fetch_async, buffer=60, clock=clock)
    issuer.gate.clear()
    abandoned = asyncio.new_event_loop()

    async def begin() -> set[asyncio.Task[Any]]:
        waiting = asyncio.create_task(source.get())
        while not issuer.asked:
            await asyncio.sleep(0)
        return {waiting, *asyncio.all_tasks()} - {asyncio.current_task()}  # type: ignore[arg-type]

    tasks = abandoned.run_until_complete(begin())  # and never run again
    issuer.gate.set()
    assert asyncio.run(source.get()).access_token == "t1"
    # Only so that this test leaves no pending task behind.
    for task in tasks:
        task.cancel()
    abandoned.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    abandoned.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_during_a_fetch_makes_its_own(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)
    issuer.gate.clear()
    leader = threading.Thread(target=source.get)
    leader.start()
    eventually(lambda: issuer.asked)
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


def test_stream_of_another_kind_may_get_its_token_while_a_token_is_rejected(issuer: Issuer, clock: Clock) -> None:
    source = TokenCache(issuer.fetch, buffer=60, clock=clock)

    def next_one() -> float:
        source.narrower["workflows"] = TokenCache(issuer.fetch, buffer=60, clock=clock)
        return clock()

    source.narrower["rooms"] = TokenCache(issuer.fetch, buffer=60, clock=next_one)
    source.reject(source.get())
