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
    for name in documented - {"INTERACTOR_LOG"}:
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
import socket
import pytest
from interactor_ext.testing import PlatformRefused
ASKED_FOR = pytest.raises(ValueError, match="asked for")
REFUSED = pytest.raises(PlatformRefused)
@pytest.mark.live
def test_live():
    with ASKED_FOR:
        socket.getaddrinfo("core.interactor.com", 443)
def test_ordinary():
    with ASKED_FOR if "SWITCHED_OFF" in os.environ else REFUSED:
        socket.getaddrinfo("core.interactor.com", 443)
def test_recorded(interactor_vcr):
    with ASKED_FOR if {"SWITCHED_OFF", "INTERACTOR_RECORD"} & set(os.environ) else REFUSED:
        socket.getaddrinfo("core.interactor.com", 443)
"""
# Nobody is asked for an address here.
RESOLVER = """
import socket
def look_up(host, *rest):
    raise ValueError(f"asked for {host}")
socket.getaddrinfo = look_up
"""


@pytest.mark.parametrize(
    ("variable", "ini"),
    [
        ("NOTHING", ""),
        pytest.param("INTERACTOR_RECORD", "", marks=pytest.mark.full),
        pytest.param("SWITCHED_OFF", "interactor_guard = false\n", marks=pytest.mark.full),
    ],
)
def test_guard_refuses_platform_except_in_live_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, ini: str
) -> None:
    monkeypatch.setenv(variable, "1")
    output, status = run(tmp_path, plugins="-p early", ini=ini, early=RESOLVER, test_it=GUARDED_TEST)
    assert status == 0, output


UNRELATED_TEST = """
import os, sys
def test_it():
    print("\\nmodules:", *(name for name in sys.modules if name.startswith(("interactor_", "socket", "ssl"))))
    print("variables:", *(name for name in os.environ if name.lower() in ("no_proxy", "interactor_webhook_secret")))
    print("functions:", "socket" in sys.modules and sys.modules["socket"].getaddrinfo.__module__)
"""


def test_unrelated_project_gets_no_guard_no_variable_and_no_module_but_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "INTERACTOR_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    output, status = run(tmp_path, plugins="-s", test_it=UNRELATED_TEST)
    assert status == 0, output
    lines = dict(line.split(":", 1) for line in output.splitlines() if line.startswith(("modules", "var", "func")))
    loaded = lines["modules"].split()
    assert "interactor_ext.pytest_plugin" in loaded
    assert not [name for name in loaded if name.startswith(("interactor_client", "interactor_ext.testing"))]
    assert lines["variables"].strip() == ""
    assert lines["functions"].strip() in ("socket", "False")


FIRST_USE_TEST = """
import os
import socket
import sys
import pytest
@pytest.mark.live
def test_live_imports_first():
    [hook] = [each for each in sys.meta_path if type(each).__module__ == "interactor_ext.pytest_plugin"]
    from interactor_ext import InteractorClient
    assert hook.find_spec("interactor_ext.webhooks") is None  # by a thread that has found it before
    with pytest.raises(ValueError, match="asked for"):
        socket.getaddrinfo("core.interactor.com", 443)
def test_ordinary():
    assert os.environ["INTERACTOR_WEBHOOK_SECRET"] == "whsec_for_tests"
    with pytest.raises(RuntimeError, match="belongs to the real platform"):
        socket.getaddrinfo("core.interactor.com", 443)
"""


def test_guard_is_up_from_the_first_import_of_the_sdk_except_in_live_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INTERACTOR_WEBHOOK_SECRET", raising=False)
    output, status = run(tmp_path, plugins="-p early", early=RESOLVER, test_it=FIRST_USE_TEST)
    assert status == 0, output


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
def test_webhook_secret_is_set_before_the_application_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    if secret is None:
        monkeypatch.delenv("INTERACTOR_WEBHOOK_SECRET", raising=False)
    else:
        monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", secret)
    files = {"application": MODULE_LEVEL_APPLICATION, "conftest": "import application", "test_it": MODULE_LEVEL_TEST}
    output, status = run(tmp_path, **files)
    assert status == 0, output
