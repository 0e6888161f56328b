"""Turns a document into the plan that the templates print."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from document import Document, Problem
from keywords import problems as problems_of_keywords
from models import enumeration_of, families_of, model_of
from normal import OF_CODE, Normal
from openapi_python_client.strings import ClassName, PythonIdentifier
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from operations import method_name, operation_of
from plan import Api, Operation, Tag
from ready import credentials_of, server_url
from value_types import RefusedError, Types


def parse(document: Document, *, own: bool = False) -> Api:
    """The plan of a document; in our own document, unknown extensions are errors, too.

    Raises:
        SpecificationError: It has a keyword that can't be carried into code, or a value of the wrong type.
    """
    if problems := problems_of_keywords(document, own=own):
        raise document.error(problems)
    simple = Normal(document)
    if simple.problems:
        raise document.error(simple.problems)
    return _Plan(document, simple).api()


class _Plan:
    """The plan of a document, and what can't be carried into code."""

    def __init__(self, document: Document, simple: Normal) -> None:
        self._document = document
        self._simple = simple
        self._types = Types(simple)
        self._problems: list[Problem] = []

    def api(self) -> Api:
        about, types = self._document.data, self._types
        kinds = {name: types.kind_of(each) for name, each in types.schemas.items() if types.target(each)[1] is each}
        enums = [name for name in kinds if "enum" in types.schemas[name]]
        objects = [name for name, kind in kinds.items() if kind in ("dict", "map", "model")]
        tags = tuple(self._tags({*enums, *objects}))
        operations = [operation for tag in tags for operation in tag.operations]
        bodies = [operation.body for operation in operations if operation.body]
        ensured = {each.result.annotation for each in operations if each.body and each.body.ensured_by}
        forms = {each.field.type.annotation for each in bodies if each.argument == "files"}
        methods = {operation.id: f"{tag.name}.{operation.method}" for tag in tags for operation in tag.operations}
        models = tuple(filter(None, (self._kept(model_of, types, name, ensured, forms) for name in objects)))
        text = "The type of its values would have the name of another schema: 'Known{}'."
        clashing = [name for name in enums if f"Known{name}" in types.schemas]
        self._problems += [Problem(types.schemas[name]["x-at"], text.format(name)) for name in clashing]
        families = None if self._problems else self._kept(families_of, types, models, {*enums, *objects})
        if families is None:
            raise self._document.error(self._problems)
        by_id = {
            quoted(each["operationId"]): methods[name]
            for name, each in self._simple.operations.items()
            if each.get("operationId")
        }
        return Api(
            title=in_docstring(about["info"]["title"]),
            version=in_docstring(about["info"]["version"]),
            tags=tags,
            methods=methods,
            methods_by_written_id=by_id if about.get("x-method-names") else {},
            models=models,
            enums=tuple(enumeration_of(types, name) for name in enums),
            families=families,
            server=quoted(server_url(about.get("servers"))),
            credentials=credentials_of(self._document),
            is_secured=all(about.get("security") or [{}]),
        )

    def _tags(self, class_names: set[str]) -> Iterator[Tag]:
        about = {_identifier(tag["name"]): tag for tag in self._document.data.get("tags") or ()}
        tagged: dict[str, list[str]] = {}
        for name, written in self._simple.operations.items():
            tag = (written.get("tags") or ["default"])[0]
            tagged.setdefault(_identifier(tag), []).append(name)
        for tag, names in tagged.items():
            name = str(ClassName(tag, "field_"))
            yield Tag(
                name=tag,
                class_name=f"{name}Resource" if {name, f"Async{name}"} & {*class_names, *OF_CODE} else name,
                description=in_docstring(about.get(tag, {}).get("description") or f"The operations tagged `{tag}`."),
                also_called=tuple(map(quoted, about.get(tag, {}).get("x-also-called") or ())),
                operations=tuple(self._operations(tag, names)),
            )

    def _operations(self, tag: str, names: list[str]) -> Iterator[Operation]:
        methods: set[str] = set()
        for name in names:
            method = method_name(tag, name)
            if method in methods:
                # Two operations that would share a name keep their whole ids.
                method = name
            methods.add(method)
            if operation := self._kept(operation_of, self._types, tag, name, method, self._simple.operations[name]):
                yield operation

    def _kept(self, build: Any, *arguments: Any) -> Any:
        """Return the result of `build`; None if it refuses, which becomes an error at the end."""
        try:
            return build(*arguments)
        except RefusedError as error:
            self._problems.append(error.problem)
            return None


def _identifier(tag: str) -> str:
    """Return the name of a tag's resource. The client has a method `close` of its own."""
    name = str(PythonIdentifier(tag, "tag"))
    return f"{name}_" if name in ("aclose", "close") else name
