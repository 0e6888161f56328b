"""Writes interactor_client/ and the relay's TypeScript declarations from openapi.yaml:
`python generator-templates/generate.py [--check] [--output FOLDER]`.

Of another API, with `--specification FILE --output FOLDER`, the package alone.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from browser_types import browser_types
from openapi_python_client.strings import PythonIdentifier
from ruamel.yaml import YAML

TEMPLATES = Path(__file__).resolve().parent
ROOT = TEMPLATES.parent
SPECIFICATION = ROOT / "openapi.yaml"
TYPES = ROOT / "interactor_ext" / "relay" / "static" / "interactor-types.d.ts"


def generate(specification: Path, package: Path) -> None:
    """Write the package into the folder `package`, which must not exist."""
    document = read(specification)
    # As JSON, whose keys are strings and whose values are no dates: the generator refuses `200:` without quotes.
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
    source = package.with_suffix(".json")
    source.write_text(text, encoding="utf-8")
    templates = shutil.copytree(TEMPLATES, package.with_name("templates"))
    (templates / "tags.jinja").write_text(tag_descriptions(document), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", str(source), "--config", str(TEMPLATES / "config.yaml")),
        *("--custom-template-path", str(templates), "--output-path", str(package)),
    ]
    # The generator finds ruff by PATH; the one that is pinned stands beside this interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - made above
    if run.returncode:
        sys.exit(f"{run.stdout}{run.stderr}\n{specification.name} gave warnings or errors; nothing was written.")
    for module in ("base.py", "pages.py", "wire.py"):
        shutil.copyfile(TEMPLATES / module, package / module)
    (package / "py.typed").touch()
    (package / "openapi.json").write_text(text, encoding="utf-8")


def tag_descriptions(document: dict[str, Any]) -> str:
    """A template with the descriptions of the tags, which the generator itself leaves out."""
    tags = document.get("tags") or ()
    described = {PythonIdentifier(tag["name"], "tag"): tag.get("description") or "" for tag in tags}
    return f"{{% set TAGS = {json.dumps(described)} %}}\n"


def read(specification: Path) -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(specification)
    return document


def contents(package: Path) -> dict[str, str]:
    """The text of every file of the package, by its path within it."""
    return {
        path.relative_to(package).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for name in sorted({*old, *new}):
        before, after = (texts.get(name, "").splitlines(keepends=True) for texts in (old, new))
        lines += difflib.unified_diff(before, after, f"{name} (as it is)", f"{name} (as generated)")
    return lines


def update(package: Path, old: dict[str, str], new: dict[str, str]) -> None:
    """Write what changed and nothing else, for a process may be using the package."""
    for name in new:
        if old.get(name) != new[name]:
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(new[name], encoding="utf-8")
    for name in old.keys() - new.keys():
        (package / name).unlink()
    for folder in {Path(name).parent for name in old} - {Path(name).parent for name in new}:
        shutil.rmtree(package / folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the package is not up to date")
    parser.add_argument("--output", type=Path, help="the package's folder")
    parser.add_argument("--specification", type=Path, help="of another API, whose package goes to --output")
    arguments = parser.parse_args()
    if arguments.specification and not arguments.output:
        parser.error("--specification needs --output: interactor_client/ is the package of openapi.yaml")
    specification = arguments.specification or SPECIFICATION
    package = arguments.output or ROOT / "interactor_client"
    with tempfile.TemporaryDirectory() as folder:
        generate(specification, Path(folder) / "client")
        new = contents(Path(folder) / "client")
    old = contents(package)
    old_types = new_types = ""
    if arguments.specification is None:
        old_types = TYPES.read_text(encoding="utf-8") if TYPES.exists() else ""
        new_types = browser_types(read(specification))
    if not arguments.check:
        update(package, old, new)
        if new_types != old_types:
            TYPES.parent.mkdir(parents=True, exist_ok=True)
            TYPES.write_text(new_types, encoding="utf-8")
        return 0
    difference = differences({**old, TYPES.name: old_types}, {**new, TYPES.name: new_types})
    sys.stdout.writelines(difference)
    if difference:
        sys.stdout.write(f"\n{package.name}/ or {TYPES.name} is not what {specification.name} gives: generate it.\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
