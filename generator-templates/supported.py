"""`--skip-unsupported`: the document without the operations that can't be carried into code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from document import Document, Json, Problem, SpecificationError, steps
from normal import METHODS
from plan import Api
from specification import parse


def parse_supported(document: Document) -> tuple[Api, Document, list[str]]:
    """The plan and the document of the supported part, and a line for each operation left out, with the reason.

    Raises:
        SpecificationError: Nothing is left, or a problem isn't in an operation or a schema.
    """
    left_out: list[str] = []
    while True:
        try:
            return parse(document), document, left_out
        except SpecificationError as error:
            smaller, lines = _without(document, error)
            left_out += lines
            document = Document(document.path, document.text, smaller)


def _without(document: Document, error: SpecificationError) -> tuple[Json, list[str]]:
    """The document without the operations that have problems, and a line for each."""
    reasons: dict[tuple[str, str], Problem] = {}
    uses = {place: set(_uses(document, *place)) for place in _operations(document)}
    for problem in error.problems:
        where = tuple(steps(problem.pointer)[:3])
        for place, used in uses.items():
            if where in (("paths", *place), ("paths", place[0])) or "/".join(where) in used:
                reasons.setdefault(place, problem)
    if not reasons or len(reasons) == len(uses):
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
        f"{method.upper()} {path}: line {document.line(problem.pointer)}: {problem.pointer}: {problem.text}"
        for (path, method), problem in reasons.items()
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
