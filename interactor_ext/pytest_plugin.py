"""The pytest plugin: fixtures for the sandbox, clients, webhooks and cassettes, and the platform guard.

| fixture | what |
|---|---|
| `interactor_sandbox` | a `Sandbox`, reset for each test; environment variables point the SDK to it |
| `interactor_client`, `async_interactor_client` | clients of it, closed at the end of the test |
| `interactor_webhook` | creates signed deliveries: `interactor_webhook("credential.expired").post(url)` |
| `interactor_vcr` | a `vcr.VCR` that replays cassettes, and masks secrets when recording |
| `interactor_sandbox_server` | the sandbox server of the session; override it for another configuration |
| `interactor_webhook_secret` | the secret of deliveries; override it if the application has its own |

Tests can't reach the real platform unless they are marked `live`; `interactor_guard = false` in the pytest settings
disables that. Importing this module imports nothing else of the SDK, because every test run does it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from interactor_ext import AsyncInteractorClient, InteractorClient
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.testing import PlatformGuard, WebhookFactory

WEBHOOK_SECRET = "INTERACTOR_WEBHOOK_SECRET"  # noqa: S105  # the name of the variable
GUARD_KEY: pytest.StashKey[PlatformGuard] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "interactor_guard", "refuse the real platform's hosts in tests not marked `live`", type="bool", default=True
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: may talk to the real Interactor platform")
    if config.getini("interactor_guard"):
        from interactor_ext.testing.guard import PlatformGuard

        config.stash[GUARD_KEY] = PlatformGuard()
        config.stash[GUARD_KEY].up()


def pytest_unconfigure(config: pytest.Config) -> None:
    if guard := config.stash.get(GUARD_KEY, None):
        guard.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    guard = item.config.stash.get(GUARD_KEY, None)
    if guard is None:
        return (yield)
    if item.get_closest_marker("live") is None:
        guard.watch()
        return (yield)
    with guard.lifted():
        return (yield)


@pytest.fixture(scope="session")
def interactor_sandbox_server() -> Iterator[Sandbox]:
    """One sandbox for the whole session. Override it for another: `with Sandbox(...).run() as sandbox: ...`."""
    try:
        from interactor_ext.sandbox import Sandbox
    except ModuleNotFoundError as error:
        pytest.fail(f"{error}: the sandbox needs `pip install 'interactor-sdk[sandbox]'`", pytrace=False)
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture
def interactor_sandbox(interactor_sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox after a reset. Code under test that reads the environment, such as `get_client()`, uses it, without
    the settings and proxies that the environment had before.
    """
    from interactor_ext import reset_clients
    from interactor_ext.testing.environment import environment_of

    interactor_sandbox_server.reset()
    reset_clients()
    for name, value in environment_of(interactor_sandbox_server).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    yield interactor_sandbox_server
    reset_clients()


@pytest.fixture
def interactor_client(interactor_sandbox: Sandbox) -> Iterator[InteractorClient]:
    """A client of the sandbox; `interactor_client.namespace("user_1")` is a tenant."""
    with interactor_sandbox.client() as client:
        yield client


@pytest.fixture
def async_interactor_client(
    request: pytest.FixtureRequest, interactor_sandbox: Sandbox
) -> Iterator[AsyncInteractorClient]:
    """An async client of the sandbox, for event loops of pytest-asyncio, anyio or the test itself."""
    if "anyio_backend_name" in request.fixturenames and request.getfixturevalue("anyio_backend_name") != "asyncio":
        pytest.fail(
            "AsyncInteractorClient runs on asyncio: let the fixture anyio_backend return 'asyncio'", pytrace=False
        )
    import asyncio

    client = interactor_sandbox.async_client()
    yield client
    # A new loop, as the test's may be closed; not `asyncio.run`, which would unset the current loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.aclose())
    finally:
        loop.close()


@pytest.fixture
def interactor_webhook_secret() -> str:
    """INTERACTOR_WEBHOOK_SECRET if it is set, else a secret for tests."""
    return os.environ.get(WEBHOOK_SECRET) or "whsec_for_tests"


@pytest.fixture
def interactor_webhook(interactor_webhook_secret: str, monkeypatch: pytest.MonkeyPatch) -> WebhookFactory:
    """Creates signed deliveries; the secret is in the environment during the test."""
    from interactor_ext.testing import WebhookFactory

    monkeypatch.setenv(WEBHOOK_SECRET, interactor_webhook_secret)
    return WebhookFactory(interactor_webhook_secret)


@pytest.fixture
def interactor_vcr(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `vcr.VCR` for the folder `cassettes` beside the test's file.

    `with interactor_vcr.use_cassette("conversation"): ...` replays. With INTERACTOR_RECORD=1 in the environment it
    records again, and the test may reach the platform.
    """
    from contextlib import nullcontext

    from interactor_ext.testing.recording import is_recording, recorder

    guard = request.config.stash.get(GUARD_KEY, None)
    with guard.lifted() if guard and is_recording() else nullcontext():
        yield recorder(request.path.parent / "cassettes")
