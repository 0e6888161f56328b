"""The reference: every public name stands on its page, and has a docstring, and so has each of its public members."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.public_names import MODULES, public_members, public_names

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"
DIRECTIVE = re.compile(r"^::: (?P<name>\S+)\n(?P<options>(?: {4,}\S.*\n)*)", re.MULTILINE)


def shown() -> set[str]:
    """The full names of what the pages show: those that they name, and the public names of the modules among them."""
    names = set()
    for page in PAGES.glob("*.md"):
        for directive in DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
            name = directive["name"]
            names.add(name)
            filters = re.search(r"filters: (\[.*\])", directive["options"])
            left_out = [each.removeprefix("!") for each in ast.literal_eval(filters[1])] if filters else ["^_"]
            if name in MODULES:
                exported = importlib.import_module(name).__all__
                names |= {f"{name}.{each}" for each in exported if not any(re.search(out, each) for out in left_out)}
    return names


def resolved(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError:
        return importlib.import_module(name)


@cache
def documented_assignments(module: ModuleType) -> set[str]:
    """The names of a module that a string follows, which the reference and editors show."""
    body = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body
    body += [inner for each in body if isinstance(each, ast.If) for inner in each.body]  # under TYPE_CHECKING
    return {
        ast.unparse(each.targets[0] if isinstance(each, ast.Assign) else each.target)
        for each, after in itertools.pairwise(body)
        if isinstance(each, ast.Assign | ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


def test_every_public_name_is_in_the_reference() -> None:
    """Name it on a page of docs/reference/, or export it by a module that a page shows."""
    names = shown()
    objects = [resolved(name) for name in names]
    missing = [
        f"{module}.{name}"
        for module, name, value in public_names()
        if f"{module}.{name}" not in names
        and not any(value is each for each in objects)
        and not (module.startswith("interactor_client.api.") and name.startswith("Async"))  # as their twins
    ]
    assert missing == []


def test_every_public_class_function_and_method_has_a_docstring() -> None:
    missing = []
    for module, name, value in public_names():
        if inspect.isclass(value):
            written = vars(value).get("__doc__") or ""
            about = {name: "" if written.startswith(f"{name}(") else written}  # else what a NamedTuple makes up
            about |= {f"{name}.{member}": each.__doc__ for member, each in public_members(value)}
        else:
            about = {name: value.__doc__} if inspect.isfunction(value) else {}
        missing += [f"{module}.{each}" for each, text in about.items() if not text]
    assert missing == []


def test_every_public_constant_has_a_docstring() -> None:
    constants = {name for _, name, value in public_names() if not (inspect.isclass(value) or inspect.isfunction(value))}
    documented: set[str] = set()
    for name, module in list(sys.modules.items()):  # where they are defined has been loaded now
        if name.startswith(("interactor_client", "interactor_ext")) and getattr(module, "__file__", None):
            documented |= documented_assignments(module)
    assert {"UNSET", "WebhookEvent", "RULES"} <= constants
    assert constants - documented == set()


def test_every_parameter_of_a_resource_method_is_described() -> None:
    missing = [
        f"{name}.{member}: {parameter}"
        for module, name, value in public_names()
        if module.startswith("interactor_client.api.")
        for member, method in public_members(value)
        for parameter in inspect.signature(method).parameters
        if parameter != "self" and not parameter.startswith("_") and f"    {parameter}: " not in method.__doc__
    ]
    assert missing == []
