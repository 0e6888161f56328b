"""Turns a specification into the plan that the templates print. The only module that imports openapi-python-client.

The classes of that parser are not a public API: an upgrade of it breaks this module and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path
from typing import Any

from document import Document, Json, Problem, below
from keywords import problems as problems_of_keywords
from normal import METHODS, normal
from openapi_python_client import schema as oai
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import properties as parsed
from openapi_python_client.parser.bodies import Body as ParsedBody
from openapi_python_client.parser.errors import GeneratorError, ParseError
from openapi_python_client.parser.openapi import Endpoint, GeneratorData, generate_operation_id
from openapi_python_client.parser.responses import Response
from openapi_python_client.schema.untrusted_string import UntrustedString
from openapi_python_client.strings import ClassName, PythonIdentifier, in_f_string_literal
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from plan import (
    Answer,
    Answers,
    Api,
    Body,
    Enumeration,
    Family,
    Field,
    Model,
    Objects,
    Operation,
    Tag,
    Type,
    Variants,
    Wait,
    imports_of,
)
from pydantic import ValidationError

_KINDS: dict[type, str] = {
    parsed.AnyProperty: "any",
    parsed.BooleanProperty: "bool",
    parsed.ConstProperty: "const",
    parsed.DateProperty: "date",
    parsed.DateTimeProperty: "datetime",
    parsed.FileProperty: "bytes",
    parsed.FloatProperty: "number",
    parsed.IntProperty: "int",
    parsed.ListProperty: "list",
    parsed.NoneProperty: "null",
    parsed.StringProperty: "str",
    parsed.UnionProperty: "union",
    parsed.UuidProperty: "str",
}
# Values that are kept unchanged: their Python types by kind, and in words.
_PLAIN = {"bool": ["bool"], "bytes": ["bytes"], "int": ["int"], "number": ["int", "float"], "str": ["str"]}
_WORDS = {"bool": "a boolean", "bytes": "bytes", "float": "a number", "int": "an integer", "str": "a string"}
# The parser appends "_" to the name of every builtin. Only keywords, the names used in annotations, and those that the
# generated code itself uses around a field need it.
_RESERVED = {
    *("self", "bool", "datetime", "dict", "float", "int", "list", "str", "cls", "to_dict", "from_dict", "httpx"),
    *("additional_properties", "left_out", "outcome", "redacted", "names_only", "is_given", "to_json", "number_in"),
    *("client", "decode", "raise_decode_error", "path_segment", "query_text", "in_query", "as_text", "in_cookie"),
    *("says_nothing", "as_received", "as_object", "as_bool", "as_const", "as_date", "as_datetime", "as_dict"),
    *("as_int", "as_list", "as_number", "as_str", "require_client"),
}
# Keywords that methods have in addition to the document's.
_OF_PAGES = {"prefetch", "on_invalid"}
_OF_STREAMS = {"last_event_id", "max_reconnects", "on_reconnect", "on_invalid"}
_OF_WAITS = {"until", "timeout"}
# Fields with these names are secrets, whatever their schema says.
_SECRETS = {"access_token", "client_secret", "refresh_token", "secret", "token"}


# The models by name. The parser copies a model wherever it is used, often before knowing its properties.
_MODELS: dict[str, parsed.ModelProperty] = {}


class _RefusedError(Exception):
    """A part of the document can't be carried into code."""

    def __init__(self, pointer: str, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(pointer, text)


def parse(document: Document, *, own: bool = False) -> Api:
    """The plan of a document; in our own document, unknown extensions are errors, too.

    Raises:
        SpecificationError: It has a keyword that can't be carried into code, or the parser warns of something in it.
    """
    if problems := problems_of_keywords(document, own=own):
        raise document.error(problems)
    simple, problems = normal(document)
    if problems:
        raise document.error(problems)
    return _Plan(document, simple).api()


class _Plan:
    """The plan of a document, and what can't be carried into code."""

    def __init__(self, document: Document, simple: Json) -> None:
        self._document = document
        self._simple = simple
        self._problems: list[Problem] = []
        self._written = _operations_as_written(Document(document.path, "", simple), self._problems)
        settings = ConfigFile(literal_enums=True)
        self._prefix = settings.field_prefix
        self._data = self._parsed(
            Config.from_sources(settings, MetaType.NONE, Path(), "utf-8", overwrite=False, output_path=None)
        )

    def _parsed(self, config: Config) -> GeneratorData:
        data = GeneratorData.from_dict(self._simple, config=config)
        if isinstance(data, GeneratorError):
            raise self._document.error(_misfits(self._document, self._simple) or [Problem("", _explained(data))])
        collections = data.endpoint_collections_by_tag.values()
        errors = [*data.errors, *(error for each in collections for error in each.parse_errors)]
        self._problems += [_located(error, self._simple) for error in errors]
        if self._problems:
            raise self._document.error(self._problems)
        _MODELS.clear()
        _MODELS.update({str(model.class_info.name): model for model in data.models})
        return data

    def api(self) -> Api:
        data, simple = self._data, self._simple
        class_names = {str(each.class_info.name) for each in (*data.models, *data.enums)}
        tags = tuple(self._tags(class_names))
        operations = [operation for tag in tags for operation in tag.operations]
        ensured = {each.result.annotation for each in operations if each.body and each.body.ensured_by}
        methods = {operation.id: f"{tag.name}.{operation.method}" for tag in tags for operation in tag.operations}
        models = tuple(filter(None, (self._kept(_model, each, ensured) for each in data.models)))
        families = tuple(_families(zip(data.models, models, strict=True))) if len(models) == len(data.models) else ()
        for family in families:
            if family.name in class_names:
                at = _at(next(each for each in data.models if _extra(each.data).get("x-event-family") == family.name))
                self._problems.append(Problem(at, f"The family {family.name!r} has the name of a model."))
        if self._problems:
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
            enums=tuple(map(_enumeration, data.enums)),
            families=families,
        )

    def _tags(self, class_names: set[str]) -> Iterator[Tag]:
        about = {PythonIdentifier(tag["name"], "tag"): tag for tag in self._simple.get("tags") or ()}
        for tag, collection in self._data.endpoint_collections_by_tag.items():
            name = str(ClassName(tag, self._prefix))
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
            method = _method_name(endpoint)
            if method in methods:
                # Two operations that would share a name keep their whole ids.
                method = str(endpoint.name)
            methods.add(method)
            if operation := self._kept(_operation, endpoint, method, self._written[str(endpoint.name)]):
                yield operation

    def _kept(self, build: Any, *arguments: Any) -> Any:
        """Return the result of `build`; None if it refuses, which becomes an error at the end."""
        try:
            return build(*arguments)
        except _RefusedError as error:
            self._problems.append(error.problem)
            return None


def _explained(error: GeneratorError) -> str:
    return ": ".join(" ".join(each.split()).rstrip(": ") for each in (error.header, error.detail) if each)


def _located(error: ParseError, simple: Json) -> Problem:
    """Return a parser error with the pointer of the schema or operation that it is about."""
    pointer = str(_extra(error.data).get("x-at", ""))
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


def _at(model: parsed.ModelProperty) -> str:
    return str(_extra(model.data).get("x-at", ""))


def _extra(data: Any) -> dict[str, Any]:
    """The `x-...` of a part of the document."""
    return getattr(data, "model_extra", None) or {}


# Types


def _kind(prop: Any) -> str:
    if isinstance(prop, parsed.LiteralEnumProperty):
        return prop.value_type.__name__
    if isinstance(prop, parsed.ModelProperty):
        return "model" if not _is_free(prop) else "map" if _values(prop) else "dict"
    return _KINDS[type(prop)]


def _is_free(model: parsed.ModelProperty) -> bool:
    return not model.data.properties and not model.data.allOf


def _values(model: parsed.ModelProperty) -> Any:
    """Return the property of a map's values, or of a model's undocumented fields; None if they may be anything."""
    values = _canonical(model).additional_properties
    return None if isinstance(values, parsed.AnyProperty) else values


def _canonical(model: parsed.ModelProperty) -> parsed.ModelProperty:
    """Return the copy of a model that knows its properties."""
    return _MODELS[str(model.class_info.name)]


def _type(prop: Any, *, sent: bool = False) -> Type:
    kind = _kind(prop)
    if kind == "list":
        item = _type(prop.inner_property, sent=sent)
        return Type(kind=kind, annotation=f"list[{item.annotation}]", imports=item.imports, item=item)
    if kind == "map":
        try:
            item = _type(_values(prop), sent=sent)
        except RecursionError:
            raise _RefusedError(_at(prop), "A map that contains itself is not supported.") from None
        return Type(kind=kind, annotation=f"dict[str, {item.annotation}]", imports=item.imports, item=item)
    if kind == "union":
        return _union(prop.inner_properties, sent)
    if isinstance(prop, parsed.LiteralEnumProperty | parsed.ModelProperty):
        is_closed = sent and isinstance(prop, parsed.LiteralEnumProperty)
        name = f"Known{prop.class_info.name}" if is_closed else str(prop.class_info.name)
        return Type(kind=kind, annotation=name, imports=frozenset({(str(prop.class_info.module_name), name)}))
    if isinstance(prop, parsed.FileProperty | parsed.UuidProperty):
        return Type(kind=kind, annotation=kind)
    return Type(
        kind=kind,
        annotation=prop.get_type_string(no_optional=True).as_unembedded_code(),
        nullable=kind in ("any", "null"),
        const=prop.value.python_code.as_unembedded_code() if kind == "const" else "",
    )


def _union(inner: list[Any], sent: bool) -> Type:
    types = [_type(each, sent=sent) for each in inner]
    others = [each for each in types if each.kind != "null"]
    objects = _objects([each for each in inner if isinstance(each, parsed.ModelProperty)])
    annotations = [each.annotation for each in others]
    if objects and len(objects.models) > 1 and not objects.fallback:
        annotations.append("dict[str, Any]")
    nullable = any(each.nullable for each in types)
    is_checked = "Any" not in annotations
    if nullable and is_checked:
        annotations.append("None")
    only = others[0] if len(others) == 1 else None
    return Type(
        kind="union",
        annotation=" | ".join(dict.fromkeys(annotations)),
        imports=frozenset().union(*(each.imports for each in types)),
        nullable=nullable,
        only=only,
        variants=_variants(others, inner, objects) if is_checked and not only else None,
    )


def _variants(types: list[Type], inner: list[Any], objects: Objects | None) -> Variants:
    arrays = [each for each in types if each.kind == "list"]
    times = [each for each in types if each.kind in ("date", "datetime")]
    plain: dict[str, None] = {}
    for prop in inner:
        kind = _kind(prop)
        plain |= dict.fromkeys([type(prop.value.raw_value).__name__] if kind == "const" else _PLAIN.get(kind, []))
    expected = ["an object"] * bool(objects) + ["an array"] * bool(arrays) + [_WORDS[each] for each in plain]
    return Variants(
        objects=objects,
        array=arrays[0] if arrays else None,
        time=times[0] if times and not plain else None,
        plain=tuple(plain),
        expected=" or ".join(expected),
    )


def _objects(variants: list[parsed.ModelProperty]) -> Objects | None:
    if not variants:
        return None
    models = {str(each.class_info.name): each for each in variants if not _is_free(each)}
    maps = [each for each in variants if _kind(each) == "map"]
    if maps and len(variants) > 1:
        raise _RefusedError(_at(maps[0]), "A map among other objects of a union is not supported.")
    tags = {name: _tags(model) for name, model in models.items()}
    discriminator = _discriminator(tags)
    others = [name for name in models if discriminator not in tags[name]]
    if not discriminator and len(models) > 1:
        others = _by_demands(models)
    return Objects(
        models=tuple(others if len(others) == len(models) else models),
        free=len(models) < len(variants),
        discriminator=discriminator,
        by_constant={value: name for name in models if name not in others for value in tags[name][discriminator]},
        fallback=others[0] if discriminator and len(others) == 1 else "",
        map=_type(maps[0]) if maps else None,
    )


def _discriminator(tags: dict[str, dict[str, list[str]]]) -> str:
    """Return the first property for which no two models share a value; "" if there is none."""
    for name in dict.fromkeys(name for each in tags.values() for name in each):
        values = Counter(value for each in tags.values() for value in each.get(name, ()))
        if sum(name in each for each in tags.values()) > 1 and set(values.values()) == {1}:
            return name
    return ""


def _by_demands(models: dict[str, parsed.ModelProperty]) -> list[str]:
    """Sort the models so that the first that fits is the right one: each requires something that no later one knows."""
    rest, ordered = dict(models), []
    if not any(_extra(model.data).get("x-read") for model in models.values()):
        return list(models)  # the caller says which one it is
    while rest:
        for name, model in rest.items():
            required = {each.name for each in _canonical(model).required_properties or ()}
            others = [other for key, other in rest.items() if key != name]
            if all(required - {each.name for each in _properties(_canonical(other))} for other in others):
                ordered.append(rest.pop(name) and name)
                break
        else:
            names = " and ".join(map(repr, rest))
            text = f"The variants {names} of a union can't be told apart. Add a discriminator or a constant property."
            raise _RefusedError(_at(next(iter(rest.values()))), text)
    return ordered


def _tags(model: parsed.ModelProperty) -> dict[str, list[str]]:
    """Return, by name, the strings that properties of the model always have, starting with those that a discriminator
    names."""
    tags = {
        quoted(name): [quoted(each) for each in values] for name, values in _extra(model.data).get("x-tags", {}).items()
    }
    for prop in _properties(_canonical(model)):
        if isinstance(prop, parsed.ConstProperty) and isinstance(prop.value.raw_value, str | bool):
            tags.setdefault(quoted(prop.name), [quoted(str(prop.value.raw_value))])
        elif isinstance(prop, parsed.LiteralEnumProperty) and prop.value_type is str:
            tags.setdefault(quoted(prop.name), [quoted(each) for each in sorted(map(str, prop.values))])
    return tags


def _holds_binary(of: Type | None) -> bool:
    if of is None or of.variants is None:
        return of is not None and (of.kind == "bytes" or _holds_binary(of.item) or _holds_binary(of.only))
    return "bytes" in of.variants.plain or _holds_binary(of.variants.array)


# Fields and models


def _field(prop: Any, written: Json, *, sent: bool) -> Field:
    """`written` is its schema, or the parameter, in the document."""
    notes = [prop.description if "$ref" not in written else written.get("description") or prop.description]
    if written.get("x-default") is not None:
        notes.append(f"Default: {json.dumps(written['x-default'], ensure_ascii=False)}.")
    if written.get("deprecated"):
        notes.append("Deprecated.")
    return Field(
        key=quoted(prop.name),
        name=_name_of(prop),
        variable=f"{prop.python_name}_" if prop.python_name in _RESERVED else str(prop.python_name),
        type=_type(prop, sent=sent),
        required=prop.required,
        description=" ".join(in_docstring(each) for each in notes if each),
        read_only=bool(written.get("readOnly")),
        write_only=bool(written.get("writeOnly")),
    )


def _name_of(prop: Any) -> str:
    bare = prop.python_name.removesuffix("_")
    return f"{bare}_" if iskeyword(bare) or bare in _RESERVED else bare


def _properties(model: parsed.ModelProperty) -> list[Any]:
    return [*(model.required_properties or []), *(model.optional_properties or [])]


def _written(prop: Any, model: parsed.ModelProperty) -> Json:
    found: Json = _extra(model.data).get("x-properties", {}).get(prop.name, {})
    return found


def _model(model: parsed.ModelProperty, ensured: set[str]) -> Model:
    extra = _extra(model.data)
    bare = extra.get("x-bare") or ""
    is_request = bool(extra.get("x-request"))
    values = _values(model)
    fields = tuple(_model_field(each, model, is_request) for each in _properties(model))
    if twice := _twice(each.name for each in fields):
        raise _RefusedError(_at(model), f"Two properties have the Python name {twice!r}.")
    return Model(
        name=str(model.class_info.name),
        module=str(model.class_info.module_name),
        description=_model_description(model),
        free=_is_free(model),
        is_request=is_request,
        fields=fields,
        values=_type(values) if values else None,
        bare=quoted("data" if bare is True else bare),
        other_names={quoted(key): quoted(other) for key, other in (extra.get("x-other-names") or {}).items()},
        ensured=str(model.class_info.name) in ensured,
    )


def _model_description(model: parsed.ModelProperty) -> str:
    text = in_docstring(model.description or model.class_info.name)
    return f"{text}\n\nDeprecated." if model.data.deprecated else text


def _twice(names: Iterable[str]) -> str:
    """Return the first name that occurs twice; "" if there is none."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _model_field(prop: Any, model: parsed.ModelProperty, is_request: bool) -> Field:
    written = _written(prop, model)
    field = _field(prop, written, sent=is_request)
    if _holds_binary(field.type) and _extra(model.data).get("x-multipart"):
        field = replace(field, type=replace(field.type, annotation=field.type.annotation.replace("bytes", "File")))
    elif _holds_binary(field.type):
        at = written.get("x-at") or _at(model)
        raise _RefusedError(at, f"Binary data within JSON is not supported: {model.class_info.name}.{field.key}.")
    extra = _extra(model.data)
    absent = {key: repr(value) for key, value in (extra.get("x-absent") or {}).items()}
    marked = written.get("format") == "password" or field.write_only
    return replace(
        field,
        absent=absent.get(prop.name, ""),
        secret=marked or prop.name in (extra.get("x-secret") or ()) or prop.python_name in _SECRETS,
        numeric_string=bool(written.get("x-numeric-string")),
        null_is_sent=field.type.nullable and (not is_request or bool(written.get("x-sends-null"))),
    )


def _enumeration(enum: Any) -> Enumeration:
    return Enumeration(
        name=str(enum.class_info.name),
        module=str(enum.class_info.module_name),
        description=in_docstring(enum.description or enum.class_info.name),
        literals=tuple(map(repr, sorted(enum.values, key=str.lower if enum.value_type is str else None))),
        value_type=enum.value_type.__name__,
    )


def _families(models: Iterable[tuple[parsed.ModelProperty, Model]]) -> Iterator[Family]:
    families: dict[str, dict[str, Model]] = {}
    for each, model in models:
        if family := _extra(each.data).get("x-event-family"):
            constant = next(iter(_tags(each).values()), [""])[0]
            families.setdefault(family, {})[constant] = model
    for name, members in families.items():
        yield Family(name=quoted(name), module=PythonIdentifier(name, ""), models=members)


# Operations


def _operations_as_written(document: Document, problems: list[Problem]) -> dict[str, Json]:
    """The operations by the name that the parser makes of their ids, with the parameters of their paths.

    Notes in `x-at` and `x-parameters` where each is, and its parameters by their places and names.
    """
    written: dict[str, Json] = {}
    for path, item in document.data["paths"].items():
        for method in METHODS:
            if (operation := item.get(method)) is None:
                continue
            at = below(below("/paths", path), method)
            id_ = operation.get("operationId")
            name = str(
                PythonIdentifier(id_, "field_")
                if id_
                else generate_operation_id(path=UntrustedString(path), method=method, prefix="field_")
            )
            if name in written:
                text = f"Two operations have the Python name {name!r}: the other is {written[name]['x-at']}."
                problems.append(Problem(below(at, "operationId") if id_ else at, text))
            listed = [
                document.resolve(each) for each in (*item.get("parameters", ()), *operation.get("parameters", ()))
            ]
            parameters = {(each["in"], each["name"]): each for each in listed if {"in", "name"} <= each.keys()}
            servers = operation.get("servers") or item.get("servers") or []
            written[name] = {**operation, "x-at": at, "x-parameters": parameters, "x-servers": servers}
    return written


def _method_name(endpoint: Endpoint) -> str:
    """Return the operation's name without the words of its tag, in the singular or plural."""
    words: set[str] = set()
    for word in endpoint.tags[0].split("_"):
        words |= {word, f"{word}s", f"{word}es", word.removesuffix("s"), word.removesuffix("es")}
        if word.endswith("ies"):
            words.add(f"{word.removesuffix('ies')}y")
    name = "_".join(word for word in endpoint.name.split("_") if word not in words) or str(endpoint.name)
    return f"{name}_" if iskeyword(name) else name


def _operation(endpoint: Endpoint, method: str, written: Json) -> Operation:
    successes = _successes(endpoint)
    servers = [server for each in successes if (server := _extra(each.data).get("x-server"))]
    family = _event_family(written["x-at"], successes)
    answers = (
        Answers(successes=(), errors=(), optional=False) if family else _answers(endpoint, successes, written["x-at"])
    )
    path, url = _path(endpoint, written)
    path_fields, query, header, cookies = (
        tuple(_parameter(each, place, written) for each in listed)
        for place, listed in (
            ("path", endpoint.path_parameters),
            ("query", endpoint.query_parameters),
            ("header", endpoint.header_parameters),
            ("cookie", endpoint.cookie_parameters),
        )
    )
    data = _envelope_data(successes)
    is_page = data is not None and data.kind == "list" and {"page", "per_page"} <= {each.key for each in query}
    wait = _wait(successes, data)
    taken = (_OF_STREAMS if family else set()) | (_OF_PAGES if is_page else set()) | (_OF_WAITS if wait else set())
    suppliers = {"view", "stream"} if family else {"view"}
    if clashing := [
        each.key
        for each in (*path_fields, *query, *header, *cookies)
        if each.name in taken and each.supplied_by not in suppliers
    ]:
        raise _RefusedError(
            written["x-at"], f"The method has a keyword of its own with the name of the parameter {clashing[0]!r}."
        )
    keywords = tuple(each for each in (*query, *header, *cookies) if each.supplied_by not in suppliers)
    body = (
        _body(endpoint.bodies[0], taken | {each.name for each in (*path_fields, *keywords)}, written)
        if endpoint.bodies
        else None
    )
    if family:
        outcome = "stream"
        result = Type(kind="union", annotation=family, imports=frozenset({("", family)}))
    elif data is None:
        outcome = "whole" if answers.successes else "none"
        result = Type(kind="union", annotation=answers.success, imports=imports_of(answers.successes))
    else:
        outcome, result = "page" if is_page else "data", data
    if twice := _twice(each.name for each in (*path_fields, *(body.fields if body else ()), *keywords)):
        raise _RefusedError(written["x-at"], f"Two parameters have the Python name {twice!r}.")
    return Operation(
        id=str(endpoint.name),
        tag=str(endpoint.tags[0]),
        http_method=endpoint.method.upper(),
        path=path,
        url=in_f_string_literal(_server_of(written)) + url if path_fields else quoted(_server_of(written)) + url,
        server=quoted(servers[-1] if servers else "core"),
        summary=in_docstring(endpoint.summary or endpoint.name.replace("_", " ").capitalize()),
        description=in_docstring(endpoint.description),
        deprecated=bool(written.get("deprecated")),
        path_fields=path_fields,
        query_fields=query,
        header_fields=header,
        cookie_fields=cookies,
        accept=_accept(endpoint),
        body=body,
        answers=answers,
        method=method,
        positional=_positional(written, body),
        keywords=keywords,
        outcome=outcome,
        result=result,
        wait=wait,
        asks=_asks(successes),
    )


def _server_of(written: Json) -> str:
    """Return the URL of an operation with its own server; "" for the client's base URL."""
    responses = (written.get("responses") or {}).values()
    if not written["x-servers"] or any("x-server" in each for each in responses):
        return ""
    server = written["x-servers"][0]
    url = str(server.get("url", ""))
    for name, variable in (server.get("variables") or {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    if "://" not in url:
        raise _RefusedError(written["x-at"], f"The server {url!r} of an operation must be an absolute URL.")
    return url.rstrip("/")


def _parameter(prop: Any, place: str, written: Json) -> Field:
    parameter = written["x-parameters"][place, str(prop.name.get_untrusted_value())]
    schema = parameter.get("schema") or {}
    about = {"deprecated": parameter.get("deprecated"), "x-default": schema.get("x-default")}
    field = _field(prop, {"$ref": "", "description": parameter.get("description"), **about}, sent=True)
    return replace(
        field, style=_style(parameter, place, field.type), supplied_by=str(parameter.get("x-supplied-by", ""))
    )


def _style(parameter: Json, place: str, type_: Type) -> str:
    """Return how the parameter is written, unless it is a single text or a list that repeats its name."""
    if "x-content" in parameter:
        return "json"
    explode = bool(parameter.get("explode", parameter.get("style", "form") == "form" and place in ("query", "cookie")))
    style = parameter.get("style", "form")
    if place != "query":
        kinds = ("dict", "map", "model") if place != "cookie" else ("dict", "map", "model", "list")
        if explode and type_.kind in kinds:
            raise _RefusedError(
                "", f"The style of the {place} parameter {parameter['name']!r} is not supported: set 'explode: false'."
            )
        return ""
    if type_.kind in ("dict", "map", "model", "any", "union") and style == "form":
        return "form" if explode else "comma"
    if type_.kind == "list" and style == "form":
        return "" if explode else "comma"
    if style == "deepObject":
        return "deepObject"
    return "" if explode or style == "form" else style


def _accept(endpoint: Endpoint) -> str:
    """Return the media types of the responses if there are others than JSON's."""
    types = [each for response in endpoint.responses if (each := _extra(response.data).get("x-media"))]
    types = list(dict.fromkeys(types))
    return quoted(", ".join(types)) if set(types) - {"application/json", "*/*", "text/event-stream"} else ""


def _positional(written: Json, body: Body | None) -> tuple[Field, ...]:
    """Return the fields of a body that `x-positional` names, in its order. A body that is one keyword is called
    `body`."""
    fields = {each.name if body and body.model is None else each.key: each for each in (body.fields if body else ())}
    names = written.get("x-positional") or []
    for name in names:
        if name not in fields or fields[name].default:
            problem = "isn't required" if name in fields else "isn't a field of the body"
            known = ", ".join(key for key, field in fields.items() if not field.default) or "none"
            text = f"'x-positional' names {name!r}, which {problem}. Required fields: {known}."
            raise _RefusedError(below(written["x-at"], "x-positional"), text)
    return tuple(fields[name] for name in names)


def _wait(successes: list[Response], data: Type | None) -> Wait | None:
    """`x-wait` of the success whose `status` it waits for."""
    about = next((each for response in successes if (each := _extra(response.data).get("x-wait"))), None)
    if about is None or data is None:
        return None
    status = f"{data.annotation}Status"
    imports = frozenset({(str(PythonIdentifier(status, "")), f"Known{status}")})
    return Wait(by=about["by"], until=tuple(about["until"]), imports=imports)


def _asks(successes: list[Response]) -> tuple[str, str] | None:
    model = next((each for response in successes if (each := _extra(response.data).get("x-asks"))), None)
    return None if model is None else (str(PythonIdentifier(model, "")), str(ClassName(model, "")))


def _is_success(response: Response) -> bool:
    statuses = response.status_code.range
    return statuses is not None and 200 <= statuses[0] < 300


def _successes(endpoint: Endpoint) -> list[Response]:
    """Return the successes. If an operation documents no other success, its default response is one."""
    successes = [each for each in endpoint.responses if _is_success(each)]
    default = endpoint.responses.default
    return successes or ([default] if default else [])


def _has_body(response: Response) -> bool:
    return response.source["attribute"] != "None"


def _answers(endpoint: Endpoint, documented: list[Response], at: str) -> Answers:
    successes, errors = [], []
    for response in endpoint.responses:
        answer = Answer(
            statuses=response.status_code.range,
            source=response.source["attribute"].replace("response.json()", ""),
            type=_type(response.prop),
        )
        if not answer.source and _holds_binary(answer.type):
            raise _RefusedError(at, "Binary data within JSON is not supported.")
        if _has_body(response) and response in documented:
            successes.append(answer)
        if _has_body(response) and not _is_success(response) and answer.type.kind == "model":
            errors.append(answer)
    optional = not successes or any(not _has_body(each) for each in documented)
    return Answers(successes=tuple(successes), errors=tuple(errors), optional=optional)


def _event_family(at: str, successes: list[Response]) -> str:
    """Return the union of a stream's events, found by the mark of the first one; "" if it isn't a stream."""
    for response in successes:
        if _extra(response.data).get("x-event-stream"):
            event = next(iter(getattr(response.prop, "inner_properties", ())), response.prop)
            if family := _extra(getattr(event, "data", None)).get("x-event-family"):
                return quoted(family)
            raise _RefusedError(at, "The events of the stream have no 'x-event-family'.")
    return ""


def _envelope_data(successes: list[Response]) -> Type | None:
    """Return the type of `data` in a success that only consists of an envelope around it."""
    body = next((each.prop for each in successes if _has_body(each)), None)
    if not isinstance(body, parsed.ModelProperty):
        return None
    fields = {str(each.python_name): each for each in _properties(_canonical(body))}
    data = fields.pop("data", None)
    return _type(data) if data and data.required and not fields.keys() - {"meta"} else None


def _path(endpoint: Endpoint, written: Json) -> tuple[str, str]:
    """Return the path with its parameters' names, in which the parser puts the Python names, and its f-string."""
    raw = endpoint.path.get_untrusted_value()
    path, url = quoted(raw), in_f_string_literal(raw)
    for parameter in endpoint.path_parameters:
        key = quoted(parameter.name)
        path = path.replace(f"{{{parameter.python_name}}}", f"{{{key}}}")
        name = _parameter(parameter, "path", written).name
        value = name if _kind(parameter) == "str" else f"as_text('{key}', {name})"
        url = url.replace(f"{{{{{parameter.python_name}}}}}", f"{{path_segment('{key}', {value})}}")
    return path, url if endpoint.path_parameters else path


def _body(body: ParsedBody, taken: set[str], written: Json) -> Body:
    field = _field(body.prop, {}, sent=True)
    media = written["requestBody"]["x-media"]
    argument = body.body_type.value
    usual = {"json": "application/json", "data": "application/x-www-form-urlencoded"}.get(argument, media)
    header = "" if media in (usual, "multipart/form-data", "*/*") else quoted(media)
    header = quoted(media) if argument == "content" else header
    header = "application/octet-stream" if "*" in header else header
    encoding = next(iter(written["requestBody"]["content"].values())).get("encoding") or {}
    types = {name: each["contentType"] for name, each in encoding.items() if "contentType" in each}
    part_types = {name: each for name, each in types.items() if not {*each} & {*"*,"}}
    if not isinstance(body.prop, parsed.ModelProperty) or field.type.kind != "model":
        return Body(
            field=field, argument=argument, media_type=header, model=None, fields=(field,), part_types=part_types
        )
    model = _canonical(body.prop)
    fields = [_keyword(each, model) for each in _properties(model)]
    return Body(
        field=field,
        argument=argument,
        media_type=header,
        part_types=part_types,
        model=(str(model.class_info.module_name), str(model.class_info.name)),
        fields=tuple(
            replace(each, attribute=each.name, name=f"{each.name}_body") if each.name in taken else each
            for each in fields
            if not each.read_only
        ),
        ensured_by=_ensured_by(_extra(model.data).get("x-ensured-by", ())),
    )


def _ensured_by(names: str | list[str]) -> tuple[str, ...]:
    return tuple(quoted(name) for name in ([names] if isinstance(names, str) else names))


def _keyword(prop: Any, model: parsed.ModelProperty) -> Field:
    """Turn a field of a body into a keyword of the method."""
    field = _field(prop, _written(prop, model), sent=True)
    if _holds_binary(field.type):
        field = replace(field, type=replace(field.type, annotation=field.type.annotation.replace("bytes", "File")))
    accepts = _written(prop, model).get("x-accepts")
    if accepts is None:
        return field
    # `list[X]` becomes `ToolIds[X]`, a generic alias of accepted.py.
    annotation = field.type.annotation.replace("list[", f"{ClassName(accepts['by'], '')}[", 1)
    description = f"{field.description} {in_docstring(accepts['description'])}"
    return replace(
        field, type=replace(field.type, annotation=annotation), description=description, converted=accepts["by"]
    )
