"""The base class of the models: what pydantic, FastAPI, rich and IPython expect of a class."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from .advised import Advised, missing, no_item
from .errors import DecodeError
from .types import UNSET, Page
from .wire import to_json

if TYPE_CHECKING:
    from typing import Self


class Model(Advised):
    """A model of the contract. Works as a pydantic and FastAPI type without importing either.

    Its JSON Schema is the contract's component, with `type: [string, "null"]` written as `anyOf`: pydantic writes it
    so, and older versions of FastAPI read nothing else.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # IPython uses the first class that has one of the two methods, and attrs defines a __repr__ in each class.
        cls._repr_pretty_ = Model._repr_pretty_  # type: ignore[method-assign]

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        # FastAPI returns objects that it doesn't know as vars() of them. Iterating over pairs would do as well, except
        # for the model that has a field `keys`.
        return self.to_dict()

    if not TYPE_CHECKING:
        __getitem__ = no_item
        __iter__ = None  # not iterable

    if TYPE_CHECKING:  # which every model has

        def to_dict(self) -> dict[str, Any]: ...

        @classmethod
        def from_dict(cls, src_dict: Mapping[str, Any]) -> Self: ...

    @classmethod
    def _of(cls, model: Model) -> Self:
        """Turn a model into a user's subclass, through its `__init__`: it may have fields of its own."""
        return cls(**{field.name: getattr(model, field.name) for field in model.__attrs_attrs__})  # type: ignore[attr-defined]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # pydantic calls this

        read = core_schema.no_info_plain_validator_function(partial(_validate, cls))
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.lax_or_strict_schema(read, core_schema.is_instance_schema(cls)),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True),
            # A schema with a ref becomes a named definition of each JSON Schema that contains it.
            ref=_ref(_package_of(cls), cls.__name__)
            if Model in cls.__bases__
            else f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return _schema_of(component_of(cls), _package_of(cls), schema, handler)

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """The fields that are set, for rich; secrets as in the repr."""
        for attribute in self.__attrs_attrs__:  # type: ignore[attr-defined]
            value = getattr(self, attribute.name)
            if value is not UNSET and attribute.repr and (value or attribute.name != "additional_properties"):
                yield attribute.name, value if attribute.repr is True else _Shown(attribute.repr(value))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same for IPython."""
        if cycle:
            printer.text(f"{type(self).__name__}(...)")
            return
        with printer.group(4, f"{type(self).__name__}(", ")"):
            for number, (name, value) in enumerate(self.__rich_repr__()):
                printer.text("," if number else "")
                printer.breakable(" " if number else "")
                printer.text(f"{name}=")
                printer.pretty(value)


missing(
    Model,
    "model_validate model_validate_json model_construct parse_obj parse_raw construct from_json from_response "
    "model_json_schema schema objects DoesNotExist create retrieve list",
)


class _Shown(str):
    """A text that is its own repr."""

    __slots__ = ()
    __repr__ = str.__str__


def _validate(model: type[Model], value: Any) -> Any:
    """`value` as a `model`: one itself, a mapping, perhaps with models in it, or a page as the body of a list response.

    Raises:
        pydantic_core.ValidationError: it does not fit. It names the field, and quotes no value: it may be a secret.
    """
    from pydantic_core import PydanticCustomError, ValidationError

    if isinstance(value, model):
        return value
    try:
        return model.from_dict(to_json(value) if isinstance(value, Mapping | Page) else value)
    except ValueError as error:
        path = error.path if isinstance(error, DecodeError) else ""
        steps = [int(step) if step.isdecimal() else step for step in re.split(r"[][.]+", path) if step]
        problem = PydanticCustomError("model", "{problem}", {"problem": str(error)})
        raise ValidationError.from_exception_data(
            model.__name__, [{"type": problem, "loc": tuple(steps), "input": "***"}]
        ) from None


def _dump(value: Any, info: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(to_json(value), include=info.include, exclude=info.exclude)


@cache
def components(package: str) -> dict[str, Any]:
    """The schemas of the contract of a generated package, by their names."""
    from importlib.resources import files

    document = json.loads(files(package).joinpath("openapi.json").read_bytes())
    schemas: dict[str, Any] = document["components"]["schemas"]
    return schemas


def component_of(model: type[Model]) -> dict[str, Any]:
    """The contract's schema of a model. For a user's subclass, that is the model's."""
    component: dict[str, Any] = components(_package_of(model))[_generated(model).__name__]
    return component


def _generated(model: type[Model]) -> type[Model]:
    return next(each for each in model.__mro__ if Model in each.__bases__)


def _package_of(model: type[Model]) -> str:
    return _generated(model).__module__.rpartition(".models.")[0]


class _Component:
    """Base of classes that represent a component of the contract, by its name, in pydantic's JSON Schemas."""

    package: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.any_schema()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return _schema_of(components(cls.package)[cls.__name__], cls.package, schema, handler)


def _ref(package: str, name: str) -> str:
    return f"{package}.{name}:0"


@cache
def _definition(package: str, name: str) -> Any:
    """A component as a schema of pydantic's core, under the name of its model."""
    from pydantic import TypeAdapter

    component = type(name, (_Component,), {"package": package})
    return {**TypeAdapter(component).core_schema, "ref": _ref(package, name)}


_begun: ContextVar[frozenset[str]] = ContextVar("_begun", default=frozenset())
"""The definitions around the schema that is being generated. In those, they are only referred to."""


def _schema_of(component: Any, package: str, schema: Any, handler: Any) -> Any:
    begun = _begun.set(_begun.get() | {schema.get("ref", "")})
    try:
        return _in_pydantics_notation(component, package, handler)
    finally:
        _begun.reset(begun)


def _in_pydantics_notation(schema: Any, package: str, handler: Any) -> Any:
    """A schema of the contract whose references lead to pydantic's definitions, and whose null is a variant of an
    anyOf."""
    if isinstance(schema, bool):
        return schema
    own = dict(schema)
    for key, value in schema.items():
        if key == "properties":
            own[key] = {name: _in_pydantics_notation(each, package, handler) for name, each in value.items()}
        elif key in ("allOf", "anyOf", "oneOf"):
            own[key] = [_in_pydantics_notation(each, package, handler) for each in value]
        elif key in ("additionalProperties", "items"):
            own[key] = _in_pydantics_notation(value, package, handler)
    if "$ref" in own:
        # As the items of a list, because a handler generates what is within a schema, including definitions.
        name = own["$ref"].rpartition("/")[2]
        ref = _ref(package, name)
        items = {"type": "definition-ref", "schema_ref": ref} if ref in _begun.get() else _definition(package, name)
        within = {"type": "list", "items_schema": items}
        own |= handler(within)["items"]
    if isinstance(own.get("type"), list):
        about = {key: own.pop(key) for key in ("description", "examples") if key in own}
        variants = [{"type": each} if each == "null" else {**own, "type": each} for each in own["type"]]
        return {"anyOf": variants, **about}
    return own
