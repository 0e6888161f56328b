"""The Python blocks of README and docs/ pass mypy and pyright."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.support.cases import nightly
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


def projects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def checked(folder: Path, settings: str, text: str, *command: str) -> subprocess.CompletedProcess[str]:
    # Settings of its own, so that none of this project's reach the checker.
    (folder / settings).write_text(text)
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300)


def test_pages_pass_mypy(folder: Path) -> None:
    settings = "[mypy]\nstrict = true\npython_version = 3.11\nexplicit_package_bases = true\n"
    settings += "[mypy-boto3.*,celery.*]\nignore_missing_imports = true\n"
    # mypy knows one module of a name, so pages with files of their own are checked each by itself.
    alone = [project for project in projects(folder) if len(list(project.glob("**/*.py"))) > 1]
    together = [str(path) for project in projects(folder) if project not in alone for path in project.glob("*.py")]
    for project, files in [(folder, together), *((project, ["."]) for project in alone)]:
        cache = f"--cache-dir={folder}/.mypy_cache"
        done = checked(project, "mypy.ini", settings, "mypy", "--no-error-summary", cache, *files)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), project.name


@nightly
def test_pages_pass_pyright(folder: Path) -> None:
    settings = {
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "executionEnvironments": [{"root": project.name} for project in projects(folder)],
    }
    command = ("pyright", "--pythonpath", sys.executable, "--warnings")
    done = checked(folder, "pyrightconfig.json", json.dumps(settings), *command)
    assert done.returncode == 0, done.stdout + done.stderr
