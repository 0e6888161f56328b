"""The Makefile, and what its targets install."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.pages import ROOT

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no make")
def test_an_older_python_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    older = tmp_path / "python3.10"
    older.write_text(f"""#!/bin/sh\nexec '{sys.executable}' -c "import sys; sys.version_info = (3, 10, 1); $2"\n""")
    older.chmod(0o755)
    command = ["make", "demo", f"PYTHON={older}"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode
    assert "Python 3.11 or newer is needed, and this is 3.10." in done.stdout
    assert [*tmp_path.glob(".venv*")] == []


def names(group: str) -> set[str]:
    entries = [entry if isinstance(entry, str) else entry["include-group"] for entry in GROUPS[group]]
    return set().union(*(names(each) if each in GROUPS else {re.split(r"[\[<>=]", each)[0]} for each in entries))


def test_only_the_constraints_pin_exact_versions() -> None:
    """Dependabot changes one line of one file: `make constraints PACKAGE=name` does the same."""
    assert "==" not in re.sub("sys_platform.*", "", (ROOT / "pyproject.toml").read_text())
    for file, groups in {
        "constraints": ("dev", "docs", "bench", "release"),
        "constraints-generate": ("generate",),
    }.items():
        pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / ".ci" / f"{file}.txt").read_text().lower(), re.MULTILINE))
        assert set().union(*map(names, groups)) <= pinned
