"""The pytest plugin in this run, and in runs of projects that load it by its entry point alone."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from interactor_ext import (
    AsyncInteractorClient,
    InteractorClient,
    InteractorConfig,
    get_async_client,
    get_client,
)
from interactor_ext.cli import demo
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import WebhookVerifier

ROOT = Path(__file__).parents[2]


# The two know nothing of each other: each begins with nothing.
@pytest.mark.parametrize("number", [1, 2])
def test_sandbox_fixture_is_reset_for_each_test(
    interactor_sandbox: Sandbox, interactor_client: InteractorClient, number: int
) -> None:
    assert len(interactor_sandbox.requests) == 0
    user = interactor_client.namespace("user_1")
    assert user.tools.list().data == []
    user.tools.create(name=f"tool_{number}", description="", parameters={})
    interactor_sandbox.faults.add("list_tools", status=418, times=None)
    interactor_sandbox.clock.advance(1e6)


@pytest.mark.parametrize("number", [1, 2])
def test_environment_variables_lead_to_sandbox(interactor_sandbox: Sandbox, number: int) -> None:
    assert get_client().config.core_api_url == interactor_sandbox.core_api_url
    assert get_client().assistants.list().data == []
    assert asyncio.run(_count(get_async_client())) == 0
    assert len(interactor_sandbox.requests) == 4


@pytest.mark.parametrize("number", [1, 2])
async def test_async_client_fixture_works(async_interactor_client: AsyncInteractorClient, number: int) -> None:
    user = async_interactor_client.namespace("user_1")
    assert await _count(user) == 0
    await user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
    assert await _count(user) == 1


async def _count(client: AsyncInteractorClient) -> int:
    return len((await client.assistants.list()).data)


def test_webhook_fixture_signs_with_secret_in_environment(interactor_webhook: WebhookFactory) -> None:
    delivery = interactor_webhook("credential.expired", {"credential_id": "cred_7"})
    secret = os.environ["INTERACTOR_WEBHOOK_SECRET"]
    assert WebhookVerifier(secret).verify(delivery.body, delivery.headers) == delivery.event


def run(folder: Path, *, plugins: str = "", ini: str = "", **files: str) -> tuple[str, int]:
    """Run pytest in a project of these files, with these plugins and ours; returns output and exit status."""
    (folder / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "interactor", *plugins.split()]
    # All the plugins that are installed here take a second to load.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return done.stdout + done.stderr, done.returncode


LEAKING_TESTS = """
import asyncio
import pytest
from interactor_ext import ConfigurationError, get_client
leaked = []
def test_one(interactor_client, async_interactor_client):
    leaked[:] = interactor_client, async_interactor_client, get_client()
NAMES = ["interactor_client", "async_interactor_client", "interactor_sandbox"]
@pytest.mark.parametrize(("number", "name"), list(enumerate(NAMES)))
def test_two(number, name):
    with pytest.raises(ConfigurationError, match=f"closed, by the fixture {name}, at the end of its test"):
        asyncio.run(leaked[number].assistants.list())
"""


def test_error_of_a_client_that_outlives_its_test_names_the_fixture(tmp_path: Path) -> None:
    output, status = run(tmp_path, test_leak=LEAKING_TESTS)
    assert status == 0, output


ASYNC_TEST = """
import pytest, pytest_asyncio
@{fixture}
async def before():
    yield 1
{mark}
async def test_one(before, async_interactor_client):
    user = async_interactor_client.namespace("user_1")
    await user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
    assert len((await user.assistants.list()).data) == before
{mark}
async def test_two(async_interactor_client):
    assert len((await async_interactor_client.namespace("user_1").assistants.list()).data) == 0
"""
ON_ASYNCIO = "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"


ASYNCIO = "asyncio_mode = {}\nasyncio_default_fixture_loop_scope = function\n"
AUTO, STRICT = ASYNCIO.format("auto"), ASYNCIO.format("strict")
ONE_LOOP = "@pytest.mark.asyncio(loop_scope='session')"


@pytest.mark.parametrize(
    ("plugin", "ini", "fixture", "mark"),
    [
        ("asyncio", AUTO, "pytest.fixture", ""),
        pytest.param("asyncio", STRICT, "pytest_asyncio.fixture", "@pytest.mark.asyncio", marks=pytest.mark.full),
        pytest.param("asyncio", AUTO, "pytest.fixture", ONE_LOOP, marks=pytest.mark.full),
        pytest.param("anyio", "", "pytest.fixture", "@pytest.mark.anyio", marks=pytest.mark.full),
    ],
)
def test_async_client_fixture_works_with_each_asyncio_plugin(
    tmp_path: Path, plugin: str, ini: str, fixture: str, mark: str
) -> None:
    # A loop that ends with something unclosed says so in its log, or in a warning, which is an error here.
    output, status = run(
        tmp_path,
        plugins=f"-p {plugin}",
        ini=f"{ini}log_cli = true\nlog_cli_level = ERROR\n",
        conftest=ON_ASYNCIO,
        test_it=ASYNC_TEST.format(fixture=fixture, mark=mark),
    )
    assert status == 0, output
    assert "2 passed" in output
    assert "ERROR" not in output


def test_missing_coroutine_plugin_fails_with_what_to_install(tmp_path: Path) -> None:
    output, status = run(tmp_path, test_coroutine="async def test_it(async_interactor_client): pass")
    assert status == 1
    assert "pytest-asyncio" in output


def test_missing_sandbox_extra_fails_with_what_to_install(tmp_path: Path) -> None:
    conftest = "import sys\nsys.modules['starlette.applications'] = None\n"
    output, status = run(tmp_path, conftest=conftest, test_it="def test_it(interactor_client): pass")
    assert status == 1
    assert "pip install 'interactor-sdk[sandbox]'" in output


def test_project_can_override_fixtures(tmp_path: Path) -> None:
    conftest = """
import pytest
from interactor_ext.sandbox import Sandbox
@pytest.fixture(scope="session")
def interactor_sandbox_server():
    with Sandbox(client_id="ours", scopes=["rooms:read"]).run() as sandbox:
        yield sandbox
@pytest.fixture
def interactor_webhook_secret():
    return "whsec_ours"
"""
    test = """
import os
import pytest
from interactor_ext import PermissionDeniedError
from interactor_ext.webhooks import WebhookVerifier
def test_sandbox(interactor_client):
    assert interactor_client.rooms.list().data == []
    with pytest.raises(PermissionDeniedError):
        interactor_client.assistants.list()
def test_webhook(interactor_webhook):
    delivery = interactor_webhook("credential.expired")
    WebhookVerifier("whsec_ours").verify(delivery.body, delivery.headers)
    assert os.environ["INTERACTOR_WEBHOOK_SECRET"] == "whsec_ours"
"""
    output, status = run(tmp_path, conftest=conftest, test_it=test)
    assert status == 0, output


FOREIGN_TEST = """
from interactor_ext import get_async_client, get_client
def test_client(interactor_client):
    assert interactor_client.assistants.list().data == []
async def test_async_client(async_interactor_client):
    assert (await async_interactor_client.assistants.list()).data == []
def test_environment(interactor_sandbox):
    assert get_client().assistants.list().data == []
def test_delivery(interactor_sandbox, interactor_webhook):
    assert interactor_webhook("credential.expired").post(interactor_sandbox.core_api_url).status == 404
"""


def test_fixtures_ignore_settings_of_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = set(re.findall(r"INTERACTOR_\w+", (ROOT / "docs/how-to/configure.md").read_text()))
    assert documented >= {"INTERACTOR_SCOPES", "INTERACTOR_ENVIRONMENT"}
    for name in documented - {"INTERACTOR_LOG", "INTERACTOR_TIMEOUT"}:  # nothing reads the second
        monkeypatch.setenv(name, "sandbox" if name == "INTERACTOR_ENVIRONMENT" else "7")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    output, status = run(tmp_path, plugins="-p asyncio", ini=AUTO, test_it=FOREIGN_TEST)
    assert status == 0, output
    assert demo.main() == 0


def test_sandbox_client_keeps_given_config(interactor_sandbox: Sandbox) -> None:
    config = InteractorConfig.from_env(scopes="rooms:read")
    with interactor_sandbox.client(config=config, transport=httpx.HTTPTransport()) as client:
        assert client.config.scopes == ("rooms:read",)
        assert client.rooms.list().data == []


GUARDED_TEST = """
import os
import pytest
from interactor_ext import InteractorClient
from interactor_ext.testing import PlatformRefused
# The platform's URL; nothing listens at the proxy.
os.environ["https_proxy"] = "http://127.0.0.1:9"
def call(error):
    urls = {f"{name}_url": f"https://{name}.interactor.com/api/v1" for name in ("core_api", "account_server")}
    with InteractorClient(client_id="c", client_secret="s", max_retries=0, **urls) as client:
        with pytest.raises(Exception) as failure:
            client.assistants.list()
    assert type(failure.value).__name__ == error
@pytest.mark.live
def test_live(interactor_webhook):
    call("APIConnectionError")
def test_that_uses_no_fixture():
    call("PlatformRefused" if "GUARDED" in os.environ else "APIConnectionError")
@pytest.mark.parametrize("name", ["interactor_sandbox_server", "interactor_webhook"])
def test_that_uses_a_fixture_late(interactor_webhook_secret, request, name):
    request.getfixturevalue(name)
    call("PlatformRefused")
def test_recorded(interactor_vcr):
    call("APIConnectionError" if "INTERACTOR_RECORD" in os.environ else "PlatformRefused")
"""


@pytest.mark.parametrize(
    ("variable", "ini"),
    [
        ("NOTHING", ""),
        ("GUARDED", "interactor_guard = true\n"),
        pytest.param("INTERACTOR_RECORD", "", marks=pytest.mark.full),
    ],
)
def test_guard_is_for_tests_with_fixtures_and_projects_that_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, ini: str
) -> None:
    monkeypatch.setenv(variable, "1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    output, status = run(tmp_path, ini=ini, test_it=GUARDED_TEST)
    assert (status, "5 passed" in output) == (0, True), output


# A project that uses the SDK, and has no line for its plugin.
UNASKED = """
import asyncio, logging, os, socket, ssl
import pytest
import http.client, urllib.request, httpx  # what they set up themselves is not ours
asyncio.run(asyncio.sleep(0))

def state():
    # pytest names the current test in a variable, and has handlers of its own during each phase.
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    things = [logging, logging.Logger, logging.Manager, logging.LogRecord, logging.lastResort]
    things += [logging.root, logging.Logger.manager]
    things += [socket, socket.socket, socket.socket.__base__, ssl, ssl.SSLContext, ssl.SSLContext.__base__]
    things += [ssl.SSLSocket, ssl.SSLObject]
    changing = ("handlers", "loggerDict", "_cache", "_abc_impl")
    attributes = [{name: value for name, value in vars(each).items() if name not in changing} for each in things]
    return variables, attributes, logging.getLoggerClass(), logging.getLogRecordFactory()

BEFORE = state()

def pytest_sessionfinish():
    import interactor_ext.logs
    assert [type(each) for each in logging.Logger.manager.loggerDict.values() if "ext" in type(each).__module__] == []
    assert type(logging.getLogger("interactor.webhooks")) is logging.Logger
    assert state() == BEFORE
    print("\\nas before")
"""
UNASKED_TEST = """
import sys
import pytest
from conftest import BEFORE, state

def test_plugin_loads_nothing_before_the_project_does():
    loaded = [name for name in sys.modules if name.startswith("interactor_")]
    assert "interactor_ext.pytest_plugin" in loaded
    assert not [name for name in loaded if name.startswith(("interactor_client", "interactor_ext.testing"))]

def test_sdk():
    from interactor_ext import InteractorClient
    from interactor_ext.webhooks import WebhookVerifier
    assert state() == BEFORE

@pytest.mark.live
def test_live():
    assert state() == BEFORE
"""


def test_plugin_leaves_a_project_that_does_not_ask_as_it_is(tmp_path: Path) -> None:
    output, status = run(tmp_path, plugins="-s", conftest=UNASKED, test_it=UNASKED_TEST)
    assert (status, "3 passed" in output, "as before" in output) == (0, True, True), output


MODULE_LEVEL_APPLICATION = """
import os
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]), store=MemoryEventStore())
"""
MODULE_LEVEL_TEST = """
from application import router
def test_it(interactor_webhook):
    assert interactor_webhook("credential.expired").send(router.wsgi).status == 200
"""


@pytest.mark.parametrize("secret", [None, "whsec_of_the_shell"])
def test_webhook_secret_is_set_before_the_application_is_imported_where_the_project_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    if secret is None:
        monkeypatch.delenv("INTERACTOR_WEBHOOK_SECRET", raising=False)
    else:
        monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", secret)
    files = {"application": MODULE_LEVEL_APPLICATION, "conftest": "import application", "test_it": MODULE_LEVEL_TEST}
    output, status = run(tmp_path, ini="interactor_guard = true\n", **files)
    assert status == 0, output


@pytest.mark.parametrize(
    "application", [MODULE_LEVEL_APPLICATION, "import interactor_ext\ninteractor_ext.get_client()"]
)
def test_module_that_needs_settings_when_it_is_imported_hears_of_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: str
) -> None:
    for name in [name for name in os.environ if name.startswith("INTERACTOR_")]:
        monkeypatch.delenv(name)
    output, status = run(tmp_path, application=application, test_it="import application")
    assert (status, "`interactor_guard = true`" in output) == (2, True), output
