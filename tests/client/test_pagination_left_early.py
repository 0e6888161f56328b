"""Loops over the pages of a list that are left early: requests in flight are cancelled, and nothing waits for them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient
from interactor_ext import _pagination as pages
from interactor_ext.limits import RateLimiter, Tier, Tiers
from interactor_ext.retry import RetryPolicy
from interactor_ext.transports import Transport
from tests.support.modes import sync_and_async
from tests.support.scripted_server import ASSISTANT, Action, Connection, FaultServer, Request, error, reply
from tests.support.waiting import PATIENCE, collect_garbage, eventually, eventually_async

LONG = 300.0
"""Seconds for a timeout, or a pause, that a test which passes does not wait for."""


def first_page_then(rest: Action) -> Action:
    def act(connection: Connection, request: Request) -> bool:
        if page_of(request) == 1:
            body = {"data": [{**ASSISTANT, "id": f"a{n}"} for n in range(3)], "meta": {"page": 1, "has_more": True}}
            return reply(200, body)(connection, request)
        return rest(connection, request)

    return act


def page_of(request: Request) -> int:
    return int(parse_qs(urlsplit(request.target).query).get("page", ["1"])[0])


def silent(connection: Connection, request: Request) -> bool:
    connection.stall()
    return False


BUSY = error(503, retry_after=str(int(LONG)))
PATIENT = RetryPolicy(max_retries=3, max_delay=2 * LONG)


def settings(url: str, **more: Any) -> dict[str, Any]:
    return {
        "client_id": "id",
        "client_secret": "s3cret",
        "core_api_url": f"{url}/api/v1",
        "account_server_url": f"{url}/auth/api/v1",
        "timeout": LONG,
        "retry_policy": PATIENT,
        **more,
    }


def page_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "interactor-pages"]


def ahead(server: FaultServer, pages: int) -> Callable[[], bool]:
    """Whether so many pages after the first have been asked for."""
    return lambda: len({page_of(request) for request in server.calls()} - {1}) == pages


@sync_and_async
@pytest.mark.parametrize("rest", [silent, BUSY], ids=["waiting for an answer", "waiting before a retry"])
def test_break_cancels_the_pages_in_flight(mode: str, rest: Action) -> None:
    with FaultServer([first_page_then(rest)]) as server:
        if mode == "sync":
            with InteractorClient(**settings(server.url)) as client:
                began = time.monotonic()
                for _ in client.assistants.iterate(prefetch=4):
                    eventually(ahead(server, 4))
                    break
                eventually(lambda: not page_threads(), "the end of the threads")
                assert time.monotonic() - began < LONG / 2
                asked = len(server.calls())
                # What was cut off is closed, and the client goes on.
                eventually(lambda: server.open_connections <= (1 if rest is silent else 5))
                assert client.assistants.list().data[0].id == "a0"
        else:

            async def main() -> int:
                async with AsyncInteractorClient(**settings(server.url)) as client:
                    iterator = client.assistants.iterate(prefetch=4)
                    async for _ in iterator:
                        await eventually_async(ahead(server, 4))
                        break
                    async with asyncio.timeout(PATIENCE):
                        await iterator.aclose()  # type: ignore[attr-defined]
                    await eventually_async(
                        lambda: asyncio.all_tasks() == {asyncio.current_task()}, "the end of all tasks"
                    )
                    asked = len(server.calls())
                    assert (await client.assistants.list()).data[0].id == "a0"
                    return asked

            asked = asyncio.run(main())
        assert len(server.calls()) == asked + 1


def test_failed_page_cancels_those_after_it() -> None:
    def rest(connection: Connection, request: Request) -> bool:
        if page_of(request) == 2:
            eventually(ahead(server, 4))
            return error(404)(connection, request)
        return silent(connection, request)

    with FaultServer([first_page_then(rest)]) as server, InteractorClient(**settings(server.url)) as client:
        with pytest.raises(Exception, match="404"):
            list(client.assistants.iterate(prefetch=4))
        eventually(lambda: not page_threads())


def test_break_cancels_pages_that_wait_in_the_rate_limiter() -> None:
    # The token and the first page go at once, and the next one goes in a minute.
    limiter = RateLimiter(Tiers(client=Tier(per_minute=1, burst=2)))
    with FaultServer([first_page_then(silent)]) as server:
        with InteractorClient(**settings(server.url, rate_limiter=limiter)) as client:
            client.assistants.list()
            for _ in client.assistants.iterate(prefetch=3):
                eventually(lambda: len(page_threads()) == 3)
                break
            eventually(lambda: not page_threads())
        assert len(server.calls()) == 2


def test_break_cancels_pages_that_wait_for_a_connection() -> None:
    transport = Transport(max_connections=1)
    with FaultServer([first_page_then(silent)]) as server:
        with InteractorClient(**settings(server.url, transport=transport)) as client:
            for _ in client.assistants.iterate(prefetch=3):
                eventually(lambda: transport.connections().waiting == 2 and len(server.calls()) == 2)
                break
            eventually(lambda: not page_threads())
            assert client.assistants.list().data
        assert len(server.calls()) == 3


def test_closed_client_ends_the_iteration_with_configuration_error() -> None:
    with FaultServer([first_page_then(silent)]) as server:
        client = InteractorClient(**settings(server.url))
        items = client.assistants.iterate(prefetch=3)
        assert [next(items).id for _ in range(3)] == ["a0", "a1", "a2"]
        eventually(ahead(server, 3))
        client.close()
        with pytest.raises(ConfigurationError, match="the client is closed"):
            next(items)
        eventually(lambda: not page_threads())


def test_cancelled_pages_are_logged_as_attempts_at_most(caplog: pytest.LogCaptureFixture) -> None:
    with (
        FaultServer([first_page_then(silent)]) as server,
        InteractorClient(**settings(server.url)) as client,
        caplog.at_level("DEBUG", "interactor"),
    ):
        for _ in client.assistants.iterate(prefetch=2):
            eventually(ahead(server, 2))
            break
        eventually(lambda: not page_threads())
    logged = [record.levelname for record in caplog.records if "/assistants" in record.getMessage()]
    assert [level for level in logged if level != "DEBUG"] == ["INFO"]


@pytest.mark.parametrize("by", ["the collector in the same thread", "the collector in a thread that fetches"])
def test_garbage_collected_iteration_cancels_its_pages_silently(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The iterator hangs on an object that refers to itself, as a web framework's response may do."""
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    dropped, collected = threading.Event(), threading.Event()

    class Response:
        def __init__(self, items: Iterator[Any]) -> None:
            self.items = items
            self.me = self

    def rest(connection: Connection, request: Request) -> bool:
        if page_of(request) == 3 and by != "the collector in the same thread":
            assert dropped.wait(PATIENCE)
            return reply(200, {"data": [], "meta": {"has_more": False}})(connection, request)
        return silent(connection, request)

    with FaultServer([first_page_then(rest)]) as server, InteractorClient(**settings(server.url)) as client:
        if by != "the collector in the same thread":
            real = pages.page_of

            def page_of_and_collect(*arguments: Any, **more: Any) -> Any:
                if threading.current_thread().name == "interactor-pages" and dropped.is_set():
                    collect_garbage()
                    collected.set()
                return real(*arguments, **more)

            # Decoding a page is what a thread that fetches does last.
            monkeypatch.setattr(pages, "page_of", page_of_and_collect)
        response = Response(client.assistants.iterate(prefetch=3))
        next(response.items)
        eventually(ahead(server, 3))
        gc.disable()
        try:
            del response
            dropped.set()
            if by == "the collector in the same thread":
                collect_garbage()
            else:
                assert collected.wait(PATIENCE)
        finally:
            gc.enable()
        eventually(lambda: not page_threads())
        assert client.assistants.list().data
    assert unraisable == []


PROGRAM = """
    import signal, sys, threading
    from interactor_ext import InteractorClient

    url, how = sys.argv[1:]
    client = InteractorClient(
        client_id="id", client_secret="s3cret", core_api_url=f"{url}/api/v1", account_server_url=f"{url}/auth/api/v1",
        timeout=300,
    )
    items = client.assistants.iterate(prefetch=4)
    print(next(items).id, flush=True)
    sys.stdin.readline()  # until the pages are in flight
    if how == "interrupt":
        main = threading.main_thread().ident
        try:
            threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
            list(items)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        sys.exit(3)
"""


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_interpreter_exit_does_not_wait_for_pages(how: str) -> None:
    with FaultServer([first_page_then(silent)]) as server:
        program = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM), server.url, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with program:
            eventually(ahead(server, 4))
            out, problems = program.communicate("go\n", timeout=PATIENCE)
    assert (out.split(), problems) == (["a0"] if how == "exit" else ["a0", "interrupted"], "")
    assert program.returncode == (0 if how == "exit" else 3)
