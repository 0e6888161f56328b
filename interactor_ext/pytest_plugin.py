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

A test that uses one of them can't reach the real platform, unless it is marked `live`. With `interactor_guard = true`
in the pytest settings no test can, and modules may read the webhook secret and create clients when they are imported:
variables for tests are set unless the environment has some, and such clients reach the sandbox of a fixture, and
nothing else. Without either, the plugin changes nothing. Needs pytest 7.0 or newer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext._engine.errors import ConfigurationError

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
FIXTURES = frozenset(
    {"async_interactor_client", "interactor_client", "interactor_sandbox", "interactor_sandbox_server"}
)
FIXTURES |= {"interactor_explore", "interactor_vcr", "interactor_webhook", "interactor_webhook_secret"}
ADVICE = (
    "Write `interactor_guard = true` into the pytest settings: modules can then create clients and read the webhook "
    "secret when they are imported, and no test reaches the platform."
)


class _Run:
    """What a test run changes if the project's settings say so: the guard, and environment variables."""

    def __init__(self, config: pytest.Config) -> None:
        self._guard: PlatformGuard | None = None
        self._patch = pytest.MonkeyPatch()
        config.add_cleanup(self._end)
        if config.getini("interactor_guard"):
            from interactor_ext.testing.environment import PLACEHOLDERS

            self.guard.up()
            settings = {WEBHOOK_SECRET: SECRET_FOR_TESTS} if WEBHOOK_SECRET not in os.environ else {}
            if os.environ.keys().isdisjoint([*PLACEHOLDERS, "INTERACTOR_ENVIRONMENT"]):
                settings |= PLACEHOLDERS
            for name, value in settings.items():  # an application may read them when it is imported
                self._patch.setenv(name, value)

    @property
    def guard(self) -> PlatformGuard:
        if self._guard is None:
            from interactor_ext.testing.guard import PlatformGuard

            self._guard = PlatformGuard()
        return self._guard

    @contextmanager
    def guarded(self, is_guarded: bool) -> Iterator[None]:
        """Turn the guard on or off within the block. Without it, the variables don't lead to a sandbox either."""
        from interactor_ext.testing.environment import PLACEHOLDERS

        was_up = self.guard.is_up
        with pytest.MonkeyPatch.context() as patch:
            if is_guarded:
                self.guard.up()
            else:
                self.guard.down()
                for name in PLACEHOLDERS.items() & os.environ.items():
                    patch.delenv(name[0])
            yield
        if was_up:
            self.guard.up()
        else:
            self.guard.down()

    def _end(self) -> None:
        if self._guard is not None:
            self._guard.down()
        self._patch.undo()


RUN: pytest.StashKey[_Run] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "interactor_guard",
        "in tests not marked `live`, the SDK reaches nothing but the sandbox, and modules can create clients for it",
        type="bool",
        default=False,
    )
    group = parser.getgroup("interactor", "interactor: does a test survive a fault at each of its requests?")
    # With nargs="?" it would take the name of the following file for its value.
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
    """Parse `60`, `60s` or `5m`."""
    number = float(text.rstrip("sm"))
    return number * 60 if text.endswith("m") else number


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    early_config.stash[RUN] = _Run(early_config)  # a conftest may import the application


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: may talk to the real Interactor platform")
    config.addinivalue_line("markers", "interactor_invariant: a function to check at the end of each explored test")
    if RUN not in config.stash:
        config.stash[RUN] = _Run(config)
    if any(config.getoption(f"interactor_{name}") for name in ("explore", "schedule", "inspect")):
        from interactor_ext.testing.explore_plugin import Explorer

        config.pluginmanager.register(Explorer(config))


def pytest_exception_interact(node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any], report: Any) -> None:
    """Name the plugin's setting if a module needs settings of the SDK when it is imported."""
    error = None if call.excinfo is None else call.excinfo.value
    lacks_settings = isinstance(error, ConfigurationError | KeyError) and "INTERACTOR_" in str(error)
    if lacks_settings and isinstance(report, pytest.CollectReport) and not node.config.getini("interactor_guard"):
        report.sections.append(("interactor-sdk", ADVICE))


# The old style of wrappers, for pytest 7.0.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    is_live = item.get_closest_marker("live") is not None
    if is_live or FIXTURES.intersection(getattr(item, "fixturenames", ())):
        with item.config.stash[RUN].guarded(not is_live):
            yield
    else:
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
    the previous settings and proxies. So do clients that modules created with the settings of `interactor_guard`.
    """
    from interactor_ext.testing.environment import clients_of_test, environment_of

    interactor_sandbox_server.reset()
    if interactor_sandbox_server.client_id != "sandbox_client":  # as for the clients that modules create
        interactor_sandbox_server.add_client("sandbox_client", "sandbox_secret")
    for name, value in environment_of(interactor_sandbox_server).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    run = request.config.stash[RUN]
    run.guard.lead_to(interactor_sandbox_server.core_api_url)
    if explored := request.config.pluginmanager.get_plugin("interactor_explored"):
        explored.attach(interactor_sandbox_server)
    is_live = request.node.get_closest_marker("live") is not None
    with run.guarded(not is_live), clients_of_test("the fixture interactor_sandbox, at the end of its test"):
        yield interactor_sandbox_server
    run.guard.lead_to(None)


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
    # A new loop, because the test's may be closed; not `asyncio.run`, which would unset the current loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client._close("the fixture async_interactor_client, at the end of its test"))
    finally:
        loop.close()


class Expectations(list[Callable[..., Any]]):
    """What must hold at the end of a test."""

    def expect(self, check: Callable[[Sandbox], object]) -> None:
        """Call `check` with the sandbox when the test is over: it raises, or returns something false, if not."""
        self.append(check)


@pytest.fixture
def interactor_explore(interactor_sandbox: Sandbox) -> Iterator[Expectations]:
    """States what must hold at the end of a test, explored or not."""
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

    with request.config.stash[RUN].guarded(False) if is_recording() else nullcontext():
        yield recorder(request.path.parent / "cassettes")
