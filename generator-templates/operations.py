"""Operations, with their parameters, bodies and responses, from the parser's endpoints."""

from __future__ import annotations

from dataclasses import replace
from keyword import iskeyword
from typing import Any

from document import Json, below
from models import as_written, field_of, first_twice
from openapi_python_client.parser import properties as parsed
from openapi_python_client.parser.bodies import Body as ParsedBody
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.responses import Response
from openapi_python_client.strings import ClassName, PythonIdentifier, in_f_string_literal
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from plan import Answer, Answers, Body, Field, Operation, Type, Wait, imports_of
from value_types import RefusedError, canonical, extra_of, holds_binary, properties_of, taking_files, type_of

# Keywords that methods have in addition to the document's.
_OF_PAGES = {"prefetch", "on_invalid"}
_OF_STREAMS = {"last_event_id", "max_reconnects", "on_reconnect", "on_invalid"}
_OF_WAITS = {"until", "timeout"}


def method_name(endpoint: Endpoint) -> str:
    """Return the operation's name without the words of its tag, in the singular or plural."""
    words: set[str] = set()
    for word in endpoint.tags[0].split("_"):
        words |= {word, f"{word}s", f"{word}es", word.removesuffix("s"), word.removesuffix("es")}
        if word.endswith("ies"):
            words.add(f"{word.removesuffix('ies')}y")
    name = "_".join(word for word in endpoint.name.split("_") if word not in words) or str(endpoint.name)
    return f"{name}_" if iskeyword(name) else name


def operation_of(endpoint: Endpoint, method: str, written: Json) -> Operation:
    successes = _successes(endpoint)
    family = _event_family(written["x-at"], successes)
    answers = (
        Answers(successes=(), errors=(), optional=False) if family else _answers(endpoint, successes, written["x-at"])
    )
    path_fields, query, header, cookies = (
        tuple(_parameter(each, place, written) for each in listed)
        for place, listed in (
            ("path", endpoint.path_parameters),
            ("query", endpoint.query_parameters),
            ("header", endpoint.header_parameters),
            ("cookie", endpoint.cookie_parameters),
        )
    )
    path, url = _path(endpoint, path_fields)
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
        raise RefusedError(
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
    if twice := first_twice((*path_fields, *(body.fields if body else ()), *keywords)):
        raise RefusedError(written["x-at"], f"Two parameters have the Python name {twice!r}.")
    return Operation(
        id=str(endpoint.name),
        tag=str(endpoint.tags[0]),
        http_method=endpoint.method.upper(),
        path=path,
        url=in_f_string_literal(_server_of(written)) + url if path_fields else quoted(_server_of(written)) + url,
        server=quoted(_mark(successes, "x-server") or "core"),
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
    if not written.get("servers") or any("x-server" in each for each in responses):
        return ""
    server = written["servers"][0]
    url = str(server.get("url", ""))
    for name, variable in (server.get("variables") or {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    if "://" not in url:
        raise RefusedError(written["x-at"], f"The server {url!r} of an operation must be an absolute URL.")
    return url.rstrip("/")


def _parameter(prop: Any, place: str, written: Json) -> Field:
    name = str(prop.name.get_untrusted_value())
    parameter = next(each for each in written["parameters"] if (each["in"], each["name"]) == (place, name))
    schema = parameter.get("schema") or {}
    field = field_of(prop, {"$ref": "", **parameter, "x-default": schema.get("x-default")}, sent=True)
    return replace(
        field,
        name="body_" if field.name == "body" else field.name,
        style=_style(parameter, place, field.type),
        supplied_by=str(parameter.get("x-supplied-by", "")),
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
            raise RefusedError(
                parameter["x-at"],
                f"The style of the {place} parameter {parameter['name']!r} is not supported: set 'explode: false'.",
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
    types = [each for response in endpoint.responses if (each := extra_of(response.data).get("x-media"))]
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
            raise RefusedError(below(written["x-at"], "x-positional"), text)
    return tuple(fields[name] for name in names)


def _mark(successes: list[Response], keyword: str) -> Any:
    """Return the value of the first success that has the keyword; None if none does."""
    return next((found for each in successes if (found := extra_of(each.data).get(keyword))), None)


def _wait(successes: list[Response], data: Type | None) -> Wait | None:
    """`x-wait` of the success whose `status` it waits for."""
    about = _mark(successes, "x-wait")
    if about is None or data is None:
        return None
    status = f"{data.annotation}Status"
    imports = frozenset({(str(PythonIdentifier(status, "")), f"Known{status}")})
    return Wait(by=about["by"], until=tuple(about["until"]), imports=imports)


def _asks(successes: list[Response]) -> tuple[str, str] | None:
    model = _mark(successes, "x-asks")
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
            type=type_of(response.prop),
        )
        if not answer.source and holds_binary(answer.type):
            raise RefusedError(at, "Binary data within JSON is not supported.")
        if _has_body(response) and response in documented:
            successes.append(answer)
        if _has_body(response) and not _is_success(response) and answer.type.kind == "model":
            errors.append(answer)
    optional = not successes or any(not _has_body(each) for each in documented)
    return Answers(successes=tuple(successes), errors=tuple(errors), optional=optional)


def _event_family(at: str, successes: list[Response]) -> str:
    """Return the union of a stream's events, found by the mark of the first one; "" if it isn't a stream."""
    for response in successes:
        if extra_of(response.data).get("x-event-stream"):
            event = next(iter(getattr(response.prop, "inner_properties", ())), response.prop)
            if family := extra_of(getattr(event, "data", None)).get("x-event-family"):
                return quoted(family)
            raise RefusedError(at, "The events of the stream have no 'x-event-family'.")
    return ""


def _envelope_data(successes: list[Response]) -> Type | None:
    """Return the type of `data` in a success that only consists of an envelope around it."""
    body = next((each.prop for each in successes if _has_body(each)), None)
    if not isinstance(body, parsed.ModelProperty):
        return None
    fields = {str(each.python_name): each for each in properties_of(canonical(body))}
    data = fields.pop("data", None)
    return type_of(data) if data and data.required and not fields.keys() - {"meta"} else None


def _path(endpoint: Endpoint, fields: tuple[Field, ...]) -> tuple[str, str]:
    """Return the path with its parameters' names, in which the parser puts the Python names, and its f-string."""
    raw = endpoint.path.get_untrusted_value()
    path, url = quoted(raw), in_f_string_literal(raw)
    for parameter, field in zip(endpoint.path_parameters, fields, strict=True):
        path = path.replace(f"{{{parameter.python_name}}}", f"{{{field.key}}}")
        value = field.name if field.type.kind == "str" else f"as_text('{field.key}', {field.name})"
        url = url.replace(f"{{{{{parameter.python_name}}}}}", f"{{path_segment('{field.key}', {value})}}")
    return path, url if fields else path


def _body(body: ParsedBody, taken: set[str], written: Json) -> Body:
    field = field_of(body.prop, {}, sent=True)
    media = written["requestBody"]["x-media"]
    argument = body.body_type.value
    usual = {"json": "application/json", "data": "application/x-www-form-urlencoded"}.get(argument, media)
    header = "" if media in (usual, "multipart/form-data", "*/*") else quoted(media)
    header = quoted(media) if argument == "content" else header
    header = "application/octet-stream" if "*" in header else header
    encoding = next(iter(written["requestBody"]["content"].values())).get("encoding") or {}
    types = {name: each["contentType"] for name, each in encoding.items() if "contentType" in each}
    part_types = {name: each for name, each in types.items() if not {*each} & {*"*,"}}
    whole = Body(field=field, argument=argument, media_type=header, model=None, fields=(field,), part_types=part_types)
    if not isinstance(body.prop, parsed.ModelProperty) or field.type.kind != "model":
        return whole
    model = canonical(body.prop)
    fields = [_keyword(each, model) for each in properties_of(model)]
    return replace(
        whole,
        model=(str(model.class_info.module_name), str(model.class_info.name)),
        fields=tuple(
            replace(each, attribute=each.name, name=f"{each.name}_body") if each.name in taken else each
            for each in fields
            if not each.read_only
        ),
        ensured_by=_ensured_by(extra_of(model.data).get("x-ensured-by", ())),
    )


def _ensured_by(names: str | list[str]) -> tuple[str, ...]:
    return tuple(quoted(name) for name in ([names] if isinstance(names, str) else names))


def _keyword(prop: Any, model: parsed.ModelProperty) -> Field:
    """Turn a field of a body into a keyword of the method."""
    field = field_of(prop, as_written(prop, model), sent=True)
    field = replace(field, type=taking_files(field.type))
    accepts = as_written(prop, model).get("x-accepts")
    if accepts is None:
        return field
    # `list[X]` becomes `ToolIds[X]`, a generic alias of accepted.py, and X also patterns of events.
    annotation = field.type.annotation.replace("list[", f"{ClassName(accepts['by'], '')}[", 1)
    if patterns := _patterns(prop):
        annotation = annotation.replace("]", f" | Literal[{', '.join(map(repr, patterns))}]]", 1)
    description = f"{field.description} {in_docstring(accepts['description'])}"
    return replace(
        field, type=replace(field.type, annotation=annotation), description=description, converted=accepts["by"]
    )


def _patterns(prop: Any) -> list[str]:
    """Return `*`, and each beginning of a type of event, such as `room.message.*`."""
    array = next((each for each in getattr(prop, "inner_properties", [prop]) if hasattr(each, "inner_property")), prop)
    values = getattr(getattr(array, "inner_property", None), "values", ())
    steps = [value.split(".") for value in values]
    return sorted({".".join([*each[:length], "*"]) for each in steps for length in range(len(each))})
