"""Compares the generator with two others on the documents of `tests/support/foreign_specs/`, and writes the table into
`docs/how-to/generate-your-own-client.md`: `python -m tests.support.compare_generators JAR`, with the jar of
openapi-generator. openapi-python-client is the one in the generator's environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.support import generator
from tests.support.pages import DOCS, ROOT

DOCUMENTS = ("museum", "petstore3", "galaxy")
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PAGE = DOCS / "how-to" / "generate-your-own-client.md"
HEADER = """\
| document | operations | this generator | openapi-python-client {python} | openapi-generator {java} |
|---|---|---|---|---|
"""


def commands(specification: Path, output: Path, jar: str) -> Iterator[tuple[list[str], str]]:
    """The command of each generator, and what occurs once for each operation in its code."""
    ours = str(ROOT / "generator-templates" / "generate.py")
    yield (
        [str(generator.PYTHON), ours, "--specification", str(specification), "--output", str(output)],
        "^def sync_detailed",
    )
    plain = str(generator.PYTHON.with_name("openapi-python-client"))
    yield [plain, "generate", "--path", str(specification), "--output-path", str(output)], "^def sync_detailed"
    yield (
        ["java", "-jar", jar, "generate", "-g", "python", "-i", str(specification), "-o", str(output)],
        r"^    def \w+_with_http_info",
    )


def cell(command: list[str], output: Path, function: str) -> str:
    """How many functions a generator makes, how many parts it leaves out, and the errors of `mypy --strict`."""
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        return "refused"
    code = "\n".join(path.read_text() for path in output.rglob("*.py") if "test" not in path.parts)
    known = len(re.findall(function, code, re.MULTILINE))
    package = next(path.parent for path in sorted(output.rglob("__init__.py"), key=lambda each: len(each.parts)))
    typed = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", package.name]
    checked = subprocess.run(typed, cwd=package.parent, capture_output=True, text=True, check=False).stdout
    errors = re.search(r"Found (\d+) error", checked)
    incomplete = len(re.findall("WARNING parsing", made.stdout + made.stderr))
    left_out = f", parts left out: {incomplete}" if incomplete else ""
    return f"{known}{left_out}; {errors[1] if errors else 0} type errors"


def main(jar: str) -> None:
    rows = []
    for name in DOCUMENTS:
        specification = ROOT / "tests" / "support" / "foreign_specs" / f"{name}.yaml"
        paths = yaml.safe_load(specification.read_text())["paths"].values()
        count = sum(method in METHODS for item in paths for method in item)
        cells = []
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "made"
            for number, (command, function) in enumerate(commands(specification, output, jar)):
                numbered = output.with_name(f"made{number}")
                cells.append(
                    cell([str(numbered) if each == str(output) else each for each in command], numbered, function)
                )
        rows.append(f"| {name} | {count} | {' | '.join(cells)} |\n")
    python = subprocess.run(
        [str(generator.PYTHON.with_name("openapi-python-client")), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    java = subprocess.run(["java", "-jar", jar, "version"], capture_output=True, text=True, check=True).stdout.strip()
    table = HEADER.format(python=python.stdout.split()[-1], java=java) + "".join(rows)
    text = re.sub(r"(?<=<!-- compared -->\n)(\|.*\n)*", lambda _: table, PAGE.read_text())
    PAGE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
