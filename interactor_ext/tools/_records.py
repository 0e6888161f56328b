"""Reads the fields of dataclasses, attrs classes and TypedDicts, which represent JSON objects."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NamedTuple, NotRequired, Required

import attrs

from interactor_ext.tools._docstring import Description, read_docstring

MISSING: Final = object()


class Member(NamedTuple):
    """One key of the object, or one parameter of a function."""

    key: str
    hint: Any
    required: bool
    default: Any
    """MISSING if the member is required, or its default is created for each object."""
    description: str


def is_record(candidate: type) -> bool:
    return any(fits(candidate) for fits, _ in _KINDS)


def members_of(record: type) -> tuple[list[Member], str]:
    """Return the members of a record and the description in its docstring. Raises TypeError as `hints_of` does."""
    # A dataclass without a docstring has its signature in `__doc__`.
    docstring = record.__dict__.get("__doc__")
    about = read_docstring(docstring if not (docstring or "").startswith(f"{record.__name__}(") else None)
    members = next(members for fits, members in _KINDS if fits(record))
    return list(members(record, hints_of(record), about)), about.text


def hints_of(thing: Any) -> dict[str, Any]:
    """Return the type hints of a class or function, with `Annotated`. Raises TypeError for an unknown name."""
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the type hints of {getattr(thing, '__qualname__', thing)} can't be resolved: {error}. Their "
            "names must exist in the module, not only in a function or under TYPE_CHECKING"
        ) from error


def unwrapped(hint: Any) -> tuple[Any, str, list[Any]]:
    """Return the bare type of a hint, the description in `Annotated`, and its other metadata."""
    description = ""
    others: list[Any] = []
    while True:
        if typing.get_origin(hint) is Annotated:
            hint, *notes = typing.get_args(hint)
            description = description or next((note for note in notes if isinstance(note, str)), "")
            others += [note for note in notes if not isinstance(note, str)]
        elif typing.get_origin(hint) in (Required, NotRequired):
            hint = typing.get_args(hint)[0]
        elif (inner := getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)) is not None:
            hint = inner  # NewType; `type X = ...`
        else:
            return hint, description, others


def _of_dataclass(record: Any, hints: dict[str, Any], about: Description) -> Iterator[Member]:
    for field in dataclasses.fields(record):
        if field.init:
            described = about.parameters.get(field.name, "")
            default = field.default if field.default is not dataclasses.MISSING else MISSING
            required = default is MISSING and field.default_factory is dataclasses.MISSING
            yield Member(field.name, hints[field.name], required, default, described)


def _of_attrs(record: Any, hints: dict[str, Any], about: Description) -> Iterator[Member]:
    for field in attrs.fields(record):
        if field.init:
            described = about.parameters.get(field.name, "")
            made = field.default is attrs.NOTHING or isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
            required = field.default is attrs.NOTHING
            default = MISSING if made else field.default
            yield Member(field.alias, hints.get(field.name, Any), required, default, described)


def _of_typed_dict(record: Any, hints: dict[str, Any], about: Description) -> Iterator[Member]:
    for key, hint in hints.items():
        # `__required_keys__` is wrong for postponed annotations, so the hint itself comes first.
        origin = typing.get_origin(hint)
        required = origin is Required or (origin is not NotRequired and key in record.__required_keys__)
        yield Member(key, hint, required, MISSING, about.parameters.get(key, ""))


_Members = Callable[[Any, dict[str, Any], Description], Iterator[Member]]
_KINDS: tuple[tuple[Callable[[type], bool], _Members], ...] = (
    (dataclasses.is_dataclass, _of_dataclass),
    (attrs.has, _of_attrs),
    (lambda candidate: issubclass(candidate, dict) and hasattr(candidate, "__required_keys__"), _of_typed_dict),
)
