"""`interactor api` in a pseudo-terminal: secrets that are shown once, deletions, fields, errors as JSON."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="pip install typer rich")

from interactor_ext.cli import operations
from interactor_ext.sandbox import Sandbox
from tests.cli.test_cli_webhooks import webhooks_of
from tests.support.terminal import NAMESPACE, Shell, spawn

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]
BIN = str(Path(sys.executable).parent)
HOOK = """-d '{"url": "https://app.example/hooks", "events": ["credential.expired"]}'"""


def test_secret_that_is_shown_once_is_refused_before_it_is_lost(shell: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    marked = {name for name, described in operations.operations().items() if described.shown_once}
    assert marked == {"create_webhook", "rotate_webhook_secret"}
    create = f"api create_webhook -n {NAMESPACE} {HOOK}"
    shown = shell.run(create, 1)
    assert "no other response shows" in shown
    assert "pass --output FILE, which only you can read, or --show-secret. Nothing was sent." in shown
    assert "Nothing was sent" in shell.run(f"api rotate_webhook_secret webhook_id=wh_1 -n {NAMESPACE}", 1)
    assert "--field data.id omits it" in shell.run(f"{create} --show-secret --field data.id", 1)
    # Nor is one lost to a file that can't be written.
    assert "No such file" in shell.run(f"{create} --output {tmp_path}/nowhere/hook.json", 1)
    assert list(sandbox.requests) == []
    secret = shell.run(f"{create} --show-secret --field data.secret").strip()
    assert secret.startswith("whsec_")
    [webhook] = webhooks_of(sandbox)
    answer = json.loads(shell.run(f"api rotate_webhook_secret webhook_id={webhook.id} -n {NAMESPACE} --show-secret"))
    assert answer["data"]["secret"] not in (secret, "***")
    file = tmp_path / "secret"
    shown = shell.run(f"{create} --field data.secret --output {file}")
    assert shown == f"Written to {file}.\n"
    assert file.read_text().startswith("whsec_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(webhooks_of(sandbox)) == 2
    kept = file.read_text()
    for target in (file, tmp_path / "new"):
        assert "404" in shell.run(f"api get_webhook webhook_id=wh_404 -n {NAMESPACE} --output {target}", 1)
    assert (file.read_text(), [*tmp_path.iterdir()]) == (kept, [file])
    shell.run(f"api get_webhook webhook_id={webhook.id} -n {NAMESPACE} --field data.active --output {file}")
    assert file.read_text() == "true\n"


def test_output_may_be_a_device_and_is_no_stream(shell: Shell) -> None:
    assert "redirect it" in shell.run("api stream_room room_id=room_1 --output /dev/null", 1)
    before = os.stat("/dev/null").st_mode
    assert "Written to /dev/null." in shell.run("api get_jwks --output /dev/null")
    assert os.stat("/dev/null").st_mode == before


def test_secrets_are_masked_unless_they_are_asked_for(shell: Shell) -> None:
    shown = shell.run("api create_token")
    assert '"access_token": "***"' in shown
    assert "Secrets are masked (***). Pass --show-secret to show them" in shown
    assert "data.access_token contains a secret: pass --show-secret" in shell.run(
        "api create_token --field data.access_token", 1
    )
    assert shell.run("api create_token --field data.access_token --show-secret").startswith("ey")
    # What the contract says is no secret.
    assert "***" not in shell.run("api create_token --describe --json")


def test_delete_asks_on_a_terminal_and_yes_answers(shell: Shell, sandbox: Sandbox) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        first, second = (user.rooms.create(assistant_id=assistant(user)).id for _ in range(2))
        shell.begin(f"api delete_room room_id={first} -n {NAMESPACE}")
        shell.until(f"delete_room {first} can't be undone. Continue? [y/N] ")
        shell.type("n")
        assert "Nothing was deleted." in shell.ended(1)
        shell.begin(f"api delete_room room_id={first} -n {NAMESPACE}")
        shell.until("[y/N] ")
        shell.interrupt()
        shell.ended(130)
        assert len(user.rooms.list()) == 2
        shell.begin(f"api delete_room room_id={first} -n {NAMESPACE}")
        shell.until("[y/N] ")
        shell.type("y")
        assert "Done" in shell.ended()
        assert "[y/N]" not in shell.run(f"api delete_room room_id={second} -n {NAMESPACE} --yes")
        assert len(user.rooms.list()) == 0


def assistant(user: Any) -> str:
    return str(user.assistants.create(name="B", model="gpt-4", system_prompt="Help.").id)


def test_delete_without_a_terminal_needs_yes(shown_by: Callable[..., str], sandbox: Sandbox) -> None:
    complaint = shown_by("api", "delete_room", "room_id=room_1", "-n", NAMESPACE, status=1)
    assert "This isn't a terminal, so there is nobody to ask: pass --yes." in complaint
    assert list(sandbox.requests) == []


def test_call_without_a_namespace_is_refused_where_one_is_required(
    shown_by: Callable[..., str], sandbox: Sandbox
) -> None:
    complaint = shown_by("api", "list_rooms", status=1, INTERACTOR_REQUIRE_NAMESPACE="yes")
    assert "Pass a namespace with -n: INTERACTOR_REQUIRE_NAMESPACE is set." in complaint
    assert list(sandbox.requests) == []
    shown_by("api", "list_rooms", "-n", NAMESPACE, INTERACTOR_REQUIRE_NAMESPACE="yes")


def test_field_shows_one_part_of_the_answer(shell: Shell, sandbox: Sandbox) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        ids = [assistant(user) for _ in range(2)]
    of = f"-n {NAMESPACE} --field"
    assert shell.run(f"api get_assistant assistant_id={ids[0]} {of} data.id") == f"{ids[0]}\n"
    assert shell.run(f"api get_assistant assistant_id={ids[0]} {of} data.tools") == "[]\n"
    assert shell.run(f"api get_assistant assistant_id={ids[0]} {of} .data.id --json") == f'"{ids[0]}"\n'
    assert shell.run(f"api list_assistants {of} data[].id").split() == ids
    assert shell.run(f"api list_assistants {of} data[1].id").split() == ids[1:]
    assert "at 'id', it is a list of 2: write [0], or [] for all" in shell.run(f"api list_assistants {of} data.id", 1)
    assert "at 'idd', it has id, " in shell.run(f"api get_assistant assistant_id={ids[0]} {of} data.idd", 1)
    assert "'data..id' isn't a valid field path" in shell.run(f"api list_assistants {of} data..id", 1)
    room = shell.run(f'api create_room -n {NAMESPACE} -d \'{{"assistant_id": "{ids[0]}"}}\' --field data.id').strip()
    assert "at 'id', it has no fields" in shell.run(f"api get_room room_id={room} {of} data.metadata.id", 1)


def test_errors_are_json_under_json(shell: Shell, sandbox: Sandbox) -> None:
    def error(line: str, status: int = 1) -> Any:
        [only] = shell.run(f"{line} --json", status).splitlines()
        return json.loads(only)["error"]

    missing = error(f"api get_room room_id=room_1 -n {NAMESPACE}")
    assert (missing["type"], missing["code"], missing["status"]) == ("NotFoundError", "NOT_FOUND", 404)
    assert missing["request_id"] == sandbox.requests[-1].request_id
    invalid = error(f"api create_room -n {NAMESPACE} -d '{{}}'")
    assert invalid["details"][0]["field"] == "assistant_id"
    unknown = error("api nonsense")
    assert unknown.pop("message").startswith("Unknown operation 'nonsense'")
    assert unknown == {"type": "ConfigurationError", "code": "CONFIGURATION_ERROR"}
    assert error("api get_room --nonsense", 2)["message"].startswith("No such option")
    assert error("nonsense", 2)["type"] in ("UsageError", "NoSuchCommand")  # by the version of click
    assert error("api create_room -d @/nowhere")["type"] == "FileNotFoundError"


def test_missing_credentials_name_the_sandbox_and_env_file_supplies_them(
    shell: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    nothing, all_of_it = tmp_path / "nothing.env", tmp_path / "all.env"
    nothing.write_text("INTERACTOR_CLIENT_ID=\nINTERACTOR_CLIENT_SECRET=''\n")
    for line in ("api list_rooms", "chat -n user_1", "doctor"):
        status_and_advice = shell.run(f"--env-file {nothing} {line}", 1)
        assert "INTERACTOR_CLIENT_ID" in status_and_advice
        assert "Without an account: `interactor sandbox` serves the platform on this machine." in status_and_advice
    sandbox.add_client("worker", "worker-s3cret #1")
    all_of_it.write_text(
        "\ufeff# of the worker\n\nexport INTERACTOR_CLIENT_ID = worker  # comment\n"
        "INTERACTOR_CLIENT_SECRET=\"worker-s3cret #1\"\r\nOTHER='a # b'\n"
    )
    assert "issued to worker" in shell.run(f"doctor --env-file {all_of_it}")
    for wrong in ("INTERACTOR_CLIENT_SECRET: hunter2", "A='hunter2", "hunter2"):
        nothing.write_text(f"A=1\n{wrong}\n")
        shown = shell.run(f"--env-file={nothing} doctor", 1)
        assert f"{nothing}, line 2: write NAME=value" in shown
        assert "hunter2" not in shown
    nothing.write_text("A=1\n", encoding="utf-16")
    assert f"{nothing} isn't UTF-8 text" in shell.run(f"--env-file {nothing} doctor", 1)
    assert "No such file" in shell.run("--env-file /nowhere doctor", 1)


def test_http_to_a_host_that_is_not_local_is_allowed_on_demand(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("INTERACTOR_CORE_API_URL=http://core.test.invalid/api/v1\n")
    then = {
        "api get_room": "Arguments are missing",
        "chat --web": "--web needs",
        "doctor": "the Core API, core.test.invalid",
    }
    for line, complaint in then.items():
        assert "core.test.invalid isn't local" in shell.run(f"--env-file {file} {line}", 1)
        assert complaint in shell.run(f"--env-file {file} {line} --allow-insecure-http", 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("interactor api list_messages ", {"room_id=", "page=", "per_page=", "order=", "namespace="}),
        ("interactor api list_messages room_id=a order=asc p", {"page=", "per_page="}),
        ("interactor api nonsense ", set()),
        ("interactor api list_w", {"list_workflows", "list_workflow_instances", "list_webhooks"}),
    ],
)
def test_completion_of_operations_and_parameters(shown_by: Callable[..., str], words: str, expected: set[str]) -> None:
    number = str(len(words.split(" ")) - 1)
    shown = shown_by(_INTERACTOR_COMPLETE="complete_bash", COMP_CWORD=number, COMP_WORDS=words)
    assert set(shown.split()) == expected


def test_tab_completes_operations_and_parameters_in_bash() -> None:
    bash = shutil.which("bash")
    if bash is None or shutil.which("interactor", path=BIN) is None:
        pytest.skip("needs bash, and the command interactor beside this Python (pip install .)")
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "ready> "}
    shell = spawn(bash, ["--norc", "--noprofile"], env=environment)
    try:
        shell.expect_exact("ready> ")
        shell.sendline('eval "$(_INTERACTOR_COMPLETE=source_bash interactor)"; echo "read"y')
        shell.expect_exact("\r\nready\r\n")
        shell.send("interactor api get_roo\t")
        shell.expect_exact("get_room ")
        shell.send("roo\t")
        shell.expect_exact("room_id=")
    finally:
        shell.close(force=True)


def test_doctor_ends_with_a_verdict_and_indents_its_lines(sandbox: Sandbox) -> None:
    narrow = Shell(sandbox.env, columns=60)
    try:
        shown = narrow.run("doctor -n user_nobody")
        assert shown.endswith("\n\nReady. Warnings: namespace.\n")
        lines = shown.splitlines()
        assert max(map(len, lines)) <= 60
        at = next(number for number, line in enumerate(lines) if line.startswith("!    namespace"))
        assert lines[at + 1].startswith(f"{'':<18}")
        sandbox.faults.add("create_token", status=401, times=None)
        assert narrow.run("doctor", 1).endswith("\n\nNot ready. Failed: token.\n")
    finally:
        narrow.close()
