"""`credential_auth`: calls to a provider with the token of a user's credential, which goes nowhere else."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

import interactor_ext._interactor.views.credential_auth as credential_auth
from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    AsyncInteractorClient,
    ConfigurationError,
    CredentialExpiredError,
    InteractorClient,
    InteractorError,
    NotFoundError,
    PermissionDeniedError,
    ResponseValidationError,
)
from interactor_ext.retry import RetryPolicy
from interactor_ext.sandbox import Sandbox
from interactor_ext.telemetry import PrometheusTelemetry
from tests.support import patient
from tests.support.modes import client_of, done
from tests.support.provider import World, follow, send, send_at_once
from tests.support.scripted_server import SECRET, Asked, Reset, http, js
from tests.support.waiting import eventually_async

REFRESH_FAILED = js(
    409,
    {"error": {"code": "REFRESH_FAILED", "message": "The provider refused.", "request_id": "req_1"}},
    "X-Request-Id: req_1",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World() as world:
        monkeypatch.setattr(credential_auth, "time", world.clock)
        yield world


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def client(mode: str, world: World) -> AsyncIterator[Any]:
    async with client_of(mode, world.settings) as client:
        yield client


# The token and its life


async def test_auth_objects_of_one_credential_share_a_token_until_a_minute_before_it_expires(
    world: World, client: Any
) -> None:
    url = world.provider.url
    auth = world.auth(client)
    assert (await send(auth, "GET", url)).status_code == 200
    world.clock.now += 3539
    same = world.auth(client.namespace("user_1").with_options(timeout=5))
    assert (await send(same, "GET", url)).status_code == 200
    assert world.credentials.asked == {"GET token": 1}
    world.clock.now += 32  # from now on, the platform refreshes it
    await send(auth, "GET", url)
    while world.credentials.asked["GET token"] < 2 or auth._tokens._pending is not None:
        await asyncio.sleep(0.001)
    assert (await send(same, "GET", url)).status_code == 200
    assert world.tokens_seen == ["provider_1", "provider_1", "provider_1", "provider_2"]
    assert world.credentials.asked == {"GET token": 2}


async def test_other_namespaces_credentials_and_clients_have_tokens_of_their_own(mode: str, world: World) -> None:
    for _ in range(2):
        async with client_of(mode, world.settings) as client:
            for auth in (
                client.credential_auth("cred_1"),
                client.credential_auth("cred_2"),
                client.namespace("user_2").credential_auth("cred_1"),
            ):
                await send(auth, "GET", world.provider.url)
    asked = [(call.target, call.headers["x-namespace"]) for call in world.credentials.server.calls]
    cred_1, cred_2 = (f"/core/credentials/{name}/token" for name in ("cred_1", "cred_2"))
    assert asked == [(cred_1, b"user_1"), (cred_2, b"user_1"), (cred_1, b"user_2")] * 2


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [(3600, 3539), ("3600", 3539), (None, 839), (0, 839), (-1, 839), ([], 839), ("soon", 839), (100, 49), (1e300, 1e9)],
)
async def test_odd_lifetimes_are_read_as_the_contract_says(
    world: World, client: Any, expires_in: Any, good_for: float
) -> None:
    world.credentials.expires_in = expires_in
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    world.clock.now += good_for
    assert auth._tokens.fresh() is not None
    world.clock.now += 0 if expires_in == 1e300 else 2
    assert (auth._tokens.fresh() is None) == (expires_in != 1e300)


# Many at once


async def test_concurrent_calls_that_get_a_401_share_one_refresh(world: World, client: Any) -> None:
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    world.credentials.tokens.clear()
    found = await send_at_once(auth, 50, world.provider.url)
    assert [each.status_code for each in found] == [200] * 50
    assert world.credentials.asked == {"GET token": 3, "POST refresh": 1}
    assert set(world.tokens_seen) == {"provider_1", "provider_2"}


async def test_cancelling_the_task_that_began_a_token_request_does_not_fail_the_others(world: World) -> None:
    world.credentials.gate.clear()
    async with AsyncInteractorClient(**world.settings) as client:
        auth = world.auth(client)
        async with httpx.AsyncClient(auth=auth, timeout=60) as provider:
            first, *others = [asyncio.create_task(provider.get(world.provider.url)) for _ in range(20)]
            await eventually_async(lambda: world.credentials.asked)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            world.credentials.gate.set()
            assert [response.status_code for response in await asyncio.gather(*others)] == [200] * 19
    assert world.credentials.asked == {"GET token": 1}


async def test_closing_the_async_client_ends_a_token_request_and_its_calls(world: World) -> None:
    world.credentials.gate.clear()
    client = AsyncInteractorClient(**world.settings)
    auth = client.credential_auth("cred_1")
    async with httpx.AsyncClient(auth=auth, timeout=60) as provider:
        pending = asyncio.create_task(provider.get(world.provider.url))
        await eventually_async(lambda: world.credentials.asked)
        await client.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await pending
        with pytest.raises(ConfigurationError, match="closed"):
            await provider.get(world.provider.url)
    assert world.provider.calls == []


async def test_call_after_the_client_was_closed_raises_configuration_error(mode: str, world: World) -> None:
    async with client_of(mode, world.settings) as client:
        auth = world.auth(client)
        await send(auth, "GET", world.provider.url)
    with pytest.raises(ConfigurationError, match="The client is closed"):
        await send(auth, "GET", world.provider.url)
    assert len(world.provider.calls) == 1


# 401 of the provider


async def test_401_is_replayed_without_a_refresh_if_the_platform_has_another_token(world: World, client: Any) -> None:
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    world.credentials.refresh()  # by another process
    assert (await send(auth, "GET", world.provider.url)).status_code == 200
    assert world.tokens_seen == ["provider_1", "provider_1", "provider_2"]
    assert world.credentials.asked == {"GET token": 2}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_provider_that_always_answers_401_does_not_refresh_for_each_call(
    method: str, mode: str, world: World, client: Any
) -> None:
    world.answer = lambda asked: js(401, {})

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    auth = world.auth(client)
    for _ in range(20):
        body = None if method == "GET" else iter([b"a"]) if mode == "sync" else pieces()  # which is not sent again
        assert (await send(auth, method, world.provider.url, content=body)).status_code == 401
    assert world.credentials.asked["POST refresh"] <= 5


# A credential that has expired, and other errors of the platform


@pytest.mark.parametrize("status", ["expired", "revoked"])
async def test_expired_or_revoked_credential_raises_the_typed_error_out_of_the_call(
    mode: str, status: str, world: World
) -> None:
    with Sandbox().run() as sandbox:
        gone = sandbox.add_credential("google", namespace="user_1", status=status, refreshable=False)["id"]

        async with client_of(mode, sandbox._with_connection({"namespace": "user_1"})) as client:
            with pytest.raises(CredentialExpiredError) as caught:
                await send(client.credential_auth(gone), "GET", world.provider.url)
            error = caught.value
            assert isinstance(error, InteractorError)
            assert (error.credential_id, error.namespace) == (gone, "user_1")
            assert (error.code, error.status) == ("REFRESH_FAILED", 409)
            assert error.request_id
            assert error.user_action == "The access to your account has ended. Connect the account again."
            assert f"The credential {gone} of namespace 'user_1' can no longer be used." in str(error)
            assert "The user must connect the credential again." in str(error)
        asked = [record.operation for record in sandbox.requests if record.operation != "create_token"]
    assert asked == ["get_credential_token"]
    assert world.provider.calls == []


async def test_token_that_the_provider_refuses_and_the_platform_cannot_refresh_raises_the_typed_error(
    world: World, client: Any
) -> None:
    world.credentials.refuses_refresh = REFRESH_FAILED
    world.credentials.tokens.clear()
    auth = world.auth(client)
    for _ in range(2):
        with pytest.raises(CredentialExpiredError):
            await send(auth, "GET", world.provider.url)
    # It was connected again; or the provider has changed its mind about a token that never expires.
    world.credentials.tokens.add("provider_1")
    assert (await send(auth, "GET", world.provider.url)).status_code == 200
    assert world.tokens_seen == ["provider_1"] * 3
    assert world.credentials.asked == {"GET token": 5, "POST refresh": 2}


async def test_credential_that_expires_for_good_is_used_as_long_as_its_token_is_valid(
    world: World, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "interactor")
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    world.credentials.refuses = REFRESH_FAILED
    world.clock.now += 3570
    assert (await send(auth, "GET", world.provider.url)).status_code == 200
    while auth._tokens._pending is not None:
        await asyncio.sleep(0.001)
    world.clock.now += 30
    with pytest.raises(CredentialExpiredError):
        await send(auth, "GET", world.provider.url)
    assert "The credential cred_1 of namespace 'user_1' can no longer be used" in caplog.text


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (js(404, {"error": {"code": "NOT_FOUND", "message": "No such credential."}}), NotFoundError),
        (js(403, {"error": {"code": "FORBIDDEN", "message": "No scope."}}), PermissionDeniedError),
        (js(200, {"data": {"token_type": "Bearer"}}), ResponseValidationError),
        (js(200, {"data": {"access_token": "a\r\nb", "token_type": "Bearer"}}), ResponseValidationError),
        (http(200, "<html>"), ResponseValidationError),
        (Reset(b""), APIConnectionError),
    ],
    ids=["404", "403", "no token", "line break in the token", "no JSON", "reset"],
)
async def test_errors_of_the_token_request_come_out_of_the_call(
    world: World, client: Any, answer: bytes, error: type[InteractorError]
) -> None:
    world.credentials.refuses = answer
    with pytest.raises(error) as caught:
        await send(client.credential_auth("cred_1"), "GET", world.provider.url)
    assert "/credentials/{credential_id}/token" in str(caught.value)
    assert type(caught.value) is error
    assert world.provider.calls == []


async def test_deadline_of_the_view_bounds_the_wait_for_a_token(world: World, client: Any) -> None:
    world.credentials.gate.clear()
    auth = world.auth(client.with_options(deadline=0.3))
    with pytest.raises(APITimeoutError) as caught:
        await send(auth, "GET", world.provider.url)
    assert caught.value.sent is False
    world.credentials.gate.set()
    # The request went on for others.
    assert (await send(world.auth(client), "GET", world.provider.url)).status_code == 200
    assert world.credentials.asked == {"GET token": 1}


async def test_token_request_has_the_options_of_the_view_that_needs_it_first(world: World, client: Any) -> None:
    told: list[str] = []
    view = client.with_options(headers={"X-Gateway-Key": "key_1"}, on_response=lambda info: told.append(info.operation))
    await send(world.auth(view), "GET", world.provider.url)
    await send(world.auth(client), "GET", world.provider.url)
    world.credentials.tokens.clear()
    await send(world.auth(client), "GET", world.provider.url)
    assert told == ["get_credential_token"]
    keys = [asked.headers.get("x-gateway-key") for asked in world.credentials.server.calls]
    assert keys == [b"key_1", None, None, None]
    assert not [asked for asked in world.provider.calls if "x-gateway-key" in asked.headers]


async def test_token_request_is_retried_and_counted_like_any_call(mode: str, world: World) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    world.credentials.refuses = js(503, {})

    original = world.credentials.server._answer

    def answer(asked: Asked) -> Any:
        found = original(asked)
        world.credentials.refuses = None
        return found

    world.credentials.server._answer = answer  # type: ignore[method-assign]
    more = {
        "max_retries": 1,
        "retry_policy": RetryPolicy(max_retries=1, base_delay=0.01),
        "telemetry": PrometheusTelemetry(registry),
    }
    async with client_of(mode, world.settings | more) as client:
        assert (await send(world.auth(client), "GET", world.provider.url)).status_code == 200
    assert world.credentials.asked == {"GET token": 2}
    lines = prometheus.generate_latest(registry).decode().splitlines()
    counted = [line for line in lines if line.startswith("interactor_requests_total{") and "credentials" in line]
    assert [line.rpartition(" ")[2] for line in counted] == ["1.0", "1.0"]
    assert {"503", "200"} == {status for status in ("503", "200") for line in counted if f'"{status}"' in line}


# Where the token goes


def redirect(url: str, status: int = 307) -> Any:
    return lambda asked: http(status, b"", f"Location: {url}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_another_host_carries_no_token(status: int, world: World, client: Any) -> None:
    world.answer = redirect(f"{world.stranger.url}/elsewhere", status)
    response = await send(world.auth(client), "GET", world.provider.url)
    assert response.json() == {"at": "the stranger"}
    assert [asked.target for asked in world.stranger.calls] == ["/elsewhere"]
    assert "authorization" not in world.stranger.calls[0].headers
    assert world.tokens_seen == ["provider_1"]


async def test_redirect_within_the_host_keeps_the_token_and_is_replayed_after_a_401(world: World, client: Any) -> None:
    by_token = world.by_token
    world.answer = lambda asked: by_token(asked) if asked.target == "/end" else redirect("/end")(asked)
    auth = world.auth(client)
    world.credentials.tokens.clear()
    assert (await send(auth, "GET", f"{world.provider.url}/start")).status_code == 200
    targets = [(asked.target, asked.token) for asked in world.provider.calls]
    first, second = "provider_1", "provider_2"
    assert targets == [("/start", first), ("/end", first), ("/start", second), ("/end", second)]


@pytest.mark.parametrize("hosts", [None, "provider"])
async def test_redirect_followed_by_hand_to_another_host_raises_and_sends_nothing(
    hosts: str | None, world: World, client: Any
) -> None:
    world.answer = redirect(world.stranger.url)
    auth = world.auth(client, hosts=hosts and [world.provider.url])
    response = await send(auth, "GET", world.provider.url, follow_redirects=False)
    with pytest.raises(ConfigurationError, match=r"isn't for http://127\.0\.0\.1:"):
        await follow(auth, response.next_request)
    assert world.stranger.calls == []


async def test_redirect_followed_by_hand_does_not_choose_the_host_of_a_new_auth(world: World, client: Any) -> None:
    world.answer = redirect(world.stranger.url)
    response = await send(world.auth(client), "GET", world.provider.url, follow_redirects=False)
    with pytest.raises(ConfigurationError, match="may have been redirected elsewhere"):
        await follow(world.auth(client), response.next_request)
    assert world.stranger.calls == []


async def test_call_to_another_host_than_the_first_raises_and_sends_nothing(world: World, client: Any) -> None:
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    with pytest.raises(ConfigurationError, match=r"isn't for http://127\.0\.0\.1:.*hosts="):
        await send(auth, "GET", world.stranger.url)
    # Another auth object of the same credential has another first one.
    await send(world.auth(client), "GET", world.stranger.url)
    assert [asked.token for asked in world.stranger.calls] == ["provider_1"]
    assert world.credentials.asked == {"GET token": 1}


async def test_hosts_allow_several_and_nothing_else(world: World, client: Any) -> None:
    hosts = [world.provider.url, world.stranger.url.removeprefix("http://")]
    auth = world.auth(client, hosts=hosts)
    for url in (world.provider.url, world.stranger.url):
        assert (await send(auth, "GET", url)).status_code == 200
    with pytest.raises(ConfigurationError, match=r"isn't for https://api\.example\.com\."):
        await send(auth, "GET", "https://user:pass@api.example.com/x")
    with pytest.raises(ConfigurationError, match=r"isn't for https://127\.0\.0\.1:"):
        await send(auth, "GET", world.provider.url.replace("http", "https"))
    assert [asked.token for asked in world.stranger.calls] == ["provider_1"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("www.googleapis.com", "https://www.googleapis.com/calendar"),
        ("WWW.googleapis.com", "https://www.googleapis.com:443/"),
        ("api.example.com:8443", "https://api.example.com:8443/"),
        ("https://api.example.com", "https://api.example.com/"),
        ("localhost:8080", "http://localhost:8080/"),
        ("app.localhost", "http://app.localhost/"),
        ("[::1]:80", "http://[::1]/"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
    ],
)
def test_host_allows_its_urls(host: str, url: str, world: World) -> None:
    with InteractorClient(**world.settings) as client:
        assert world.auth(client, hosts=host).headers(url) == {"Authorization": "Bearer provider_1"}
        assert world.auth(client, hosts=[host]).headers(httpx.URL(url)) == {"Authorization": "Bearer provider_1"}


@pytest.mark.parametrize(
    "url",
    [
        "https://googleapis.com/",
        "https://www.googleapis.com.evil.example/",
        "https://www.googleapis.com:8443/",
        "https://evil.example/?www.googleapis.com",
        "https://www.googleapis.com@evil.example/",
        "http://www.googleapis.com/",
        "ftp://www.googleapis.com/",
        "//www.googleapis.com/",
        "/calendar",
        "",
        "https://www.googleapis.com:port/",
        "https://www.googleapis.com\n/",
        "https://evil.example\\@www.googleapis.com/",
    ],
)
def test_host_refuses_every_other_url_before_a_token_is_fetched(url: str, world: World) -> None:
    with InteractorClient(**world.settings) as client, pytest.raises(ConfigurationError):
        client.credential_auth("cred_1", hosts="www.googleapis.com").headers(url)
    assert world.credentials.server.calls == []


@pytest.mark.parametrize(
    "url", ["http://api.example.com/", "http://10.0.0.1/", "http://provider/", "http://127.0.0.1.nip.io"]
)
async def test_plain_http_to_another_machine_raises_and_sends_nothing(url: str, world: World, client: Any) -> None:
    for hosts in (None, [url]):
        with pytest.raises(ConfigurationError, match="is only sent over https, or over http to this machine"):
            await send(client.credential_auth("cred_1", hosts=hosts), "GET", url)
    assert world.credentials.server.calls == []


@pytest.mark.parametrize(
    "hosts",
    [
        *([], "", ["*.googleapis.com"], ["www.googleapis.com/calendar"], ["https://www.googleapis.com/x"], [None]),
        *(["ftp://example.com"], ["https://user:s3cret_8f3a61@example.com"], ["host:99999"], ["a b"], ["::1"], ["a?b"]),
    ],
    ids=str,
)
def test_hosts_that_are_none_raise_configuration_error(mode: str, hosts: Any, world: World) -> None:
    client = (InteractorClient if mode == "sync" else AsyncInteractorClient)(**world.settings)
    with pytest.raises(ConfigurationError, match="hosts ") as caught:
        client.credential_auth("cred_1", hosts=hosts)
    assert "s3cret" not in str(caught.value)


# Other ways to call


async def test_auth_of_one_kind_of_client_in_the_other_kind_raises_configuration_error(world: World) -> None:
    with InteractorClient(**world.settings) as client:
        async with patient.AsyncClient(auth=client.credential_auth("cred_1")) as provider:
            with pytest.raises(ConfigurationError, match="needs one from an AsyncInteractorClient"):
                await provider.get(world.provider.url)
    async with AsyncInteractorClient(**world.settings) as other:
        with pytest.raises(ConfigurationError, match="needs one from an InteractorClient"):
            patient.get(world.provider.url, auth=other.credential_auth("cred_1"))
    assert world.provider.calls == []


def test_async_auth_under_trio_raises_configuration_error(world: World) -> None:
    trio = pytest.importorskip("trio")
    auth = AsyncInteractorClient(**world.settings).credential_auth("cred_1")

    async def main() -> None:
        async with patient.AsyncClient(auth=auth) as provider:
            await provider.get(world.provider.url)

    with pytest.raises(ConfigurationError, match="asyncio event loop"):
        trio.run(main)


async def test_headers_hold_the_token_and_are_replaced_when_the_provider_refused_them(
    world: World, client: Any
) -> None:
    url = world.provider.url
    auth = world.auth(client)
    old = await done(auth.headers(url))
    assert old == {"Authorization": "Bearer provider_1"}
    assert (await done(auth.headers(url))) == old
    new = await done(auth.headers(url, refused=old))
    assert new == {"Authorization": "Bearer provider_2"}
    # Somebody else who held the old ones gets the same.
    assert (await done(auth.headers(url, refused=old))) == new
    with pytest.raises(ConfigurationError):
        await done(auth.headers(world.stranger.url))
    assert world.credentials.asked == {"GET token": 3, "POST refresh": 1}


# Secrets


async def test_token_is_in_no_repr_no_log_and_no_error(
    world: World, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    texts: list[str] = []
    caplog.set_level(logging.DEBUG)
    auth = world.auth(client)
    await send(auth, "GET", world.provider.url)
    texts.extend(map(repr, (auth, auth._tokens, auth._tokens.valid(), vars(auth))))
    world.credentials.tokens.clear()
    # A careless platform repeats what it has.
    echo = f"the token provider_1 cannot be refreshed with {SECRET}"
    error = {"error": {"code": "REFRESH_FAILED", "message": echo}}
    world.credentials.refuses_refresh = js(409, error)
    try:
        await send(auth, "GET", world.provider.url)
    except CredentialExpiredError as error:
        texts.extend(["".join(traceback.format_exception(error)), repr(error), repr(error.details)])
    with pytest.raises(ConfigurationError) as caught:
        await send(auth, "GET", world.stranger.url)
    texts.append(str(caught.value))
    texts.append(caplog.text)
    assert "CredentialExpiredError" in "".join(texts)
    for text in texts:
        assert "provider_1" not in text
        assert SECRET not in text
    assert repr(InteractorClient(**world.settings).credential_auth("cred_1")) == (
        "CredentialAuth(credential_id='cred_1', namespace='user_1')"
    )
