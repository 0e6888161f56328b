"""The command line, in a real terminal where that matters, and `interactor api` over every operation."""

from __future__ import annotations

import io
import json
import re
import socket
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import sign
from tests.support import patient
from tests.support.browser import chromium
from tests.support.browser import eventually as eventually_in
from tests.support.chat_driver import Chat
from tests.support.conversations import new_room
from tests.support.terminal import ANSI, NAMESPACE, Terminal
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import SECRET, body_of, delivery

pytest.importorskip("typer", reason="pip install typer rich")
from interactor_ext.cli import description, operations

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]


def test_help_and_version_options(terminal: Callable[..., Terminal], shown_by: Callable[..., str]) -> None:
    shown = terminal("--help").end()
    for command in ("doctor", "chat", "api", "demo", "sandbox", "webhooks"):
        assert re.search(rf"^ *{command} ", shown, re.MULTILINE)
    assert shown_by("-h").split() == shown.split()
    for group in ((), ("webhooks",), ("webhooks", "dead"), ("tools",)):
        listed = shown_by(*group, "-h").partition("Commands:")[2]
        assert not re.search(r"\.\.\.$", listed, re.MULTILINE)  # nothing is cut
    assert "--signature" in shown_by("webhooks", "verify", "-h")
    assert "--token-lifetime" in shown_by("sandbox", "--help")
    assert "Usage: interactor sandbox " in shown_by("sandbox", "-h")
    assert re.fullmatch(r"interactor \d+\.\d+\.\d+\s+", shown_by("--version"))


def test_demo_runs_the_quickstart_to_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("NotFoundError: ")


def test_ports_are_checked(shown_by: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Can't listen" in shown_by("sandbox", "--port", str(taken.getsockname()[1]), status=1)
    assert "65535" in shown_by("sandbox", "--port", "99999", status=2)
    assert "65535" in shown_by("webhooks", "listen", "--port", "99999", status=2)


def test_chat_in_a_terminal(terminal: Callable[..., Terminal], sandbox: Sandbox) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="Help.")
    talk = terminal("chat", "-n", NAMESPACE)
    talk.until("Room room_", "you> ")
    talk.type("Hello there")
    talk.until("Support Bot here. You said: Hello there", "you> ")
    sandbox.faults.add("send_message", status=422, message="No such words.")
    talk.type("Bad words")
    talk.until("Error: ", "No such words (", "you> ")
    talk.type("/history")
    talk.until("user> ", "Hello there", "assistant> ", "Support Bot here. You said: Hello there", "you> ")
    talk.type("/quit")
    assert sandbox.client_secret not in talk.end()


def test_chat_shows_markdown_on_a_terminal_and_offers_the_assistants(
    terminal: Callable[..., Terminal], sandbox: Sandbox
) -> None:
    answer = "# Orders\n\nOrder **4711** is [on its way](https://shop.test/4711).\n\n"
    answer += "```python\na = 1\n\nb = 2\n```\n\nBye \x9b31m"
    with sandbox.client(namespace=NAMESPACE) as user:
        for name in ("Support Bot", "Sales Bot"):
            user.assistants.create(name=name, model="gpt-4", system_prompt="Help.")
    sandbox.replies.add(assistant="Sales Bot", say=answer)
    talk = terminal("chat", "-n", NAMESPACE)
    talk.until("1  Support Bot", "2  Sales Bot", "Talk to: ")
    talk.type("7")
    talk.until("Talk to: ")
    talk.type("2")
    talk.until("you> ")
    talk.type("Hello")
    talk.until("Bye", "you> ")
    assert "\x1b[1m4711\x1b[0m" in talk.seen
    assert "\x9b" not in talk.seen
    shown = ANSI.sub("", talk.seen)
    assert "Order 4711 is on its way (https://shop.test/4711)." in shown
    assert "**" not in shown.rpartition("Bye")[0].rpartition("Orders")[2]
    talk.type("/history")
    talk.until("assistant> ", "Orders", "you> ")
    talk.type("/quit")
    talk.end()


def test_chat_in_a_pipe_writes_answers_as_they_are(
    shown_by: Callable[..., str], sandbox: Sandbox, typed: list[str | type[BaseException]]
) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="Help.")
    sandbox.replies.add(say="# Orders\n\nIt is **here**.")
    typed += ["Hello", EOFError]
    assert "# Orders\n\nIt is **here**.\n" in shown_by("chat", "-n", NAMESPACE)


def test_chat_without_assistant_shows_how_to_create_one(shown_by: Callable[..., str]) -> None:
    make_one = "Create one: interactor api create_assistant"
    assert f"{make_one} -n {NAMESPACE} -d" in shown_by("chat", "-n", NAMESPACE, status=1)
    assert f"{make_one} -n 'user 2' -d" in shown_by("chat", "-n", "user 2", status=1)
    assert f"{make_one} -d" in shown_by("chat", status=1)


def test_chat_commands_and_tool_calls(
    shown_by: Callable[..., str], sandbox: Sandbox, typed: list[str | type[BaseException]]
) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="Help.")
        typed += ["/what", "//what", "/room", EOFError]
        shown = shown_by("chat", "-n", NAMESPACE)
        assert "The commands are" in shown
        assert "You said: /what" in shown
        room = re.findall(r"^room_\w+$", shown, re.MULTILINE)[0]
        user.messages.send(room, content="\x1b]0;owned\x07 and \x9b31m")
        typed += [EOFError]
        shown = shown_by("chat", room, "-n", NAMESPACE)
        assert "user> /what" in shown
        assert "\\x1b]0;owned\\x07 and \\x9b31m" in shown
        other = user.assistants.create(name="Other Bot", model="gpt-4", system_prompt="Help.")
        assert "Choose one with --assistant" in shown_by("chat", "-n", NAMESPACE, status=1)
        tool = user.tools.create(name="look", description="Looks.", parameters={"type": "object"})
        user.assistants.update(other.id, tools=[tool.id])
        typed += ["Hi", "//tool look {}", KeyboardInterrupt]
        shown = shown_by("chat", "-n", NAMESPACE, "-a", other.id)
        assert "Other Bot here. You said: Hi" in shown
        assert "tools don't run here" in shown


def link_of(talk: Terminal) -> str:
    talk.until(". Press Ctrl-C to stop.")
    return re.findall(r"http://127\.0\.0\.1:\d+/#[\w-]{43}", talk.seen)[0]


def noting_browser(folder: Path) -> tuple[str, Path]:
    """A value of BROWSER, and the file to which it writes the URL that it is to open."""
    browser, opened = folder / "browser", folder / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o700)
    return f"{browser} %s", opened


@pytest.mark.full
def test_chat_in_the_browser(terminal: Callable[..., Terminal], sandbox: Sandbox, tmp_path: Path) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="Help.")
        room = user.rooms.create(assistant_id=bot.id).id
    note, opened = noting_browser(tmp_path)
    talk = terminal("chat", room, "-n", NAMESPACE, "--web", BROWSER=note)
    link = link_of(talk)
    eventually(opened.exists)
    said = ("Hello", "Support Bot here. You said: Hello")
    with chromium() as browser:
        browser.get(opened.read_text().strip())
        chat = Chat(browser)
        chat.shows("[part=status]", "Connected")
        assert browser.current_url == link.partition("#")[0]
        chat.write("Hello")
        chat.shows_messages(*said)
        browser.refresh()
        chat.shows_messages(*said)
        assert browser.get_cookies() == []
        assert browser.get_log("browser") == []  # nothing that the content security policy refuses
        browser.switch_to.new_window("tab")
        browser.get(link)
        refused = browser.find_element("id", "refused")
        eventually_in(browser, lambda: "This link was already used" in refused.text)
        assert chat.messages == []
        talk.interrupt()
        shown = talk.end()
    assert sandbox.client_secret not in shown
    assert "Traceback" not in shown


def test_page_of_chat_admits_the_first_who_has_its_key(terminal: Callable[..., Terminal], sandbox: Sandbox) -> None:
    room, other = (new_room(sandbox) for _ in range(2))
    url, _, key = link_of(terminal("chat", room, "-n", NAMESPACE, "--web", BROWSER="true")).partition("#")
    with patient.Client(base_url=url, headers={"Origin": url.rstrip("/")}) as page:
        history, session = f"/interactor/rooms/{room}/messages", "/session"
        assert page.get("/", headers={"Host": "rebound.example"}).status_code == 400
        assert page.get(history).status_code == 401
        for wrong in ("", "Bearer", f"Bearer {key[:-1]}", f"Bearer {key}x", f"Basic {key}", "Bearer \xe9"):
            assert page.post(session, headers={"Authorization": wrong.encode("latin-1")}).status_code == 401
        found = page.post(session, headers={"Authorization": f"Bearer {key}"}).json()
        assert (found["room"], found["assistant"]) == (room, "Bot")
        assert page.post(session, headers={"Authorization": f"Bearer {key}"}).status_code == 401
        page.headers["Authorization"] = f"Bearer {found['token']}"
        assert page.get(history).json()["data"] == []
        assert page.get(f"/interactor/rooms/{other}/messages").status_code == 404
        assert page.get(history, headers={"Host": "rebound.example"}).status_code == 400
        assert page.get(history, headers={"Authorization": f"Bearer {key}"}).status_code == 401
        assert page.get("/__init__.py").status_code == 404
        for path in ("/", "/page.js", "/page.css"):
            served = page.get(path)
            assert served.status_code == 200
            assert "default-src 'none'" in served.headers["content-security-policy"]
            assert key not in served.text
            assert found["token"] not in served.text


def test_chat_in_the_browser_opens_it_or_says_what_is_wrong(
    terminal: Callable[..., Terminal], shown_by: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    room = new_room(sandbox)
    note, opened = noting_browser(tmp_path)
    talk = terminal("chat", room, "-n", NAMESPACE, "--web", BROWSER=note)
    link = link_of(talk)
    eventually(opened.exists)
    assert opened.read_text().strip() == link
    assert "--web needs a namespace" in shown_by("chat", room, "--web", status=1)
    talk.interrupt()
    talk.end()


def test_webhooks_listen_saves_deliveries_and_replay_sends_them(
    terminal: Callable[..., Terminal], shown_by: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    listening = terminal("webhooks", "listen", "--port", "0", "--save", str(kept))
    listening.until("Listening at ", ". Press Ctrl-C to stop.")
    url = re.findall(r"http://127\.0\.0\.1:\d+/", listening.seen)[0]
    body, headers = delivery(key="k1")
    assert patient.post(url, content=body, headers=headers).status_code == 200
    listening.until("room.message.created", "evt_k1 of user_123", '"room_id"')
    assert patient.post(url, content=body, headers={**headers, "X-Interactor-Signature": "0" * 64}).status_code == 401
    listening.until("Refused with 401")
    assert patient.post(url, content=b"\xff", headers=sign(b"\xff", SECRET)).status_code == 400
    listening.until("Refused with 400")
    invalid, signed = delivery(key="k2", data=None)
    assert patient.post(url, content=invalid, headers=signed).status_code == 200
    listening.until("but doesn't fit its type", "data must be an object")
    file, refused, unnamed, other = sorted(kept.iterdir())
    assert [each.name.split("-", 2)[2] for each in (refused, unnamed, other)] == [
        "0002-401-room.message.created.json",
        "0003-400-unnamed.json",
        "0004-200-room.message.created.json",
    ]
    assert "400" in shown_by("webhooks", "replay", str(unnamed), "--to", url, status=1)
    assert "200" in shown_by("webhooks", "replay", str(refused), "--to", url)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, file)] == [0o700, 0o600]
    shown = shown_by("webhooks", "replay", str(file), str(file), "--to", url)
    assert shown.count("200") == 2
    assert "duplicate" in shown
    refusing = f"{sandbox.core_api_url}/assistants"
    assert "401" in shown_by("webhooks", "replay", str(file), "--to", refusing, status=1)
    listening.interrupt()
    assert SECRET not in listening.end()
    assert "No response from http://127.0.0.1:9" in shown_by(
        "webhooks", "replay", str(file), "--to", "http://127.0.0.1:9", status=1
    )
    assert "Genuine" in shown_by("webhooks", "verify", str(file))


def test_webhooks_sign_and_verify_round_trip(shown_by: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(body_of())
    shown = shown_by("webhooks", "sign", str(file))
    headers = dict(line.strip().split(": ", 1) for line in shown.splitlines() if ": " in line)
    assert headers["X-Interactor-Event"] == "room.message.created"
    signed = ["--signature", headers["X-Interactor-Signature"], "--timestamp", headers["X-Interactor-Timestamp"]]
    assert "Genuine" in shown_by("webhooks", "verify", str(file), *signed)
    assert "pass --signature and --timestamp from" in shown_by("webhooks", "verify", str(file), status=1)
    assert "pass --timestamp from" in shown_by("webhooks", "verify", str(file), *signed[:2], status=1)
    old = [*signed[:2], "--timestamp", "1700000000"]
    assert "behind this machine's clock" in shown_by("webhooks", "verify", str(file), *old, status=1)
    assert "Genuine" in shown_by("webhooks", "verify", str(file), *old, "--any-age")
    secret = tmp_path / "secret"
    secret.write_text("another\n")
    assert "Error: " in shown_by("webhooks", "verify", str(file), *signed, "--secret-file", str(secret), status=1)
    assert "INTERACTOR_WEBHOOK_SECRET isn't set" in shown_by(
        "webhooks", "sign", str(file), status=1, INTERACTOR_WEBHOOK_SECRET=""
    )


def test_api_prints_json_in_a_terminal(
    terminal: Callable[..., Terminal], shown_by: Callable[..., str], as_terminal: None
) -> None:
    body = '{"name": "Bot", "model": "gpt-4", "system_prompt": "Help."}'
    bot = json.loads(terminal("api", "create_assistant", "-n", NAMESPACE, "-d", body).end())["data"]
    shown = ANSI.sub("", shown_by("api", "get_assistant", f"assistant_id={bot['id']}", "-n", NAMESPACE))
    assert json.loads(shown)["data"] == bot
    assert "Done" in shown_by("api", "delete_assistant", f"assistant_id={bot['id']}", "-n", NAMESPACE, "--yes")
    shown = shown_by("api")
    assert all(name in shown for name in operations.operations())


def test_errors_are_one_line_and_verbose_shows_details(shown_by: Callable[..., str]) -> None:
    shown = shown_by("api", "get_assistant", "assistant_id=asst_1", "-n", NAMESPACE, status=1)
    assert len(shown.strip().splitlines()) == 1
    assert re.match(r"Error: .*404 NOT_FOUND, request id req_\w+", shown)
    shown = shown_by("api", "--verbose", "get_assistant", "assistant_id=asst_1", status=1)
    assert "request_id: req_" in shown
    assert "Traceback" in shown
    assert "Did you mean get_assistant" in shown_by("api", "get_asistant", status=1)
    assert "Call it like this: interactor api get_assistant assistant_id=..." in shown_by(
        "api", "get_assistant", status=1
    )
    assert "No such command" in shown_by("nonsense", status=2)


@pytest.fixture
def call(in_sandbox: None, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run `interactor api ...` in this process; returns its JSON output, or None after an error."""

    def run(operation: str, *arguments: str, body: Any = None) -> Any:
        data = [] if body is None else ["-d", json.dumps(body)]
        ended = main(["api", operation, *arguments, *data, "--json", "-n", NAMESPACE])
        shown, complaints = capsys.readouterr()
        assert sandbox.client_secret not in shown + complaints
        assert (ended == 0) == (complaints == "")
        return [json.loads(line) for line in shown.splitlines()] if ended == 0 else None

    return run


@pytest.mark.parametrize("operation", operations.operations())
def test_api_calls_every_operation(call: Callable[..., Any], sandbox: Sandbox, operation: str) -> None:
    """With the body that the contract has for an example; what it is about need not exist."""
    described = operations.describe(operation)
    arguments = [f"{name}=a" for name in described.path_names]
    arguments += ["--yes"] if described.operation.method == "DELETE" else []
    arguments += ["--show-secret"] if described.shown_once else []
    answers = call(operation, *arguments, body=described.body and described.body["examples"][0])
    assert sandbox.requests[-1].operation == operation
    for answer in answers or ():
        has_secret = "secret" in answer.get("data", ())
        assert described.shown_once == ("data.secret" if has_secret else None), "see x-shown-once in openapi.yaml"


def test_api_supports_all_pages_and_files(call: Callable[..., Any], sandbox: Sandbox, tmp_path: Path) -> None:
    body = {"name": "B", "model": "gpt-4", "system_prompt": "Help."}
    for _ in range(5):
        call("create_assistant", body=body)
    assert len(call("list_assistants", "per_page=2", "--all")) == 5
    assert len(call("list_assistants", "per_page=2", "--all", "--limit", "3")) == 3
    assert len(call("list_assistants", "per_page=2")[0]["data"]) == 2
    file = tmp_path / "secret.json"
    file.write_text("was there before")
    hook = {"url": "https://app.example/hooks", "events": ["credential.expired"]}
    assert main(["api", "create_webhook", "-d", json.dumps(hook), "--output", str(file)]) == 0
    assert json.loads(file.read_text())["data"]["secret"] not in ("", "***")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "body.json").write_text(json.dumps(body), encoding="utf-8-sig")  # as some editors save it
    assert main(["api", "create_assistant", "-d", f"@{tmp_path / 'body.json'}"]) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["get_assistant", "assistant_id=.."], "assistant_id"),
        (["get_assistant", "assistant_id=a", "bogus=1"], "no parameter bogus"),
        (["get_assistant", "asst_1"], "write name=value"),
        (["get_assistant", "assistant_id=a", "-d", "{}"], "doesn't accept a body"),
        (["create_assistant"], "Call it like this: interactor api create_assistant"),
        (["create_assistant", "-d", "{"], "isn't valid JSON"),
        (["create_assistant", "-d", "@/nowhere"], "No such file"),
        (["get_assistant", "assistant_id=a", "--all"], "isn't paged"),
        (["list_assistants", "page=0", "-n", NAMESPACE], "422"),
        (["get_room", "room_id=a", "--limit", "2"], "needs a stream or --all; a list accepts per_page=..."),
    ],
)
def test_api_usage_errors_are_one_line(shown_by: Callable[..., str], arguments: list[str], complaint: str) -> None:
    [line] = shown_by("api", *arguments, status=1).splitlines()
    assert complaint in line


def test_api_notes_missing_namespace(shown_by: Callable[..., str], sandbox: Sandbox) -> None:
    assert "No namespace was given" in shown_by("api", "list_rooms", "--json")
    for arguments in (["list_rooms", "-n", NAMESPACE], ["list_rooms", f"namespace={NAMESPACE}"], ["get_jwks"]):
        assert "No namespace" not in shown_by("api", *arguments)
        assert arguments[0] == "get_jwks" or sandbox.requests[-1].namespace == NAMESPACE


def test_api_describe_covers_every_operation_without_sending(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("INTERACTOR_CLIENT_ID", raising=False)
    for name, described in operations.operations().items():
        description.show(described, as_json=False)
        text = capsys.readouterr().out
        body = (described.body or {}).get("properties", {})
        assert all(re.search(rf"^  {field} ", text, re.MULTILINE) for field in (*described.path_names, *body)), name
        assert "['" not in text  # types as people write them
        description.show(described, as_json=True)
        told = capsys.readouterr().out
        assert json.loads(told)["operation"] == name
        assert "$ref" not in told
    assert main(["api", "--describe", "create_room", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operation"] == "create_room"
    assert main(["api", "create_room", "--describe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "create_room  POST /rooms"
    assert "  assistant_id        required, string" in lines
    assert "  metadata            object" in lines
    assert """Example interactor api create_room -n user_123 -d '{"assistant_id": "asst_7Hq2", """ in lines[-1]


def test_api_shows_events_of_a_stream(shown_by: Callable[..., str], sandbox: Sandbox) -> None:
    """Its namespace may be a parameter."""
    room = new_room(sandbox)

    def emit() -> None:
        eventually(lambda: sandbox.open_streams == 1)
        sandbox.emit(room, {"type": "message.delta", "content": "hi"})

    with ThreadPoolExecutor(1) as pool:
        pool.submit(emit)
        shown = shown_by("api", "stream_room", f"room_id={room}", f"namespace={NAMESPACE}", "--limit", "1")
    assert json.loads(shown)["content"] == "hi"


@pytest.mark.usefixtures("in_sandbox")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_without_unicode_is_escaped(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.assistants.create(name="Bot ✓ \N{GRINNING FACE}", model="gpt-4", system_prompt="Help.")

    def run(*arguments: str) -> str:
        written = io.BytesIO()
        with monkeypatch.context() as patch, io.TextIOWrapper(written, encoding=encoding) as stdout:
            patch.setattr(sys, "stdout", stdout)
            assert main([*arguments]) == 0
            stdout.flush()
            return written.getvalue().decode(encoding)

    assert re.search(r"^ok   token ", run("doctor"), re.MULTILINE)
    for arguments in (["--json"], []):
        answer = json.loads(run("api", "list_assistants", "-n", NAMESPACE, *arguments))
        assert answer["data"][0]["name"] == "Bot ✓ \N{GRINNING FACE}"
