"""The data file across restarts and kills, and damaged files."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import ConfigurationError
from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform import state
from tests.support import patient
from tests.support.ports import free_port
from tests.support.sandbox_caller import (
    WAITING,
    Caller,
    connect,
    control_url,
    fetch_token,
    listening,
    problem,
    revoke,
    sandbox_process,
    waiting_replies,
    workflow_of,
)
from tests.support.scripted_server import receiving
from tests.support.waiting import eventually

WORKFLOW = workflow_of(*WAITING)
HOOK = {"url": "http://127.0.0.1:9/hook", "events": ["room.message.created"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "platform.db"


def test_data_file_restores_state_after_restart(path: Path) -> None:
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room()
        caller.say(room, "Hello")
        messages = caller.messages(room)
        hook = caller.make("/webhooks", **HOOK)
        credential = sandbox.add_credential("google", namespace="user_1")
        provider_token = caller.read(f"/credentials/{credential['id']}/token")["access_token"]
        caller.delete(f"/tools/{caller.tool()['id']}")
        halted = caller.start()
        token, revoked = (fetch_token(sandbox) for _ in range(2))
        revoke(sandbox, revoked)
    # The old one is held on purpose: the file is free once it is served no more.
    with Sandbox(data=path).run() as again, Caller(again, token=token) as caller:
        assert caller.read("/rooms") == [room]
        assert caller.messages(room) == messages
        assert caller.read("/tools") == []
        assert [each["id"] for each in caller.read("/webhooks")] == [hook["id"]]
        assert caller.read(f"/credentials/{credential['id']}/token")["access_token"] == provider_token
        stream_path = f"/workflow-instances/{halted['id']}/stream"
        assert caller.read(f"/workflow-instances/{halted['id']}")["status"] == "halted"
        with listening(caller, stream_path) as stream:
            answer = caller.post(f"/workflow-instances/{halted['id']}/input", json={"ok": True})
            assert answer.json()["data"]["status"] == "completed"
            assert stream.end()[-1] == {"type": "done"}
        with Caller(again, token=revoked) as stranger:
            problem(stranger.get("/rooms"), 401, "AUTH_ERROR")
    with Sandbox(data=path).run() as third, Caller(third) as caller:
        assert caller.get(stream_path).status_code == 204


def test_idempotency_key_survives_restart(path: Path) -> None:
    headers, body = {"idempotency-key": "k"}, {"name": "Bot", "model": "gpt-4", "system_prompt": "Help."}
    answers = []
    for _ in range(2):
        with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
            answers.append(caller.post("/assistants", json=body, headers=headers).content)
            refused = caller.post("/assistants", json={**body, "name": "Bob"}, headers=headers)
            problem(refused, 409, "CONFLICT")
            assert len(caller.read("/assistants")) == 1
    assert answers[0] == answers[1]


def test_waiting_messages_leave_no_partial_write_after_kill(path: Path, tmp_path: Path) -> None:
    """No message without the stored response of its key, and no tool result without the reply that follows."""
    killed = tmp_path / "killed.db"
    with Sandbox(data=path, word_delay=0.2).run() as sandbox, Caller(sandbox) as caller, ThreadPoolExecutor(2) as pool:
        room = caller.room_with_tools("t")["id"]
        messages, results = f"/rooms/{room}/messages", f"/rooms/{room}/tool-results"
        asking = caller.make(messages, content="/tool t")
        result = {"tool_call_id": asking["tool_calls"][0]["id"], "result": 1}
        pay, key = {"content": "pay 100 EUR"}, {"idempotency-key": "k"}
        caller.make(messages, content="word " * 100, stream=True)
        waiting = [
            pool.submit(caller.post, messages, json=pay, headers=key),
            pool.submit(caller.post, results, json=result),
        ]
        eventually(lambda: waiting_replies(sandbox, room) == 2)
        # What the file holds now is what a kill would leave.
        shutil.copy(path, killed)
        caller.delete(f"/rooms/{room}")
        assert [each.result().status_code for each in waiting] == [404, 404]
    with Sandbox(data=killed).run() as sandbox, Caller(sandbox) as caller:
        paid = [caller.post(messages, json=pay, headers=key).json()["data"] for _ in range(2)]
        assert paid[0] == paid[1]
        answer = caller.make(results, **result)
        assert answer["content"] == "Bot here. t returned 1."
        said = [each["content"] for each in caller.read(messages)]
        assert said[3:] == ["pay 100 EUR", "Bot here. You said: pay 100 EUR", "1", answer["content"]]


def test_pending_deliveries_are_sent_after_kill(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least once: the first attempt is interrupted by the kill, repeated and refused; the second succeeds."""
    monkeypatch.setattr(state, "RESTORE_DELAY", 0.0)
    with receiving() as (receiver, url):
        receiver.hang()
        receiver.answers.extend([500, 500])
        with sandbox_process("--data", str(path)) as (process, core), connect(core) as client:
            hook = client.post("/webhooks", json={"url": url, "events": ["workflow.instance.started"]}).json()["data"]
            workflow = client.post("/workflows", json=WORKFLOW).json()["data"]["id"]
            client.post("/workflow-instances", json={"workflow_id": workflow})
            receiver.wait(1)
            process.send_signal(signal.SIGKILL)
        receiver.go_on.set()
        with Sandbox(data=path).run() as sandbox:
            receiver.wait(2)
            sandbox.wait_for_deliveries(60)
            [refused] = sandbox.deliveries
            assert (refused.attempt, refused.status) == (1, 500)
        with Sandbox(data=path).run() as sandbox:
            sandbox.clock.advance(3600)
            assert len({got.verified(hook["secret"], sandbox).id for got in receiver.wait(3)[2:]}) == 1
            sandbox.wait_for_deliveries(60)
            assert [(each.id, each.attempt, each.status) for each in sandbox.deliveries] == [(refused.id, 2, 200)]
        with Sandbox(data=path).run() as sandbox:
            sandbox.clock.advance(86400)
            sandbox.wait_for_deliveries(60)
            assert list(sandbox.deliveries) == []
        assert len({json.loads(got.body)["id"] for got in receiver.got}) == 1


def test_wait_after_a_return_to_a_snapshot_includes_a_retry_that_is_due() -> None:
    with receiving() as (receiver, url), Sandbox().run() as sandbox, Caller(sandbox) as caller:
        receiver.answers.append(500)
        caller.make("/webhooks", url=url, events=["workflow.instance.started"])
        workflow = caller.make("/workflows", **WORKFLOW)["id"]
        caller.make("/workflow-instances", workflow_id=workflow)
        sandbox.wait_for_deliveries(60)
        receiver.hang()
        sandbox.clock.advance(3600)
        receiver.wait(2)
        snapshot = sandbox.snapshot()
        receiver.go_on.set()
        sandbox.wait_for_deliveries(60)
        sandbox.restore(snapshot)
        sandbox.wait_for_deliveries(60)
        assert len(receiver.got) == 3


@pytest.mark.parametrize("options", [(), ("--", sys.executable, "-c", "import time; time.sleep(600)")])
def test_terminated_process_closes_its_data_file(path: Path, options: tuple[str, ...]) -> None:
    with sandbox_process("--data", str(path), *options) as (process, core):
        if not options:
            with connect(core) as client:
                client.post("/tools", json={"name": "t", "description": "", "parameters": {}})
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size > 0


@pytest.mark.parametrize("frozen", [False, True])
def test_moved_clock_survives_restart_and_kill(path: Path, tmp_path: Path, frozen: bool) -> None:
    killed = tmp_path / "killed.db"
    with Sandbox(data=path).run() as sandbox:
        if frozen:
            sandbox.clock.freeze()
        answer = patient.post(f"{control_url(sandbox)}/clock", json={"advance": 1e6}).json()
        shutil.copy(path, killed)
    for file in (path, killed):
        again = Sandbox(data=file)
        if frozen:
            assert (again.clock.now(), again.clock.is_frozen) == (answer["now"], True)
        assert answer["now"] <= again.clock.now() < answer["now"] + 1000
        again.close()


def test_stream_resumes_after_restart(path: Path) -> None:
    """A reader ignores events with ids that it has seen, so ids must not be reused."""

    def say(sandbox: Sandbox, *words: str) -> None:
        for word in words:
            sandbox.emit(room, {"type": "message.delta", "content": word})

    port = free_port()
    with ExitStack() as client_lives:
        with Sandbox(data=path).run(port) as sandbox:
            with Caller(sandbox) as caller:
                room = caller.room()["id"]
            client = client_lives.enter_context(sandbox.client(namespace="user_1"))
            stream = client_lives.enter_context(client.rooms.stream(room))
            say(sandbox, "one", "two")
            words = [next(stream).content for _ in range(2)]
        with Sandbox(data=path).run(port) as sandbox:
            say(sandbox, "three", "four")
            words += [next(stream).content for _ in range(2)]
    assert words == ["one", "two", "three", "four"]


def test_data_file_is_open_in_one_sandbox_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """POSIX locks belong to the process: closing any file descriptor of the file would release them."""
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        with pytest.raises(OSError, match="another sandbox has it open"):
            Sandbox(data=path)
        assert main(["sandbox", "--port", "0", "--data", str(path)]) == 1
        assert "another sandbox" in capsys.readouterr().err
        command = [sys.executable, "-m", "interactor_ext.sandbox", "--port", "0", "--data", str(path)]
        other = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert (other.returncode, other.stderr.count("\n")) == (1, 1)
        assert "another sandbox has it open" in other.stderr
        caller.room()


def test_sandbox_served_again_reloads_changed_data_file(path: Path) -> None:
    sandbox = Sandbox(data=path)
    with sandbox.run(), Caller(sandbox) as caller:
        caller.room()
    with pytest.raises(RuntimeError, match="was closed"):
        sandbox.add_credential("google")
    with Sandbox(data=path).run() as other, Caller(other) as caller:
        rooms = [*caller.read("/rooms"), caller.room()]
    with sandbox.run(), Caller(sandbox) as caller:
        assert caller.read("/rooms") == rooms
        sandbox.reset()
    sandbox.close()
    with Sandbox(data=path).run() as other, Caller(other) as caller:
        assert caller.read("/rooms") == []


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be seen as one" * 20, None])
def test_foreign_file_raises_and_is_unchanged(path: Path, content: bytes | None) -> None:
    if content is None:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (a)")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="isn't the data file"):
        Sandbox(data=path)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="No such file"):
        Sandbox(data=path.parent / "nowhere" / "x.db")


@pytest.mark.parametrize("there", [False, True])
def test_data_file_is_readable_by_owner_only(path: Path, there: bool) -> None:
    if there:
        path.touch()
    for _ in range(2):
        if there:
            path.chmod(0o644)
        with Sandbox(data=path).run() as sandbox:
            fetch_token(sandbox)
            assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_data_file_readable_by_others_logs_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError

    path.touch()
    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    Sandbox(data=path).close()
    assert f"{path} contains secrets, and others can read it" in caplog.text


def test_memory_path_raises_value_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="only in memory"):
        Sandbox(data=":memory:")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_returns_507_and_rolls_back(path: Path) -> None:
    def make(name: str, size: int) -> httpx.Response:
        return client.post("/tools", json={"name": name, "description": "d" * size, "parameters": {}})

    def names() -> list[str]:
        return [tool["name"] for tool in client.get("/tools").json()["data"]]

    def limit(size: int) -> None:
        # A file that may not grow fails as a full disk does.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    with sandbox_process("--data", str(path)) as (process, core), connect(core) as client:
        make("before", 10)
        limit(path.stat().st_size + 20_000)
        refused = make("large", 100_000)
        assert "can't be written" in refused.json()["error"]["message"]
        problem(refused, 507, "API_ERROR")
        assert names() == ["before"]
        limit(0)
        control, app = core.replace("/api/v1", "/_sandbox"), {"client_id": "app", "client_secret": "app_secret"}
        for path_of, body in {"reset": None, "replies": {"say": "Hello"}, "clients": app}.items():
            problem(patient.post(f"{control}/{path_of}", json=body), 507, "API_ERROR")
        assert names() == ["before"]
        assert "Hello" not in patient.get(f"{control}/replies").text
        token = {"grant_type": "client_credentials", **app}
        problem(patient.post(core.replace("/api", "/auth/api") + "/oauth/token", json=token), 401, "AUTH_ERROR")
        limit(resource.RLIM_INFINITY)
        assert make("after", 10).status_code == 201
        assert names() == ["before", "after"]
        process.send_signal(signal.SIGKILL)
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        assert [tool["name"] for tool in caller.read("/tools")] == ["before", "after"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file with every kind of record."""
    path = tmp_path_factory.mktemp("good") / "platform.db"
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room_with_tools("t")["id"]
        caller.make("/webhooks", url="http://127.0.0.1:9/hook", events=["room.message.created"])
        for content in ("Hello", "/tool t"):
            key = {"idempotency-key": content}
            assert caller.post(f"/rooms/{room}/messages", json={"content": content}, headers=key).is_success
        instance = caller.start(a=[1, {"b": None}])["id"]
        caller.make(f"/workflow-instances/{instance}/thread/messages", content="Well?")
        sandbox.add_credential("google", namespace="user_1", refreshable=False)
        caller.make("/oauth/initiate", provider="google", redirect_uri="https://app.test")
        caller.make("/data-sources", name="D", type="url", config={})
        caller.delete(f"/tools/{caller.tool('u')['id']}")
        revoke(sandbox, fetch_token(sandbox))
        sandbox.wait_for_deliveries(60)
    return path


def contents(path: Path) -> dict[str, bytes]:
    """Every byte of the file, and of what SQLite keeps beside it."""
    return {each.name: each.read_bytes() for each in sorted(path.parent.iterdir())}


def open_error(path: Path) -> str:
    """What is wrong with a data file, "" for nothing. Fails unless the sandbox has left it as it was, or can use it."""
    before = contents(path)
    try:
        sandbox = Sandbox(data=path)
    except (ConfigurationError, OSError) as error:
        assert contents(path) == before
        message = str(error)
        assert str(path) in message
        assert len(message.splitlines()) == 1
        return message
    sandbox.add_credential("google")
    sandbox.close()
    return ""


def damage_bytes(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    at, size = chance.randrange(len(content)), chance.choice([1, 4, 100, 5000])
    match chance.randrange(4):
        case 0:
            del content[at:]
        case 1:
            content[at : at + size] = chance.randbytes(size)
        case 2:
            content[at : at + size] = bytes(size)
        case 3:
            del content[at : at + size]
    path.write_bytes(content)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 4))])
def test_damaged_data_file_raises_one_line_error_and_is_unchanged(good: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for number in range(15):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        shutil.copy(good, folder)
        damage_bytes(folder / good.name, chance)
        refused += open_error(folder / good.name) != ""
    assert refused >= 5


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 9", "another version of the sandbox wrote it, in the format 9, not 4"),
        ("PRAGMA application_id = 7", "another program wrote it"),
        ("DROP TABLE records", "is damaged"),
        ("UPDATE records SET public = '['", "is damaged"),
    ],
)
def test_command_reports_invalid_data_file_in_one_line(
    good: Path, path: Path, capsys: pytest.CaptureFixture[str], statement: str, message: str
) -> None:
    shutil.copy(good, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    before = contents(path)
    assert main(["sandbox", "--port", "0", "--data", str(path)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert str(path) in line
    assert contents(path) == before


def test_non_regular_data_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    mode = os.stat("/dev/null").st_mode
    for path in (tmp_path, pipe, Path("/dev/null"), tmp_path / "nowhere" / "x.db", tmp_path / ("x" * 300)):
        assert main(["sandbox", "--port", "0", "--data", str(path)]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert str(path) in line
    assert os.stat("/dev/null").st_mode == mode
