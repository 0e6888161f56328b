"""The testing kit in a project that has the built wheel, its extra `[sandbox]` and pytest, and nothing else of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]

APPLICATION = """
import os
from interactor_ext import get_client
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier

def greet(user_id):
    user = get_client().namespace(user_id)
    bot = user.assistants.create(name="Greeter", model="gpt-4", system_prompt="Greet.")
    room = user.rooms.create(assistant_id=bot.id)
    return user.messages.send(room.id, content="Hello!").content

def receiver(reconnect):
    router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]), store=MemoryEventStore())
    router.on("credential.expired")(lambda event: reconnect(event.data.credential_id))
    return router
"""
TESTS = """
import asyncio
import pytest
from application import greet, receiver
from interactor_ext import APIConnectionError, InteractorClient, NotFoundError, RateLimitError

def test_the_application(interactor_sandbox):
    assert greet("user_1") == "Greeter here. You said: Hello!"
    assert [request.operation for request in interactor_sandbox.requests][-1] == "send_message"

def test_nothing_is_left_of_another_test(interactor_client):
    assert interactor_client.namespace("user_1").assistants.list().data == []
    with pytest.raises(NotFoundError):
        interactor_client.namespace("user_1").rooms.get("room_1")

def test_a_fault(interactor_sandbox, interactor_client):
    interactor_sandbox.faults.add("list_tools", status=429, retry_after=9, times=None)
    with pytest.raises(RateLimitError) as error:
        interactor_client.with_options(max_retries=0).tools.list()
    assert error.value.retry_after == 9

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_async(async_interactor_client):
    names = ("a", "b", "c")
    make = async_interactor_client.namespace("user_1").assistants.create
    made = await asyncio.gather(*(make(name=name, model="gpt-4", system_prompt="") for name in names))
    assert [assistant.name for assistant in made] == list(names)

def test_a_webhook(interactor_webhook):
    asked = []
    router = receiver(asked.append)
    delivery = interactor_webhook("credential.expired", {"credential_id": "cred_7"})
    assert delivery.send(router.asgi).status == 200
    assert delivery.send(router.wsgi).status == 200
    assert delivery.tampered().send(router.wsgi).status == 401
    assert asked == ["cred_7"]

def test_the_platform_is_out_of_reach():
    with InteractorClient(client_id="client_7f3a", client_secret="cs_9b2e") as client:
        with pytest.raises(APIConnectionError, match="real platform"):
            client.assistants.list()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_contains_needed_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "[pytest11]\ninteractor = interactor_ext.pytest_plugin" in archive.read(entry_points).decode()
    needed = ("interactor_client/openapi.json", "interactor_client/py.typed", "interactor_ext/py.typed")
    assert {*needed, "interactor_ext/cli/quickstart.py"} <= {*names}
    # The relay serves them.
    static = (ROOT / "interactor_ext" / "relay" / "static").iterdir()
    assert {f"interactor_ext/relay/static/{path.name}" for path in static} <= {*names}
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "interactor_client",
        "interactor_ext",
        "interactor_sdk",
    }


def test_separate_project_with_plugin_passes(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip(python, "install", "--quiet", f"interactor-sdk[sandbox] @ {wheel.as_uri()}", "pytest")
    project = tmp_path / "project"
    project.mkdir()
    (project / "application.py").write_text(APPLICATION)
    (project / "test_application.py").write_text(TESTS)
    done = subprocess.run(
        [python, "-X", "dev", "-m", "pytest", "-W", "error"],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON"))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run([python, "-m", "pip", *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
