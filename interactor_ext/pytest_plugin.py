"""The pytest plugin: fixtures for the sandbox, clients, webhooks and cassettes, and the platform guard.

| fixture | what |
|---|---|
| `interactor_sandbox` | a `Sandbox`, reset for each test; environment variables point the SDK to it |
| `interactor_client`, `async_interactor_client` | clients of it, closed at the end of the test |
| `interactor_webhook` | creates signed deliveries: `interactor_webhook("credential.expired").post(url)` |
| `interactor_vcr` | a `vcr.VCR` that replays cassettes, and masks secrets when recording |
| `interactor_sandbox_server` | the sandbox server of the session; override it for another configuration |
| `interactor_webhook_secret` | the secret of deliveries; override it if the application has its own |
| `interactor_explore` | `interactor_explore.expect(lambda world: ...)`: what holds at the end of the test |

Tests can't reach the real platform unless they are marked `live`; `interactor_guard = false` in the pytest settings
disables that. A project that doesn't use the SDK isn't affected: the guard and the environment settings come with the
first import of anything else of the SDK. The settings are the webhook secret and, unless the environment has any of
them, the credentials and URLs of a nonexistent server: with them, clients that modules create reach the sandbox of a
fixture, and nothing else. Needs pytest 7.0 or newer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from interactor_ext import AsyncInteractorClient, InteractorClient
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.testing import PlatformGuard, WebhookFactory

if not hasattr(pytest, "StashKey"):
    raise pytest.UsageError(
        f"The pytest plugin of interactor-sdk needs pytest 7.0 or newer, not {pytest.__version__}. "
        "Upgrade pytest, or turn the plugin off with `-p no:interactor`."
    )

WEBHOOK_SECRET = "INTERACTOR_WEBHOOK_SECRET"  # noqa: S105  # the name of the variable
SECRET_FOR_TESTS = "whsec_for_tests"  # noqa: S105
_SDK = ("interactor_ext.", "interactor_client")
# What the entry point itself imports.
_OWN = frozenset(f"interactor_ext.{name}" for name in ("_errors", "_lazy", "_version", "pytest_plugin"))


class _FirstUse:
    """Waits, as an import hook, until something of the SDK is imported, and prepares the test run then."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guard: PlatformGuard | None = None
        self._is_lifted = False
        self._has_set_secret = False
        self._placeholders: dict[str, str] = {}
        self._removed: dict[str, str] = {}
        sys.meta_path.insert(0, self)
        config.add_cleanup(self._end)
        if any(_is_of_sdk(name) for name in sys.modules):
            self._prepare()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if _is_of_sdk(name) and self in sys.meta_path:  # another thread may have prepared it
            self._prepare()

    def _prepare(self) -> None:
        sys.meta_path.remove(self)
        # An application may read it when it is imported.
        if WEBHOOK_SECRET not in os.environ:
            os.environ[WEBHOOK_SECRET] = SECRET_FOR_TESTS
            self._has_set_secret = True
        if self._config.getini("interactor_guard"):
            from interactor_ext.testing.environment import PLACEHOLDERS
            from interactor_ext.testing.guard import PlatformGuard

            self._guard = PlatformGuard()
            if os.environ.keys().isdisjoint([*PLACEHOLDERS, "INTERACTOR_ENVIRONMENT"]):
                self._placeholders = self._removed = PLACEHOLDERS
            if not self._is_lifted:
                self._up()

    def _up(self) -> None:
        if self._guard is not None:
            self._guard.up()
            os.environ.update(self._removed)

    def _down(self) -> None:
        if self._guard is not None:
            self._guard.down()
            # Unless a fixture or the application has set others.
            self._removed = self._placeholders if self._placeholders.items() <= os.environ.items() else {}
            for name in self._removed:
                del os.environ[name]

    def lead_to(self, sandbox: Sandbox | None) -> None:
        """Lead the clients that have the plugin's settings to this sandbox."""
        if sandbox is not None and sandbox.client_id != "sandbox_client":
            sandbox.add_client("sandbox_client", "sandbox_secret")
        if self._guard is not None:
            url = None if sandbox is None else urlsplit(sandbox.core_api_url)
            self._guard.sandbox = url and (url.hostname or "", url.port or 0)

    def watch(self) -> None:
        if self._guard is not None:
            self._guard.watch()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Disable the guard within the block, in which the SDK may be first imported."""
        was_lifted, self._is_lifted = self._is_lifted, True
        self._down()
        try:
            yield
        finally:
            self._is_lifted = was_lifted
            if not was_lifted:
                self._up()

    def _end(self) -> None:
        with suppress(ValueError):  # the SDK was used
            sys.meta_path.remove(self)
        self._down()
        if self._has_set_secret:
            os.environ.pop(WEBHOOK_SECRET, None)


FIRST_USE: pytest.StashKey[_FirstUse] = pytest.StashKey()


def _is_of_sdk(name: str) -> bool:
    return name.startswith(_SDK) and name not in _OWN


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "interactor_guard", "refuse the real platform's hosts in tests not marked `live`", type="bool", default=True
    )
    group = parser.getgroup("interactor", "interactor: does a test survive a fault at each of its requests?")
    # With nargs="?" it would take the name of the file behind it for its value.
    for ending, depth, what in (("", 1, "one fault"), ("=2", 2, "two faults")):
        group.addoption(
            f"--interactor-explore{ending}",
            action="store_const",
            dest="interactor_explore",
            const=depth,
            default=0,
            help=f"Run each test that uses interactor_sandbox again for each place and {what}.",
        )
    group.addoption(
        "--interactor-budget",
        type=_seconds,
        default=60.0,
        metavar="60s",
        help="How long to explore each test, at most (default: 60s).",
    )
    group.addoption(
        "--interactor-seed", type=int, default=0, metavar="N", help="Choose another order of schedules (default: 0)."
    )
    group.addoption(
        "--interactor-schedule", default="", metavar="r7:lost", help="Run a single schedule, named as in a report."
    )
    group.addoption(
        "--interactor-inspect",
        action="store_true",
        help="With a schedule: keep the sandbox at the end of the test, and print the address of its inspector.",
    )


def _seconds(text: str) -> float:
    """`60`, `60s` or `5m`."""
    number = float(text.rstrip("sm"))
    return number * 60 if text.endswith("m") else number


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    _wait_for_first_use(early_config)  # a conftest may import the application


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: may talk to the real Interactor platform")
    config.addinivalue_line("markers", "interactor_invariant: a function to check at the end of each explored test")
    _wait_for_first_use(config)
    if any(config.getoption(f"interactor_{name}") for name in ("explore", "schedule", "inspect")):
        from interactor_ext.testing.explore_plugin import Explorer

        config.pluginmanager.register(Explorer(config))


def _wait_for_first_use(config: pytest.Config) -> None:
    if FIRST_USE not in config.stash:
        config.stash[FIRST_USE] = _FirstUse(config)


# The old style of wrappers, which pytest 7.0 knows.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    first_use = item.config.stash[FIRST_USE]
    if item.get_closest_marker("live") is None:
        first_use.watch()
        yield
    else:
        with first_use.lifted():
            yield


@pytest.fixture(scope="session")
def interactor_sandbox_server() -> Iterator[Sandbox]:
    """One sandbox for the whole session. To change it, override it: `with Sandbox(...).run() as sandbox: ...`."""
    try:
        from interactor_ext.sandbox import Sandbox
    except ModuleNotFoundError as error:
        pytest.fail(f"{error}: the sandbox needs `pip install 'interactor-sdk[sandbox]'`", pytrace=False)
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture
def interactor_sandbox(
    request: pytest.FixtureRequest, interactor_sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """The sandbox after a reset. Code under test that reads the environment, such as `get_client()`, uses it instead of
    the previous settings and proxies. So do clients that were created earlier without settings, including shared ones
    that the application closed in an earlier test.
    """
    from interactor_ext._client.shared_clients import close_clients, kept, reopen_closed_clients
    from interactor_ext.testing.environment import PLACEHOLDERS, environment_of

    # Modules may hold them.
    made_on_import = partial(kept, PLACEHOLDERS["INTERACTOR_CORE_API_URL"])
    interactor_sandbox_server.reset()
    with made_on_import():
        close_clients("the fixture interactor_sandbox, at the start of a test")
    reopen_closed_clients()
    for name, value in environment_of(interactor_sandbox_server).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    request.config.stash[FIRST_USE].lead_to(interactor_sandbox_server)
    if explored := request.config.pluginmanager.get_plugin("interactor_explored"):
        explored.attach(interactor_sandbox_server)
    yield interactor_sandbox_server
    request.config.stash[FIRST_USE].lead_to(None)
    with made_on_import():
        close_clients("the fixture interactor_sandbox, at the end of its test")


@pytest.fixture
def interactor_client(interactor_sandbox: Sandbox) -> Iterator[InteractorClient]:
    """A client of the sandbox; `interactor_client.namespace("user_1")` is a tenant."""
    client = interactor_sandbox.client()
    yield client
    client._close("the fixture interactor_client, at the end of its test")


@pytest.fixture
def async_interactor_client(interactor_sandbox: Sandbox) -> Iterator[AsyncInteractorClient]:
    """An async client of the sandbox, for event loops of pytest-asyncio, anyio or the test itself."""
    import asyncio

    client = interactor_sandbox.async_client()
    yield client
    # A new loop, as the test's may be closed; not `asyncio.run`, which would unset the current loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client._close("the fixture async_interactor_client, at the end of its test"))
    finally:
        loop.close()


class Expectations(list[Callable[..., Any]]):
    """What has to hold at the end of a test."""

    def expect(self, check: Callable[[Sandbox], object]) -> None:
        """Call `check` with the sandbox when the test is over: it raises, or returns something false, if not."""
        self.append(check)


@pytest.fixture
def interactor_explore(interactor_sandbox: Sandbox) -> Iterator[Expectations]:
    """States what holds at the end of a test, explored or not."""
    expectations = Expectations()
    yield expectations
    for check in expectations:
        result = check(interactor_sandbox)
        assert result is None or result, f"What the test expects does not hold: {check}"


@pytest.fixture
def interactor_webhook_secret() -> str:
    """INTERACTOR_WEBHOOK_SECRET from the environment, or else a secret for tests."""
    return os.environ.get(WEBHOOK_SECRET) or SECRET_FOR_TESTS


@pytest.fixture
def interactor_webhook(interactor_webhook_secret: str, monkeypatch: pytest.MonkeyPatch) -> WebhookFactory:
    """Creates signed deliveries; the secret is in the environment during the test."""
    from interactor_ext.testing import WebhookFactory

    monkeypatch.setenv(WEBHOOK_SECRET, interactor_webhook_secret)
    return WebhookFactory(interactor_webhook_secret)


@pytest.fixture
def interactor_vcr(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `vcr.VCR` for the folder `cassettes` next to the test's file.

    `with interactor_vcr.use_cassette("conversation"): ...` replays. With INTERACTOR_RECORD=1 in the environment it
    records again, and the test may reach the platform.
    """
    from contextlib import nullcontext

    from interactor_ext.testing.recording import is_recording, recorder

    with request.config.stash[FIRST_USE].lifted() if is_recording() else nullcontext():
        yield recorder(request.path.parent / "cassettes")
