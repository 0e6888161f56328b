"""A preloaded application under gunicorn's gevent worker, which patches Python after the SDK was imported."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.served import GUNICORN, Served, needs

pytestmark = pytest.mark.full

CHATS = 8
APPLICATION = """
from interactor_ext import get_client
from interactor_ext.tools import ToolSet

tools = ToolSet()

@tools.tool
def add(a: int, b: int) -> int:
    "Add."
    return a + b

@tools.tool
async def multiply(a: int, b: int) -> int:
    "Multiply."
    return a * b

def chat(*questions):
    user = get_client().namespace("user_1")
    ids = [tool.id for tool in tools.register(user)]
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="", tools=ids)
    room = user.rooms.create(assistant_id=bot.id)
    user.chat(room.id, "One that is dropped.").__enter__()
    for question in questions:
        with user.chat(room.id, question, tools=tools) as reply:
            yield reply.message().content.encode()

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b", ".join(chat("Hello", "the sum", "the product"))]

list(chat("In the process that forks the workers."))
"""


def test_chats_at_once_in_a_gevent_worker_of_a_preloaded_application(
    interactor_sandbox: Sandbox, tmp_path: Path
) -> None:
    """With tools, whose functions run in threads and in the event loop of a thread: greenlets there."""
    needs(["gevent", "gunicorn"])
    interactor_sandbox.replies.add(when="the sum", call=("add", {"a": 3, "b": 4}))
    interactor_sandbox.replies.add(when="the product", call=("multiply", {"a": 3, "b": 4}))
    (tmp_path / "application.py").write_text(APPLICATION)
    command = [*GUNICORN, "--worker-class", "gevent", "--preload", "application:application"]
    served = Served(command, {}, tmp_path)
    try:
        with ThreadPoolExecutor(CHATS) as pool:
            answers = list(pool.map(lambda _: httpx.get(served.origin, timeout=120), range(CHATS)))
    except httpx.TransportError as error:
        pytest.fail(f"{error!r}: {served.printed()}")
    finally:
        served.close()
    texts = {answer.text for answer in answers}
    assert texts == {"Bot here. You said: Hello, Bot here. add returned 7., Bot here. multiply returned 12."}
    assert "Traceback" not in served.printed()
