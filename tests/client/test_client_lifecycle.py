"""Event loops, forks, dropped clients and interpreter exit: nothing hangs, and no connection stays open."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import interactor_ext
from interactor_ext import (
    AsyncInteractorClient,
    ConfigurationError,
    InteractorClient,
    RetryPolicy,
    get_async_client,
    get_client,
    reset_clients,
)
from interactor_ext._clients.process_clients import AsyncClientKeywords, ClientKeywords
from interactor_ext._interactor.config import ConfigFields
from interactor_ext.sandbox import Sandbox
from interactor_ext.tokens import MemoryTokenStore
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.ports import free_port
from tests.support.scripted_server import ASSISTANT, OddServer, js
from tests.support.waiting import collect_garbage, eventually, eventually_async

both = pytest.mark.parametrize("get", [get_client, get_async_client])


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda asked: js(200, {"data": [ASSISTANT]})) as running:
        yield running


@pytest.fixture
def environment(server: OddServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("client_id", "client_secret", "core_api_url", "account_server_url"):
        monkeypatch.setenv(f"INTERACTOR_{name.upper()}", server.settings[name])
    yield
    reset_clients()


def test_async_client_works_in_consecutive_event_loops(server: OddServer) -> None:
    client = AsyncInteractorClient(**server.settings)

    async def use() -> None:
        await asyncio.gather(*(client.namespace(f"u{number}").assistants.list() for number in range(20)))

    asyncio.run(use())
    asyncio.run(use())
    asyncio.run(client.aclose())
    assert len(server.calls) == 40
    assert len(server.token_requests) == 1
    eventually(lambda: not server.open_connections)


@pytest.mark.parametrize("view", [False, True])
def test_dropped_client_closes_its_connections(server: OddServer, view: bool) -> None:
    client = InteractorClient(**server.settings)
    user = client.namespace("a") if view else client
    user.assistants.list()
    del client
    collect_garbage()
    if view:
        user.assistants.list()  # a view keeps alive what it needs
        assert server.open_connections == 1
    del user
    collect_garbage()
    eventually(lambda: not server.open_connections)


def test_low_level_client_keeps_its_client_alive(server: OddServer) -> None:
    from interactor_client.api.assistants import list_assistants

    api = InteractorClient(**server.settings).namespace("a").api
    collect_garbage()
    assert list_assistants.sync(client=api).data[0].id == "asst_1"
    del api
    collect_garbage()
    eventually(lambda: not server.open_connections)


@needs_fork
@in_threads
def test_fork_with_a_warm_pool(server: OddServer) -> None:
    with InteractorClient(**server.settings) as client:
        client.namespace("parent").assistants.list()

        def child() -> bool:
            return all(client.namespace(f"child_{number}").assistants.list().data for number in range(5))

        assert all(ended_well(in_child(child)) for _ in range(2))
        client.namespace("parent").assistants.list()
    assert len(server.calls) == 12
    assert {asked.headers["x-namespace"] for asked in server.calls} > {b"parent", b"child_4"}
    assert len(server.token_requests) == 1  # the children have the parent's token
    eventually(lambda: not server.open_connections)


@needs_fork
@in_threads
def test_fork_while_other_threads_are_calling(server: OddServer) -> None:
    stop = threading.Event()
    with InteractorClient(**server.settings) as client:

        def busy() -> None:
            while not stop.is_set():
                client.assistants.list()

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            assert all(ended_well(in_child(client.assistants.list)) for _ in range(10))
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)


@needs_fork
@in_threads
def test_fork_of_an_async_client(server: OddServer) -> None:
    client = AsyncInteractorClient(**server.settings)

    async def main() -> bool:
        await client.assistants.list()

        def child() -> object:
            # A child of a running loop has that loop's thread, and must not run it.
            asyncio.set_event_loop(None)
            asyncio._set_running_loop(None)
            return asyncio.run(client.assistants.list())

        child_ended_well = ended_well(in_child(child))
        await client.assistants.list()
        await client.aclose()
        return child_ended_well

    assert asyncio.run(main())
    assert len(server.calls) == 3


@pytest.mark.usefixtures("environment")
class TestSharedClients:
    def test_all_threads_get_the_same_shared_client(self) -> None:
        with ThreadPoolExecutor(16) as threads:
            clients = {id(client) for client in threads.map(lambda _: get_client(), range(64))}
            assert len(clients) == 1
            assert len({id(client) for client in threads.map(lambda _: get_async_client(), range(64))}) == 1

    def test_reset_closes_the_shared_clients(self, server: OddServer) -> None:
        reset_clients()
        client, async_client = get_client(), get_async_client()
        client.assistants.list()
        asyncio.run(async_client.assistants.list())
        reset_clients()
        assert client.is_closed
        assert async_client.is_closed
        assert get_client() is not client
        assert get_async_client() is not async_client
        eventually(lambda: not server.open_connections)

    async def test_reset_in_a_running_loop_closes_the_shared_clients(self, server: OddServer) -> None:
        client = get_async_client()
        await client.assistants.list()
        reset_clients()
        assert get_async_client() is not client
        await eventually_async(lambda: client.is_closed and not server.open_connections)

    @both
    def test_first_call_makes_the_shared_client_with_its_options(self, get: Any) -> None:
        store, policy = MemoryTokenStore(), RetryPolicy(max_retries=1)
        client = get(token_store=store, retry_policy=policy, timeout=7, telemetry=None)
        assert client.config.timeout == 7
        assert client.config.max_retries == 1
        assert get() is get(token_store=store, retry_policy=policy, timeout=7) is get(deadline=None) is client
        other = (get_async_client if get is get_client else get_client)()
        assert other.config.timeout == 30

    @both
    def test_other_options_later_raise_an_error_that_names_the_line_of_the_first_call(self, get: Any) -> None:
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        client = get(timeout=7, user_agent_suffix="acme/1")
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"timeout": 8, "user_agent_suffix": "acme/1"}, "timeout"),
            ({"timeout": 7}, "user_agent_suffix"),
            ({"token_store": MemoryTokenStore(), "client_secret": "s3cret_5f"}, "client_secret, .*token_store, "),
        ]
        for options, names in wrong:
            with pytest.raises(
                ConfigurationError, match=rf"{re.escape(__file__)}:{line} with other options: {names}"
            ) as caught:
                get(**options)
            assert "s3cret_5f" not in str(caught.value)
        assert get() is client

    @both
    def test_options_of_the_shared_client_hold_after_it_was_closed_and_not_after_a_reset(self, get: Any) -> None:
        def close(client: Any) -> None:
            client.close() if get is get_client else asyncio.run(client.aclose())

        close(get(timeout=7))
        again = get()
        assert (again.is_closed, again.config.timeout) == (False, 7)
        close(again)
        assert get(timeout=8).config.timeout == 8
        reset_clients()
        assert get().config.timeout == 30
        with pytest.raises(ConfigurationError, match="test_client_lifecycle"):
            get(timeout=8)

    @both
    def test_wrong_options_leave_no_shared_client(self, get: Any) -> None:
        with pytest.raises(ConfigurationError, match="timeout"):
            get(timeout=-1)
        with pytest.raises(TypeError, match="size"):
            get(size="large")
        assert get(timeout=7).config.timeout == 7

    def test_get_client_takes_the_keywords_of_the_constructors(self) -> None:
        for keywords, cls in ((ClientKeywords, InteractorClient), (AsyncClientKeywords, AsyncInteractorClient)):
            parameters = inspect.signature(cls).parameters.keys() - {"fields"}
            assert keywords.__annotations__.keys() == parameters | ConfigFields.__annotations__.keys()

    @needs_fork
    @in_threads
    def test_forked_child_uses_the_shared_client(self) -> None:
        get_client().assistants.list()
        with interactor_ext._clients.process_clients._lock:  # as if another thread were just making one
            child = in_child(lambda: get_client().assistants.list())
            assert ended_well(child)


ENDINGS = {
    "closed": "client = InteractorClient(); client.assistants.list(); client.close()",
    "left open": "client = InteractorClient(); client.assistants.list()",
    "shared": "get_client().assistants.list()",
    "async, left open": """
        client = AsyncInteractorClient()
        asyncio.run(client.assistants.list())
        asyncio.run(client.assistants.list())
    """,
    "async, shared": "asyncio.run(get_async_client().assistants.list())",
    "in a cycle": "client = InteractorClient(); client._itself = client; client.assistants.list()",
    "in a thread": """
        client = InteractorClient()
        thread = threading.Thread(target=client.assistants.list)
        thread.start()
        thread.join()
    """,
    "amid an iteration": """
        client = InteractorClient()
        iterator = client.assistants.iterate(per_page=1, prefetch=4)
        next(iterator)
    """,
    "with an exception": """
        client = InteractorClient()
        client.assistants.list()
        sys.exit(3)
    """,
    "forked": """
        client = InteractorClient()
        client.assistants.list()
        child = os.fork()
        client.assistants.list()
        if child:
            os.waitpid(child, 0)
    """,
}


IN_EVERY_RUN = ("left open", "async, left open", "forked")


@pytest.mark.parametrize(
    "ending", [pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.full) for name in ENDINGS]
)
def test_process_exits_silently_with_open_clients(ending: str, server: OddServer) -> None:
    # Development mode has asyncio warn of each callback that took 100 ms, as any does while the machine is busy.
    head = "import asyncio, logging, os, sys, threading\nlogging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    code = head + "from interactor_ext import *\n" + textwrap.dedent(ENDINGS[ending])
    settings = server.settings
    names = ("client_id", "client_secret", "core_api_url", "account_server_url")
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env={**os.environ, **{f"INTERACTOR_{name.upper()}": settings[name] for name in names}},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3 if "exception" in ending else 0, "", "")
    eventually(lambda: not server.open_connections)


def test_client_survives_a_restart_of_the_sandbox() -> None:
    """Connections that the server closed meanwhile are not used for a call that could not be repeated."""
    sandbox = Sandbox()
    port = free_port()
    with sandbox.run(port):
        client = sandbox.client()
        client.assistants.create(name="x", model="gpt-4", system_prompt="s")
    with sandbox.run(port):
        client.assistants.create(name="y", model="gpt-4", system_prompt="s")
        assert len(client.assistants.list()) == 2
        client.close()
