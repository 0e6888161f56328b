"""Stalled token stores delay no call, and neither tokens nor stores delay `health()` or a deadline."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from interactor_ext import APITimeoutError, AsyncInteractorClient, InteractorClient
from interactor_ext.tokens import FileTokenStore, MemoryTokenStore, RedisTokenStore, Token, TokenStore
from interactor_ext.tokens import _cache as cache
from interactor_ext.tokens import _guarded_store as guarded
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import ASSISTANT, OddServer, js, token_answer
from tests.support.waiting import PATIENCE, eventually, in_time

STEPS = ["load", "lock", "load again", "save", "unlock"]


class Stalls(MemoryTokenStore):
    """A store that stalls in one of its steps until `go_on` is set."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step
        self.go_on = threading.Event()
        self.is_locked = False
        self.stalled = 0
        self.on_stall: Callable[[], object] = int
        self._loads = 0

    def _come_to(self, step: str) -> None:
        if step == self.step:
            self.stalled += 1
            self.on_stall()
            self.go_on.wait()

    def load(self, key: str) -> Token | None:
        self._loads += 1
        self._come_to("load" if self._loads == 1 else "load again")
        return super().load(key)

    def save(self, key: str, token: Token) -> None:
        self._come_to("save")
        super().save(key, token)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        self._come_to("lock")
        with super().lock(key, timeout) as held:
            self.is_locked = True
            yield held
            self._come_to("unlock")
            self.is_locked = False


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda asked: js(200, {"data": ASSISTANT})) as running:
        yield running


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store counts as stalled after a twentieth of a second."""
    monkeypatch.setattr(guarded, "_PATIENCE", 0.05)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store counts as stalled when the test says so."""
    monkeypatch.setattr(guarded, "_PATIENCE", 10 * PATIENCE)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller with a deadline waits for the store for a tenth of a second out of a minute."""
    monkeypatch.setattr(cache, "_SHARE_OF_STORE", 0.1 / PATIENCE)


def watched(use: Callable[[], Any]) -> Any:
    return in_time(use)


@sync_and_async
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("step", STEPS)
def test_stalled_store_costs_a_warning_and_a_token_request(
    step: str, mode: str, server: OddServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = Stalls(step)
    with caplog.at_level(logging.WARNING, "interactor"):
        # For an asynchronous client this includes the end of its event loop.
        found = watched(lambda: call(mode, server.settings | {"token_store": store}, lambda c: c.assistants.get("x")))
    assert found.id == "asst_1"
    assert len(server.token_requests) == 1
    store.go_on.set()
    eventually(lambda: not store.is_locked, "the lock that was taken late is given back, and")
    eventually(lambda: no_store_threads(), "the store's thread")
    if step not in {"save", "unlock"}:
        assert "Stalls did not answer within" in caplog.text


def no_store_threads() -> bool:
    return all(thread.name != "interactor-token-store" for thread in threading.enumerate())


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("step", STEPS)
def test_stalled_store_is_skipped_and_tried_again_later(
    step: str, server: OddServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = Stalls(step)
    with InteractorClient(**server.settings, token_store=store) as client:
        guard = client._shared.tokens._store
        assert guard is not None

        def time_is_over() -> None:
            eventually(lambda: guard._sessions)
            (session,) = guard._sessions
            session.check_end(0) if step in {"save", "unlock"} else session.give_up()

        store.on_stall = time_is_over
        for _ in range(3):
            watched(lambda: client.assistants.get("x"))
            eventually(lambda: "did not answer within" in caplog.text, "the warning")
            client._shared.tokens.reject(client._shared.tokens.valid() or Token("", 0, 0))
        assert store.stalled == 1
        assert len(server.token_requests) == 3
        assert caplog.text.count("did not answer within") == 1
        # The pause is over, and the store answers again.
        store.step = ""
        store.go_on.set()
        eventually(no_store_threads, "the store's thread")
        guard._rests_until = 0.0
        store._tokens.clear()
        watched(lambda: client.assistants.get("x"))
        eventually(no_store_threads, "the store's thread")
        (saved,) = store._tokens.values()
        assert saved.access_token == "token_4"


@pytest.mark.usefixtures("soon")
def test_store_that_always_stalls_is_asked_four_times(server: OddServer) -> None:
    store = Stalls("load")
    with InteractorClient(**server.settings, token_store=store) as client:
        guard = client._shared.tokens._store
        assert guard is not None
        store.load = lambda key: store._come_to("load")  # type: ignore[method-assign,assignment]
        for _ in range(6):
            watched(lambda: client.assistants.get("x"))
            client._shared.tokens.reject(client._shared.tokens.valid() or Token("", 0, 0))
            guard._rests_until = 0.0
        eventually(lambda: store.stalled == guarded._MOST_SESSIONS)
    store.go_on.set()
    eventually(no_store_threads, "the store's threads")


@pytest.mark.full  # real seconds; test_token_cache.py has the arithmetic
@sync_and_async
@pytest.mark.usefixtures("never")
def test_stalled_store_leaves_half_of_the_deadline_to_the_call(mode: str, server: OddServer) -> None:
    store = Stalls("load")

    def use(client: Any) -> Any:
        return client.with_options(deadline=4).assistants.get("x")

    assert watched(lambda: call(mode, server.settings | {"token_store": store}, use)).id == "asst_1"
    store.go_on.set()
    eventually(no_store_threads, "the store's thread")


@pytest.mark.usefixtures("never", "hurried")
def test_caller_with_a_deadline_skips_the_stalled_store_of_a_caller_without(server: OddServer) -> None:
    store = Stalls("load")
    with InteractorClient(**server.settings, token_store=store) as client:
        patient = threading.Thread(target=client.assistants.get, args=("x",))
        patient.start()
        eventually(lambda: store.stalled, "the first caller")
        assert watched(lambda: client.with_options(deadline=PATIENCE).assistants.get("x")).id == "asst_1"
        patient.join(PATIENCE)
        assert not patient.is_alive()
    store.go_on.set()
    eventually(no_store_threads, "the store's thread")


@sync_and_async
@pytest.mark.usefixtures("never")
def test_callers_get_their_token_before_it_is_saved(mode: str, server: OddServer) -> None:
    store = Stalls("save")
    settings = server.settings | {"token_store": store}
    assert watched(lambda: call(mode, settings, lambda client: client.assistants.get("x"))).id == "asst_1"
    eventually(lambda: store.stalled, "saving")
    assert store._tokens == {}
    store.go_on.set()
    eventually(lambda: store._tokens, "saving")


def test_async_token_store_uses_no_thread_of_the_default_executor(server: OddServer) -> None:
    """Functions in the default executor that wait for the client would otherwise block its store."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        async with AsyncInteractorClient(**server.settings, token_store=MemoryTokenStore()) as client:

            def wait_for_a_call() -> str:
                return asyncio.run_coroutine_threadsafe(client.assistants.get("x"), loop).result().id

            return await asyncio.gather(*(asyncio.to_thread(wait_for_a_call) for _ in range(40)))

    assert watched(lambda: asyncio.run(main())) == ["asst_1"] * 40


@contextmanager
def silent_redis(asynchronous: bool) -> Iterator[TokenStore]:
    """A Redis that accepts and never answers, and a client without a timeout."""
    redis = pytest.importorskip("redis")
    with create_server(("127.0.0.1", 0)) as listener:
        kind = redis.asyncio.Redis if asynchronous else redis.Redis
        yield RedisTokenStore(kind(port=listener.getsockname()[1], socket_timeout=None, retry=None))


@contextmanager
def blocking_files(folder: Path) -> Iterator[TokenStore]:
    """A file system that does not answer."""
    go_on = threading.Event()

    class Blocks(FileTokenStore):
        def _read(self) -> dict[str, Any]:
            go_on.wait()
            return {}

    yield Blocks(folder / "tokens.json")
    go_on.set()
    eventually(no_store_threads, "the store's thread")


@sync_and_async
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", ["redis", "redis.asyncio", "file"])
@pytest.mark.parametrize("deadline", [None, 10.0])
def test_silent_redis_or_file_system_delays_no_call(
    kind: str, mode: str, deadline: float | None, server: OddServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with blocking_files(tmp_path) if kind == "file" else silent_redis(kind == "redis.asyncio") as store:
        settings = server.settings | {"token_store": store}
        use = lambda client: client.with_options(deadline=deadline).assistants.get("x")  # noqa: E731
        assert watched(lambda: call(mode, settings, use)).id == "asst_1"
    assert "did not answer within" in caplog.text


@sync_and_async
@pytest.mark.usefixtures("never", "hurried")
@pytest.mark.parametrize("silent", ["account server", "store", "lock", "both"])
@pytest.mark.parametrize("bound", ["timeout", "deadline"])
def test_health_takes_no_longer_than_its_timeout(silent: str, mode: str, bound: str) -> None:
    bounds = {"timeout": PATIENCE, bound: PATIENCE if silent in {"store", "lock"} else 0.1}
    stop = threading.Event()
    store = Stalls("lock" if silent == "lock" else "load" if silent in {"store", "both"} else "")

    def answer_token(asked: Any) -> bytes | None:
        if silent in {"account server", "both"}:
            stop.wait()
            return None
        return token_answer("t")

    with OddServer(lambda asked: js(200, {"data": []}), answer_token) as server:
        settings = server.settings | {"token_store": store, **bounds}
        found, took = watched(lambda: timed(lambda: call(mode, settings, lambda client: client.health())))
        stop.set()
        store.go_on.set()
        eventually(no_store_threads, "the store's thread")
    assert took < PATIENCE / 2
    assert found.latency_ms < PATIENCE / 2 * 1000
    if silent in {"store", "lock"}:
        assert found.status == "healthy"
    else:
        assert (found.status, found.token_valid) == ("unhealthy", False)


def timed(use: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return use(), time.monotonic() - began


@sync_and_async
@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.get_access_token(),
        lambda client: client.room_stream_url("room_1"),
        lambda client: client.workflow_stream_url("inst_1"),
    ],
    ids=["token", "room url", "workflow url"],
)
def test_access_token_and_stream_urls_keep_the_deadline(use: Callable[[Any], Any], mode: str) -> None:
    stop = threading.Event()

    def never(asked: Any) -> None:
        stop.wait()

    with OddServer(lambda asked: js(200, {"data": ASSISTANT}), never) as server:
        settings = server.settings | {"timeout": 10 * PATIENCE}
        with pytest.raises(APITimeoutError, match="deadline"):
            watched(lambda: call(mode, settings, lambda client: use(client.with_options(deadline=0.05))))
        stop.set()


def test_program_that_ends_at_once_saves_its_token(server: OddServer, tmp_path: Path) -> None:
    code = f"""
import time
from interactor_ext import InteractorClient
from interactor_ext.tokens import FileTokenStore
class Slow(FileTokenStore):
    def save(self, key, token):
        time.sleep(0.1)
        super().save(key, token)
client = InteractorClient(token_store=Slow({str(tmp_path / "tokens.json")!r}), **{server.settings!r})
client.assistants.get("x")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
    assert "token_1" in (tmp_path / "tokens.json").read_text()


def test_program_with_a_stalled_store_exits(server: OddServer) -> None:
    code = f"""
import asyncio, threading
from interactor_ext import AsyncInteractorClient
from interactor_ext.tokens import MemoryTokenStore, _guarded_store
_guarded_store._MOST_AT_EXIT = 0.1
class Stalls(MemoryTokenStore):
    def save(self, key, token):
        threading.Event().wait()
async def main():
    async with AsyncInteractorClient(token_store=Stalls(), **{server.settings!r}) as client:
        await client.assistants.get("x")
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
