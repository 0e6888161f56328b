"""Prints the section of CHANGELOG.md of one version, for the release on GitHub; fails if it has no date yet."""

import re
import sys
from pathlib import Path

version = sys.argv[1]
changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
found = re.search(rf"^## {re.escape(version)} \(([^)\n]+)\)\n(.+?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
if found is None:
    sys.exit(f"CHANGELOG.md has no section ## {version}.")
if re.fullmatch(r"20\d\d-\d\d-\d\d", found[1]) is None:
    sys.exit(f"The section ## {version} of CHANGELOG.md has no date, but {found[1]!r}.")
sys.stdout.write(found[2].strip() + "\n")
