"""Control characters in server texts are escaped in the output of every command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import httpx
import pytest

if sys.platform == "win32":
    pytest.skip("commands are ended by SIGINT", allow_module_level=True)
pytest.importorskip("typer", reason="pip install typer rich")

from rich.console import Console

from interactor_ext.cli import main
from interactor_ext.cli.app import command_line
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import SQLiteEventQueue, sign
from tests.support import patient
from tests.support.scripted_server import Answer, Asked, OddServer, http, js
from tests.support.terminal import LOOP
from tests.support.webhook_deliveries import SECRET, body_of

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]

CONTROLS = [*range(9), *range(11, 32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F)]
CONTROLS += range(0x2066, 0x206A)
HOSTILE = "a" + "".join(f"{chr(code)}b" for code in CONTROLS) + "\x1b]0;owned\x07 \x9b31m Zoë ✓ end"
HOSTILE_HEADER = "req_\x9b31m\x85\x9d0;owned\x9c"
RAW = re.compile("[" + "".join(map(chr, CONTROLS)) + "]")
# What draws the block anew that an answer is at: the cursor is hidden and shown, a line erased.
REDRAWN = re.compile(r"\x1b\[\?25[hl]|\r\x1b\[2K|\x1b\[1A\x1b\[2K")
COMMAND = [sys.executable, "-m", "interactor_ext.cli"]


def assert_harmless(*texts: str) -> None:
    for text in texts:
        found = RAW.search(REDRAWN.sub("", text))
        assert found is None, f"{found} in {text!r}"


def answer(asked: Asked) -> Answer:
    if asked.target.partition("?")[0].endswith("/stream"):
        events = f"data: {json.dumps({'type': 'message.delta', 'content': HOSTILE})}\n\ndata: {json.dumps(HOSTILE)}\n\n"
        return http(200, events, content_type="text/event-stream")
    payload = {HOSTILE: [HOSTILE], "id": HOSTILE, "name": HOSTILE}
    data: Any = [payload] if asked.method == "GET" and not re.search(r"/a\b", asked.target) else payload
    return js(200, {"data": data, "meta": {HOSTILE: HOSTILE, "has_more": False}}, f"X-Request-Id: {HOSTILE_HEADER}")


def refuse(asked: Asked) -> Answer:
    error = {
        "code": HOSTILE,
        "message": HOSTILE,
        "request_id": HOSTILE,
        "details": [{"field": HOSTILE, "message": HOSTILE}],
    }
    return js(422, {"error": error}, f"X-Request-Id: {HOSTILE_HEADER}")


def token(asked: Asked) -> Answer:
    return js(
        200, {"data": {"access_token": "token_1", "expires_in": 900, "scope": f"admin {HOSTILE}", HOSTILE: HOSTILE}}
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command in this process, without and with a terminal, and check all output."""
    monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", SECRET)

    def run(*arguments: str, server: str | None = None, status: int = 0, marked: bool = True) -> str:
        if server is not None:
            for name, value in {
                "CLIENT_ID": "client_x",
                "CLIENT_SECRET": "secret_8f3a61c9d2",
                "CORE_API_URL": f"{server}/core",
                "ACCOUNT_SERVER_URL": f"{server}/account",
            }.items():
                monkeypatch.setenv(f"INTERACTOR_{name}", value)
        for is_terminal in (False, True):
            monkeypatch.setattr(Console, "is_terminal", is_terminal)
            ended = main(list(arguments))
            shown, complaints = capsys.readouterr()
            assert ended == status, complaints
            assert_harmless(shown, complaints)
            if marked:
                assert "owned" in shown + complaints, "the command shows nothing of what the server said"
        return shown + complaints

    return run


def test_api_escapes_control_characters(run: Callable[..., str]) -> None:
    one = ("get_assistant", "assistant_id=a")
    with OddServer(answer, token) as server:
        for arguments in (
            one,
            (*one, "--json"),
            (*one, "--field", "data.name"),
            (*one, "--field", "data.name", "--json"),
            ("list_assistants",),
            ("list_assistants", "--all", "--json"),
            ("create_webhook", "-d", '{"a": 1}', "--show-secret"),
            ("stream_room", "room_id=a", "--limit", "2"),
        ):
            assert "Zoë ✓ end" in run("api", *arguments, server=server.url), arguments  # only what must be is escaped
        for options in ([], ["--json"]):
            run("api", *one, "--field", "data.x", *options, server=server.url, status=1)
    with OddServer(refuse, token) as server:
        for options in ([], ["--verbose"], ["--json"]):
            run("api", *options, *one, server=server.url, status=1)
    with OddServer(refuse, refuse) as server:
        run("api", "--verbose", *one, server=server.url, status=1)
    with OddServer(lambda asked: http(200, HOSTILE), token) as server:
        run("api", "--verbose", *one, server=server.url, status=1, marked=False)


def test_doctor_escapes_control_characters(run: Callable[..., str]) -> None:
    for options in ([], ["--json"]):
        with OddServer(answer, token) as server:
            run("doctor", *options, server=server.url)
        with OddServer(refuse, token) as server:
            run("doctor", *options, server=server.url, status=1)
        with OddServer(answer, refuse) as server:
            run("doctor", *options, server=server.url, status=1)


@pytest.mark.usefixtures("in_sandbox")
def test_chat_escapes_control_characters(
    run: Callable[..., str], sandbox: Sandbox, typed: list[str | type[BaseException]]
) -> None:
    with sandbox.client(namespace="user_1") as user:
        bot = user.assistants.create(name=HOSTILE, model="gpt-4", system_prompt="Help.")
        typed += ["Hello", "/history", EOFError] * 2
        assert "here. You said: Hello" in run("chat", "-n", "user_1")
        tool = user.tools.create(name="look", description="Looks.", parameters={"type": "object"})
        user.assistants.update(bot.id, tools=[tool.id])
        room = user.rooms.create(assistant_id=bot.id)
        user.messages.send(room.id, content=HOSTILE)
        for _ in range(2):
            sandbox.faults.add("send_message", status=422, message=HOSTILE)
        typed += ["Hello", "//tool look {}", EOFError] * 2
        run("chat", room.id, "-n", "user_1")
        user.assistants.create(name=HOSTILE, model="gpt-4", system_prompt="Help.")
        run("chat", "-n", "user_1", status=1)


def test_sandbox_escapes_control_characters(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "seed\x9b31m\u202e.json"
    damaged.write_text(HOSTILE)
    with monkeypatch.context() as patch:
        patch.setattr("logging.basicConfig", lambda **_: None)
        run("sandbox", "--seed", str(damaged), status=1, marked=False)
    with started("sandbox", "--port", "0") as (process, first_lines):
        url = re.findall(r"http://[^/\s]+", first_lines)[0]
        patient.get(f"{url}/api/v1/rooms/%C2%9B31m%E2%80%AE%1B]0;owned%07%0Aforged")
        process.send_signal(signal.SIGINT)
        shown, log = process.communicate(timeout=60)
    assert_harmless(shown, log)
    assert r"\x9b31m\u202e\x1b]0;owned\x07" in log


def deliver_then_end(monkeypatch: pytest.MonkeyPatch, body: bytes, *sent: tuple[Any, int]) -> None:
    """Let each `webhooks listen` get these deliveries, with the status that answers each, and then Ctrl-C."""
    serve_forever = WSGIServer.serve_forever

    def deliver(url: str) -> None:
        try:
            for headers, status in sent:
                assert httpx.post(url, content=body, headers=headers, timeout=60).status_code == status
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def serve(server: WSGIServer, poll_interval: float) -> None:
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(deliver, f"http://127.0.0.1:{server.server_port}/")
            serve_forever(server, poll_interval)
            done.result(60)

    monkeypatch.setattr(WSGIServer, "serve_forever", serve)


@pytest.mark.usefixtures("in_sandbox")
@pytest.mark.parametrize("forwarded", [None, 200, 502])
def test_listen_escapes_control_characters(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, forwarded: int | None
) -> None:
    body = body_of("custom.event", data={"room_id": HOSTILE, HOSTILE: 1}, namespace=HOSTILE)
    forged = {"X-Interactor-Signature": HOSTILE_HEADER.encode("latin-1"), "X-Interactor-Timestamp": b"\x9b31m"}
    deliver_then_end(monkeypatch, body, (sign(body, SECRET), forwarded or 200), (forged, 401))
    answer = None if forwarded == 502 else http(200, HOSTILE, content_type="text/plain")
    with OddServer(lambda asked: answer) as server:
        to = [] if forwarded is None else ["--forward-to", server.url]
        run("webhooks", "listen", "--port", "0", *to)


@pytest.mark.usefixtures("in_sandbox")
def test_trigger_escapes_control_characters(run: Callable[..., str], sandbox: Sandbox) -> None:
    with OddServer(lambda asked: http(200, HOSTILE, content_type="text/plain"), token) as server:
        run("webhooks", "trigger", "credential.expired", "--to", server.url)
    run("webhooks", "trigger", HOSTILE, status=1, marked=False)
    with sandbox.client(namespace="user_1") as user:
        user.webhooks.create(url="http://127.0.0.1:9/", events=["credential.expired"])
    run("webhooks", "trigger", "credential.expired", "-n", "user_1", "--set", f"data.provider={HOSTILE}", marked=False)


def test_replay_escapes_control_characters(run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(body_of())
    for status in (200, 500):
        with OddServer(lambda asked: http(status, HOSTILE, content_type="text/plain"), token) as server:  # noqa: B023
            run("webhooks", "replay", str(file), "--to", server.url, status=0 if status == 200 else 1)


def test_replay_error_hides_url_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", SECRET)
    file = tmp_path / "body.json"
    file.write_bytes(body_of())
    for url in (
        "http://bob:hunter2@127.0.0.1:9/",
        "http://bob:hunter2#more@127.0.0.1:9/",
        "ftp://bob:hunter2@127.0.0.1",
    ):
        assert main(["--verbose", "webhooks", "replay", str(file), "--to", url]) == 1
        shown = "".join(capsys.readouterr())
        assert "bob" not in shown
        assert "hunter2" not in shown


def test_sign_and_verify_escapes_control_characters(run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(body_of("custom.event", data={HOSTILE: HOSTILE}))
    headers = sign(file.read_bytes(), SECRET)
    run("webhooks", "sign", str(file), marked=False)
    given = ["--signature", headers["X-Interactor-Signature"], "--timestamp", headers["X-Interactor-Timestamp"]]
    run("webhooks", "verify", str(file), *given)
    forged = ["--signature", HOSTILE_HEADER, "--timestamp", "1\x9b31m"]
    run("webhooks", "verify", str(file), *forged, status=1, marked=False)


def test_dead_letters_escapes_control_characters(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hostile_shop", raising=False)
    file = tmp_path / "queue.db"
    (tmp_path / "hostile_shop.py").write_text(
        "from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier\n"
        f"router = WebhookRouter(WebhookVerifier('whsec_a'), queue=SQLiteEventQueue({str(file)!r}), name='shop')\n"
    )
    key = f"shop:{HOSTILE}"
    with SQLiteEventQueue(file) as queue:
        for name, body in ((key, body_of(HOSTILE, data={HOSTILE: HOSTILE})), ("shop:unreadable", HOSTILE.encode())):
            queue.put(name, body)
            assert queue.take("t", 60)
            queue.bury(name, "t", HOSTILE)
        for options in ([], ["--json"]):
            run("webhooks", "dead", "list", "hostile_shop:router", *options)
        for name in (key, "shop:unreadable"):
            run("webhooks", "dead", "show", "hostile_shop:router", name)
        run("webhooks", "dead", "replay", "hostile_shop:router", HOSTILE, status=1)
        run("webhooks", "dead", "drop", "hostile_shop:router", HOSTILE, status=1)
        run("webhooks", "dead", "drop", "hostile_shop:router", key, status=1, marked=False)


def test_work_escapes_control_characters(run: Callable[..., str]) -> None:
    run("webhooks", "work", HOSTILE, status=1)


def each_command(command: Any, *names: str) -> Iterator[tuple[list[str], Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from each_command(each, *names, name)
    if not hasattr(command, "commands"):
        yield [*names], command.params


def test_output_to_pipes_has_no_color_whatever_the_environment_says(sandbox: Sandbox) -> None:
    lines = ["api list_assistants", "api list_assistants --json", "docs retry", "webhooks trigger credential.expired"]
    for names, parameters in each_command(command_line()):
        lines += [" ".join([*names, option]) for option in ("--help", "--no-such-option")]
        if names[-1] in ("chat", "mcp", "demo", "explore", "sandbox", "listen"):
            continue  # they don't end, or read what follows
        given = [*names, *("nothing:here" for each in parameters if each.param_type_name == "argument")]
        as_json = [["--json"]] if any("--json" in each.opts for each in parameters) else []
        lines += [" ".join([*given, *options]) for options in ([], ["--verbose"], *as_json)]
    environment = {**os.environ, **sandbox.env, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", LOOP], env=environment, input="\n".join(lines), capture_output=True, text=True
    )
    assert done.stdout.count("[exit ") == len(lines) > 80, done.stderr
    assert "Error" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command in a process of its own, and its output up to the words on how to end it."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            lines = ""
            while "Ctrl-C" not in lines:
                line = process.stdout.readline()
                assert line, "the command has ended"
                lines += line
            yield process, lines
        finally:
            process.kill()
