"""`credential_auth` through httpx, httpx2 and requests; what httpx2 meets, whose classes are not those of httpx."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, ConfigurationError, CredentialExpiredError, InteractorClient
from tests.support.modes import client_of
from tests.support.provider import World
from tests.support.scripted_server import http, js
from tests.support.waiting import PATIENCE

httpx2 = pytest.importorskip("httpx2", reason="needs the Python package httpx2 (pip install httpx2)")


class Through:
    """Calls the provider of a world through a library, with the auth of a client of the mode that the library has."""

    def __init__(self, world: World, library: Any, client: Any) -> None:
        self.world, self.library, self.client = world, library, client

    def auth(self, **options: Any) -> Any:
        auth = self.world.auth(self.client, **options)
        make = {"httpx": lambda: auth, "httpx2": lambda: auth.httpx2_auth(), "requests": lambda: auth.requests_auth()}
        return make[self.library.__name__]()

    async def send(self, auth: Any, method: str, url: str = "", body: Any = None, **arguments: Any) -> Any:
        url = url or self.world.provider.url
        if self.library.__name__ == "requests":
            return self.library.request(method, url, auth=auth, timeout=PATIENCE, data=body, **arguments)
        options = {"auth": auth, "follow_redirects": True, "timeout": PATIENCE}
        if isinstance(self.client, InteractorClient):
            with self.library.Client(**options) as provider:
                return provider.request(method, url, content=body, **arguments)
        async with self.library.AsyncClient(**options) as provider:
            return await provider.request(method, url, content=body, **arguments)


@pytest.fixture(params=["sync httpx", "async httpx", "sync httpx2", "async httpx2", "sync requests"])
async def through(request: pytest.FixtureRequest) -> AsyncIterator[Through]:
    mode, library = request.param.split()
    with World() as world:
        async with client_of(mode, world.settings) as client:
            yield Through(world, pytest.importorskip(library), client)


async def test_401_refreshes_the_token_once_and_replays_the_call_once(through: Through) -> None:
    auth, world = through.auth(), through.world
    assert (await through.send(auth, "GET")).status_code == 200
    world.credentials.tokens.clear()
    response = await through.send(auth, "POST", json={"summary": "Lunch"})
    assert response.status_code == 200
    assert response.json()["body"].replace(" ", "") == '{"summary":"Lunch"}'
    assert world.tokens_seen == ["provider_1", "provider_1", "provider_2"]
    assert world.credentials.asked == {"GET token": 3, "POST refresh": 1}
    assert "provider_" not in repr(auth)


async def test_second_401_is_the_callers_response(through: Through) -> None:
    through.world.answer = lambda asked: js(401, {"error": "insufficient_scope"})
    response = await through.send(through.auth(), "GET")
    assert (response.status_code, response.json()) == (401, {"error": "insufficient_scope"})
    assert through.world.tokens_seen == ["provider_1", "provider_2"]


async def test_body_that_was_consumed_is_not_replayed_and_the_next_call_has_a_new_token(through: Through) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    auth = through.auth()
    through.world.credentials.tokens.clear()
    body = iter([b"a"]) if isinstance(through.client, InteractorClient) else pieces()
    assert (await through.send(auth, "POST", body=body)).status_code == 401
    assert (await through.send(auth, "GET")).status_code == 200
    assert through.world.tokens_seen == ["provider_1", "provider_2"]


@pytest.mark.parametrize("path", ["/elsewhere", "/401"])
async def test_other_host_gets_no_token_and_refreshes_none(path: str, through: Through) -> None:
    auth, world = through.auth(), through.world
    # By its port alone, which requests takes for another origin as well.
    world.answer = lambda asked: http(307, b"", f"Location: {world.stranger.url}{path}")
    assert (await through.send(auth, "GET")).status_code == (401 if path == "/401" else 200)
    assert ["authorization" in asked.headers for asked in world.stranger.calls] == [False]
    for its_auth in (auth, through.auth(hosts=[world.provider.url])):
        with pytest.raises(ConfigurationError, match="isn't for"):
            await through.send(its_auth, "GET", world.stranger.url)
    assert len(world.stranger.calls) == 1
    assert world.credentials.asked == {"GET token": 1}


async def test_credential_that_has_expired_raises_the_typed_error(through: Through) -> None:
    refusal = js(409, {"error": {"code": "REFRESH_FAILED", "message": "The provider refused."}})
    through.world.credentials.refuses = refusal
    with pytest.raises(CredentialExpiredError):
        await through.send(through.auth(), "GET")
    assert through.world.provider.calls == []


def test_httpx2_is_loaded_by_httpx2_auth_alone() -> None:
    program = "import sys; from interactor_ext import CredentialAuth; print(CredentialAuth.httpx2_auth, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "CredentialAuth.httpx2_auth" in done.stdout
    assert "httpx2" not in done.stdout.split()


@pytest.mark.parametrize(
    ("kind", "transport"),
    [(InteractorClient, httpx2.HTTPTransport), (AsyncInteractorClient, httpx2.AsyncHTTPTransport)],
)
def test_transport_of_httpx2_says_what_to_do(kind: Any, transport: Any) -> None:
    for each in (transport, type("Logged", (transport,), {})):
        with pytest.raises(ConfigurationError, match=f"{each.__name__} from httpx2, .* use the same class from httpx"):
            kind(client_id="a", client_secret="b", transport=each())
