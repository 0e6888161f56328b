"""Writes interactor_client/ and the relay's TypeScript declarations from openapi.yaml:
`python generator-templates/generate.py [--check] [--output FOLDER]`.

With `--specification FILE --output FOLDER`, only writes the package, for another API.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from browser_types import browser_types
from document import Document, SpecificationError, read
from jinja2 import StrictUndefined
from openapi_python_client import Project
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.schema.untrusted_string import UntrustedString
from plan import Api, Enumeration, Model, Tag
from specification import in_docstring, parse
from supported import parse_supported

TEMPLATES = Path(__file__).resolve().parent
ROOT = TEMPLATES.parent
SPECIFICATION = ROOT / "openapi.yaml"
TYPES = ROOT / "interactor_ext" / "relay" / "static" / "interactor-types.d.ts"
# In each package: the files that the generator wrote, and may delete.
MANIFEST = ".generated"
# Modules of interactor_client/ that are written by hand.
BY_HAND = {
    *("accepted.py", "advice.py", "advised.py", "base.py", "bodies.py"),
    *("client.py", "errors.py", "hints.py", "pages.py", "types.py", "wire.py"),
}
# Isolated and without a cache: the text of the package must not depend on the folder it is written to.
RUFF = ("--isolated", "--no-cache", "--target-version=py311", "--line-length=120", "--quiet")
LINT = (
    "check",
    ".",
    *RUFF,
    "--select=F401,I,UP",
    "--fix",
    "--unsafe-fixes",
    "--config=lint.isort.split-on-trailing-comma=false",
    "--config=lint.isort.known-first-party=['interactor_client', 'interactor_ext']",
)
# What strict pyright finds in code that reads JSON, and in modules that use each other's functions.
PYRIGHT = """\
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnnecessaryComparison=false, reportUnusedFunction=false
"""
FORMAT = ("format", ".", *RUFF, "--config=format.skip-magic-trailing-comma=true")


def generate(document: Document, package: Path, *, foreign: str = "", skip: bool = False) -> list[str]:
    """Write the package into the folder `package`, which must not exist. Returns a line for each operation left out.

    `foreign` is the name of a package for another API; "" for ours.
    """
    left_out: list[str] = []
    if skip:
        api, document, left_out = parse_supported(document)
    else:
        api = parse(document, own=not foreign)
    build(api, package, left_out, foreign)
    # ruff leaves unused imports in an __init__.py.
    inits = [path.rename(path.with_name("_resources.py")) for path in (package / "api").glob("*/__init__.py")]
    for arguments in (LINT, FORMAT):
        # The pinned version, installed for this interpreter.
        command = [sys.executable, "-P", "-m", "ruff", *arguments]
        run = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)  # noqa: S603 - made above
        if run.returncode:
            sys.exit(f"{run.stdout}{run.stderr}\nruff rejects the generated code. Nothing was written.")
    for path in inits:
        path.rename(path.with_name("__init__.py"))
    if foreign:
        for path in package.rglob("*.py"):
            path.write_text(f"{PYRIGHT}{path.read_text(encoding='utf-8')}", encoding="utf-8")
    (package / "py.typed").touch()
    text = json.dumps(document.data, indent=1, ensure_ascii=False) + "\n"
    (package / "openapi.json").write_text(text, encoding="utf-8")
    return left_out


def build(api: Api, package: Path, left_out: Sequence[str], foreign: str) -> None:
    """Have openapi-python-client write what our templates print, into a new folder."""
    options = ConfigFile(project_name_override=package.name, package_name_override=package.name, post_hooks=[])
    config = Config.from_sources(options, MetaType.NONE, "", "utf-8", overwrite=False, output_path=package)
    project = Project(openapi=parsed(api), config=config, custom_template_path=TEMPLATES)
    environment = project.env
    environment.undefined = StrictUndefined
    client = "".join(word.capitalize() for word in re.split(r"\W|_", re.sub("_client$", "", foreign)))
    environment.globals.update(api=api, left_out=left_out, client=client)
    environment.filters["renamed"] = lambda fields: {each.old_name: each.name for each in fields if each.old_name}
    modules = dict(api.classes) | {family.name: "" for family in api.families}  # those are imported from the package
    environment.filters["imported"] = lambda text: sorted(
        {(modules[name], name) for name in re.findall(r"\w+", text) if name in modules}
    )
    environment.filters["in_docstring"] = lambda text: str(in_docstring(text))
    environment.filters["with_methods"] = lambda text: re.sub(
        r"`(\w+)`", lambda found: f"`{api.methods_by_written_id.get(found[1], found[1])}`", text
    )
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of a temporary folder
        if errors := project.build():
            raise RuntimeError(errors)
    for module in ("client", "errors", "types"):
        (package / f"{module}.py").unlink()  # generated code imports ours, from interactor_client

    def add(name: str, template: str, **values: Any) -> None:
        write(package / name, environment.get_template(f"{template}.jinja").render(values))

    for family in api.families:
        add(f"models/{family.module}.py", "event_family.py", family=family)
    add("methods.py", "methods.py")
    if foreign:
        add("ready.py", "ready.py")


def parsed(api: Api) -> Any:
    """The plan where openapi-python-client has what its own parser finds, which leaves out what it doesn't support."""

    def made(each: Model | Enumeration) -> Any:
        names = SimpleNamespace(name=each.name, module_name=each.module)
        return SimpleNamespace(class_info=names, value_type=str, plan=each)

    def collection(tag: Tag) -> Any:
        endpoints = [SimpleNamespace(name=each.id, plan=each) for each in tag.operations]
        return SimpleNamespace(endpoints=endpoints, parse_errors=[], plan=tag)

    return SimpleNamespace(
        title=UntrustedString(api.title),
        version=UntrustedString(api.version),
        models=list(map(made, api.models)),
        enums=list(map(made, api.enums)),
        endpoint_collections_by_tag={tag.name: collection(tag) for tag in api.tags},
        errors=[],
    )


def contents(package: Path) -> dict[str, str]:
    """Return the text of every file of the package, by its path within it."""
    return {
        path.relative_to(package).as_posix(): path.read_text(encoding="utf-8", errors="replace")  # a user's picture
        for path in sorted(package.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not path.relative_to(package).as_posix().startswith(".")
    }


def manifest(package: Path) -> set[str]:
    """Return the files that the generator wrote into `package`."""
    listed = package / MANIFEST
    return set(listed.read_text(encoding="utf-8").splitlines()) if listed.exists() else set()


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for name in sorted({*old, *new}):
        before, after = (texts.get(name, "").splitlines(keepends=True) for texts in (old, new))
        lines += difflib.unified_diff(before, after, f"{name} (current)", f"{name} (as generated)")
    return lines


def write(path: Path, text: str) -> None:
    """Only write what changed, because a process may be using the package."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def update(package: Path, old: dict[str, str], new: dict[str, str]) -> None:
    for name, text in new.items():
        write(package / name, text)
    for name in old.keys() - new.keys():
        (package / name).unlink()
    for folder in {Path(name).parent for name in old} - {Path(name).parent for name in new}:
        shutil.rmtree(package / folder / "__pycache__", ignore_errors=True)
        if not any((package / folder).iterdir()):
            (package / folder).rmdir()
    write(package / MANIFEST, "".join(f"{name}\n" for name in sorted(new)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the package is not up to date")
    parser.add_argument("--output", type=Path, help="the package's folder")
    parser.add_argument("--specification", type=Path, help="of another API, whose package goes to --output")
    parser.add_argument(
        "--skip-unsupported", action="store_true", help="leave out the operations that can't be carried into code"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that the generator didn't write")
    arguments = parser.parse_args()
    if arguments.specification and not arguments.output:
        parser.error("--specification needs --output: interactor_client/ is the package of openapi.yaml")
    own = arguments.specification is None
    specification = SPECIFICATION if own else arguments.specification
    package = arguments.output or ROOT / "interactor_client"
    name = package.resolve().name
    if not own and (not name.isidentifier() or iskeyword(name) or name in ("interactor_client", "interactor_ext")):
        sys.exit(f"A package can't be called '{name}'. Choose another folder, such as 'shop_client'.")
    found, ours = contents(package), manifest(package)
    if own:
        ours -= BY_HAND  # an older manifest has some of them
    if arguments.check and not arguments.output and (missing := sorted(BY_HAND - found.keys())):
        sys.exit(f"{package.name}/ lacks {', '.join(missing)}, written by hand.")
    foreign = [name for name in found if name not in ours]
    if foreign and arguments.output and not arguments.check and not arguments.force:
        shown = ", ".join(foreign[:3]) + ", ..." * (len(foreign) > 3)
        sys.exit(
            f"{package} contains files that the generator didn't write: {shown}. Choose another folder or pass --force."
        )
    try:
        document = read(specification)
        with tempfile.TemporaryDirectory() as folder:
            foreign = "" if own else name
            left_out = generate(document, Path(folder) / "client", foreign=foreign, skip=arguments.skip_unsupported)
            new = contents(Path(folder) / "client")
    except SpecificationError as error:
        sys.exit(f"{error}\nNothing was written.")
    for line in left_out:
        sys.stderr.write(f"Left out: {line}\n")
    old = {name: text for name, text in found.items() if name in ours or name in new}
    types = browser_types(document.data) if own else ""
    if not arguments.check:
        update(package, old, new)
        if own:
            write(TYPES, types)
        return 0
    old_types = TYPES.read_text(encoding="utf-8") if own and TYPES.exists() else ""
    difference = differences({**old, TYPES.name: old_types}, {**new, TYPES.name: types})
    sys.stdout.writelines(difference)
    if difference:
        sys.stdout.write(f"\n{package.name}/ or {TYPES.name} doesn't match {specification.name}. Generate it again.\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
