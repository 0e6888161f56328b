"""The Python blocks of README and docs/ pass mypy and pyright."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.support.pages import blocks, name, pages

pytestmark = pytest.mark.full  # a minute of type checkers
# What the blocks import beside the package. Django ships no types of its own; Celery and boto3 have none.
FRAMEWORKS = (
    *("boto3", "celery", "django", "django-stubs", "dramatiq", "fastapi", "flask", "mcp", "prometheus-client"),
    *("pytest", "rq", "structlog"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a page: its blocks together in one file, each at the page's own lines, and its files beside it."""
    for package in FRAMEWORKS:
        try:
            distribution(package)
        except PackageNotFoundError:
            pytest.skip(f"needs the Python package {package} (pip install {package})")
    folder = tmp_path_factory.mktemp("pages")
    for page in pages():
        project = folder / name(page).removesuffix(".md").replace("/", "-")
        together = ""
        for block in blocks(page):
            if block.title is not None and block.not_run is None:
                (project / block.title).parent.mkdir(parents=True, exist_ok=True)
                (project / block.title).write_text(block.code)
            elif block.language == "python" and block.runs:
                together += "\n" * (block.line - together.count("\n")) + block.code
        if together:
            project.mkdir(exist_ok=True)
            (project / f"{project.name.replace('-', '_')}.py").write_text(together)
    return folder


def checked(folder: Path, settings: str, text: str, *command: str) -> str:
    """What the checker prints about the projects, each checked by itself."""
    printed = ""
    for project in sorted(path for path in folder.iterdir() if path.is_dir()):
        # Settings of its own, so that none of this project's reach the checker.
        (project / settings).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", *command, "."], cwd=project, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            printed += f"{project.name}:\n{done.stdout}{done.stderr}"
    return printed


def test_pages_pass_mypy(folder: Path) -> None:
    settings = (
        f"[mypy]\nstrict = true\npython_version = 3.11\ncache_dir = {folder}/.mypy_cache\n"
        "[mypy-boto3.*,celery.*]\nignore_missing_imports = true\n"
    )
    assert checked(folder, "mypy.ini", settings, "mypy", "--no-error-summary") == ""


def test_pages_pass_pyright(folder: Path) -> None:
    settings = json.dumps({"pythonVersion": "3.11", "typeCheckingMode": "standard"})
    command = ("pyright", "--pythonpath", sys.executable, "--warnings")
    assert checked(folder, "pyrightconfig.json", settings, *command) == ""
