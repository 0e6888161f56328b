"""Closing a client or a transport with pending calls: they end at once, nothing more is sent, nothing stays open."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import (
    AsyncInteractorClient,
    CircuitBreaker,
    ConfigurationError,
    InteractorClient,
    get_async_client,
    get_client,
    reset_clients,
)
from interactor_ext.limits import RateLimiter, Tier, Tiers
from interactor_ext.tokens import FileTokenStore
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import at_once, client_of, done, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, Answer, Asked, OddServer, js, settings_of, token_answer
from tests.support.waiting import eventually, eventually_async

SETTINGS = settings_of("http://localhost:9")
SOON = 20.0
"""Far less than the pauses and timeouts that would otherwise be waited for."""


class Held:
    """Answers nothing until the test ends."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        self.end.wait(60)
        return None


def busy(asked: Asked) -> Answer:
    return js(503, {}, "Retry-After: 30")


@pytest.fixture
def held() -> Iterator[Held]:
    handler = Held()
    yield handler
    handler.end.set()


def narrow_token(asked: Asked) -> Answer:
    return token_answer(f"token_for_{json.loads(asked.body).get('scope')}", scope=json.loads(asked.body).get("scope"))


def get_assistant(client: Any) -> Any:
    return client.assistants.get("a")


def open_stream(client: Any) -> Any:
    return client.rooms.stream("room_1").__aenter__()


async def close_amid_calls(
    mode: str, server: OddServer, ready: Callable[[], bool], use: Callable[[Any], Any] = get_assistant, **options: Any
) -> list[Any]:
    """The outcomes of three calls whose client is closed as soon as it is `ready`."""

    async def outcome() -> Any:
        try:
            return await use(client)
        except Exception as error:
            return error

    async def close() -> None:
        await eventually_async(ready)
        await client.aclose()

    async with opened(mode, {**server.settings, "max_retries": 3, "timeout": 30, **options}) as client:
        await client.get_access_token()
        async with asyncio.timeout(SOON):
            *outcomes, _ = await at_once(mode, *(outcome() for _ in range(3)), close())
    return outcomes


@sync_and_async
async def test_closing_ends_calls_that_wait_for_a_response(mode: str, held: Held) -> None:
    breaker = CircuitBreaker(failures=1)
    with OddServer(held) as server:
        errors = await close_amid_calls(mode, server, lambda: len(server.calls) == 3, circuit_breaker=breaker)
        held.end.set()
        await eventually_async(lambda: not server.open_connections)
        assert len(server.calls) == 3
    assert [type(error) for error in errors] == [ConfigurationError] * 3
    assert "The client is closed" in str(errors[0])
    # It was no fault of the host's.
    host = server.url.removeprefix("http://")
    assert hasattr(breaker.enter(host), "end")


@sync_and_async
@pytest.mark.parametrize("stored", [False, True], ids=["alone", "with a store"])
async def test_closed_client_gives_no_token_away(mode: str, stored: bool, tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "tokens.json") if stored else None
    with OddServer(lambda asked: js(200, {"data": ASSISTANT}), lambda asked: narrow_token(asked)) as server:
        async with client_of(mode, {**server.settings, "token_store": store}) as client:
            view = client.namespace("user_123")
            await done(view.get_access_token())
            await done(view.room_stream_url("room_1"))
            assert view.is_authenticated()
        requests = len(server.token_requests)
        for closed in (client, view, view.with_options(deadline=60)):
            assert not closed.is_authenticated()
            for use in (
                lambda closed=closed: closed.get_access_token(),
                lambda closed=closed: closed.room_stream_url("room_1"),
                lambda closed=closed: closed.workflow_stream_url("wfi_1"),
                lambda closed=closed: closed.assistants.get("a"),
            ):
                with pytest.raises(ConfigurationError, match="The client is closed"):
                    await done(use())
        assert len(server.token_requests) == requests


@sync_and_async
@pytest.mark.parametrize("use", [get_assistant, open_stream])
async def test_closing_ends_what_pauses_before_a_retry(mode: str, use: Any) -> None:
    with OddServer(busy) as server:
        errors = await close_amid_calls(mode, server, lambda: len(server.calls) == 3, use)
        assert len(server.calls) == 3
        await eventually_async(lambda: not server.open_connections)
    assert [type(error) for error in errors] == [ConfigurationError] * 3


@sync_and_async
async def test_closing_ends_calls_that_wait_for_a_connection(mode: str, held: Held) -> None:
    make: Any = Transport if mode == "sync" else AsyncTransport

    def all_wait() -> bool:
        return len(server.calls) == 1 and bool(transport.connections().waiting == 2)

    with OddServer(held) as server:
        transport = make(max_connections=1)
        errors = await close_amid_calls(mode, server, all_wait, transport=transport)
        held.end.set()
        await eventually_async(lambda: not server.open_connections)
        assert len(server.calls) == 1
    assert [type(error) for error in errors] == [ConfigurationError] * 3


@sync_and_async
async def test_closing_ends_calls_that_wait_in_the_rate_limiter(mode: str) -> None:
    """The first of those that wait sleeps until its time, the other until its turn."""
    limiter = RateLimiter(Tiers(client=Tier(1, 1)))
    with OddServer(lambda asked: js(200, {"data": ASSISTANT})) as server:
        # One call goes at once, and each further one a minute later.
        errors = await close_amid_calls(mode, server, lambda: limiter_waits(limiter, 2), rate_limiter=limiter)
        assert len(server.calls) <= 1, "one call goes at once"
    refused = [error for error in errors if isinstance(error, Exception)]  # the first may have its answer by then
    assert len(refused) >= 2
    assert {type(error) for error in refused} == {ConfigurationError}


def limiter_waits(limiter: RateLimiter, calls: int) -> bool:
    return any(len(queue) == calls for queue in list(limiter._queue._queues.values()))


def test_closing_ends_calls_in_another_event_loop(held: Held) -> None:
    outcomes: list[BaseException | None] = []
    with OddServer(lambda asked: busy(asked) if b"pause" in asked.headers["x-namespace"] else held(asked)) as server:
        client = AsyncInteractorClient(**{**server.settings, "max_retries": 3, "timeout": 30})

        def run(namespace: str) -> None:
            try:
                asyncio.run(client.namespace(namespace).assistants.get("a"))  # type: ignore[arg-type]
            except Exception as error:
                outcomes.append(error)

        threads = [threading.Thread(target=run, args=(name,)) for name in ("pause", "held")]
        for thread in threads:
            thread.start()
        eventually(lambda: len(server.calls) == 2)
        asyncio.run(client.aclose())
        for thread in threads:
            thread.join(SOON)
            assert not thread.is_alive()
        held.end.set()
        eventually(lambda: not server.open_connections)
        assert len(server.calls) == 2
    assert [type(error) for error in outcomes] == [ConfigurationError] * 2


@sync_and_async
@pytest.mark.parametrize("way", ["close", "with", "exit stack", "reset_clients"])
def test_error_of_a_closed_client_says_who_closed_it(mode: str, way: str) -> None:
    client: Any = (InteractorClient if mode == "sync" else AsyncInteractorClient)(**SETTINGS)
    here = f"{re.escape(__file__)}:"
    if way == "reset_clients":
        reset_clients()
        client = (get_client if mode == "sync" else get_async_client)(**SETTINGS)
        reset_clients()
        who = f"reset_clients\\(\\) in {here}"
    elif mode == "sync":
        if way == "close":
            client.namespace("x").close()
            client.close()
        else:
            with ExitStack() as stack, client if way == "with" else nullcontext():
                if way == "exit stack":
                    stack.enter_context(client)
        who = f"close\\(\\) in {here}" if way == "close" else f"the end of the `with` block in {here}"
        client.close()
    else:

        async def close() -> None:
            if way == "close":
                await asyncio.create_task(client.aclose())
                return
            async with AsyncExitStack() as stack, client if way == "with" else nullcontext():
                if way == "exit stack":
                    await stack.enter_async_context(client)

        asyncio.run(close())
        who = f"aclose\\(\\) in {here}" if way == "close" else f"the end of the `async with` block in {here}"
    with pytest.raises(ConfigurationError, match=f"The client is closed, by {who}"):
        asyncio.run(client.namespace("user_1").assistants.list())


@sync_and_async
def test_pickled_or_deep_copied_client_says_what_to_do(mode: str) -> None:
    client: Any = (InteractorClient if mode == "sync" else AsyncInteractorClient)(**SETTINGS)
    user = client.namespace("user_1")
    for each in (client, user, user.assistants, user.workflow_instances, user.api, user.credential_auth("cred_1")):
        for work in (pickle.dumps, copy.deepcopy, lambda thing: pickle.dumps({"args": [thing]})):
            with pytest.raises(TypeError, match=r"Create it in the worker, with get_client\(\)"):
                work(each)
    assert copy.copy(user) is user


@pytest.mark.parametrize("make", [Transport, AsyncTransport])
def test_closed_transport_raises_configuration_error(make: Any) -> None:
    transport = make()

    async def use() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get(server.url)
            await transport.aclose()
            with pytest.raises(ConfigurationError, match="the transport is closed"):
                await client.get(server.url)

    with OddServer(lambda asked: js(200, {"data": ASSISTANT})) as server:
        if make is Transport:
            client = httpx.Client(transport=transport)
            client.get(server.url)
            transport.close()
            with pytest.raises(ConfigurationError, match="the transport is closed"):
                client.get(server.url)
        else:
            asyncio.run(use())
        eventually(lambda: not server.open_connections)
        assert len(server.calls) == 1


def test_closing_while_threads_open_connections() -> None:
    """The set of open connections is copied while others add to it."""
    with OddServer(lambda asked: js(200, {"data": ASSISTANT})) as server, ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            transport = Transport()
            client = httpx.Client(transport=transport)
            calls = [threads.submit(client.get, server.url) for _ in range(16)]
            eventually(lambda calls=calls: calls[0].done())
            transport.close()
            assert {type(call.exception(SOON)) for call in calls} <= {
                type(None),
                ConfigurationError,
                *(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, httpx.ConnectError),
            }
        eventually(lambda: not server.open_connections)


def test_close_after_an_interrupted_close_closes_the_transport() -> None:
    closes: list[str] = []

    class Interrupted(httpx.MockTransport):
        def close(self) -> None:
            closes.append("begun")
            if len(closes) == 1:
                raise KeyboardInterrupt

    client = InteractorClient(transport=Interrupted(lambda _: httpx.Response(500)), **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        client.close()
    client.close()
    client.close()
    assert len(closes) == 2


async def test_aclose_after_a_cancelled_aclose_closes_the_transport() -> None:
    closes: list[str] = []

    class Slow(httpx.MockTransport):
        async def aclose(self) -> None:
            closes.append("begun")
            if len(closes) == 1:
                await asyncio.sleep(60)

    client = AsyncInteractorClient(transport=Slow(lambda _: httpx.Response(500)), **SETTINGS)
    closing = asyncio.create_task(client.aclose())
    await eventually_async(lambda: closes)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await client.aclose()
    await client.aclose()
    assert len(closes) == 2
