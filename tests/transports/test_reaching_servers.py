"""Several addresses of a name, lookups that hang, connections that died while they were idle."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import httpx
import pytest

from interactor_ext import APITimeoutError, RetryPolicy
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import at_once, call, opened, sync_and_async
from tests.support.ports import free_port, needs_ipv6
from tests.support.scripted_server import Connection, FaultServer, Request, deaf_url, fine, settings_of
from tests.support.waiting import eventually_async, in_time, with_enough_time
from tests.support.wire import BODY

NAME = "several.example"
KINDS = {"sync": Transport, "async": AsyncTransport}


class Lookups:
    """What the system's resolver says of NAME, once `go_on` is set."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._look_up = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if host not in (NAME, NAME.encode()):
            return self._look_up(host, port, *args, **options)
        self.asked += 1
        self.go_on.wait()
        return [self._look_up(address, port, type=socket.SOCK_STREAM)[0] for address in self.addresses]


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    lookups = Lookups()
    monkeypatch.setattr(socket, "getaddrinfo", lookups)
    yield lookups
    lookups.go_on.set()


def get(mode: str, url: str) -> int:
    """The status, without a time limit."""

    async def main() -> int:
        async with httpx.AsyncClient(transport=AsyncTransport(), timeout=None) as async_client:
            return (await async_client.get(url)).status_code

    if mode == "async":
        return asyncio.run(main())
    with httpx.Client(transport=Transport(), timeout=None) as client:
        return client.get(url).status_code


OTHERS: dict[str, Callable[[tuple[str, int]], AbstractContextManager[Any]]] = {
    "refuses": lambda at: nullcontext(),  # nobody listens there
    "says nothing": deaf_url,
}


@needs_ipv6
@sync_and_async
@pytest.mark.parametrize("first", OTHERS)
@pytest.mark.parametrize("addresses", [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]], ids="then".join)
def test_second_address_is_used_when_the_first_refuses_or_says_nothing(
    mode: str, first: str, addresses: list[str], lookups: Lookups
) -> None:
    """RFC 8305. The system gives up an address that says nothing after two minutes, when the test is long over."""
    port = free_port()
    lookups.addresses = addresses
    with FaultServer(at=(addresses[1], port)) as server, OTHERS[first]((addresses[0], port)):
        assert in_time(partial(get, mode, f"http://{NAME}:{port}/api/v1/assistants/asst_1")) == 200
        assert server.accepted == 1


@sync_and_async
def test_hanging_lookup_delays_neither_the_call_nor_the_end_of_its_event_loop(mode: str, lookups: Lookups) -> None:
    lookups.go_on.clear()

    def attempt(timeout: float) -> None:
        settings = settings_of(f"https://{NAME}", timeout=timeout, max_retries=0)
        with pytest.raises(APITimeoutError) as caught:
            in_time(lambda: call(mode, settings, lambda client: client.assistants.get("asst_1")))
        assert not caught.value.sent
        assert lookups.asked

    with_enough_time(attempt, 0.2, 2, 10)
    assert not lookups.go_on.is_set()


def test_hanging_lookups_delay_no_other_call(lookups: Lookups) -> None:
    lookups.go_on.clear()

    async def main(url: str) -> int:
        async with httpx.AsyncClient(transport=AsyncTransport(), timeout=60) as client:
            hanging = [asyncio.create_task(client.get(f"http://{NAME}")) for _ in range(40)]
            await eventually_async(lambda: lookups.asked, "a lookup")
            response = await client.get(f"{url}/api/v1/assistants/asst_1")
            for task in hanging:
                task.cancel()
            return response.status_code

    with FaultServer() as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert in_time(lambda: asyncio.run(main(url))) == 200
    assert not lookups.go_on.is_set()


USES: dict[str, Callable[[Any], Any]] = {
    "GET": lambda client: client.assistants.get("asst_1"),
    "POST": lambda client: client.assistants.create(**BODY),
}


@sync_and_async
@pytest.mark.parametrize("method", USES)
def test_retry_after_a_timeout_on_an_idle_connection_takes_a_new_one(mode: str, method: str) -> None:
    """As behind a balancer that forgets idle connections: what is sent on them is neither answered nor refused."""

    def attempt(seconds: float) -> None:
        forgotten: set[Connection] = set()
        all_are_in = threading.Barrier(6)
        into_the_void: list[Request] = []

        def at_first(connection: Connection, request: Request) -> bool:
            forgotten.add(connection)
            all_are_in.wait(60)
            return fine(connection, request)

        def then(connection: Connection, request: Request) -> bool:
            if connection not in forgotten:
                return fine(connection, request)
            into_the_void.append(request)
            connection.stall()
            return False

        async def main() -> None:
            transport = KINDS[mode](keepalive_expiry=600)
            async with opened(
                mode,
                settings_of(
                    server.url, timeout=60, retry_policy=RetryPolicy(max_retries=1, base_delay=0), transport=transport
                ),
            ) as client:

                async def get() -> None:
                    await USES["GET"](client)

                await at_once(mode, *(get() for _ in range(6)))
                accepted, server.script = server.accepted, [then]
                await USES[method](client.with_options(timeout=seconds))
                assert server.accepted == accepted + 1

        with FaultServer([at_first]) as server:
            asyncio.run(main())
        assert [request.method for request in into_the_void] == [method]

    with_enough_time(attempt, 0.2, 1, 10)


@sync_and_async
def test_name_without_an_address_is_a_connect_error(mode: str, lookups: Lookups) -> None:
    lookups.addresses = []
    with pytest.raises(httpx.ConnectError, match="no address"):
        get(mode, f"http://{NAME}/")
