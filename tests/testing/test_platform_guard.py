"""PlatformGuard: which requests it refuses, over which transports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import PlatformGuard, PlatformRefused
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.scripted_server import OddServer

CREDENTIALS = {"client_id": "client_x", "client_secret": "secret_x"}
EMPTY_PAGE = {"data": [], "meta": {"page": 1, "per_page": 20, "total": 0, "total_pages": 0, "has_more": False}}


@pytest.fixture
def guard() -> Iterator[PlatformGuard]:
    guard = PlatformGuard()
    guard.up()
    yield guard
    guard.down()


@pytest.fixture
def proxy() -> Iterator[OddServer]:
    """A proxy for unencrypted requests, which it answers itself."""
    with OddServer(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as server:
        yield server


class Unknown(httpx.BaseTransport):
    """Whatever it does with a request, the guard can't tell."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError("It was sent.")


# By the URL of a proxy.
KINDS = [
    lambda _: None,
    lambda url: Transport(proxy=url),
    lambda url: httpx.HTTPTransport(proxy=url),
    lambda _: Unknown(),
]
ASYNC_KINDS = [
    lambda _: None,
    lambda url: AsyncTransport(proxy=url),
    lambda url: httpx.AsyncHTTPTransport(proxy=url),
]


@pytest.mark.parametrize("environment", ["production", "sandbox"])
@pytest.mark.parametrize("transport", KINDS)
def test_call_to_the_platform_is_refused(
    guard: PlatformGuard, proxy: OddServer, environment: str, transport: Callable[..., Any]
) -> None:
    with (
        InteractorClient(**CREDENTIALS, environment=environment, transport=transport(proxy.url)) as client,
        pytest.raises(PlatformRefused, match="Mark the test `live`") as refusal,
    ):
        client.assistants.list()
    assert {"production": "auth.", "sandbox": "sandbox-auth."}[environment] in str(refusal.value)
    assert isinstance(refusal.value, ConfigurationError)
    assert not proxy.calls


@pytest.mark.parametrize("transport", ASYNC_KINDS)
async def test_async_call_to_the_platform_is_refused(
    guard: PlatformGuard, proxy: OddServer, transport: Callable[..., Any]
) -> None:
    async with AsyncInteractorClient(**CREDENTIALS, transport=transport(proxy.url)) as client:
        with pytest.raises(PlatformRefused):
            await client.assistants.list()
    assert not proxy.calls


async def test_connection_of_an_earlier_test_is_not_used(proxy: OddServer, guard: PlatformGuard) -> None:
    guard.down()
    with httpx.Client(transport=Transport(proxy=proxy.url)) as client:
        async with httpx.AsyncClient(transport=AsyncTransport(proxy=proxy.url)) as async_client:
            assert client.get("http://core.example/").text == (await async_client.get("http://core.example/")).text
            guard.up()
            with pytest.raises(PlatformRefused):
                client.get("http://core.example/")
            with pytest.raises(PlatformRefused):
                await async_client.get("http://core.example/")
    assert len(proxy.calls) == 2


def test_what_stays_on_this_machine_passes(interactor_sandbox: Sandbox) -> None:
    with interactor_sandbox.client() as client, interactor_sandbox.client(transport=httpx.HTTPTransport()) as other:
        assert client.assistants.list().data == other.assistants.list().data == []

    def respond(request: httpx.Request) -> httpx.Response:
        is_for_token = request.url.path.endswith("/oauth/token")
        return httpx.Response(200, json={"access_token": "t", "expires_in": 900} if is_for_token else EMPTY_PAGE)

    with InteractorClient(**CREDENTIALS, transport=httpx.MockTransport(respond)) as client:
        assert client.assistants.list().data == []
