"""Mistakes that users make, what makes each of them, and the page with their messages, docs/how-to/mistakes.md.

`python -m tests.support.mistakes` writes the page anew.
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
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from interactor_ext import AsyncInteractorClient, InteractorClient, ToolSet, reset_clients
from interactor_ext._config import _checks
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import PlatformGuard, WebhookFactory, recorder
from interactor_ext.testing.environment import environment_of
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "mistakes.md"
SECRET = "whsec_for_tests"


class Mistake(NamedTuple):
    code: str
    """One line, as on the page."""
    unset: tuple[str, ...] = ()
    """Environment variables that are missing."""


TABLE: dict[str, tuple[Mistake, ...]] = {
    "Configuration": (
        Mistake("InteractorClient()", unset=("INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET")),
        Mistake('InteractorClient(api_key="key_1")'),
        Mistake('InteractorClient(environment="staging")'),
        Mistake('InteractorClient(client_secret="cs_9b2e\\n")'),
        Mistake('InteractorClient(client_secret="cs_of_another").assistants.list()'),
        Mistake('InteractorClient(core_api_url="http://core.example.com/api/v1")'),
        Mistake('InteractorClient(core_api_url="http://127.0.0.1:8765").assistants.list()'),
        Mistake('InteractorClient(core_api_url="https://127.0.0.1:8765/api/v1").assistants.list()'),
        Mistake("InteractorClient(timeout=30000)"),
        Mistake('InteractorClient(scopes="rooms:read").assistants.list()'),
    ),
    "Namespaces and ids": (
        Mistake('user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.", namespace="user_123")'),
        Mistake('client.namespace("")'),
        Mistake('client.namespace = "user_123"'),
        Mistake("client.rooms.get(room.id)"),
        Mistake('client.namespace("user_456").rooms.get(room.id)'),
        Mistake("user.rooms.get(room)"),
        Mistake('user.rooms.get("")'),
    ),
    "Sync and async": (
        Mistake("async with InteractorClient() as client: ..."),
        Mistake("with AsyncInteractorClient() as client: ..."),
        Mistake("async_user.assistants.list().data"),
        Mistake("for bot in async_user.assistants.iterate(): ..."),
        Mistake("await async_user.messages.list(async_user.rooms.get(room.id))"),
        Mistake("client.close(); client.assistants.list()"),
    ),
    "Calls and pages": (
        Mistake("user.assistants.list(limit=10)"),
        Mistake("user.assistants.list(timeout=5)"),
        Mistake("user.assistants.list(per_page=500)"),
        Mistake("user.rooms.create(assistant_id=bot.id, metadata={'tags': {'vip'}})"),
        Mistake("user.rooms.create(assistant_id=bot)"),
        Mistake('client.with_options(headers={"Authorization": "Bearer tok_1"})'),
        Mistake('client.request("GET", "assistants")'),
    ),
    "Streams, chat and tools": (
        Mistake("for event in user.rooms.stream(room.id): ..."),
        Mistake("with async_user.rooms.stream(room.id) as stream: ..."),
        Mistake('user.chat(room.id, "Hello!").message()'),
        Mistake('user.chat(room.id, "What time is it?", tools=["get_time"])'),
        Mistake("@tools.tool\ndef get_time(zone): ..."),
        Mistake('user.wait_for_workflow("wfi_6Py1", until="done")'),
    ),
    "Webhooks": (
        Mistake('@router.on("credential.expire")\ndef reconnect(event): ...'),
        Mistake("@router.on\ndef reconnect(event): ..."),
        Mistake('WebhookVerifier(os.environ.get("WEBHOOK_SECRET"))'),
        Mistake("verifier.verify(json.loads(delivery.body), delivery.headers)"),
        Mistake('WebhookVerifier("whsec_of_another").verify(delivery.body, delivery.headers)'),
    ),
    "Sandbox and tests": (
        Mistake("Sandbox().client()"),
        Mistake('sandbox.faults.add("list_tool", status=500)'),
        Mistake('interactor_webhook("credential.expire")'),
        Mistake('interactor_webhook("credential.expired", {"credentialId": "cred_7"})'),
        Mistake(
            "InteractorClient().assistants.list()", unset=("INTERACTOR_CORE_API_URL", "INTERACTOR_ACCOUNT_SERVER_URL")
        ),
        Mistake('with interactor_vcr.use_cassette("new"): client.assistants.list()'),
    ),
}

INTRODUCTION = """\
# Mistakes and their messages

Mistakes that are made often, each with the message that it gives: search this page for the words of yours. A message
says what happened, to which request, and what to do. `TypeError`, `ValueError` and `ConfigurationError` come before
anything is sent.

`user` is `client.namespace("user_123")`, `bot` and `room` are an assistant and a room of that namespace; `async_user`
is the same of an `AsyncInteractorClient`. Ids, ports and paths are examples.
"""
NOTES = {
    "Namespaces and ids": """
For a keyword that a method does not take, the message is Python's own. A namespace makes a view, which has the same
methods: `client.namespace("user_123").assistants.create(...)`.
""",
    "Sync and async": """
Two of these messages are Python's own, and leave it to you what is missing:
`(await async_user.assistants.list()).data`, and `async for bot in async_user.assistants.iterate(): ...`.
""",
    "Calls and pages": """
`list` takes `per_page`. Options such as `timeout` make a view: `user.with_options(timeout=5).assistants.list()`.
""",
}
END = """
What the errors of calls have in common, and how to catch them: [Handle errors](errors.md).
"""

# What is another in each run, and how the page has it.
_CHANGING = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8765"),
    (r"\breq_[0-9a-f]+", "req_8Kp2"),
    (r"\broom_[0-9a-f]+", "room_4Kd9"),
    (r"There is no cassette \S+/", "There is no cassette tests/cassettes/"),
)


def message_of(mistake: Mistake, sandbox: Sandbox, set_variable: Callable[[str, str | None], object]) -> str:
    """Make the mistake, and return what it says, its type before it."""
    for name, value in environment_of(sandbox).items():
        set_variable(name, None if name in mistake.unset else value)
    netloc = sandbox.core_api_url.split("/")[2]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(mistake.code.replace("127.0.0.1:8765", netloc), "mistake", "exec", flags, dont_inherit=True)
    _checks._warn_of_milliseconds.cache_clear()
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
            message = f"{type(error).__name__}: {error}"
        else:
            raise AssertionError(f"{mistake.code} is no mistake")
        if "async_user" in mistake.code:
            gc.collect()  # or its coroutine would warn outside this block
    for pattern, text in _CHANGING:
        message = re.sub(pattern, text, message)
    return message


def _names(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    client, async_client = sandbox.client(max_retries=0), sandbox.async_client(max_retries=0)
    user = client.namespace("user_123")
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
    verifier, make = WebhookVerifier(SECRET), WebhookFactory(SECRET)
    return {
        "AsyncInteractorClient": AsyncInteractorClient,
        "InteractorClient": InteractorClient,
        "Sandbox": Sandbox,
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


def row(mistake: Mistake, message: str) -> str:
    return f"| {_cell(mistake.code)} | {_cell(message)} |"


def _cell(text: str) -> str:
    """Code in a cell of a table, in which a line break is written as such."""
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return "<br>".join(f"{fence}{space}{line}{space}{fence}" for line in text.split("\n"))


def page(messages: dict[Mistake, str]) -> str:
    text = INTRODUCTION
    for title, mistakes in TABLE.items():
        rows = [row(mistake, messages[mistake]) for mistake in mistakes]
        text += "\n".join([f"\n## {title}", "", "| mistake | message |", "|---|---|", *rows, ""]) + NOTES.get(title, "")
    return text + END


def main() -> None:
    def set_variable(name: str, value: str | None) -> None:
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value

    guard = PlatformGuard()
    guard.up()
    messages = {}
    for mistakes in TABLE.values():
        for mistake in mistakes:
            with Sandbox().run() as sandbox:
                messages[mistake] = message_of(mistake, sandbox, set_variable)
    PAGE.write_text(page(messages))


if __name__ == "__main__":
    main()
