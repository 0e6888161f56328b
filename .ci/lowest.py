"""Prints the oldest version of each dependency that pyproject.toml allows, as constraints for pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
for requirement in [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]:
    if not requirement.startswith(project["name"]):
        name, oldest = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<[\d.]+)?", requirement).groups()
        print(f"{name}=={oldest}")
