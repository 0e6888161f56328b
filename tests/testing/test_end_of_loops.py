"""The end of an event loop that another library keeps: nothing is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.testing.test_pytest_plugin import AUTO, run

USE = """
import asyncio
from interactor_ext import AsyncInteractorClient, get_async_client
async def use(client):
    user = client.namespace("user_1")
    bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
    room = await user.rooms.create(assistant_id=bot.id)
    async with user.chat(room.id, "Hello") as reply:
        assert (await reply.message()).content
"""
PROGRAMS = {
    "nest_asyncio": "import nest_asyncio\nnest_asyncio.apply()\nasyncio.run(use(get_async_client()))",
    "a client that is dropped between two runs": """
with asyncio.Runner() as runner:
    client = AsyncInteractorClient()
    runner.run(use(client))
    del client
""",
}


def test_session_loop_of_pytest_asyncio_ends_silently(tmp_path: Path) -> None:
    """After this test, which is the last one, the loop runs for nothing but its own end."""
    test = "async def test_it(interactor_sandbox):\n    await use(get_async_client())\n"
    ini = AUTO.replace("function", "session") + "asyncio_default_test_loop_scope = session\n"
    output, status = run(tmp_path, plugins="-p asyncio", ini=ini, test_it=USE + test)
    assert status == 0, output
    assert " 1 passed in " in output.splitlines()[-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_ends_silently(interactor_sandbox: Sandbox, name: str) -> None:
    if name == "nest_asyncio":
        pytest.importorskip("nest_asyncio", reason="pip install nest-asyncio")
        if sys.version_info >= (3, 14):
            pytest.skip("nest_asyncio is no longer maintained, and fails on Python 3.14")
    command = [sys.executable, "-c", USE + PROGRAMS[name]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
