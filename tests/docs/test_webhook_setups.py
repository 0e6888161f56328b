"""Each set-up of the page, typed as it stands: its files, its commands in their order, and the first event."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from socket import create_connection

import pytest

from tests.support.pages import BLOCK, DOCS, ROOT
from tests.support.ports import free_port
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import redis_on_port
from tests.support.served import needs
from tests.support.sqs_server import moto_server, sqs_client
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.full
INTRODUCTION, *SECTIONS = (DOCS / "how-to" / "webhook-setups.md").read_text().split("\n## ")
WEBHOOKS = (DOCS / "how-to" / "webhooks.md").read_text()
SETUPS = {section.partition("\n")[0]: section for section in SECTIONS}
PROGRAMS = {"celery[redis]": "celery", "interactor-sdk[postgres]": "psycopg", "interactor-sdk[redis]": "redis"}
SECRET = {"INTERACTOR_WEBHOOK_SECRET": "whsec_example"}


def commands(text: str) -> list[str]:
    return re.findall(r"^    (\S.*)$", BLOCK.sub("", text), re.MULTILINE)


@contextmanager
def services(section: str) -> Iterator[dict[str, str]]:
    """The services that the page takes for granted, as the variables that it says to set."""
    values: dict[str, str] = {}
    with ExitStack() as stack:
        if "DATABASE_URL" in section:
            values["DATABASE_URL"] = stack.enter_context(postgres_server()).url
        if "REDIS_URL" in section:
            values["REDIS_URL"] = f"redis://127.0.0.1:{stack.enter_context(redis_on_port())}"
        if "SQS_QUEUE_URL" in section:
            values["AWS_ENDPOINT_URL"] = stack.enter_context(moto_server())
            with sqs_client(values["AWS_ENDPOINT_URL"]) as client:
                values["SQS_QUEUE_URL"] = client.get_queue_url(QueueName="events")["QueueUrl"]
            values |= {f"AWS_{name}": "test" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
            values["AWS_DEFAULT_REGION"] = "us-east-1"
        yield values


class Terminal:
    """Runs commands in one folder. Port 8000 of the page is a free one here."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self._folder = folder
        self.port = free_port()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        modules = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        ports = {"UVICORN_PORT": str(self.port), "FLASK_RUN_PORT": str(self.port)}
        self._env = {**os.environ, **SECRET, **ports, **variables, "PATH": path, "PYTHONPATH": modules}
        self._running: list[subprocess.Popen[bytes]] = []

    def write(self, name: str, text: str) -> None:
        (self._folder / name).parent.mkdir(exist_ok=True)
        (self._folder / name).write_text(text.replace("8000", str(self.port)))

    def run(self, command: str) -> None:
        process = self._start(command)
        try:
            assert process.wait(PATIENCE) == 0, self.printed()
        finally:
            process.kill()

    def serve(self, command: str) -> None:
        self._running.append(self._start(command))

    def printed(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    def is_served(self) -> bool:
        assert all(process.poll() is None for process in self._running), self.printed()
        try:
            create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)  # as Ctrl-C does
        for process in self._running:
            process.wait(PATIENCE)

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        arguments = shlex.split(command.replace("8000", str(self.port)))
        with (self._folder / "terminal.log").open("ab") as log:
            return subprocess.Popen(arguments, cwd=self._folder, env=self._env, stdout=log, stderr=log)


@pytest.mark.parametrize("command", re.findall(r"to serve it, .*run `([^`]+)`", WEBHOOKS))
def test_command_of_the_page_about_webhooks_serves_its_application(command: str, tmp_path: Path) -> None:
    needs([command.partition(" ")[0], "fastapi"])
    terminal = Terminal(tmp_path, {})
    with closing(terminal):
        for block in BLOCK.finditer(WEBHOOKS):
            if block["title"]:
                terminal.write(block["title"], block["code"])
        terminal.serve(command)
        eventually(terminal.is_served, "the server listens")
        [trigger] = [each for each in commands(WEBHOOKS) if " trigger " in each]
        terminal.run(trigger)
        eventually(lambda: " must reconnect " in terminal.printed(), "the event is handled")


@pytest.mark.parametrize("name", SETUPS)
def test_setup_typed_from_the_page_handles_its_first_event(name: str, tmp_path: Path) -> None:
    section = SETUPS[name]
    [installs] = re.findall(r"`pip install ([^`]+)`", section)
    needs([PROGRAMS.get(each, each) for each in shlex.split(installs) if each in PROGRAMS or each.isalnum()])
    with services(section) as variables, ExitStack() as stack:
        terminal = Terminal(tmp_path, variables)
        stack.callback(terminal.close)
        at = 0
        for block in BLOCK.finditer(section):
            for command in commands(section[at : block.start()]):  # such as what makes a project
                terminal.run(command)
            terminal.write(block["title"], block["code"])
            at = block.end()
        for command in commands(section[at:]):
            terminal.serve(command)
        eventually(terminal.is_served, "the server listens")
        [trigger] = commands(INTRODUCTION)
        terminal.run(trigger)
        eventually(lambda: "user_123 must reconnect" in terminal.printed(), "the event is handled")
