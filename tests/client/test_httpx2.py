"""What httpx2, whose classes are not those of httpx, meets: `credential_auth(...).httpx2_auth()`, and `transport=`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, CredentialExpiredError, InteractorClient
from tests.support.modes import client_of
from tests.support.provider import World
from tests.support.scripted_server import http, js
from tests.support.waiting import PATIENCE

httpx2 = pytest.importorskip("httpx2", reason="needs the Python package httpx2 (pip install httpx2)")


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Any]:
    async with client_of(request.param, world.settings) as client:
        yield client


async def send(auth: Any, method: str, url: str, **arguments: Any) -> Any:
    options = {"auth": auth.httpx2_auth(), "follow_redirects": True, "timeout": PATIENCE}
    if not type(auth).__name__.startswith("Async"):
        with httpx2.Client(**options) as provider:
            return provider.request(method, url, **arguments)
    async with httpx2.AsyncClient(**options) as provider:
        return await provider.request(method, url, **arguments)


async def test_httpx2_auth_signs_and_replays_a_401_once(world: World, client: Any) -> None:
    auth = world.auth(client)
    assert (await send(auth, "GET", world.provider.url)).status_code == 200
    world.credentials.tokens.clear()
    response = await send(auth, "POST", world.provider.url, json={"summary": "Lunch"})
    assert response.json() == {"body": '{"summary":"Lunch"}'}
    assert world.tokens_seen == ["provider_1", "provider_1", "provider_2"]
    assert world.credentials.asked == {"GET token": 3, "POST refresh": 1}
    assert "provider_" not in repr(auth.httpx2_auth())


async def test_httpx2_auth_replays_no_consumed_body(world: World, client: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    auth = world.auth(client)
    world.credentials.tokens.clear()
    body = iter([b"a"]) if isinstance(client, InteractorClient) else pieces()
    assert (await send(auth, "POST", world.provider.url, content=body)).status_code == 401
    assert (await send(auth, "GET", world.provider.url)).status_code == 200
    assert world.tokens_seen == ["provider_1", "provider_2"]


async def test_httpx2_auth_gives_no_other_host_the_token(world: World, client: Any) -> None:
    auth = world.auth(client, hosts=[world.provider.url])
    with pytest.raises(ConfigurationError, match="isn't for"):
        await send(auth, "GET", world.stranger.url)
    assert world.stranger.calls == []
    world.answer = lambda asked: http(307, b"", f"Location: {world.stranger.url}/401")
    assert (await send(auth, "GET", world.provider.url)).status_code == 401
    assert ["authorization" in asked.headers for asked in world.stranger.calls] == [False]
    assert world.credentials.asked == {"GET token": 1}


async def test_httpx2_auth_raises_the_typed_error(world: World, client: Any) -> None:
    world.credentials.refuses = js(409, {"error": {"code": "REFRESH_FAILED", "message": "The provider refused."}})
    with pytest.raises(CredentialExpiredError):
        await send(world.auth(client), "GET", world.provider.url)
    assert world.provider.calls == []


def test_httpx2_is_loaded_by_httpx2_auth_alone() -> None:
    program = "import sys; from interactor_ext import CredentialAuth; print(CredentialAuth.httpx2_auth, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ".httpx2_auth at" in done.stdout
    assert "httpx2" not in done.stdout.split()


async def test_httpx2_auth_without_httpx2_says_what_to_install(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = client.credential_auth("cred_1")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "interactor_ext._client.httpx2_auth", raising=False)
    with pytest.raises(ImportError, match="pip install httpx2"):
        auth.httpx2_auth()


@pytest.mark.parametrize(
    ("kind", "transport"),
    [(InteractorClient, httpx2.HTTPTransport), (AsyncInteractorClient, httpx2.AsyncHTTPTransport)],
)
def test_transport_of_httpx2_says_what_to_do(kind: Any, transport: Any) -> None:
    for each in (transport, type("Logged", (transport,), {})):
        with pytest.raises(ConfigurationError, match=f"{each.__name__} from httpx2, .* use the same class from httpx"):
            kind(client_id="a", client_secret="b", transport=each())
