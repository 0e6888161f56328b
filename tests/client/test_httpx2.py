"""What httpx2, whose classes are not those of httpx, meets: `credential_auth(...).httpx2_auth()`, and `transport=`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, CredentialExpiredError, InteractorClient
from interactor_ext._client import credential_auth
from tests.support.modes import client_of
from tests.support.provider import World
from tests.support.scripted_server import http, js
from tests.support.waiting import PATIENCE

httpx2 = pytest.importorskip("httpx2", reason="needs the Python package httpx2 (pip install httpx2)")


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World() as world:
        monkeypatch.setattr(credential_auth, "time", world.clock)
        yield world


@pytest.fixture
async def client(mode: str, world: World) -> AsyncIterator[Any]:
    async with client_of(mode, world.settings) as client:
        yield client


async def send(mode: str, auth: Any, method: str, url: str, **arguments: Any) -> Any:
    options = {"auth": auth.httpx2_auth(), "follow_redirects": True, "timeout": PATIENCE}
    if mode == "sync":
        with httpx2.Client(**options) as provider:
            return provider.request(method, url, **arguments)
    async with httpx2.AsyncClient(**options) as provider:
        return await provider.request(method, url, **arguments)


def body_of_pieces(mode: str) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    return iter([b"a"]) if mode == "sync" else pieces()


async def test_httpx2_auth_signs_and_replays_a_401_once(mode: str, world: World, client: Any) -> None:
    auth = world.auth(client)
    assert (await send(mode, auth, "GET", world.provider.url)).status_code == 200
    world.credentials.tokens.clear()
    response = await send(mode, auth, "POST", world.provider.url, json={"summary": "Lunch"})
    assert response.json() == {"body": '{"summary":"Lunch"}'}
    assert world.tokens_seen == ["provider_1", "provider_1", "provider_2"]
    assert world.credentials.asked == {"GET token": 3, "POST refresh": 1}
    assert "provider_" not in repr(auth.httpx2_auth())


async def test_httpx2_auth_replays_no_consumed_body(mode: str, world: World, client: Any) -> None:
    auth = world.auth(client)
    world.credentials.tokens.clear()
    assert (await send(mode, auth, "POST", world.provider.url, content=body_of_pieces(mode))).status_code == 401
    assert (await send(mode, auth, "GET", world.provider.url)).status_code == 200
    assert world.tokens_seen == ["provider_1", "provider_2"]


async def test_httpx2_auth_gives_no_other_host_the_token(mode: str, world: World, client: Any) -> None:
    auth = world.auth(client, hosts=[world.provider.url])
    with pytest.raises(ConfigurationError, match="is not for"):
        await send(mode, auth, "GET", world.stranger.url)
    assert world.stranger.calls == []
    world.answer = lambda asked: http(307, b"", f"Location: {world.stranger.url}/401")
    assert (await send(mode, auth, "GET", world.provider.url)).status_code == 401
    assert ["authorization" in asked.headers for asked in world.stranger.calls] == [False]
    assert world.credentials.asked == {"GET token": 1}


async def test_httpx2_auth_raises_the_typed_error(mode: str, world: World, client: Any) -> None:
    world.credentials.refuses = js(409, {"error": {"code": "REFRESH_FAILED", "message": "The provider refused."}})
    with pytest.raises(CredentialExpiredError):
        await send(mode, world.auth(client), "GET", world.provider.url)
    assert world.provider.calls == []


async def test_httpx2_auth_of_the_other_kind_of_client_says_so(mode: str, world: World, client: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"This auth is an (Async)?InteractorClient's"):
        await send("async" if mode == "sync" else "sync", world.auth(client), "GET", world.provider.url)


def test_httpx2_is_loaded_by_httpx2_auth_alone() -> None:
    program = "import sys; from interactor_ext import CredentialAuth; print(CredentialAuth.httpx2_auth, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "CredentialAuth.httpx2_auth" in done.stdout
    assert "httpx2" not in done.stdout.split()


async def test_httpx2_auth_without_httpx2_says_what_to_install(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = client.credential_auth("cred_1")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "interactor_ext._client.httpx2_auth", raising=False)
    with pytest.raises(ImportError, match="pip install httpx2"):
        auth.httpx2_auth()


async def test_transport_of_httpx2_says_what_to_do(mode: str, world: World) -> None:
    kind, transport = {
        "sync": (InteractorClient, httpx2.HTTPTransport),
        "async": (AsyncInteractorClient, httpx2.AsyncHTTPTransport),
    }[mode]
    own = type("Logged", (transport,), {})
    for each in (transport, own):
        with pytest.raises(ConfigurationError, match=f"{each.__name__} of httpx2, .* make the same of httpx"):
            kind(**world.settings, transport=each())
    with pytest.raises(ConfigurationError, match=r"not str$"):
        kind(**world.settings, transport="proxy")
