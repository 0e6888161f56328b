"""Loops over the pages of a list that are left early: nothing waits for the requests in flight."""

from __future__ import annotations

import asyncio
import signal
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
from interactor_ext.retry import RetryPolicy
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.modes import sync_and_async
from tests.support.scripted_server import ASSISTANT, Action, Connection, FaultServer, Request, error, reply, settings_of
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
    return settings_of(url, **{"timeout": LONG, "retry_policy": PATIENT, **more})


def page_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "interactor-pages"]


def ahead(server: FaultServer, pages: int) -> Callable[[], bool]:
    """Whether so many pages after the first have been asked for."""
    return lambda: len({page_of(request) for request in server.calls()} - {1}) == pages


@sync_and_async
@pytest.mark.parametrize("rest", [silent, BUSY], ids=["waiting for an answer", "waiting before a retry"])
def test_break_waits_for_no_page_in_flight(mode: str, rest: Action) -> None:
    with FaultServer([first_page_then(rest)]) as server:
        began = time.monotonic()
        if mode == "sync":
            with InteractorClient(**settings(server.url)) as client:
                for _ in client.assistants.iterate(prefetch=4):
                    eventually(ahead(server, 4))
                    break
                assert client.assistants.list().data[0].id == "a0"
            # Closing the client ends what is still in flight.
            eventually(lambda: not page_threads(), "the end of the threads")
        else:

            async def main() -> None:
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
                    assert (await client.assistants.list()).data[0].id == "a0"

            asyncio.run(main())
        assert time.monotonic() - began < LONG / 2
        assert len({page_of(request) for request in server.calls()}) == 5


def test_closed_client_ends_the_iteration_with_configuration_error() -> None:
    with FaultServer([first_page_then(silent)]) as server:
        client = InteractorClient(**settings(server.url))
        items = client.assistants.iterate(prefetch=3)
        assert [next(items).id for _ in range(3)] == ["a0", "a1", "a2"]
        eventually(ahead(server, 3))
        client.close()
        with pytest.raises(ConfigurationError, match="The client is closed"):
            next(items)
        eventually(lambda: not page_threads())


def test_garbage_collected_iteration_leaves_its_pages_to_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The iterator hangs on an object that refers to itself, as a web framework's response may do."""
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    class Response:
        def __init__(self, items: Iterator[Any]) -> None:
            self.items = items
            self.me = self

    with FaultServer([first_page_then(silent)]) as server, InteractorClient(**settings(server.url)) as client:
        response = Response(client.assistants.iterate(prefetch=3))
        next(response.items)
        eventually(ahead(server, 3))
        del response
        collect_garbage()
        assert client.assistants.list().data
    eventually(lambda: not page_threads())
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


@needs_fork
@in_threads
def test_forked_child_goes_on_with_a_loop_whose_pages_its_parent_was_fetching() -> None:
    last = reply(200, {"data": [{**ASSISTANT, "id": "last"}], "meta": {"page": 2, "has_more": False}})
    answers = iter([silent])
    server = FaultServer([first_page_then(lambda *request: next(answers, last)(*request))])
    with server, InteractorClient(**settings(server.url)) as client:
        iterator = client.assistants.iterate(prefetch=1)
        next(iterator)
        eventually(ahead(server, 1))

        def child() -> bool:
            signal.alarm(int(PATIENCE))
            return [each.id for each in iterator] == ["a1", "a2", "last"]

        assert ended_well(in_child(child))
