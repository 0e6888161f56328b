"""The public names: the `__all__` of the reference's modules, and how each name is called.

`python -m tests.support.public_names` writes them to tests/house/public_names.txt, one per line.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, ForwardRef

from tests.support.contract import operations

FILE = Path(__file__).parents[1] / "house" / "public_names.txt"
MODULES = (
    "interactor_ext",
    "interactor_ext.deprecation",
    "interactor_ext.limits",
    "interactor_ext.logs",
    "interactor_ext.relay",
    "interactor_ext.relay.django",
    "interactor_ext.retry",
    "interactor_ext.sandbox",
    "interactor_ext.sse",
    "interactor_ext.telemetry",
    "interactor_ext.testing",
    "interactor_ext.tokens",
    "interactor_ext.tools",
    "interactor_ext.transports",
    "interactor_ext.webhooks",
    "interactor_ext.webhooks.django",
    "interactor_client",
    "interactor_client.models",
    *sorted({f"interactor_client.api.{operation.tag}" for operation in operations()}),
)


def public_names() -> Iterator[tuple[str, str, Any]]:
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            yield module.__name__, name, getattr(module, name)


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties that a reader meets, including a private base class's, but not another library's."""
    for name in dir(cls):
        if name.startswith("_"):
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        member = vars(owner)[name]
        if isinstance(member, classmethod | staticmethod):
            member = member.__func__
        if owner.__module__.startswith("interactor") and (
            inspect.isfunction(member) or isinstance(member, property | cached_property)
        ):
            yield name, member


def docstrings() -> str:
    """The docstrings that the reference shows, except of what is generated from the contract."""
    found = []
    for _, _, value in public_names():
        if getattr(value, "__module__", "").startswith("interactor_ext"):
            members = [each for _, each in public_members(value)] if inspect.isclass(value) else []
            found += [inspect.getdoc(each) or "" for each in (value, *members)]
    return " ".join(" ".join(found).split())


def lines() -> list[str]:
    """One line for each name and each member. A thing with two names is described at the first."""
    found, first = [], {}
    for module, name, value in public_names():
        path = f"{module}.{name}"
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            found.append(path)
        elif value in first:
            found.append(f"{path} = {first[value]}")
        else:
            first[value] = path
            found.append(path + called(value))
            if inspect.isclass(value):
                found += [f"{path}.{member}{called(each)}" for member, each in public_members(value)]
    return sorted(found)


def called(value: Any) -> str:
    """The signature of a function or one of the SDK's classes, or the type of a property."""
    if isinstance(value, property | cached_property):
        getter = value.fget if isinstance(value, property) else value.func
        return f": {inspect.signature(getter).return_annotation}"
    if inspect.isclass(value):
        owner = next((base for base in value.__mro__ if {"__init__", "__new__"} & vars(base).keys()), object)
        own = owner.__module__.startswith("interactor")
        if not own or issubclass(value, Enum) or getattr(value, "_is_protocol", False):
            return ""
    signature = inspect.signature(value)
    parameters = [each.replace(annotation=printable(each.annotation)) for each in signature.parameters.values()]
    result = printable(signature.return_annotation)
    signature = signature.replace(parameters=parameters, return_annotation=result)
    text = re.sub(r"\{([^{}:]*)\}", in_order, str(signature))
    return re.sub(r"<(?:function |class ')?([\w.]+)[^>]*>", r"\1", text)


def printable(annotation: Any) -> Any:
    """An annotation that each version of Python prints in the same way: as its text, without quotes."""
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    return _Text(text) if isinstance(text, str) else annotation


class _Text:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def in_order(members: re.Match[str]) -> str:
    return f"{{{', '.join(sorted(members[1].split(', ')))}}}"


if __name__ == "__main__":
    FILE.write_text("\n".join(lines()) + "\n", encoding="utf-8")
