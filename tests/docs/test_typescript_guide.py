"""The TypeScript guide's commands and programs run as written, and its generated client calls every operation."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.contract import operations
from tests.support.npm import npm_package
from tests.support.pages import DOCS, ROOT, blocks

BLOCKS = [*blocks(DOCS / "how-to" / "typescript-client.md")]
PROGRAMS = {block.title: block.code for block in BLOCKS if block.title}
COMMANDS = [line for block in BLOCKS if block.language == "sh" for line in block.code.splitlines()]
PACKAGES = [word for line in COMMANDS if line.startswith("npm install") for word in line.split()[2:]]

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a reader has made in the end."""
    folder = tmp_path_factory.mktemp("typescript")
    modules = npm_package(request, *PACKAGES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(modules / "node_modules")
    shutil.copy(ROOT / "openapi.yaml", folder)
    shutil.copy(ROOT / "tests/support/every_operation.ts", folder)
    for name, program in PROGRAMS.items():
        (folder / name).write_text(program)
    for command in COMMANDS:
        if command.startswith("npx openapi-ts "):
            run(folder, command)
    return folder


def run(folder: Path, command: str, **env: str) -> str:
    ended = subprocess.run(
        command.split(), cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def test_guides_programs_fit_the_generated_types(project: Path) -> None:
    (check,) = (command for command in COMMANDS if command.startswith("npx tsc "))
    run(project, check.replace(" chat.ts", " chat.ts every_operation.ts"))


def test_guides_chat_prints_streamed_answer(project: Path) -> None:
    with Sandbox().run() as sandbox:
        lines = run(project, "npx tsx chat.ts", **sandbox.env).splitlines()
    assert lines[:2] == ["Support Bot here. You said: Hello!", "Support Bot here. You said: Tell me more."]
    assert lines[2].startswith("422 {")


def test_generated_client_calls_every_operation(project: Path) -> None:
    with Sandbox().run() as sandbox:
        assert run(project, "npx tsx every_operation.ts", **sandbox.env) == "done\n"
        assert {(call.operation, call.status < 300) for call in sandbox.requests} == {
            (operation.id, True) for operation in operations()
        }
