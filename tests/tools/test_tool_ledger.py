"""A ledger of tool calls: none is run twice, whatever dies, and each unknown outcome is reported."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import interactor_ext.tools._ledger as _ledger
from interactor_client.models import Message
from interactor_ext import ConfigurationError, InteractorError, ToolSet
from interactor_ext.sandbox import Sandbox
from interactor_ext.tools._calls import is_finished
from interactor_ext.webhooks import MemoryEventStore, PostgresEventStore, RedisEventStore, SQLiteEventStore
from tests.support.conversations import NAMESPACE, asked, chat, room_with
from tests.support.modes import call, sync_and_async
from tests.support.tool_steps import STEPS, Runner

pytest_plugins = [
    *("tests.support.sandbox_fixtures", "tests.support.conversation_fixtures", "tests.support.server_fixtures")
]
pytestmark = pytest.mark.usefixtures("short_pauses")
# `make nightly` sets INTERACTOR_EXAMPLES: 200 kills for each ledger.
ROUNDS = 25 if "INTERACTOR_EXAMPLES" in os.environ else 1


@pytest.fixture
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    if request.param == "sqlite":
        return lambda: SQLiteEventStore(tmp_path / "ledger.db")
    if request.param == "redis":
        from redis import Redis

        socket = request.getfixturevalue("redis_socket")
        return lambda: RedisEventStore(Redis(unix_socket_path=socket))
    dsn = request.getfixturevalue("postgres").dsn
    with PostgresEventStore(dsn) as store:
        store.create()
    return lambda: PostgresEventStore(dsn)


@pytest.mark.full
@pytest.mark.parametrize("tool", ["charge", "charge_again"])
@pytest.mark.parametrize("open_ledger", ["sqlite", "redis", "postgres"], indirect=True)
def test_call_is_run_once_although_its_process_is_killed_at_any_step(
    tool: str, open_ledger: Callable[[], Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    tools = ToolSet()
    tools.tool(name=tool, description="Charges the customer.")(lambda: None)
    room = room_with(sandbox, tools)
    settings = sandbox._with_connection({"namespace": NAMESPACE})
    effects = tmp_path / "effects"
    for killed_at in STEPS * ROUNDS:
        effects.write_text("")
        with sandbox.client(namespace=NAMESPACE) as user:
            (pending,) = user.messages.send(room, f"/tool {tool}").tool_calls or ()
        arguments = (settings, open_ledger, effects, pending, room)
        claim = Runner(*arguments).kill_at(killed_at)
        unknown = Runner(*arguments, claim).finish()
        keys = effects.read_text().split()
        with sandbox.client(namespace=NAMESPACE) as user:
            (done,) = [
                each
                for message in user.messages.iterate(room)
                for each in message.tool_calls or ()
                if each.id == pending.id
            ]
        assert is_finished(done)
        if tool == "charge_again":
            assert len(keys) == (2 if killed_at == "acted" else 1)
            assert len(set(keys)) == 1
            assert (unknown, done.result) == ([], "charged")
        elif killed_at in ("begun", "act", "acted"):
            assert len(keys) == (killed_at == "acted")
            assert unknown == [pending.id]
            assert done.result["error"]["type"] == "outcome_unknown"
        else:
            assert (len(keys), unknown, done.result) == (1, [], "charged")


@sync_and_async
def test_two_sets_with_one_ledger_run_a_call_once(mode: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two processes do: a chat in one, a webhook handler in the other, which comes while the function runs."""
    monkeypatch.setattr(_ledger, "_POLL_PAUSE", 0.01)
    ledger, runs, running, joined = MemoryEventStore(), [], threading.Event(), threading.Event()
    sets = [ToolSet(ledger=ledger), ToolSet(ledger=ledger)]
    for tools in sets:

        @tools.tool
        def charge() -> str:
            """Charges the customer."""
            runs.append(1)
            running.set()
            assert joined.wait(60)
            return "charged"

    class Watched(MemoryEventStore):
        def claim(self, key: str, token: str, lease: float) -> Any:
            state = ledger.claim(key, token, lease)
            joined.set()
            return state

    room = room_with(sandbox, sets[0])
    answers = []

    def handle() -> None:
        assert running.wait(60)
        sets[1] = ToolSet(ledger=Watched())
        sets[1].tool(charge)
        with sandbox.client(namespace=NAMESPACE) as user:
            (pending,) = [each for each in user.messages.list(room).data if each.tool_calls]
            answers.append(sets[1].run(user, (pending.tool_calls or [])[0], room_id=room))

    handler = threading.Thread(target=handle)
    handler.start()
    outcome = chat(mode, sandbox, room, "/tool charge", tools=sets[0])
    handler.join(60)
    assert outcome.error is None
    assert runs == [1]
    assert [type(answer) for answer in answers] == [Message]
    assert [request.status for request in asked(sandbox, "submit_tool_result")] == [200]


@sync_and_async
def test_unknown_outcome_is_logged_listed_and_told_to_the_model(
    mode: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Begun(MemoryEventStore):
        """Of a process that has died while the function ran."""

        def complete(self, key: str, token: str) -> bool:
            return super().complete(key, token) and not key.endswith(":begun")

    tools, runs = ToolSet(ledger=Begun()), []

    @tools.tool
    def charge() -> None:
        """Charges the customer."""
        runs.append(1)

    room = room_with(sandbox, tools)
    outcome = chat(mode, sandbox, room, "/tool charge", tools=tools)
    assert "The outcome is unknown" in outcome.text
    assert runs == []
    (unknown,) = tools.unknown()
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "interactor.tools"
    assert unknown.id in record.message


@sync_and_async
def test_call_of_a_chat_that_has_died_is_resumed_once(mode: str, sandbox: Sandbox) -> None:
    tools, runs = ToolSet(ledger=MemoryEventStore()), []

    @tools.tool
    def charge() -> str:
        """Charges the customer."""
        runs.append(1)
        return "charged"

    room, settings = room_with(sandbox, tools), sandbox._with_connection({"namespace": NAMESPACE})
    with sandbox.client(namespace=NAMESPACE) as user:
        user.messages.send(room, "/tool charge")  # by a process that ended before it ran the tool
    (message,) = call(mode, settings, lambda user: tools.resume(user, room))
    assert "charged" in message.content
    assert call(mode, settings, lambda user: tools.resume(user, room)) == []
    assert runs == [1]
    for wrong in ("redis://localhost", SQLiteEventStore, 5):
        with pytest.raises(
            ConfigurationError,
            match=r"ledger must be .* methods `claim`, `complete`, not .* Write ledger=SQLiteEventStore",
        ):
            ToolSet(ledger=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"tools\.resume needs a ledger"):
        call(mode, settings, lambda user: ToolSet().resume(user, room))


@sync_and_async
def test_call_is_not_run_while_the_ledger_fails(mode: str, sandbox: Sandbox) -> None:
    class Away(MemoryEventStore):
        def claim(self, key: str, token: str, lease: float) -> Any:
            raise OSError("password=secret")

    tools, runs = ToolSet(ledger=Away()), []
    tools.tool(description="Charges the customer.", name="charge")(lambda: runs.append(1))
    room = room_with(sandbox, tools)
    outcome = chat(mode, sandbox, room, "/tool charge", tools=tools)
    assert type(outcome.error) is InteractorError
    assert "The ledger failed (OSError), so the tool charge didn't run" in str(outcome.error)
    assert isinstance(outcome.error.__cause__, OSError)
    assert runs == []
    assert call(mode, sandbox._with_connection({"namespace": NAMESPACE}), lambda user: tools.pending(user, room)) == []
