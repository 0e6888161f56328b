"""`pytest --interactor-explore` in projects of their own, by the plugin's options alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


def explore(folder: Path, *options: str, **files: str) -> str:
    """The output of pytest in a project of these files."""
    for name, text in {**files, "pytest": INI}.items():
        (folder / f"{name}{'.ini' if name == 'pytest' else '.py'}").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "interactor", "-p", "pytest_asyncio.plugin", *options]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    print(done.stdout + done.stderr)  # for whoever sees a test of this module fail
    return done.stdout + done.stderr


def section(output: str, test: str) -> str:
    """The report of a test."""
    return re.split(r"^_{3,} |^={3,} ", output.partition(f" {test} _")[2], flags=re.MULTILINE)[0].lstrip("_\n")


def survivors(output: str) -> dict[str, bool]:
    """The explored tests, and whether they have survived."""
    explored = re.findall(r"^test_\w+\.py::(\S+): \d+ schedule", output, re.MULTILINE)
    return {test: f"::{test} - " not in output for test in explored}


REQUESTS = """
import asyncio, threading, time, uuid
import pytest
from interactor_ext import InteractorError, get_client

made = []

def create(**options):
    user = get_client(max_retries=0).namespace(f"user_{uuid.uuid4()}").with_options(**options)
    for attempt in range(3):
        try:
            return user.assistants.create(name="Bot", model="m", system_prompt="")
        except InteractorError:
            time.sleep(2**attempt)
    raise RuntimeError("given up")

def test_with_key(interactor_sandbox):
    made.append(create(idempotency_key="k"))
    assert len(made) == 1  # a global is as new in each run

def test_without_key(interactor_sandbox):
    create()

def test_expectation(interactor_client, interactor_explore):
    interactor_explore.expect(lambda world: len(world.requests) == 2)
    interactor_client.namespace("user_1").tools.list()

async def test_async(async_interactor_client):
    user = async_interactor_client.namespace("user_1").with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await user.tools.list()
        except InteractorError:
            await asyncio.sleep(2**attempt)

def test_thread(interactor_client):
    user = interactor_client.namespace("user_1").with_options(max_retries=0)
    thread = threading.Thread(target=user.tools.list)
    thread.start()
    thread.join()

@pytest.mark.xfail(strict=True)
def test_fails_undisturbed(interactor_client):
    assert interactor_client.namespace("user_1").tools.list().data

def test_without_platform():
    pass
"""
WITHOUT_KEY = """\
It fails under 3 of 13 schedules.

request                             refused  lost  limited  unavailable  slow  cut   revoked
r1       create_token               .        .     .        .            .     .
r2       create_assistant (user_*)  .        FAIL  .        .            FAIL  FAIL  .

r2:lost, r2:slow, r2:cut
  Created 2 times on the platform, not 1: assistant {"model": "m", "name": "Bot", "system_prompt": ""} of namespace \
'user_*'

The smallest failing schedule is r2:lost:
  r2:lost  r.create_assistant.1@user_*: the request takes effect, and its answer is lost
  r1 create_token -> r2 create_assistant [LOST] -> r.create_assistant.2@user_*

Repeat it with:
  pytest test_r.py::test_without_key --interactor-schedule=r2:lost
"""


def test_requests(tmp_path: Path) -> None:
    output = explore(tmp_path, "--interactor-explore", test_r=REQUESTS)
    survived = {"test_with_key": True, "test_async": True}
    assert survivors(output) == {**survived, "test_without_key": False, "test_expectation": False, "test_thread": False}
    assert section(output, "test_without_key") == WITHOUT_KEY
    assert "What the test expects does not hold" in section(output, "test_expectation")
    assert "Raised in the background: interactor_ext.APITimeoutError" in section(output, "test_thread")
    assert "1 xfailed" in output
