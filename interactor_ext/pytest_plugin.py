"""The pytest plugin: the platform on the machine of whoever runs the tests.

| fixture | what |
|---|---|
| `interactor_sandbox` | a `Sandbox` as new for each test; the environment leads the SDK to it meanwhile |
| `interactor_client`, `async_interactor_client` | clients of it, closed at the end of the test |
| `interactor_webhook` | makes signed deliveries: `interactor_webhook("credential.expired").post(url)` |
| `interactor_vcr` | a `vcr.VCR` that replays cassettes, and masks secrets before they reach one |
| `interactor_sandbox_server` | the server behind them, once a session; override it for a sandbox of another kind |
| `interactor_webhook_secret` | what deliveries are signed with; override it where the application brings its own |

Tests can't reach the real platform unless they are marked `live`; `interactor_guard = false` in the pytest settings
switches that off. Importing this module loads nothing of the SDK: every test run on the machine does it.
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
    """One sandbox for the whole session. Override it to make another: `with Sandbox(...).run() as sandbox: ...`."""
    try:
        from interactor_ext.sandbox import Sandbox
    except ModuleNotFoundError as error:
        pytest.fail(f"{error}: the sandbox needs `pip install 'interactor-sdk[sandbox]'`", pytrace=False)
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture
def interactor_sandbox(interactor_sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox, as new. Code under test that reads the environment, `get_client()` included, meets it as well, and
    none of the settings and proxies that the environment held before.
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
    """A client of the sandbox for asyncio, whoever runs the event loop: pytest-asyncio, anyio or the test itself."""
    if "anyio_backend_name" in request.fixturenames and request.getfixturevalue("anyio_backend_name") != "asyncio":
        pytest.fail(
            "AsyncInteractorClient runs on asyncio: let the fixture anyio_backend return 'asyncio'", pytrace=False
        )
    import asyncio

    client = interactor_sandbox.async_client()
    yield client
    # A loop of its own, for the test's may be over; and not `asyncio.run`, which would take away the current one.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.aclose())
    finally:
        loop.close()


@pytest.fixture
def interactor_webhook_secret() -> str:
    """INTERACTOR_WEBHOOK_SECRET if it is set, else one for tests."""
    return os.environ.get(WEBHOOK_SECRET) or "whsec_for_tests"


@pytest.fixture
def interactor_webhook(interactor_webhook_secret: str, monkeypatch: pytest.MonkeyPatch) -> WebhookFactory:
    """Makes deliveries signed with the secret, which stands in the environment meanwhile."""
    from interactor_ext.testing import WebhookFactory

    monkeypatch.setenv(WEBHOOK_SECRET, interactor_webhook_secret)
    return WebhookFactory(interactor_webhook_secret)


@pytest.fixture
def interactor_vcr(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `vcr.VCR` for the folder `cassettes` beside the test's file.

    `with interactor_vcr.use_cassette("conversation"): ...` replays. INTERACTOR_RECORD=1 in the environment records
    anew, and lets the test reach the platform for it.
    """
    from contextlib import nullcontext

    from interactor_ext.testing.recording import is_recording, recorder

    guard = request.config.stash.get(GUARD_KEY, None)
    with guard.lifted() if guard and is_recording() else nullcontext():
        yield recorder(request.path.parent / "cassettes")
