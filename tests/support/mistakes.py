"""The mistakes of docs/how-to/mistakes.txt, which its page includes: makes each, and compares the message with its row.

`python -m tests.support.mistakes` rewrites the messages. A new mistake is a row of the file, with any message.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import json
import os
import re
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from interactor_ext import AsyncInteractorClient, InteractorClient, ToolSet, reset_clients
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import PlatformGuard, WebhookFactory, recorder
from interactor_ext.testing.environment import environment_of
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "mistakes.txt"
SECRET = "whsec_for_tests"
ROW = re.compile(r"^\| (?P<code>`.+`) \| (?P<message>.+) \|$", re.MULTILINE)
# Environment variables that are missing for a mistake.
UNSET = {
    "InteractorClient()": ("INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET"),
    "InteractorClient().assistants.list()": ("INTERACTOR_CORE_API_URL", "INTERACTOR_ACCOUNT_SERVER_URL"),
}

# What differs in each run, and how the page shows it.
_CHANGING = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8765"),
    (r"\breq_[0-9a-f]+", "req_8Kp2"),
    (r"\broom_[0-9a-f]+", "room_4Kd9"),
    (r"\. Did you mean '\w+'\?", ""),  # Python 3.13 suggests a keyword by itself
    (r"There is no cassette \S+/", "There is no cassette tests/cassettes/"),
    # Python 3.14 says these in words of its own.
    (
        r"TypeError: '[\w.]*?(\w+)' object does not support the asynchronous context manager .* to use 'with'\?",
        r"WrongWithError: \1 is sync: write `with`, not `async with`, or use AsyncInteractorClient",
    ),
    (
        r"TypeError: '[\w.]*?(\w+)' object does not support the context manager protocol .* to use 'async with'\?",
        r"WrongWithError: \1 is async: write `async with`, not `with`, or use InteractorClient",
    ),
    (r"'(\w+)' object can't be awaited", r"object \1 can't be used in 'await' expression"),
)


def mistakes() -> dict[str, str]:
    """The cells of the tables: mistake and message."""
    return {row["code"]: row["message"] for row in ROW.finditer(PAGE.read_text())}


def message_of(cell: str, sandbox: Sandbox) -> str:
    """Make the mistake of a cell, and return the cell with its message, preceded by the error's type."""
    mistake = cell.strip("`").replace("`<br>`", "\n")
    sandbox.reset()
    with patch.dict(os.environ):
        for name, value in environment_of(sandbox).items():
            os.environ.pop(name, None)
            if value is not None and name not in UNSET.get(mistake, ()):
                os.environ[name] = value
        message = _made(mistake, sandbox)
    for pattern, text in _CHANGING:
        message = re.sub(pattern, text, message)
    fence, space = ("``", " ") if "`" in message else ("`", "")
    return "<br>".join(f"{fence}{space}{line}{space}{fence}" for line in message.split("\n"))


def _made(mistake: str, sandbox: Sandbox) -> str:
    netloc = sandbox.core_api_url.split("/")[2]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(mistake.replace("127.0.0.1:8765", netloc), "mistake", "exec", flags, dont_inherit=True)
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
        names = _names(sandbox, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(reset_clients)
        stack.callback(lambda: asyncio.run(names["async_client"].aclose()))
        stack.callback(names["client"].close)
        try:
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, names))
            else:
                exec(code, names)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            if "async_user" in mistake:
                gc.collect()  # otherwise its coroutine would warn outside of this block
    raise AssertionError(f"{mistake} isn't a mistake")


def _names(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    client, async_client = sandbox.client(max_retries=0), sandbox.async_client(max_retries=0)
    user = client.namespace("user_123")
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
    verifier, make = WebhookVerifier(SECRET), WebhookFactory(SECRET)
    return {
        "AsyncInteractorClient": AsyncInteractorClient,
        "InteractorClient": InteractorClient,
        "Sandbox": Sandbox,
        "WebhookRouter": WebhookRouter,
        "WebhookVerifier": WebhookVerifier,
        "async_client": async_client,
        "async_user": async_client.namespace("user_123"),
        "bot": bot,
        "client": client,
        "delivery": make("credential.expired"),
        "interactor_vcr": recorder(folder),
        "interactor_webhook": make,
        "json": json,
        "os": os,
        "room": user.rooms.create(assistant_id=bot.id),
        "router": WebhookRouter(verifier, store=MemoryEventStore()),
        "sandbox": sandbox,
        "tools": ToolSet(),
        "user": user,
        "verifier": verifier,
    }


def main() -> None:
    guard = PlatformGuard()
    guard.up()
    with Sandbox().run() as sandbox:
        messages = {mistake: message_of(mistake, sandbox) for mistake in mistakes()}
    PAGE.write_text(ROW.sub(lambda row: f"| {row['code']} | {messages[row['code']]} |", PAGE.read_text()))


if __name__ == "__main__":
    main()
