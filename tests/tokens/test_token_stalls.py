"""Token stores that fail or stall cost a warning, never a call; callers don't wait until their token is saved."""

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
from types import SimpleNamespace
from typing import Any

import pytest

import interactor_ext._interactor.tokens.store_access as store_access
from interactor_ext import APIConnectionError, APITimeoutError, AsyncInteractorClient, InteractorClient
from interactor_ext.tokens import MemoryTokenStore, RedisTokenStore, Token, TokenStore
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import ASSISTANT, Answer, Asked, OddServer, js
from tests.support.token_stores import RecordedStore
from tests.support.waiting import PATIENCE, eventually, in_time

STEPS = ["load", "lock", "load again", "save", "unlock"]


class Steps(RecordedStore):
    """A store that does something else in one of its steps."""

    def __init__(self, step: str, act: Callable[[], object]) -> None:
        super().__init__()
        self.step = step
        self.act = act
        self.is_locked = False

    def _come_to(self, step: str) -> None:
        if step == self.step:
            self.act()

    def load(self, key: str) -> Token | None:
        self._come_to("load again" if self.keys else "load")
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


class Stalls(Steps):
    """A store that stalls in one of its steps until `go_on` is set."""

    def __init__(self, step: str) -> None:
        self.go_on = threading.Event()
        self.stalled = 0
        super().__init__(step, self._stall)

    def _stall(self) -> None:
        self.stalled += 1
        self.go_on.wait()


class Server(OddServer):
    """Answers 401 to the tokens in `revoked`."""

    def __init__(self) -> None:
        super().__init__(self._serve_or_refuse)
        self.revoked: set[str] = set()

    def _serve_or_refuse(self, asked: Asked) -> Answer:
        if asked.token in self.revoked:
            return js(401, {})
        return js(200, {"data": ASSISTANT if asked.target.endswith("/x") else []})


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store counts as stalled after a twentieth of a second."""
    monkeypatch.setattr(store_access, "_PATIENCE", 0.05)


def get_assistant(client: Any) -> Any:
    return client.assistants.get("x")


def use(mode: str, server: OddServer, store: TokenStore, work: Callable[[Any], Any] = get_assistant) -> Any:
    """What `work` returns. For an asynchronous client its time includes the end of the event loop."""
    return in_time(lambda: call(mode, server.settings | {"token_store": store}, work))


def is_unused() -> bool:
    """Whether no thread uses a store."""
    return all(thread.name != "interactor-token-store" for thread in threading.enumerate())


@sync_and_async
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("step", STEPS)
def test_stalled_store_costs_a_warning_and_a_token_request(
    step: str, mode: str, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    store = Stalls(step)
    assert use(mode, server, store).id == "asst_1"
    assert len(server.token_requests) == 1
    eventually(lambda: store.stalled)
    store.go_on.set()
    eventually(is_unused)
    assert not store.is_locked  # a lock that was taken late is released
    assert store.saved == ["token_1"]
    if step not in {"save", "unlock"}:  # nobody waits for these
        assert "Stalls didn't respond within" in caplog.text


def fail() -> None:
    raise OSError("cannot reach redis with password=hunter2")


class Returns(MemoryTokenStore):
    """A store that returns `value` in place of a token."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.load = lambda key: value  # type: ignore[method-assign]


class NeverLocks(MemoryTokenStore):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        assert timeout < 2  # then the store counts as stalled
        yield False


def unreachable_redis() -> TokenStore:
    redis = pytest.importorskip("redis")
    return RedisTokenStore(redis.Redis(unix_socket_path="/nonexistent/redis.sock", retry=None))


FAILING: dict[str, Callable[[], TokenStore]] = {
    **{step: lambda step=step: Steps(step, fail) for step in STEPS},
    "exit": lambda: Steps("load", sys.exit),
    "not a token": lambda: Returns("a string"),
    "unsendable token": lambda: Returns(Token("a b", 9e9, 3600)),
    "absurd time": lambda: Returns(Token("t", 10**400, 3600)),
    "no lock": NeverLocks,
    "unreachable redis": unreachable_redis,
}


@sync_and_async
@pytest.mark.parametrize("kind", FAILING)
def test_failing_store_costs_a_warning_and_a_token_request(
    kind: str, mode: str, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert use(mode, server, FAILING[kind]()).id == "asst_1"
        eventually(lambda: ("get the token store's lock" if kind == "no lock" else "token store") in caplog.text)
    assert len(server.token_requests) == 1
    assert "hunter2" not in caplog.text
    assert "token_1" not in caplog.text


@pytest.mark.parametrize(
    ("make", "warning"), [(Stalls, "didn't respond within"), (lambda step: Steps(step, fail), "Steps failed")]
)
def test_store_that_stalled_or_failed_is_asked_again_after_ten_seconds(
    make: Any, warning: str, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = make("load")
    with InteractorClient(**server.settings, token_store=store) as client, monkeypatch.context() as patch:
        patch.setattr(store_access, "_PATIENCE", 0.05 if make is Stalls else PATIENCE)
        in_time(lambda: client.assistants.get("x"))
        store.step = ""
        patch.undo()

        server.revoked.add("token_1")
        in_time(lambda: client.assistants.get("x"))
        assert len(store.keys) == 0

        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 10)
        monkeypatch.setattr(store_access, "time", later)
        server.revoked.add("token_2")
        in_time(lambda: client.assistants.get("x"))
        eventually(lambda: store.saved == ["token_3"])
    if make is Stalls:
        store.go_on.set()
    assert caplog.text.count(warning) == 1


@pytest.mark.usefixtures("soon")
def test_store_that_always_stalls_keeps_four_threads_at_most(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_access, "_REST", 0.0)
    stopped = threading.Event()
    store = MemoryTokenStore()
    store.load = lambda key: stopped.wait() and None  # type: ignore[method-assign,func-returns-value]
    with InteractorClient(**server.settings, token_store=store) as client:
        for number in range(1, 7):
            in_time(lambda: client.assistants.get("x"))
            server.revoked.add(f"token_{number}")
    assert len(server.token_requests) == 6
    assert sum(thread.name == "interactor-token-store" for thread in threading.enumerate()) <= 4
    stopped.set()
    eventually(is_unused)


@sync_and_async
def test_deadline_ends_a_call_while_the_store_stalls(mode: str, server: Server) -> None:
    store = Stalls("load")
    with pytest.raises(APITimeoutError, match="deadline"):
        use(mode, server, store, lambda client: client.with_options(deadline=0.05).assistants.get("x"))
    store.go_on.set()
    eventually(is_unused)


@sync_and_async
def test_callers_get_their_token_before_it_is_saved(mode: str, server: Server) -> None:
    store = Stalls("save")
    assert use(mode, server, store).id == "asst_1"
    eventually(lambda: store.stalled)
    assert store.saved == []
    store.go_on.set()
    eventually(lambda: store.saved)


@sync_and_async
def test_failed_token_request_releases_the_lock(mode: str) -> None:
    store = Steps("", fail)
    with OddServer(lambda asked: None, lambda asked: None) as server, pytest.raises(APIConnectionError):
        use(mode, server, store)
    eventually(is_unused)
    assert not store.is_locked
    assert store.saved == []


def test_async_token_store_uses_no_thread_of_the_default_executor(server: Server) -> None:
    """Functions in the default executor that wait for the client would otherwise block its store."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        async with AsyncInteractorClient(**server.settings, token_store=MemoryTokenStore()) as client:

            def wait_for_a_call() -> str:
                return asyncio.run_coroutine_threadsafe(client.assistants.get("x"), loop).result().id

            return await asyncio.gather(*(asyncio.to_thread(wait_for_a_call) for _ in range(40)))

    assert in_time(lambda: asyncio.run(main())) == ["asst_1"] * 40


@sync_and_async
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", ["Redis", "asyncio.Redis"])
def test_silent_redis_without_a_timeout_delays_no_call(
    kind: str, mode: str, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    redis = pytest.importorskip("redis")
    make = redis.Redis if kind == "Redis" else redis.asyncio.Redis
    with create_server(("127.0.0.1", 0)) as listener:
        store = RedisTokenStore(make(port=listener.getsockname()[1], socket_timeout=None, retry=None))
        assert use(mode, server, store).id == "asst_1"
    assert "didn't respond within" in caplog.text


def test_program_that_ends_at_once_saves_its_token(server: Server, tmp_path: Path) -> None:
    code = f"""
import time
from interactor_ext import InteractorClient
from interactor_ext.tokens import FileTokenStore
class Slow(FileTokenStore):
    def save(self, key, token):
        time.sleep(0.1)
        super().save(key, token)
client = InteractorClient(token_store=Slow({str(tmp_path / "tokens.json")!r}), **{server.settings!r})
client.get_access_token()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
    assert "token_1" in (tmp_path / "tokens.json").read_text()


def test_program_with_a_stalled_store_exits(server: Server) -> None:
    code = f"""
import asyncio, threading
from interactor_ext import AsyncInteractorClient
from interactor_ext.tokens import MemoryTokenStore
class Stalls(MemoryTokenStore):
    def save(self, key, token):
        threading.Event().wait()
async def main():
    async with AsyncInteractorClient(token_store=Stalls(), **{server.settings!r}) as client:
        await client.assistants.get("x")
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
