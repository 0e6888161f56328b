"""Turns a document into the plan that the templates print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from document import Document, Json, Problem, below
from keywords import problems as problems_of_keywords
from models import enumeration_of, families_of, model_of
from normal import Normal, normal
from openapi_python_client import schema as oai
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser.errors import GeneratorError, ParseError
from openapi_python_client.parser.openapi import Endpoint, GeneratorData
from openapi_python_client.strings import ClassName, PythonIdentifier
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from operations import method_name, operation_of
from plan import Api, Operation, Tag
from pydantic import ValidationError
from value_types import MODELS, RefusedError, extra_of


def parse(document: Document, *, own: bool = False) -> Api:
    """The plan of a document; in our own document, unknown extensions are errors, too.

    Raises:
        SpecificationError: It has a keyword that can't be carried into code, or the parser warns of something in it.
    """
    if problems := problems_of_keywords(document, own=own):
        raise document.error(problems)
    simple = normal(document)
    if simple.problems:
        raise document.error(simple.problems)
    return _Plan(document, simple).api()


class _Plan:
    """The plan of a document, and what can't be carried into code."""

    def __init__(self, document: Document, simple: Normal) -> None:
        self._document = document
        self._simple = simple.data
        self._written = simple.operations
        self._problems: list[Problem] = []
        self._data = self._parsed()

    def _parsed(self) -> GeneratorData:
        settings = ConfigFile(literal_enums=True)
        config = Config.from_sources(settings, MetaType.NONE, Path(), "utf-8", overwrite=False, output_path=None)
        data = GeneratorData.from_dict(self._simple, config=config)
        if isinstance(data, GeneratorError):
            raise self._document.error(_misfits(self._document, self._simple) or [Problem("", _explained(data))])
        collections = data.endpoint_collections_by_tag.values()
        errors = [*data.errors, *(error for each in collections for error in each.parse_errors)]
        self._problems += [_located(error, self._simple) for error in errors]
        if self._problems:
            raise self._document.error(self._problems)
        MODELS.clear()
        MODELS.update({str(model.class_info.name): model for model in data.models})
        return data

    def api(self) -> Api:
        data, simple = self._data, self._simple
        class_names = {str(each.class_info.name) for each in (*data.models, *data.enums)}
        tags = tuple(self._tags(class_names))
        operations = [operation for tag in tags for operation in tag.operations]
        ensured = {each.result.annotation for each in operations if each.body and each.body.ensured_by}
        methods = {operation.id: f"{tag.name}.{operation.method}" for tag in tags for operation in tag.operations}
        models = tuple(filter(None, (self._kept(model_of, each, ensured) for each in data.models)))
        families = (
            None if self._problems else self._kept(families_of, zip(data.models, models, strict=True), class_names)
        )
        if families is None:
            raise self._document.error(self._problems)
        by_id = {
            quoted(each["operationId"]): methods[name] for name, each in self._written.items() if "operationId" in each
        }
        return Api(
            title=in_docstring(data.title),
            version=in_docstring(data.version),
            tags=tags,
            methods=methods,
            methods_by_written_id=by_id if simple.get("x-method-names") else {},
            models=models,
            enums=tuple(map(enumeration_of, data.enums)),
            families=families,
        )

    def _tags(self, class_names: set[str]) -> Iterator[Tag]:
        about = {PythonIdentifier(tag["name"], "tag"): tag for tag in self._simple.get("tags") or ()}
        for tag, collection in self._data.endpoint_collections_by_tag.items():
            name = str(ClassName(tag, "field_"))
            yield Tag(
                name=tag,
                class_name=f"{name}Resource" if {name, f"Async{name}"} & class_names else name,
                description=in_docstring(about.get(tag, {}).get("description") or f"The operations tagged `{tag}`."),
                also_called=tuple(map(quoted, about.get(tag, {}).get("x-also-called") or ())),
                operations=tuple(self._operations(collection.endpoints)),
            )

    def _operations(self, endpoints: list[Endpoint]) -> Iterator[Operation]:
        methods: set[str] = set()
        for endpoint in endpoints:
            method = method_name(endpoint)
            if method in methods:
                # Two operations that would share a name keep their whole ids.
                method = str(endpoint.name)
            methods.add(method)
            if operation := self._kept(operation_of, endpoint, method, self._written[str(endpoint.name)]):
                yield operation

    def _kept(self, build: Any, *arguments: Any) -> Any:
        """Return the result of `build`; None if it refuses, which becomes an error at the end."""
        try:
            return build(*arguments)
        except RefusedError as error:
            self._problems.append(error.problem)
            return None


def _explained(error: GeneratorError) -> str:
    return ": ".join(" ".join(each.split()).rstrip(": ") for each in (error.header, error.detail) if each)


def _located(error: ParseError, simple: Json) -> Problem:
    """Return a parser error with the pointer of the schema or operation that it is about."""
    pointer = str(extra_of(error.data).get("x-at", ""))
    if not pointer and (reference := getattr(error.data, "ref", None)):
        pointer = str(reference.get_untrusted_value()).lstrip("#")
    words = error.header.split()
    if not pointer and words[:2] == ["WARNING", "parsing"]:
        pointer = below(below("/paths", words[3]), words[2].lower())
    return Problem(pointer, _explained(error))


def _misfits(document: Document, simple: Json) -> list[Problem]:
    """Return the values with a wrong type."""
    try:
        oai.OpenAPI.model_validate(simple)
    except ValidationError as invalid:
        problems = []
        for error in invalid.errors():
            pointer = ""
            for step in error["loc"]:
                # The parser's names of variants and attributes are among the steps.
                if document.at(below(pointer, step)) is not None:
                    pointer = below(pointer, step)
            problems.append(Problem(pointer, f"{error['msg']}."))
        return problems
    return []
