"""Clients that an application makes when it is imported, in a run of pytest whose only setting is the guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from interactor_ext.testing.environment import PLACEHOLDERS
from tests.testing.test_pytest_plugin import AUTO, run

GUARDED = f"{AUTO}interactor_guard = true\n"

# As the module of an application, and as `AppConfig.ready()`.
APPLICATION = """
from interactor_ext import AsyncInteractorClient, InteractorClient, get_client, validate_env
validate_env()
client, async_client = InteractorClient(), AsyncInteractorClient(timeout=5)
shared = get_client(namespace="org_1", deadline=30)
user = client.namespace("user_1")
"""
TEST = """
import os
import pytest
from interactor_ext.testing import PlatformRefused
from application import async_client, client, get_client, shared, user

def test_without_the_fixture():
    with pytest.raises(PlatformRefused, match="Request the fixture `interactor_sandbox`"):
        client.assistants.list()
    with pytest.raises(PlatformRefused, match="Request the fixture `interactor_sandbox`"):
        shared.assistants.list()

async def test_without_the_fixture_async():
    with pytest.raises(PlatformRefused, match="Request the fixture `interactor_sandbox`"):
        await async_client.assistants.list()

@pytest.mark.parametrize("number", [1, 2])
async def test_with_the_fixture(interactor_sandbox, number):
    for view in (user, shared):
        assert view.assistants.list().data == []
        bot = view.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        room = view.rooms.create(assistant_id=bot.id)
        with view.chat(room.id, "Hello") as reply:
            assert reply.message().content
    assert len((await async_client.namespace("user_1").assistants.list()).data) == 1
    assert get_client() is shared is get_client(namespace="org_1", deadline=30)

@pytest.mark.live
def test_live():
    assert not [name for name in os.environ if name.startswith("INTERACTOR_C")]
"""
OVERRIDDEN = """
import pytest
from interactor_ext.sandbox import Sandbox
@pytest.fixture(scope="session")
def interactor_sandbox_server():
    with Sandbox(client_id="ours", client_secret="our_secret").run() as sandbox:
        yield sandbox
"""


@pytest.mark.parametrize("conftest", ["", OVERRIDDEN])
def test_clients_of_modules_reach_the_sandbox_of_the_fixture_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conftest: str
) -> None:
    for name in (*PLACEHOLDERS, "INTERACTOR_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    files = {"application": APPLICATION, "conftest": conftest, "test_it": TEST}
    output, status = run(tmp_path, plugins="-p asyncio", ini=GUARDED, **files)
    assert (status, "5 passed" in output) == (0, True), output


# It closes the client when it ends, and its relay asks for it.
WEB_APPLICATION = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from interactor_ext import get_async_client
from interactor_ext.relay import Relay

@asynccontextmanager
async def lifespan(app):
    async with get_async_client():
        yield

get_async_client(deadline=30)
app = FastAPI(lifespan=lifespan)
app.mount("/relay", Relay(get_async_client, authorize=lambda scope: "user_1"))
"""
TEST_OF_WEB = """
import pytest
from fastapi.testclient import TestClient
from web import app, get_async_client

@pytest.mark.parametrize("number", [1, 2, 3])
def test_app(interactor_sandbox, interactor_client, number):
    assert get_async_client().config.deadline == 30
    with TestClient(app, base_url="http://localhost", headers={"origin": "http://localhost"}) as browser:
        assert browser.get("/relay/rooms").json()["data"] == []
        user = interactor_client.namespace("user_1")
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        assert browser.post("/relay/rooms", json={"assistant_id": bot.id}).status_code == 201
"""


def test_application_that_closes_its_shared_client_is_tested_more_than_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PLACEHOLDERS, "INTERACTOR_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    output, status = run(tmp_path, plugins="-p asyncio", ini=GUARDED, web=WEB_APPLICATION, test_it=TEST_OF_WEB)
    assert (status, "3 passed" in output) == (0, True), output
