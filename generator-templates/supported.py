"""`--skip-unsupported`: the document without the operations that can't be carried into code.

Unknown keywords of schemas, which JSON Schema ignores, and schemas that no operation uses are left out alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from urllib.parse import unquote

from document import Document, Json, Problem, SpecificationError, reachable, steps
from normal import METHODS, bases_of
from plan import Api
from specification import parse


def parse_supported(document: Document) -> tuple[Api, Document, list[str]]:
    """The plan and the document of the supported part, and a line for each part left out, with the reason.

    Raises:
        SpecificationError: Nothing is left, or a problem isn't in an operation or a component.
    """
    left_out: list[str] = []
    while True:
        try:
            return parse(document), document, left_out
        except SpecificationError as error:
            ignored = [each for each in error.problems if each.without_effect]
            document, lines = _without_keywords(document, ignored) if ignored else _without(document, error)
            left_out += lines


def _line(document: Document, problem: Problem) -> str:
    return f"line {document.line(problem.pointer)}: {problem.pointer}: {problem.text}"


def _without_keywords(document: Document, problems: list[Problem]) -> tuple[Document, list[str]]:
    smaller = Document(document.path, document.text, deepcopy(document.data))
    for problem in problems:
        del smaller.at(problem.pointer.rpartition("/")[0])[steps(problem.pointer)[-1]]
    return smaller, [_line(document, each) for each in problems]


def _without(document: Document, error: SpecificationError) -> tuple[Document, list[str]]:
    """The document without the operations and unused schemas that have problems, and a line for each."""
    if any(len(where := steps(each.pointer)) < 2 + (where[:1] == ["components"]) for each in error.problems):
        raise error
    unused: list[Problem] = []
    reasons: dict[tuple[str, str], Problem] = {}
    uses = dict(_operations(document))
    for problem in error.problems:
        where = tuple(steps(problem.pointer)[:3])
        places = [place for place, used in uses.items() if where in used]
        reasons = {**dict.fromkeys(places, problem), **reasons}
        is_removable = len(where) == 3 and where[0] == "components" and where[1] != "securitySchemes"
        unused += [problem] * (not places and is_removable)
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
            name: each for name, each in some.items() if kind == "securitySchemes" or ("components", kind, name) in used
        }
        for kind, some in document.data.get("components", {}).items()
    }
    lines = [
        *(f"{method.upper()} {path}: {_line(document, problem)}" for (path, method), problem in reasons.items()),
        *(_line(document, problem) for problem in unused),
    ]
    # Webhooks are documentation, and may use schemas that are left out.
    rest_of_it = {key: each for key, each in document.data.items() if key != "webhooks"}
    smaller = {**rest_of_it, "paths": paths, "components": components}
    return Document(document.path, document.text, smaller), lines


def _operations(document: Document) -> Iterator[tuple[tuple[str, str], set[tuple[str, ...]]]]:
    """Yield the path and the method of each operation, with the places of what it consists of: its own, and those of
    the components that it uses, itself or through others."""
    extensions = {f"#{base}": [{"$ref": f"#{each}"} for each in some] for base, _, some in bases_of(document)}
    for path, written in document.data["paths"].items():
        item, _ = document.resolve(written)
        for method in METHODS if isinstance(item, dict) else ():
            if method in item:
                parts = [item[method], item.get("parameters")]
                found = reachable(parts, lambda each: [document.target(each), extensions.get(each)])
                components = {tuple(steps(unquote(reference))[:3]) for _, reference in found if reference}
                yield (path, method), {("paths", path), ("paths", path, method)} | components
