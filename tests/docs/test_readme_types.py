"""The README's Python blocks pass mypy and pyright."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

pytestmark = pytest.mark.full  # a minute of type checkers, and the README changes seldom
README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r'^```python(?: title="(?P<title>[\w.]+)")?\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
# What the blocks import beside the package. Django ships no types of its own; Celery and boto3 have none.
FRAMEWORKS = (
    *(
        "boto3",
        "celery",
        "django",
        "django-stubs",
        "dramatiq",
        "fastapi",
        "flask",
        "mcp",
        "prometheus-client",
        "pytest",
    ),
    *("rq", "structlog"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each block as a file that is named after its line in the README; those with a title are one project."""
    for package in FRAMEWORKS:
        try:
            distribution(package)
        except PackageNotFoundError:
            pytest.skip(f"needs the Python package {package} (pip install {package})")
    folder = tmp_path_factory.mktemp("readme")
    text = README.read_text()
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        (folder / (match["title"] or f"readme_line_{line}.py")).write_text(match["code"])
    return folder


def checked(folder: Path, settings: str, text: str, *command: str) -> subprocess.CompletedProcess[str]:
    # Settings of its own, so that none of this project's reach the checker.
    (folder / settings).write_text(text)
    return subprocess.run(
        [sys.executable, "-m", *command, "."], cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_readme_passes_mypy(folder: Path) -> None:
    settings = "[mypy]\nstrict = true\npython_version = 3.11\n[mypy-boto3.*,celery.*]\nignore_missing_imports = true\n"
    done = checked(folder, "mypy.ini", settings, "mypy", "--no-error-summary")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_readme_passes_pyright(folder: Path) -> None:
    settings = json.dumps({"pythonVersion": "3.11", "typeCheckingMode": "standard"})
    done = checked(folder, "pyrightconfig.json", settings, "pyright", "--pythonpath", sys.executable, "--warnings")
    assert done.returncode == 0, done.stdout + done.stderr
