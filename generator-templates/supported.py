"""`--skip-unsupported`: the document without the operations that can't be carried into code.

Unknown keywords of schemas, which JSON Schema ignores, and schemas that no operation uses are left out alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import unquote

from document import Document, Json, Problem, SpecificationError, steps
from normal import METHODS
from plan import Api
from specification import parse


def parse_supported(document: Document) -> tuple[Api, Document, list[str]]:
    """The plan and the document of the supported part, and a line for each part left out, with the reason.

    Raises:
        SpecificationError: Nothing is left, or a problem isn't in an operation or a schema.
    """
    left_out: list[str] = []
    while True:
        try:
            return parse(document), document, left_out
        except SpecificationError as error:
            if ignored := [each for each in error.problems if each.without_effect]:
                document = _without_keywords(document, ignored)
                left_out += [_line(document, each) for each in ignored]
                continue
            smaller, lines = _without(document, error)
            left_out += lines
            document = Document(document.path, document.text, smaller)


def _line(document: Document, problem: Problem) -> str:
    return f"line {document.line(problem.pointer)}: {problem.pointer}: {problem.text}"


def _without_keywords(document: Document, problems: list[Problem]) -> Document:
    smaller = Document(document.path, document.text, deepcopy(document.data))
    for problem in problems:
        del smaller.at(problem.pointer.rpartition("/")[0])[steps(problem.pointer)[-1]]
    return smaller


def _without(document: Document, error: SpecificationError) -> tuple[Json, list[str]]:
    """The document without the operations and unused schemas that have problems, and a line for each."""
    unused: list[Problem] = []
    reasons: dict[tuple[str, str], Problem] = {}
    uses = {place: set(_uses(document, *place)) for place in _operations(document)}
    for problem in error.problems:
        where = tuple(steps(problem.pointer)[:3])
        places = [
            place
            for place, used in uses.items()
            if where in (("paths", *place), ("paths", place[0])) or "/".join(where) in used
        ]
        reasons = {**dict.fromkeys(places, problem), **reasons}
        unused += [problem] * (not places and where[:1] == ("components",))
    if not (reasons or unused) or len(reasons) == len(uses):
        raise error
    rest = [place for place in uses if place not in reasons]
    paths: Json = {}
    for path, method in rest:
        item, _ = document.resolve(document.data["paths"][path])
        kept = paths.setdefault(path, {key: each for key, each in item.items() if key not in METHODS})
        kept[method] = item[method]
    used = set().union(*(uses[place] for place in rest))
    components = {
        kind: {
            name: each
            for name, each in some.items()
            if kind == "securitySchemes" or f"components/{kind}/{name}" in used
        }
        for kind, some in document.data.get("components", {}).items()
    }
    lines = [
        *(f"{method.upper()} {path}: {_line(document, problem)}" for (path, method), problem in reasons.items()),
        *(_line(document, problem) for problem in unused),
    ]
    # Webhooks are documentation, and may use schemas that are left out.
    rest_of_it = {key: each for key, each in document.data.items() if key != "webhooks"}
    return {**rest_of_it, "paths": paths, "components": components}, lines


def _operations(document: Document) -> Iterator[tuple[str, str]]:
    for path, written in document.data["paths"].items():
        item, _ = document.resolve(written)
        yield from ((path, method) for method in METHODS if isinstance(item, dict) and method in item)


def _uses(document: Document, path: str, method: str) -> Iterator[str]:
    """The components that an operation uses, itself or through others."""
    item, _ = document.resolve(document.data["paths"][path])
    waiting: list[Any] = [item[method], item.get("parameters")]
    seen = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            target = part.get("$ref")
            if isinstance(target, str) and target not in seen:
                seen.add(target)
                pointer = unquote(target.removeprefix("#"))
                yield "/".join(steps(pointer)[:3])
                waiting.append(document.at(pointer))
