"""Makes environments with some of this one's packages, without an index or a network."""

from __future__ import annotations

import os
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SCRIPT = """#!{python}
import sys
from {module} import {attribute} as main
if __name__ == "__main__":  # not in the processes that it spawns
    sys.exit(main())
"""


def python_with_only(folder: Path, requirements: frozenset[str]) -> Path:
    """The Python of a new environment in `folder` with these requirements and their dependencies, and nothing else."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for found in required(requirements):
        for file in found.files or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (packages / top).exists():
                os.symlink(Path(str(found.locate_file(top))), packages / top)
        for entry in found.entry_points.select(group="console_scripts"):
            script = folder / "bin" / entry.name
            script.write_text(
                SCRIPT.format(python=folder / "bin" / "python", module=entry.module, attribute=entry.attr)
            )
            script.chmod(0o755)
    return folder / "bin" / "python"


def required(requirements: frozenset[str]) -> list[Distribution]:
    """The distributions of the requirements and of all their dependencies."""
    found: dict[str, Distribution] = {}
    wanted = [Requirement(text) for text in requirements]
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            try:
                found[requirement.name] = distribution(requirement.name)
            except PackageNotFoundError:
                pytest.skip(f"needs the Python package {requirement.name} (pip install {requirement.name})")
            for text in found[requirement.name].requires or ():
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    wanted.append(further)
    return list(found.values())
