"""Reads an OpenAPI document, and finds the line of each of its parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError

Json = dict[str, Any]


class Problem(NamedTuple):
    """What is wrong with a part of a document."""

    pointer: str
    """JSON pointer of the part."""
    text: str
    without_effect: bool = False
    """Whether the code is the same without it."""


class SpecificationError(Exception):
    """The document can't be read, or contains something that isn't supported. One line for each problem."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Document:
    """An OpenAPI document."""

    def __init__(self, path: Path, text: str, data: Json) -> None:
        self.path = path
        self.data = data
        self.text = text

    def line(self, pointer: str) -> int:
        """Return the line of the part at `pointer`, or of the nearest part around it that exists."""
        node, line = self._nodes, 1
        for step in steps(pointer):
            if isinstance(node.value, list) and node.id == "mapping":
                found = next(((key, value) for key, value in node.value if str(key.value) == step), None)
            elif isinstance(node.value, list) and step.isdecimal() and int(step) < len(node.value):
                found = (node.value[int(step)],) * 2
            else:
                found = None
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    @cached_property
    def _nodes(self) -> Any:
        # JSON may be indented with tabs, YAML may not.
        text = self.text.replace("\t", " ") if self.text.lstrip().startswith("{") else self.text
        return YAML(typ="safe").compose(text)

    def at(self, pointer: str) -> Any:
        """Return the part at `pointer`; None if there is none."""
        part: Any = self.data
        for step in steps(pointer):
            if isinstance(part, list):
                part = part[int(step)] if step.isdecimal() and int(step) < len(part) else None
            else:
                part = part.get(step) if isinstance(part, dict) else None
        return part

    def target(self, reference: str) -> Any:
        """Return what a reference within the document leads to; None if that doesn't exist."""
        return self.at(unquote(reference[1:])) if reference.startswith("#") else None

    def resolve(self, part: Any, pointer: str = "") -> tuple[Any, str]:
        """Return what the part at `pointer` refers to, through any number of references, and the pointer to that; None
        if it doesn't exist."""
        seen = set()
        while isinstance(part, dict) and isinstance(part.get("$ref"), str):
            if part["$ref"] in seen or not part["$ref"].startswith("#"):
                return None, pointer
            seen.add(part["$ref"])
            pointer = unquote(part["$ref"][1:])
            part = self.at(pointer)
        return part, pointer

    def error(self, problems: Iterable[Problem]) -> SpecificationError:
        """Make an error with a line for each problem."""
        found = sorted(dict.fromkeys(problems), key=lambda each: (self.line(each.pointer), each))
        shown = [f"{self.path.name}:{self.line(each.pointer)}: {each.pointer or '/'}: {each.text}" for each in found]
        return SpecificationError("\n".join(shown), found)


def reachable(part: Any, find: Callable[[str], Any]) -> Iterator[tuple[Json, str]]:
    """Yield each object in a part and in what that refers to, with its reference; "" if it has none."""
    waiting, seen = [part], {""}
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            target = part.get("$ref")  # or a property of that name
            reference = target if isinstance(target, str) else ""
            yield part, reference
            waiting += [] if reference in seen else [find(reference)]
            seen.add(reference)


def steps(pointer: str) -> list[str]:
    """Return the parts of a JSON pointer, unescaped."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def below(pointer: str, step: str | int) -> str:
    """Return the pointer of a part of the part at `pointer`."""
    return f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"


def read(path: Path) -> Document:
    """The document in a file, with strings as keys and JSON values.

    Raises:
        SpecificationError: There is no such file, or it isn't a YAML or JSON object.
    """
    if ":/" in str(path) and not path.exists():  # pathlib turns two slashes into one
        raise SpecificationError(f"'{path}' is a URL. Download the document and pass the file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SpecificationError(f"{path.name}: The file isn't UTF-8 text.") from None
    except OSError as error:
        raise SpecificationError(f"Can't read '{path}': {error.strerror}.") from None
    try:
        data = json.loads(text, object_pairs_hook=_distinct) if text.lstrip().startswith("{") else None
    except ValueError:
        data = None  # YAML's flow style, or an error whose line the YAML parser knows
    try:
        # Through JSON, whose keys are strings and whose values aren't dates, so `200:` needs no quotes.
        data = data or json.loads(json.dumps(YAML(typ="safe").load(text), default=str))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context).splitlines()[0]
        raise SpecificationError(
            f"{path.name}:{mark.line + 1 if mark else 1}: {problem[0].upper()}{problem[1:]}."
        ) from None
    except (YAMLError, ValueError) as error:
        raise SpecificationError(f"{path.name}: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        what = "is empty" if data is None else "isn't an object"
        raise SpecificationError(
            f"{path.name}:1: The document {what}. It must start with 'openapi: 3.0.x' or 'openapi: 3.1.x'."
        )
    return Document(path, text, data)


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("A key occurs twice in an object.")
    return found
