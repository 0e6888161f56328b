"""The guard: which hosts it refuses, to whom, and that it leaves nothing behind."""

from __future__ import annotations

import os
import socket
import threading
import urllib.request
from urllib.parse import urlsplit

import httpx
import pytest

from interactor_ext import APIConnectionError, AsyncInteractorClient, InteractorClient
from interactor_ext._config import ENVIRONMENTS
from interactor_ext.testing import PlatformGuard, PlatformRefused
from interactor_ext.testing.guard import HOSTS, NO_PROXY

CREDENTIALS = {"client_id": "client_x", "client_secret": "secret_x"}


def test_it_knows_the_hosts_of_every_environment() -> None:
    assert {urlsplit(url).hostname for urls in ENVIRONMENTS.values() for url in urls} == HOSTS


# This run has the plugin, so the guard is up.
@pytest.mark.parametrize("host", sorted(HOSTS))
def test_a_host_of_the_platform_is_refused(host: str) -> None:
    for spelling in (host, host.upper(), f"{host}.", host.encode()):
        with pytest.raises(PlatformRefused, match="marked `live`") as refusal:
            socket.getaddrinfo(spelling, 443)
        assert refusal.value.host.lower().rstrip(".") == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", b"127.0.0.1", None])
def test_every_other_host_passes(host: str | bytes | None) -> None:
    assert socket.getaddrinfo(host, 80)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_client_is_refused_at_once_and_says_why(environment: str) -> None:
    with (
        InteractorClient(**CREDENTIALS, environment=environment) as client,
        pytest.raises(APIConnectionError, match="belongs to the real platform"),
    ):
        client.assistants.list()


async def test_the_async_client_is_refused_at_once_and_says_why() -> None:
    async with AsyncInteractorClient(**CREDENTIALS) as client:
        with pytest.raises(APIConnectionError, match="belongs to the real platform"):
            await client.assistants.list()


def test_other_clients_are_refused() -> None:
    with pytest.raises(PlatformRefused):
        httpx.get("https://core.interactor.com/api/v1/assistants")
    with pytest.raises(PlatformRefused):
        urllib.request.urlopen("https://core.interactor.com/api/v1/assistants")


def test_a_proxy_is_no_way_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with (
        InteractorClient(**CREDENTIALS) as client,
        pytest.raises(APIConnectionError, match="belongs to the real platform"),
    ):
        client.assistants.list()


def test_it_can_be_lifted_for_a_while(own_guard: PlatformGuard) -> None:
    with own_guard.lifted():
        assert not any(set(HOSTS) <= set(os.environ.get(name, "").split(",")) for name in NO_PROXY)
        # Found or not: it was asked for.
        with pytest.raises(LookedUp):
            socket.getaddrinfo("core.interactor.com", 443)
    with pytest.raises(PlatformRefused):
        socket.getaddrinfo("core.interactor.com", 443)


@pytest.mark.parametrize("before", [{}, {"NO_PROXY": "a.test"}, {"no_proxy": "b.test", "NO_PROXY": "a.test"}])
def test_it_leaves_the_environment_as_it_was(
    own_guard: PlatformGuard, monkeypatch: pytest.MonkeyPatch, before: dict[str, str]
) -> None:
    own_guard.down()
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    own_guard.up()
    own_guard.up()
    first = before.get("no_proxy") or before.get("NO_PROXY")
    assert os.environ["no_proxy"].split(",") == [*([first] if first else []), *sorted(HOSTS)]
    own_guard.down()
    own_guard.down()
    assert {name: os.environ[name] for name in NO_PROXY if name in os.environ} == before


def test_it_goes_with_what_was_put_in_front_of_it(own_guard: PlatformGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: guarded(*args, **kwargs))
    own_guard.down()
    with pytest.raises(LookedUp):
        socket.getaddrinfo("core.interactor.com", 443)
    own_guard.up()
    with pytest.raises(PlatformRefused):
        socket.getaddrinfo("core.interactor.com", 443)
    own_guard.down()


def test_it_holds_in_every_thread() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            socket.getaddrinfo("core.interactor.com", 443)
        except PlatformRefused as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1


class LookedUp(Exception):
    """The question got through to where a name would be looked up."""


@pytest.fixture
def own_guard(monkeypatch: pytest.MonkeyPatch) -> PlatformGuard:
    """A guard that is up, before a resolver that answers nothing."""

    def look_up(*args: object, **kwargs: object) -> None:
        raise LookedUp

    for name in NO_PROXY:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    guard = PlatformGuard()
    guard.up()
    return guard
