"""Whether a call that ran out of time may have arrived: sync and async say the same."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from interactor_ext import APITimeoutError, InteractorError, RetryPolicy
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import client_of, done
from tests.support.scripted_server import FaultServer, deaf_url, fine, mute_url
from tests.support.waiting import with_enough_time

OVER: dict[str, Callable[..., Any]] = {
    "sync": Transport,
    "async": AsyncTransport,
    "httpx sync": httpx.HTTPTransport,
}
PATCH = {"name": "Bot"}


@contextlib.contextmanager
def silent_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with mute_url() as url:
        monkeypatch.setenv("HTTPS_PROXY", url.replace("https://", "http://"))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield "https://127.0.0.1:9"


PLACES: dict[str, Callable[[pytest.MonkeyPatch], AbstractContextManager[str]]] = {
    "connection": lambda monkeypatch: deaf_url(),
    "TLS": lambda monkeypatch: mute_url(),
    "proxy": silent_proxy,
}


def mode_of(over: str) -> str:
    return "sync" if over.endswith("sync") and "async" not in over else "async"


def settings_for(account: FaultServer, core: str, seen: list[InteractorError], over: str) -> dict[str, Any]:
    def note(error: InteractorError) -> None:
        seen.append(error)

    return {
        "client_id": "id",
        "client_secret": "s3cret",
        "core_api_url": f"{core}/api/v1",
        "account_server_url": f"{account.url.replace('127.0.0.1', 'localhost')}/api/v1",
        "retry_policy": RetryPolicy(max_retries=1, jitter=lambda: 0.0, retry_on=note),
        "transport": OVER[over](),
    }


@pytest.mark.parametrize("options", [{"timeout": 0.2}, {"deadline": 0.2}], ids=["timeout", "deadline"])
@pytest.mark.parametrize(
    ("over", "place"),
    # httpx takes no proxy of the environment here, and leaves a socket open amid a TLS handshake.
    [each for each in itertools.product(OVER, PLACES) if each[0] != "httpx sync" or each[1] == "connection"],
)
async def test_call_that_never_had_a_connection_was_not_sent(
    over: str, place: str, options: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[InteractorError] = []
    with FaultServer() as account, PLACES[place](monkeypatch) as core:
        async with client_of(mode_of(over), settings_for(account, core, seen, over)) as client:
            await done(client.get_access_token())
            with pytest.raises(APITimeoutError, match="Nothing was sent") as caught:
                await done(client.with_options(**options).assistants.update("a", name="Bot"))
    assert not caught.value.sent
    # A PATCH that cannot have arrived is sent again.
    assert [getattr(error, "sent", None) for error in seen] == ([False] * 2 if "timeout" in options else [])


@pytest.mark.parametrize("option", ["timeout", "deadline"])
@pytest.mark.parametrize("over", OVER)
def test_call_that_got_no_answer_may_have_been_sent(over: str, option: str) -> None:
    stall = [lambda connection, request: bool(connection.stall())]

    async def main(seconds: float) -> None:
        with FaultServer([fine, *stall]) as server:
            async with client_of(mode_of(over), settings_for(server, server.url, [], over)) as client:
                for connection in ("a new one", "an idle one"):
                    if connection == "an idle one":
                        server.script[:0] = [fine]
                        await done(client.assistants.get("a"))
                    else:
                        del server.script[0]
                        await done(client.get_access_token())
                    with pytest.raises(APITimeoutError) as caught:
                        await done(client.with_options(**{option: seconds}).assistants.update("a", name="Bot"))
                    assert (caught.value.sent, "may have arrived" in str(caught.value)) == (True, True)

    with_enough_time(lambda seconds: asyncio.run(main(seconds)), 0.1, 0.4, 3, 15)


@pytest.mark.parametrize("over", ["sync", "async"])
async def test_call_that_waits_for_a_place_was_not_sent(over: str) -> None:
    seen: list[InteractorError] = []
    with FaultServer([lambda connection, request: bool(connection.stall())]) as server:
        settings = settings_for(server, server.url, seen, over)
        transport = settings["transport"] = OVER[over](max_connections=1)
        async with client_of(mode_of(over), settings) as client:
            await done(client.get_access_token())
            update = client.with_options(timeout=60, max_retries=0).assistants.update
            holds = asyncio.create_task(
                asyncio.to_thread(update, "a", name="x") if over == "sync" else update("a", name="x")
            )
            while not server.calls():
                await asyncio.sleep(0.01)
            with pytest.raises(APITimeoutError, match=r"no connection was free within 0\.\d+ s") as caught:
                await done(client.with_options(timeout=0.4).assistants.update("a", name="Bot"))
            assert transport.connections().open == 1
            assert not caught.value.sent
            assert len(seen) == 2
            holds.cancel()
        with contextlib.suppress(asyncio.CancelledError, InteractorError):
            await holds
