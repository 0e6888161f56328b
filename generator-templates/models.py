"""Fields, models, enums and families of events, from the parser's properties."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path
from typing import Any

from document import Json
from openapi_python_client.parser import properties as parsed
from openapi_python_client.strings import PythonIdentifier
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from plan import Enumeration, Family, Field, Model
from value_types import (
    RefusedError,
    extra_of,
    holds_binary,
    is_free,
    place_of,
    properties_of,
    tags_of,
    taking_files,
    type_of,
    values_of,
)

# The parser appends "_" to the name of every builtin. Only keywords, the names used in annotations, and those that the
# generated code itself uses around a field need it.
_RESERVED = {
    *("self", "bool", "datetime", "dict", "float", "int", "list", "str", "cls", "to_dict", "from_dict", "httpx"),
    *("additional_properties", "client", "left_out", "outcome", "require_client"),
    *(
        name
        for module in ("bodies.py", "wire.py")
        for name in re.findall(
            r"^def ([a-z]\w*)", (Path(__file__).parent / "package" / module).read_text("utf-8"), re.M
        )
    ),
}

# Fields with these names are secrets, whatever their schema says.
_SECRETS = {"access_token", "client_secret", "refresh_token", "secret", "token"}


def field_of(prop: Any, written: Json, *, sent: bool) -> Field:
    """`written` is its schema, or the parameter, in the document."""
    notes = [prop.description if "$ref" not in written else written.get("description") or prop.description]
    if written.get("x-default") is not None:
        notes.append(f"Default: {json.dumps(written['x-default'], ensure_ascii=False)}.")
    if written.get("deprecated"):
        notes.append("Deprecated.")
    return Field(
        key=quoted(prop.name),
        name=name_of(prop),
        old_name=str(PythonIdentifier(written.get("x-renamed-from") or "", "")),
        variable=f"{prop.python_name}_" if prop.python_name in _RESERVED else str(prop.python_name),
        type=type_of(prop, sent=sent),
        required=prop.required,
        description=" ".join(in_docstring(each) for each in notes if each),
        read_only=bool(written.get("readOnly")),
        write_only=bool(written.get("writeOnly")),
    )


def name_of(prop: Any) -> str:
    bare = prop.python_name.removesuffix("_")
    return f"{bare}_" if iskeyword(bare) or bare in _RESERVED else bare


def as_written(prop: Any, model: parsed.ModelProperty) -> Json:
    found: Json = extra_of(model.data).get("x-properties", {}).get(prop.name, {})
    return found


def model_of(model: parsed.ModelProperty, ensured: set[str]) -> Model:
    extra = extra_of(model.data)
    bare = extra.get("x-bare") or ""
    is_request = bool(extra.get("x-request"))
    values = values_of(model)
    fields = tuple(_model_field(each, model, is_request) for each in properties_of(model))
    if twice := first_twice(fields):
        raise RefusedError(place_of(model), f"Two properties have the Python name {twice!r}.")
    others = [(each.name, as_written(each, model).get("x-renamed-from")) for each in properties_of(model)]
    others += (extra.get("x-other-names") or {}).items()
    return Model(
        name=str(model.class_info.name),
        module=str(model.class_info.module_name),
        description=_model_description(model),
        free=is_free(model),
        is_request=is_request,
        fields=fields,
        values=type_of(values) if values else None,
        bare=quoted("data" if bare is True else bare),
        other_names=tuple((quoted(key), quoted(other)) for key, other in others if other),
        ensured=str(model.class_info.name) in ensured,
    )


def _model_description(model: parsed.ModelProperty) -> str:
    text = in_docstring(model.description or model.class_info.name)
    return f"{text}\n\nDeprecated." if model.data.deprecated else text


def first_twice(fields: Iterable[Field]) -> str:
    """Return the first name that two fields have, or had before; "" if there is none."""
    names = Counter(name for each in fields for name in (each.name, each.old_name) if name)
    return next((name for name, count in names.items() if count > 1), "")


def _model_field(prop: Any, model: parsed.ModelProperty, is_request: bool) -> Field:
    written = as_written(prop, model)
    field = field_of(prop, written, sent=is_request)
    extra = extra_of(model.data)
    if holds_binary(field.type) and not extra.get("x-multipart"):
        at = written.get("x-at") or place_of(model)
        raise RefusedError(at, f"Binary data within JSON is not supported: {model.class_info.name}.{field.key}.")
    absent = {key: repr(value) for key, value in (extra.get("x-absent") or {}).items()}
    marked = written.get("format") == "password" or field.write_only
    return replace(
        field,
        type=taking_files(field.type),
        absent=absent.get(prop.name, ""),
        secret=marked or prop.name in (extra.get("x-secret") or ()) or prop.python_name in _SECRETS,
        numeric_string=bool(written.get("x-numeric-string")),
        null_is_sent=field.type.nullable and (not is_request or bool(written.get("x-sends-null"))),
    )


def enumeration_of(enum: Any) -> Enumeration:
    return Enumeration(
        name=str(enum.class_info.name),
        module=str(enum.class_info.module_name),
        description=in_docstring(enum.description or enum.class_info.name),
        literals=tuple(map(repr, sorted(enum.values, key=str.lower if enum.value_type is str else None))),
        value_type=enum.value_type.__name__,
    )


def families_of(models: Iterable[tuple[parsed.ModelProperty, Model]], class_names: set[str]) -> tuple[Family, ...]:
    families: dict[str, dict[str, Model]] = {}
    for each, model in models:
        if family := extra_of(each.data).get("x-event-family"):
            if family in class_names:
                raise RefusedError(place_of(each), f"The family {family!r} has the name of a model.")
            constant = next(iter(tags_of(each).values()), [""])[0]
            families.setdefault(family, {})[constant] = model
    return tuple(
        Family(name=quoted(name), module=PythonIdentifier(name, ""), models=members)
        for name, members in families.items()
    )
