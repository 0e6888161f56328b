"""Fields, models, enums and families of events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from keyword import iskeyword

from document import Json
from normal import OF_CODE, module_of
from openapi_python_client.strings import PythonIdentifier
from openapi_python_client.strings import in_double_quote_literal as quoted
from openapi_python_client.strings import safe_for_docstring as in_docstring
from plan import Enumeration, Family, Field, Model
from value_types import RefusedError, Types, holds_binary, taking_files

# Keywords, names used in annotations, and names that the generated code itself uses around a field get a "_".
_RESERVED = {
    *("self", "bool", "datetime", "dict", "float", "int", "list", "str", "cls", "to_dict", "from_dict", "httpx"),
    *("additional_properties", "client", "left_out", "outcome", "require_client", "src_dict"),
    *OF_CODE,
}

# What a property takes over from the schema that it refers to.
_MARKS = ("format", "readOnly", "writeOnly", "deprecated")
# Fields with these names are secrets, whatever their schema says.
_SECRETS = {"access_token", "client_secret", "refresh_token", "secret", "token"}


def field_of(
    types: Types, key: str, schema: Json, about: Json, *, required: bool, sent: bool, identifier: str
) -> Field:
    """Return a field; `about` is what is said of it, which for a parameter isn't its schema."""
    notes = [about.get("description") or types.target(schema)[1].get("description")]
    if schema.get("default") is not None:
        notes.append(f"Default: {json.dumps(schema['default'], ensure_ascii=False)}.")
    if about.get("deprecated"):
        notes.append("Deprecated.")
    return Field(
        key=quoted(key),
        name=_name(identifier),
        old_name=str(PythonIdentifier(about.get("x-renamed-from") or "", "")),
        variable=f"{identifier}_" if identifier in _RESERVED else identifier,
        type=types.type_of(schema, sent=sent),
        required=required,
        description=" ".join(in_docstring(each) for each in notes if each),
        secret=about.get("format") == "password" or bool(about.get("writeOnly")) or identifier in _SECRETS,
        numeric_string=bool(about.get("x-numeric-string")),
        read_only=bool(about.get("readOnly")),
        write_only=bool(about.get("writeOnly")),
    )


def _name(identifier: str) -> str:
    bare = identifier.removesuffix("_")  # which the identifier of every builtin has
    return f"{bare}_" if iskeyword(bare) or bare in _RESERVED else bare


def fields_of(types: Types, model: str, *, sent: bool) -> dict[str, tuple[Field, Json]]:
    """Return the fields of a model by their properties, with what is said of each."""
    properties, written = types.properties_of(model), types.schemas[model]
    absent = {key: repr(value) for key, value in (written.get("x-absent") or {}).items()}
    identifiers = {key: PythonIdentifier(key, "field_") for key in properties}
    counts = Counter(identifiers.values())
    found = {}
    for key, schema in properties.items():
        if counts[identifiers[key]] > 1:
            identifiers[key] = PythonIdentifier(key, "field_", skip_snake_case=True)
        target = types.target(schema)[1]
        about = {mark: target[mark] for mark in _MARKS if mark in target} | schema
        required = key in written.get("required", ())
        field = field_of(types, key, schema, about, required=required, sent=sent, identifier=identifiers[key])
        field = replace(
            field,
            type=taking_files(field.type),
            absent=absent.get(key, ""),
            secret=field.secret or key in (written.get("x-secret") or ()),
            null_is_sent=field.type.nullable and (not written.get("x-request") or bool(about.get("x-sends-null"))),
        )
        found[key] = field, about
    return found


def model_of(types: Types, name: str, ensured: set[str], forms: set[str]) -> Model:
    """Return the model of a schema; methods `ensure` return those in `ensured`, and those in `forms` may hold files."""
    schema = types.schemas[name]
    bare = schema.get("x-bare") or ""
    is_request = bool(schema.get("x-request"))
    values = types.values_of(schema)
    written = fields_of(types, name, sent=is_request)
    fields = tuple(field for field, _ in written.values())
    for key, (field, about) in written.items():
        if holds_binary(field.type) and name not in forms:
            text = f"Binary data within JSON is not supported: {name}.{key}."
            raise RefusedError(about.get("x-at") or schema["x-at"], text)
    if twice := first_twice(fields):
        raise RefusedError(schema["x-at"], f"Two properties have the Python name {twice!r}.")
    others = [(key, about.get("x-renamed-from")) for key, (_, about) in written.items()]
    others += (schema.get("x-other-names") or {}).items()
    text = in_docstring(schema.get("description") or name)
    return Model(
        name=name,
        module=module_of(name),
        description=f"{text}\n\nDeprecated." if schema.get("deprecated") else text,
        free=not fields,
        is_request=is_request,
        fields=fields,
        values=types.type_of(values) if values else None,
        bare=quoted("data" if bare is True else bare),
        other_names=tuple((quoted(key), quoted(other)) for key, other in others if other),
        ensured=name in ensured,
    )


def first_twice(fields: Iterable[Field]) -> str:
    """Return the first name that two fields have, or had before; "" if there is none."""
    names = Counter(name for each in fields for name in (each.name, each.old_name) if name)
    return next((name for name, count in names.items() if count > 1), "")


def enumeration_of(types: Types, name: str) -> Enumeration:
    schema = types.schemas[name]
    kind = types.kind_of(schema)
    return Enumeration(
        name=name,
        module=module_of(name),
        description=in_docstring(schema.get("description") or name),
        literals=tuple(map(repr, sorted(schema["enum"], key=str.lower if kind == "str" else None))),
        value_type=kind,
    )


def families_of(types: Types, models: Iterable[Model], classes: Collection[str]) -> tuple[Family, ...]:
    families: dict[str, dict[str, Model]] = {}
    for model in models:
        schema = types.schemas[model.name]
        if family := schema.get("x-event-family"):
            if family in classes:
                raise RefusedError(schema["x-at"], f"The family {family!r} has the name of a model.")
            constant = next(iter(types.tags_of(model.name).values()), [""])[0]
            families.setdefault(family, {})[constant] = model
    for name, members in families.items():
        if "" not in members:
            at = next(schema["x-at"] for schema in types.schemas.values() if schema.get("x-event-family") == name)
            raise RefusedError(at, f"The family {name!r} has no event without a constant type, for events not listed.")
    return tuple(
        Family(name=quoted(name), module=module_of(name), models=members) for name, members in families.items()
    )
