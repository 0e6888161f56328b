"""Prints the oldest version of each dependency that pyproject.toml allows, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
for requirements in [project["dependencies"], *project["optional-dependencies"].values()]:
    for requirement in requirements:
        if not requirement.startswith(project["name"]):
            found = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<[\d.]+)?", requirement)
            assert found, requirement
            sys.stdout.write("==".join(found.groups()) + "\n")
