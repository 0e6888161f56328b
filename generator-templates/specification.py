"""Turns a specification into the plan that the templates print. The only module that imports openapi-python-client.

The classes of that parser are not a public API: an upgrade of it breaks this module and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path
from typing import Any

from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import properties as parsed
from openapi_python_client.parser.bodies import Body as ParsedBody
from openapi_python_client.parser.errors import GeneratorError, ParseError
from openapi_python_client.parser.openapi import Endpoint, GeneratorData
from openapi_python_client.parser.responses import Response
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
# Values that are taken as they are: their Python types by kind, and those in words.
_PLAIN = {"bool": ["bool"], "bytes": ["bytes"], "int": ["int"], "number": ["int", "float"], "str": ["str"]}
_WORDS = {"bool": "a boolean", "bytes": "bytes", "float": "a number", "int": "an integer", "str": "a string"}
# The parser appends "_" to the name of every builtin. Only keywords, and the names used in annotations, need it.
_RESERVED = {"self", "bool", "datetime", "dict", "float", "int", "list", "str"}
# Fields of these names are secrets, whatever their schema says.
_SECRETS = {"access_token", "client_secret", "refresh_token", "secret", "token"}
# Parameters that the view around a method supplies, and those that a stream supplies itself.
_OF_THE_VIEW = {"x-namespace", "namespace", "idempotency-key"}
_OF_THE_STREAM = {"token", "last-event-id"}


class SpecificationError(Exception):
    """The specification cannot be read, or has something in it that is not supported."""


def parse(document: dict[str, Any]) -> Api:
    """The plan of a document, whose keys are strings and whose values are those of JSON.

    Raises:
        SpecificationError: the parser warns of something in it, or it is not supported.
    """
    settings = ConfigFile(literal_enums=True)
    config = Config.from_sources(settings, MetaType.NONE, Path(), "utf-8", overwrite=False, output_path=None)
    data = GeneratorData.from_dict(document, config=config)
    if isinstance(data, GeneratorError):
        raise SpecificationError(_explained(data))
    collections = data.endpoint_collections_by_tag
    errors = [*data.errors, *(error for each in collections.values() for error in each.parse_errors)]
    if errors:
        raise SpecificationError("\n\n".join(map(_explained, errors)))
    about = {PythonIdentifier(tag["name"], "tag"): tag for tag in document.get("tags") or ()}
    written = _operations_as_written(document)
    tags = tuple(
        Tag(
            name=tag,
            class_name=ClassName(tag, settings.field_prefix),
            description=in_docstring(about.get(tag, {}).get("description") or f"The operations tagged `{tag}`."),
            also_called=tuple(map(quoted, about.get(tag, {}).get("x-also-called") or ())),
            operations=tuple(_operations(collection.endpoints, written)),
        )
        for tag, collection in collections.items()
    )
    operations = [operation for tag in tags for operation in tag.operations]
    ensured = {each.result.annotation for each in operations if each.body and each.body.ensured_by}
    methods = {operation.id: f"{tag.name}.{operation.method}" for tag in tags for operation in tag.operations}
    models = tuple(_model(each, ensured) for each in data.models)
    return Api(
        title=in_docstring(data.title),
        version=in_docstring(data.version),
        tags=tags,
        methods=methods,
        methods_by_written_id={
            quoted(each["operationId"]): methods[name] for name, each in written.items() if name in methods
        },
        models=models,
        enums=tuple(map(_enumeration, data.enums)),
        families=tuple(_families(zip(data.models, models, strict=True))),
    )


def _explained(error: GeneratorError) -> str:
    part = error.data if isinstance(error, ParseError) else None
    shown = part.model_dump_json(indent=2, exclude_unset=True, by_alias=True) if part else None
    return "\n".join(filter(None, (error.header, error.detail, shown)))


def _extra(data: Any) -> dict[str, Any]:
    """The `x-...` of a part of the document."""
    return getattr(data, "model_extra", None) or {}


# Types


def _kind(prop: Any) -> str:
    if isinstance(prop, parsed.LiteralEnumProperty):
        return prop.value_type.__name__
    if isinstance(prop, parsed.ModelProperty):
        return "dict" if _is_free(prop) else "model"
    if type(prop) not in _KINDS:
        # Rather than be left unchecked.
        raise SpecificationError(f"kind of property not supported: {type(prop).__name__}")
    return _KINDS[type(prop)]


def _is_free(model: parsed.ModelProperty) -> bool:
    return not model.data.properties and not model.data.allOf


def _type(prop: Any, *, sent: bool = False) -> Type:
    kind = _kind(prop)
    if kind == "list":
        item = _type(prop.inner_property, sent=sent)
        return Type(kind=kind, annotation=f"list[{item.annotation}]", imports=item.imports, item=item)
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
    models = {str(each.class_info.name): _constants(each) for each in variants if not _is_free(each)}
    names = [name for constants in models.values() for name in constants]
    discriminator = names[0] if names and names.count(names[0]) > 1 else ""
    others = [model for model, constants in models.items() if discriminator not in constants]
    return Objects(
        models=tuple(models),
        free=len(models) < len(variants),
        discriminator=discriminator,
        by_constant={models[model][discriminator]: model for model in models if model not in others},
        fallback=others[0] if discriminator and len(others) == 1 else "",
    )


def _constants(model: parsed.ModelProperty) -> dict[str, str]:
    """The strings that properties of the model always are, by their names."""
    constants = {key: getattr(schema, "const", None) for key, schema in (model.data.properties or {}).items()}
    return {quoted(key): quoted(const) for key, const in constants.items() if isinstance(const, str)}


def _holds_binary(of: Type | None) -> bool:
    if of is None or of.variants is None:
        return of is not None and (of.kind == "bytes" or _holds_binary(of.item) or _holds_binary(of.only))
    return "bytes" in of.variants.plain or _holds_binary(of.variants.array)


# Fields and models


def _field(prop: Any, *, sent: bool) -> Field:
    return Field(
        key=quoted(prop.name),
        name=_name_of(prop),
        variable=str(prop.python_name),
        type=_type(prop, sent=sent),
        required=prop.required,
        description=in_docstring(prop.description or ""),
    )


def _name_of(prop: Any) -> str:
    bare = prop.python_name.removesuffix("_")
    return str(prop.python_name) if iskeyword(bare) or bare in _RESERVED else bare


def _sent(properties: Iterable[Any]) -> tuple[Field, ...]:
    return tuple(_field(each, sent=True) for each in properties)


def _properties(model: parsed.ModelProperty) -> list[Any]:
    return [*(model.required_properties or []), *(model.optional_properties or [])]


def _model(model: parsed.ModelProperty, ensured: set[str]) -> Model:
    extra = _extra(model.data)
    bare = extra.get("x-bare") or ""
    is_request = model.data.additionalProperties is False
    return Model(
        name=str(model.class_info.name),
        module=str(model.class_info.module_name),
        description=in_docstring(model.description or model.class_info.name),
        free=_is_free(model),
        is_request=is_request,
        fields=tuple(_model_field(each, model, is_request) for each in _properties(model)),
        bare=quoted("data" if bare is True else bare),
        other_names={quoted(key): quoted(other) for key, other in (extra.get("x-other-names") or {}).items()},
        ensured=str(model.class_info.name) in ensured,
    )


def _model_field(prop: Any, model: parsed.ModelProperty, is_request: bool) -> Field:
    field = _field(prop, sent=is_request)
    if _holds_binary(field.type):
        raise SpecificationError(f"binary data within JSON is not supported: {model.class_info.name}.{field.key}")
    # Of a field that comes in by allOf, the parser hands over no schema.
    schema = (model.data.properties or {}).get(prop.name)
    extra = _extra(model.data)
    absent = {key: repr(value) for key, value in (extra.get("x-absent") or {}).items()}
    marked = getattr(schema, "schema_format", None) == "password" or bool(getattr(schema, "writeOnly", None))
    return replace(
        field,
        absent=absent.get(prop.name, ""),
        secret=marked or prop.name in (extra.get("x-secret") or ()) or prop.python_name in _SECRETS,
        numeric_string=bool(_extra(schema).get("x-numeric-string")),
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
            constant = next(iter(_constants(each).values()), "")
            families.setdefault(family, {})[constant] = model
    for name, members in families.items():
        yield Family(name=quoted(name), module=PythonIdentifier(name, ""), models=members)


# Operations


def _operations_as_written(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations that have an id, by the name that the parser makes of it. It drops their `x-...`."""
    items = (document.get("paths") or {}).values()
    operations = (each for item in items for each in item.values() if isinstance(each, dict))
    return {str(PythonIdentifier(each["operationId"], "")): each for each in operations if "operationId" in each}


def _operations(endpoints: list[Endpoint], written: dict[str, dict[str, Any]]) -> Iterator[Operation]:
    methods: set[str] = set()
    for endpoint in endpoints:
        method = _method_name(endpoint)
        if method in methods:
            # Two operations that would share a name keep their whole ids.
            method = str(endpoint.name)
        methods.add(method)
        yield _operation(endpoint, method, written.get(str(endpoint.name), {}).get("x-positional") or [])


def _method_name(endpoint: Endpoint) -> str:
    """The operation's name less the words of its tag, in singular or plural."""
    words: set[str] = set()
    for word in endpoint.tags[0].split("_"):
        words |= {word, f"{word}s", f"{word}es", word.removesuffix("s"), word.removesuffix("es")}
        if word.endswith("ies"):
            words.add(f"{word.removesuffix('ies')}y")
    name = "_".join(word for word in endpoint.name.split("_") if word not in words) or str(endpoint.name)
    return f"{name}_" if iskeyword(name) else name


def _operation(endpoint: Endpoint, method: str, positional: list[str]) -> Operation:
    successes = [each for each in endpoint.responses if _is_success(each)]
    servers = [server for each in successes if (server := _extra(each.data).get("x-server"))]
    family = _event_family(endpoint.name, successes)
    answers = Answers(successes=(), errors=(), optional=False) if family else _answers(endpoint)
    path, url = _path(endpoint)
    body = _body(endpoint.bodies[0]) if endpoint.bodies else None
    query, header = _sent(endpoint.query_parameters), _sent(endpoint.header_parameters)
    withheld = _OF_THE_VIEW | (_OF_THE_STREAM if family else set())
    data = _envelope_data(successes)
    if family:
        outcome = "stream"
        result = Type(kind="union", annotation=family, imports=frozenset({("", family)}))
    elif data is None:
        outcome = "whole" if answers.successes else "none"
        result = Type(kind="union", annotation=answers.success, imports=imports_of(answers.successes))
    else:
        is_page = data.kind == "list" and {"page", "per_page"} <= {each.key for each in query}
        outcome, result = "page" if is_page else "data", data
    return Operation(
        id=str(endpoint.name),
        tag=str(endpoint.tags[0]),
        http_method=endpoint.method.upper(),
        path=path,
        url=url,
        server=quoted(servers[-1] if servers else "core"),
        summary=in_docstring(endpoint.summary or endpoint.name.replace("_", " ").capitalize()),
        description=in_docstring(endpoint.description),
        path_fields=_sent(endpoint.path_parameters),
        query_fields=query,
        header_fields=header,
        body=body,
        answers=answers,
        method=method,
        positional=_positional(endpoint.name, body, positional),
        keywords=tuple(each for each in (*query, *header) if each.key.lower() not in withheld),
        outcome=outcome,
        result=result,
        wait=_wait(successes, data),
        asks=_asks(successes),
    )


def _positional(operation: str, body: Body | None, names: list[str]) -> tuple[Field, ...]:
    """The fields of a body that `x-positional` names, in its order. A body that is one keyword is called `body`."""
    fields = {each.name if body and body.model is None else each.key: each for each in (body.fields if body else ())}
    for name in names:
        if name not in fields or fields[name].default:
            problem = "is not required" if name in fields else "is no field of the body"
            known = ", ".join(key for key, field in fields.items() if not field.default)
            raise SpecificationError(
                f"x-positional of {operation} names {name!r}, which {problem}; its required fields: {known or 'none'}"
            )
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


def _has_body(response: Response) -> bool:
    return response.source["attribute"] != "None"


def _answers(endpoint: Endpoint) -> Answers:
    successes, errors = [], []
    for response in endpoint.responses:
        answer = Answer(
            statuses=response.status_code.range,
            source=response.source["attribute"].replace("response.json()", ""),
            type=_type(response.prop),
        )
        if not answer.source and _holds_binary(answer.type):
            raise SpecificationError(f"binary data within JSON is not supported: {endpoint.name}")
        if _has_body(response) and _is_success(response):
            successes.append(answer)
        elif _has_body(response) and answer.type.kind == "model":
            errors.append(answer)
    optional = not successes or any(_is_success(each) and not _has_body(each) for each in endpoint.responses)
    return Answers(successes=tuple(successes), errors=tuple(errors), optional=optional)


def _event_family(operation: str, successes: list[Response]) -> str:
    """The union of the events of a stream, by the mark of the first of them; "" if it is none."""
    for response in successes:
        if _extra(response.data).get("x-event-stream"):
            event = next(iter(getattr(response.prop, "inner_properties", ())), response.prop)
            if family := _extra(getattr(event, "data", None)).get("x-event-family"):
                return quoted(family)
            raise SpecificationError(f"the events of the stream {operation} have no x-event-family")
    return ""


def _envelope_data(successes: list[Response]) -> Type | None:
    """The type of `data` in a success that is nothing but an envelope around it."""
    body = next((each.prop for each in successes if _has_body(each)), None)
    if not isinstance(body, parsed.ModelProperty):
        return None
    fields = {str(each.python_name): each for each in _properties(body)}
    data = fields.pop("data", None)
    return _type(data) if data and data.required and not fields.keys() - {"meta"} else None


def _path(endpoint: Endpoint) -> tuple[str, str]:
    """The path with the names of its parameters, in which the parser puts the Python names, and its f-string."""
    raw = endpoint.path.get_untrusted_value()
    path, url = quoted(raw), in_f_string_literal(raw)
    for parameter in endpoint.path_parameters:
        key = quoted(parameter.name)
        path = path.replace(f"{{{parameter.python_name}}}", f"{{{key}}}")
        segment = f"{{path_segment('{key}', {_name_of(parameter)})}}"
        url = url.replace(f"{{{{{parameter.python_name}}}}}", segment)
    return path, url if endpoint.path_parameters else path


def _body(body: ParsedBody) -> Body:
    field = _field(body.prop, sent=True)
    if not isinstance(body.prop, parsed.ModelProperty) or field.type.kind != "model":
        return Body(field=field, argument=body.body_type.value, model=None, fields=(field,))
    model = body.prop.class_info
    return Body(
        field=field,
        argument=body.body_type.value,
        model=(str(model.module_name), str(model.name)),
        fields=tuple(_keyword(each, body.prop) for each in _properties(body.prop)),
        ensured_by=_ensured_by(_extra(body.prop.data).get("x-ensured-by", ())),
    )


def _ensured_by(names: str | list[str]) -> tuple[str, ...]:
    return tuple(quoted(name) for name in ([names] if isinstance(names, str) else names))


def _keyword(prop: Any, model: parsed.ModelProperty) -> Field:
    """A field of a body as a keyword of the method."""
    field = _field(prop, sent=True)
    accepts = _extra((model.data.properties or {}).get(prop.name)).get("x-accepts")
    if accepts is None:
        return field
    # `list[X]` becomes `ToolIds[X]`, a generic alias of accepted.py.
    annotation = field.type.annotation.replace("list[", f"{ClassName(accepts['by'], '')}[", 1)
    description = f"{field.description} {in_docstring(accepts['description'])}"
    return replace(
        field, type=replace(field.type, annotation=annotation), description=description, converted=accepts["by"]
    )
