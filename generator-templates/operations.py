"""Operations, with their parameters, bodies and responses."""

from __future__ import annotations

import re
from dataclasses import replace
from keyword import iskeyword
from typing import Any, NamedTuple

from document import Json, below, steps
from models import field_of, fields_of, first_twice
from normal import kind_of, module_of
from openapi_python_client.strings import ClassName, PythonIdentifier, in_f_string_literal
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from plan import Answer, Answers, Body, Field, Operation, Type
from ready import pages_of, server_url
from value_types import RefusedError, Types, holds_binary

# Keywords that methods have in addition to the document's.
_OF_PAGES = {"prefetch", "on_invalid"}
_OF_STREAMS = {"last_event_id", "max_reconnects", "on_reconnect", "on_invalid"}
_OF_WAITS = {"until", "timeout"}


class _Response(NamedTuple):
    written: Json
    first: int
    last: int
    """The statuses from the first to the last; all for a default response."""
    schema: Json | None
    """None without a body."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.first < 300


def method_name(tag: str, name: str) -> str:
    """Return the operation's name without the words of its tag, in the singular or plural."""
    words: set[str] = set()
    for word in tag.split("_"):
        words |= {word, f"{word}s", f"{word}es", word.removesuffix("s"), word.removesuffix("es")}
        if word.endswith("ies"):
            words.add(f"{word.removesuffix('ies')}y")
    name = "_".join(word for word in name.split("_") if word not in words) or name
    return f"{name}_" if iskeyword(name) else name


def operation_of(types: Types, tag: str, name: str, method: str, written: Json) -> Operation:
    at = written["x-at"]
    _, path, http_method = steps(at)
    responses = _responses(written)
    # If an operation documents no other success, its default response is one.
    successes = [each for each in responses if each.is_success] or [each for each in responses if not each.first]
    family = _event_family(types, successes, at)
    none = Answers(successes=(), errors=(), optional=False)
    answers = none if family else _answers(types, responses, successes, at)
    path_fields, query, header, cookies = (_parameters(types, written, place) for place in _PLACES)
    path_fields, url = _path(path, path_fields, at)
    parameters = (*path_fields, *query, *header, *cookies)
    parts = "" if family else _parts(successes, at)
    data = None if parts in ("events", "lines") else _envelope_data(types, successes)
    pages = pages_of(types, written, query, next((each.schema for each in successes if each.schema is not None), {}))
    named = {each.key for each in query}
    is_page = not pages and data is not None and data.kind == "list" and {"page", "per_page"} <= named
    wait = (_mark(successes, "x-wait") or {}) if data else {}
    taken = (_OF_STREAMS if family else set()) | (_OF_PAGES if is_page else set()) | (_OF_WAITS if wait else set())
    suppliers = {"view", "stream"} if family else {"view"}
    if clashing := [each.key for each in parameters if each.name in taken and each.supplied_by not in suppliers]:
        raise RefusedError(at, f"The method has a keyword of its own with the name of the parameter {clashing[0]!r}.")
    keywords = tuple(each for each in (*query, *header, *cookies) if each.supplied_by not in suppliers)
    names = taken | {each.name for each in (*path_fields, *keywords)}
    body = _body(types, written["requestBody"], names) if written.get("requestBody", {}).get("content") else None
    body_fields = body.fields if body else ()
    if twice := first_twice(parameters) or first_twice((*path_fields, *body_fields, *keywords)):
        raise RefusedError(at, f"Two parameters have the Python name {twice!r}.")
    if parts in ("events", "lines"):
        outcome, answers = "parts", replace(answers, optional=False)
    elif family or data is None:
        outcome = "stream" if family else "whole" if answers.successes else "none"
    else:
        outcome = "page" if is_page else "data"
    whole = Type(kind="union", annotation=family or answers.success)
    return Operation(
        id=name,
        tag=tag,
        http_method=http_method.upper(),
        path=quoted(path),
        url=(in_f_string_literal if path_fields else quoted)(_server_of(written)) + url,
        server=quoted(_mark(successes, "x-server") or "core"),
        summary=in_docstring(written.get("summary") or name.replace("_", " ").capitalize()),
        description=in_docstring(written.get("description") or ""),
        deprecated=bool(written.get("deprecated")),
        path_fields=path_fields,
        query_fields=query,
        header_fields=header,
        cookie_fields=cookies,
        accept=_accept(responses),
        body=body,
        answers=answers,
        method=method,
        positional=_positional(written, body),
        keywords=keywords,
        outcome=outcome,
        parts=parts,
        result=data if data and outcome in ("page", "data") else whole,
        pages=pages,
        waits_by=wait.get("by", ""),
        waits_until=tuple(wait.get("until", ())),
        asks=ClassName(_mark(successes, "x-asks") or "", ""),
    )


def _server_of(written: Json) -> str:
    """Return the URL of an operation with its own server; "" for the client's base URL."""
    responses = (written.get("responses") or {}).values()
    if not written.get("servers") or any("x-server" in each for each in responses):
        return ""
    url = server_url(written["servers"])
    if "://" not in url:
        raise RefusedError(written["x-at"], f"The server {url!r} of an operation must be an absolute URL.")
    return url


_PLACES = ("path", "query", "header", "cookie")


def _parameters(types: Types, written: Json, place: str) -> tuple[Field, ...]:
    """Return the parameters in one place. Those with the same Python name as others get their place as a suffix, or
    stay as written."""
    listed = written["parameters"]
    identifiers = [PythonIdentifier(each["name"], "field_") for each in listed]
    fields = []
    for parameter, identifier in zip(listed, identifiers, strict=True):
        if parameter["in"] != place:
            continue
        places = [other["in"] for other, same in zip(listed, identifiers, strict=True) if same == identifier]
        if {*places} != {place} or identifier in ("client", "url"):
            identifier = PythonIdentifier(f"{identifier}_{place}", "field_")
        elif len(places) > 1:
            identifier = PythonIdentifier(parameter["name"], "field_", skip_snake_case=True)
        required = bool(parameter.get("required"))
        key, schema = parameter["name"], parameter["schema"]
        field = field_of(types, key, schema, parameter, required=required, sent=True, identifier=identifier)
        name, style = "body_" if identifier == "body" else field.name, _style(parameter, place, field.type)
        fields.append(replace(field, name=name, style=style, supplied_by=str(parameter.get("x-supplied-by", ""))))
    return tuple(fields)


def _style(parameter: Json, place: str, type_: Type) -> str:
    """Return how the parameter is written, unless it is a single text or a list that repeats its name."""
    if "x-content" in parameter:
        return "json"
    style, is_list = parameter.get("style", "form"), type_.kind == "list"
    explode = bool(parameter.get("explode", style == "form" and place in ("query", "cookie")))
    if place != "query":
        if explode and (type_.kind in ("dict", "map", "model") or (is_list and place == "cookie")):
            what = f"The style of the {place} parameter {parameter['name']!r}"
            raise RefusedError(parameter["x-at"], f"{what} is not supported: set 'explode: false'.")
        return ""
    if style != "form":
        return style if style == "deepObject" or not explode else ""
    if type_.kind in ("dict", "map", "model", "any", "union"):
        return "form" if explode else "comma"
    return "comma" if is_list and not explode else ""


def _accept(responses: list[_Response]) -> str:
    """Return the media types of the responses if there are others than JSON's."""
    types = list(dict.fromkeys(each.written["x-media"] for each in responses if "x-media" in each.written))
    return quoted(", ".join(types)) if set(types) - {"application/json", "*/*"} else ""


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
            raise RefusedError(below(written["x-at"], "x-positional"), text)
    return tuple(fields[name] for name in names)


def _mark(successes: list[_Response], keyword: str) -> Any:
    """Return the value of the first success that has the keyword; None if none does."""
    return next((found for each in successes if (found := each.written.get(keyword))), None)


def _responses(written: Json) -> list[_Response]:
    """Return the responses: those of one status, those of a range, and the default."""
    found = []
    for status, part in written["responses"].items():
        first, last = (
            (int(status.replace("XX", digits)) for digits in ("00", "99")) if status != "default" else (0, 999)
        )
        found.append(_Response(part, first, last, _schema_of(part)))
    return sorted(found, key=lambda each: (each.last - each.first, each.first))


def _schema_of(part: Json) -> Json | None:
    """Return the schema of a body or a response; None if it has no content."""
    return part["content"][part["x-media"]]["schema"] if part.get("content") else None


def _answers(types: Types, responses: list[_Response], documented: list[_Response], at: str) -> Answers:
    successes, errors = [], []
    for response in responses:
        if response.schema is None:
            continue
        kind, type_ = kind_of(response.written["x-media"]), types.type_of(response.schema)
        if kind in ("events", "lines") and response not in documented:
            raise RefusedError(at, f"The media type {response.written['x-media']!r} of an error is not supported.")
        source = _SOURCES.get("text" if (kind, type_.annotation) == ("events", "str") else kind, "")
        answer = Answer(statuses=(response.first, response.last), source=source, type=type_)
        if not source and holds_binary(answer.type):
            raise RefusedError(at, "Binary data within JSON is not supported.")
        if response in documented:
            successes.append(answer)
        if not response.is_success and answer.type.kind == "model":
            errors.append(answer)
    optional = not successes or any(each.schema is None for each in documented)
    return Answers(successes=tuple(successes), errors=tuple(errors), optional=optional)


_SOURCES = {"bytes": "response.content", "text": "response.text"}


def _parts(successes: list[_Response], at: str) -> str:
    """Return how a success can be read while it arrives: events, lines or bytes; "" if it can't."""
    kinds = {kind_of(each.written["x-media"]) for each in successes if each.schema is not None}
    if len(kinds) > 1 and kinds & {"events", "lines"}:
        raise RefusedError(at, "Either all successes of an operation are streams of one kind, or none is.")
    return next(iter(kinds & {"events", "lines", "bytes"} if len(kinds) == 1 else ()), "")


def _event_family(types: Types, successes: list[_Response], at: str) -> str:
    """Return the union of a stream's events, found by the mark of the first one; "" if it isn't a stream."""
    for response in successes:
        if response.written.get("x-event-stream"):
            _, event = types.target(types.variants_of(response.schema or {})[0])
            if family := event.get("x-event-family"):
                return quoted(family)
            raise RefusedError(at, "The events of the stream have no 'x-event-family'.")
    return ""


def _envelope_data(types: Types, successes: list[_Response]) -> Type | None:
    """Return the type of `data` in a success that only consists of an envelope around it."""
    body = next((each.schema for each in successes if each.schema is not None), {})
    _, envelope = types.target(body)
    properties = envelope.get("properties", {}) if types.kind_of(envelope) == "model" else {}
    if "data" not in properties or "data" not in envelope.get("required", ()) or properties.keys() - {"data", "meta"}:
        return None
    return types.type_of(properties["data"])


def _path(path: str, fields: tuple[Field, ...], at: str) -> tuple[tuple[Field, ...], str]:
    """Return the path's fields in its order, and the f-string of its URL; without fields, the string."""
    names = re.findall(r"{([^{}]*)}", quoted(path))
    if sorted(names) != sorted(each.key for each in fields if each.required):
        raise RefusedError(at, f"Each part in braces of {path!r} needs a required parameter, and no other.")
    url = in_f_string_literal(path) if fields else quoted(path)
    for field in fields:
        value = field.name if field.type.kind == "str" else f"as_text('{field.key}', {field.name})"
        value += ", ','" * (field.type.kind in ("dict", "list", "map", "model"))
        url = url.replace(f"{{{{{field.key}}}}}", f"{{path_segment('{field.key}', {value})}}")
    return tuple(sorted(fields, key=lambda each: names.index(each.key))), url


def _body(types: Types, written: Json, taken: set[str]) -> Body:
    schema, media = _schema_of(written) or {}, written["x-media"]
    required = bool(written.get("required"))
    field = field_of(types, "body", schema, {}, required=required, sent=True, identifier="body")
    argument = {"json": "json", "multipart": "files", "form": "data"}.get(kind_of(media), "content")
    set_by_httpx = {"json": "application/json", "data": "application/x-www-form-urlencoded", "files": media}
    if "*" in media:
        media = set_by_httpx.get(argument, "application/octet-stream")
    null = argument == "json" and field.type.nullable  # which httpx would send as no body
    header = "" if media == set_by_httpx.get(argument) and not null else quoted(media)
    encoding = written["content"][written["x-media"]].get("encoding") or {}
    types_of_parts = {name: each["contentType"] for name, each in encoding.items() if each.get("contentType")}
    part_types = {name: each for name, each in types_of_parts.items() if not {*each} & {*"*,"}}
    if argument in ("data", "files") and field.type.kind not in ("any", "dict", "map", "model", "union"):
        raise RefusedError(schema["x-at"], f"The media type {media!r} needs an object.")
    about = {"field": field, "argument": argument, "media_type": header, "part_types": part_types, "null": null}
    whole = Body(**about, model=None, fields=(field,))
    if field.type.kind != "model":
        return whole
    model = field.type.annotation
    ensured_by = types.schemas[model].get("x-ensured-by", ())
    sent = fields_of(types, model, sent=True)
    if not types.schemas[model].get("x-request"):
        # A list of an enum isn't a list of the open enum, which the model has.
        own = fields_of(types, model, sent=False)
        sent = {
            key: own[key] if "[" in field.type.annotation else (field, about) for key, (field, about) in sent.items()
        }
    fields = [_keyword(types, *each) for each in sent.values()]
    return replace(
        whole,
        model=(module_of(model), model),
        fields=tuple(
            replace(each, attribute=each.name, name=f"{each.name}_body") if each.name in taken else each
            for each in fields
            if not each.read_only
        ),
        ensured_by=tuple(map(quoted, [ensured_by] if isinstance(ensured_by, str) else ensured_by)),
    )


def _keyword(types: Types, field: Field, about: Json) -> Field:
    """Turn a field of a body into a keyword of the method."""
    accepts = about.get("x-accepts")
    if accepts is None:
        return field
    # `list[X]` becomes `ToolIds[X]`, a generic alias of accepted.py, and X also patterns of events.
    annotation = field.type.annotation.replace("list[", f"{ClassName(accepts['by'], '')}[", 1)
    if patterns := _patterns(types, about):
        annotation = annotation.replace("]", f" | Literal[{', '.join(map(repr, patterns))}]]", 1)
    description = f"{field.description} {in_docstring(accepts['description'])}"
    return replace(
        field, type=replace(field.type, annotation=annotation), description=description, converted=accepts["by"]
    )


def _patterns(types: Types, schema: Json) -> list[str]:
    """Return `*`, and each beginning of a type of event, such as `room.message.*`."""
    arrays = [array for each in types.variants_of(schema) if "items" in (array := types.target(each)[1])]
    values = types.target(arrays[0]["items"])[1].get("enum", ()) if arrays else ()
    parts = [value.split(".") for value in values]
    return sorted({".".join([*each[:length], "*"]) for each in parts for length in range(len(each))})
