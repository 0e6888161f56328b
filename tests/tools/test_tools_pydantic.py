"""Tools whose parameters and results are pydantic's, or have constraints: schema, what is accepted, what is refused."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import annotated_types as at
import attrs
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from interactor_ext.tools import ToolFunction
from tests.support.tool_runs import read, refusal, result_of, run, tool_of

T = TypeVar("T")


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    """Where somebody lives."""

    street: str = Field(min_length=2, description="With the number.")
    zip_code: Annotated[str, Field(pattern=r"^\d{4}$")] | None = None
    floor: int = Field(0, ge=-5, alias="storey")


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    number: int
    day: date | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Even(BaseModel):
    low: int
    high: int

    @pydantic.model_validator(mode="before")
    @classmethod
    def from_text(cls, value: Any) -> Any:
        return dict(zip(("low", "high"), value.split("-"), strict=True)) if isinstance(value, str) else value

    @pydantic.field_validator("low")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    @pydantic.model_validator(mode="after")
    def is_ordered(self) -> Even:
        if self.low > self.high:
            raise AssertionError("low is above high")
        return self


class Names(RootModel[list[str]]):
    pass


class Box(BaseModel, Generic[T]):
    item: T


@pydantic.dataclasses.dataclass
class Made:
    n: int = Field(ge=1)


@dataclasses.dataclass
class Plain:
    n: Annotated[int, Field(ge=1)]
    m: int = Field(3, le=9)


@attrs.define
class Defined:
    n: Annotated[int, at.Ge(1)]
    labels: list[str] = Field(default_factory=list, max_length=1)  # noqa: RUF009


class Keys(TypedDict):
    n: Annotated[int, at.Ge(1)]
    text: NotRequired[Annotated[str, at.MaxLen(3)]]


def named(hint: Any) -> str:
    return re.sub(r" at 0x\w+", "", str(hint))[:80]


def words(tool: ToolFunction, value: Any) -> str:
    return refusal(tool, {"value": value})


STREET = {"description": "With the number.", "minLength": 2, "title": "Street", "type": "string"}
ZIP_CODE = {
    "anyOf": [{"pattern": r"^\d{4}$", "type": "string"}, {"type": "null"}],
    "default": None,
    "title": "Zip Code",
}
ADDRESS = {
    "description": "Where somebody lives.",
    "properties": {
        "street": STREET,
        "zip_code": ZIP_CODE,
        "storey": {"default": 0, "minimum": -5, "title": "Storey", "type": "integer"},
    },
    "required": ["street"],
    "title": "Address",
    "type": "object",
}
Row = tuple[Any, dict[str, Any], dict[str, Any], dict[str, str]]
# The annotation; its schema; JSON that is accepted, and what it becomes; JSON that is refused, and where.
TABLE: list[Row] = [
    (
        Annotated[int, Field(ge=1)],
        {"minimum": 1, "type": "integer"},
        {"1": 1, "2.0": 2},
        {"0": "value", "1.5": "value", "null": "value", "NaN": "value"},
    ),
    (
        Annotated[int, Field(ge=1)] | None,
        {"anyOf": [{"minimum": 1, "type": "integer"}, {"type": "null"}]},
        {"1": 1, "null": None},
        {"0": "value"},
    ),
    (Annotated[int, at.Gt(1)], {"exclusiveMinimum": 1, "type": "integer"}, {"2": 2}, {"1": "value"}),
    (Annotated[float, at.Lt(1.5)], {"exclusiveMaximum": 1.5, "type": "number"}, {"1": 1.0}, {"1.5": "value"}),
    (
        Annotated[float, at.Interval(gt=0, le=1)],
        {"exclusiveMinimum": 0, "maximum": 1, "type": "number"},
        {"0.5": 0.5},
        {"0": "value", "2": "value"},
    ),
    (Annotated[int, at.MultipleOf(5)], {"multipleOf": 5, "type": "integer"}, {"10": 10}, {"4": "value"}),
    (Annotated[str, at.MinLen(2)], {"minLength": 2, "type": "string"}, {'"ab"': "ab"}, {'"a"': "value", "3": "value"}),
    (
        Annotated[str, at.Len(2, 3), "A code."],
        {"minLength": 2, "maxLength": 3, "type": "string", "description": "A code."},
        {'"abc"': "abc"},
        {'"abcd"': "value"},
    ),
    (
        Annotated[str, Field(pattern="^a+$", max_length=3, description="As.", examples=["aa"])],
        {"pattern": "^a+$", "maxLength": 3, "type": "string", "description": "As.", "examples": ["aa"]},
        {'"aa"': "aa"},
        {'"b"': "value", '"aaaa"': "value"},
    ),
    (
        Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=1)],
        {"minLength": 1, "type": "string"},
        {'" a "': "A"},
        {'"  "': "value"},
    ),
    (
        Annotated[list[int], Field(min_length=1, max_length=2)],
        {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
        {"[1]": [1]},
        {"[]": "value", "[1, 2, 3]": "value"},
    ),
    (
        Annotated[list[Annotated[int, at.Ge(0)]], at.MaxLen(2)],
        {"type": "array", "items": {"minimum": 0, "type": "integer"}, "maxItems": 2},
        {"[0]": [0]},
        {'[-1, "x"]': "value.0, value.1"},
    ),
    (
        Annotated[set[str], Field(min_length=1)],
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 1},
        {'["a", "a"]': {"a"}},
        {"[]": "value", "{}": "value"},
    ),
    (
        tuple[Annotated[int, at.Ge(0)], ...],
        {"type": "array", "items": {"minimum": 0, "type": "integer"}},
        {"[0]": (0,)},
        {"[-1]": "value.0"},
    ),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        {'[1, "a"]': (1, "a")},
        {'[1, "a", 2]': "value", "[1]": "value.1"},
    ),
    (
        dict[str, Annotated[int, at.Ge(0)]],
        {"type": "object", "additionalProperties": {"minimum": 0, "type": "integer"}},
        {'{"a": 0}': {"a": 0}},
        {'{"a": -1}': "value.a"},
    ),
    (
        dict[Annotated[str, at.MinLen(2)], int],
        {"type": "object", "propertyNames": {"minLength": 2}, "additionalProperties": {"type": "integer"}},
        {'{"ab": 1}': {"ab": 1}},
        {'{"a": 1}': "value.a.[key]"},
    ),
    (
        Annotated[Decimal, Field(max_digits=3, decimal_places=1)],
        {"anyOf": [{"type": "number"}, {"type": "string"}]},
        {"3.2": Decimal("3.2")},
        {"3.25": "value", '"x"': "value"},
    ),
    (
        Annotated[datetime, at.Ge(datetime(2024, 1, 1, tzinfo=UTC))],
        {"type": "string", "format": "date-time"},
        {'"2024-01-01T00:00:00Z"': datetime(2024, 1, 1, tzinfo=UTC)},
        {'"2023-01-01T00:00:00Z"': "value", '"soon"': "value", "5": "value"},
    ),
    (
        pydantic.PastDate,
        {"type": "string", "format": "date"},
        {'"2020-01-01"': date(2020, 1, 1)},
        {'"9999-01-01"': "value"},
    ),
    (pydantic.PositiveInt, {"exclusiveMinimum": 0, "type": "integer"}, {"3": 3}, {"0": "value"}),
    (
        pydantic.HttpUrl,
        {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
        {'"https://example.com/"': pydantic.HttpUrl("https://example.com/")},
        {'"x"': "value"},
    ),
    (
        pydantic.SecretStr,
        {"type": "string", "format": "password", "writeOnly": True},
        {'"abc"': pydantic.SecretStr("abc")},
        {"1": "value"},
    ),
    (
        pydantic.Json[list[int]],
        {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"type": "array", "items": {"type": "integer"}},
        },
        {'"[1]"': [1]},
        {'"["': "value"},
    ),
    (Annotated[int, at.Predicate(lambda number: number % 2 == 0)], {"type": "integer"}, {"2": 2}, {"1": "value"}),
    (Annotated[int, pydantic.AfterValidator(lambda number: number * 2)], {"type": "integer"}, {"1": 2}, {}),
    (
        Annotated[list[str], pydantic.BeforeValidator(lambda text: text.split(",") if isinstance(text, str) else text)],
        {"type": "array", "items": {"type": "string"}},
        {'"a,b"': ["a", "b"], '["a"]': ["a"]},
        {"5": "value"},
    ),
    (Annotated[int, Field(strict=False)], {"type": "integer"}, {'"5"': 5}, {'"x"': "value"}),
    (
        Annotated[Literal["a", "b"], Field(description="Which.")],
        {"type": "string", "enum": ["a", "b"], "description": "Which."},
        {'"a"': "a"},
        {'"c"': "value"},
    ),
    (pydantic.JsonValue, {}, {'{"a": [1]}': {"a": [1]}}, {}),
    (
        Address,
        ADDRESS,
        {'{"street": "Main", "storey": 2, "more": 1}': Address(street="Main", storey=2)},
        {
            "{}": "value.street",
            '{"street": "a", "zip_code": "x", "storey": -6}': "value.street, value.zip_code, value.storey",
            '"Main"': "value",
        },
    ),
    (
        Address | None,
        {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]},
        {"null": None},
        {"{}": "value.street", "5": "value"},
    ),
    (
        list[Address],
        {"type": "array", "items": ADDRESS},
        {'[{"street": "Main"}]': [Address(street="Main")]},
        {"[{}]": "value.0.street"},
    ),
    (
        Closed,
        {
            "additionalProperties": False,
            "properties": {
                "number": {"title": "Number", "type": "integer"},
                "day": {
                    "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                    "default": None,
                    "title": "Day",
                },
            },
            "required": ["number"],
            "title": "Closed",
            "type": "object",
        },
        {'{"number": 1, "day": "2024-01-15"}': Closed(number=1, day=date(2024, 1, 15))},
        {'{"number": "1", "more": 1}': "value.number, value.more"},
    ),
    (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        {
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}},
        },
        {'{"kind": "dog", "name": "Rex"}': Dog(kind="dog", name="Rex")},
        {'{"kind": "cat", "lives": 10}': "value.cat.lives", '{"kind": "cow"}': "value", "{}": "value"},
    ),
    (
        Cat | Dog,
        {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
        {'{"kind": "dog", "name": "Rex"}': Dog(kind="dog", name="Rex")},
        {
            '{"kind": "cow"}': "value.Cat.kind, value.Cat.lives, value.Dog.kind, value.Dog.name",
            "5": "value.Cat, value.Dog",
        },
    ),
    (
        Tree,
        {"$ref": "#/$defs/Tree"},
        {'{"name": "a", "children": [{"name": "b"}]}': Tree(name="a", children=[Tree(name="b")])},
        {'{"name": "a", "children": [{"name": 1}]}': "value.children.0.name"},
    ),
    (
        Even,
        {
            "properties": {"low": {"title": "Low", "type": "integer"}, "high": {"title": "High", "type": "integer"}},
            "required": ["low", "high"],
            "title": "Even",
            "type": "object",
        },
        {'{"low": 2, "high": 3}': Even(low=2, high=3), '"2-3"': Even(low=2, high=3)},
        {'{"low": 1, "high": 3}': "value.low", '{"low": 4, "high": 3}': "value"},
    ),
    (
        Names,
        {"title": "Names", "type": "array", "items": {"type": "string"}},
        {'["a"]': Names(["a"])},
        {'["a", 1]': "value.1"},
    ),
    (
        Box[Annotated[int, at.Ge(1)]],
        {
            "title": "Box[Annotated[int, Ge]]",
            "type": "object",
            "properties": {"item": {"title": "Item", "type": "integer", "minimum": 1}},
            "required": ["item"],
        },
        {'{"item": 1}': Box[Annotated[int, at.Ge(1)]](item=1)},
        {'{"item": 0}': "value.item"},
    ),
    (
        Made,
        {
            "title": "Made",
            "type": "object",
            "properties": {"n": {"title": "N", "type": "integer", "minimum": 1}},
            "required": ["n"],
        },
        {'{"n": 1}': Made(n=1)},
        {'{"n": 0}': "value.n"},
    ),
    (
        Plain,
        {
            "type": "object",
            "properties": {
                "n": {"type": "integer", "minimum": 1},
                "m": {"type": "integer", "maximum": 9, "default": 3},
            },
            "required": ["n"],
            "additionalProperties": False,
        },
        {'{"n": 1}': Plain(1, 3)},
        {'{"n": 0, "m": 10, "o": 1}': "value.o, value.n, value.m"},
    ),
    (
        Defined,
        {
            "type": "object",
            "properties": {
                "n": {"type": "integer", "minimum": 1},
                "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            },
            "required": ["n"],
            "additionalProperties": False,
        },
        {'{"n": 1}': Defined(1, [])},
        {'{"n": 1, "labels": ["a", "b"]}': "value.labels"},
    ),
    (
        Keys,
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 1}, "text": {"type": "string", "maxLength": 3}},
            "required": ["n"],
            "additionalProperties": False,
        },
        {'{"n": 1}': {"n": 1}},
        {'{"n": 1, "text": "long"}': "value.text"},
    ),
]


@pytest.mark.parametrize(("hint", "schema", "accepted", "refused"), TABLE, ids=[named(row[0]) for row in TABLE])
def test_annotation_gives_schema_and_is_enforced(
    hint: Any, schema: dict[str, Any], accepted: dict[str, Any], refused: dict[str, str]
) -> None:
    tool = tool_of(hint)
    Draft202012Validator.check_schema(tool.parameters)
    assert tool.parameters["properties"]["value"] == schema
    for text, expected in accepted.items():
        value = read(tool, {"value": json.loads(text)})["value"]
        assert value == expected
        assert type(value) is type(expected)
    errors = {text: run(tool, {"value": json.loads(text)})["error"] for text in refused}
    assert {text: ", ".join(each["field"] for each in error["details"]) for text, error in errors.items()} == refused


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "kind", "low", "a", ""]), inner),
    max_leaves=10,
)
TOOLS = [tool_of(row[0]) for row in TABLE] + [tool_of(each) for each in (str | None, datetime, Level, tuple[int, ...])]


@given(value=json_values, tool=st.sampled_from(TOOLS))
@example(value="\ud800", tool=tool_of(Annotated[str, at.MinLen(1)]))
@example(value={"street": "\ud800\ud800"}, tool=tool_of(Address))
@example(value=10**400, tool=tool_of(Annotated[float, at.Ge(1)]))
def test_any_json_is_read_or_refused(value: Any, tool: ToolFunction) -> None:
    result = run(tool, {"value": value})
    assert result is None or result["error"]["type"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (Annotated[str, at.Ge(1)], "the constraint ge doesn't fit the type"),
        (Annotated[bool, at.Ge(1)], "the constraint ge doesn't fit the type"),
        (Annotated[Any, at.Ge(1)], "the constraint ge doesn't fit the type"),
        (Annotated[int | str, at.Ge(1)], "the constraint ge doesn't fit the type"),
        (Annotated[list[int], at.MultipleOf(2)], "the constraint multiple_of doesn't fit the type"),
        (Annotated[int, at.MaxLen(3)], "the constraint maxLength doesn't fit the type"),
        (Annotated[Address, at.MinLen(1)], "the constraint minLength doesn't fit the type"),
        (list[Annotated[str, Field(decimal_places=2)]], "the constraint decimal_places doesn't fit the type"),
        (list[Annotated[int, Field(pattern=r"\d{5}")]], "the constraint pattern doesn't fit the type"),
        (Annotated[int, Field(discriminator="kind")], "pydantic can't create a JSON Schema for it"),
        (Annotated[Callable[[], int], Field(description="x")], "pydantic can't create a JSON Schema for it"),
        (Annotated[Defined, Field(description="x")], "pydantic can't create a JSON Schema for it"),
        (Annotated[int, Field(alias="other")], r"Field\(alias=...\) has no effect here"),
        (Annotated[int, Field(validation_alias="other")], r"Field\(validation_alias=...\) has no effect here"),
        (Annotated[int, Field(validate_default=True)], r"Field\(validate_default=...\) has no effect here"),
        (Annotated[datetime, at.Timezone("UTC")], r"Timezone\(tz='UTC'\) isn't supported"),
    ],
    ids=named,
)
def test_constraint_that_cannot_be_expressed_is_an_error_that_names_the_parameter(hint: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf"use\(value\): {message}"):
        tool_of(hint)


def test_field_as_default_gives_constraints_and_the_default() -> None:
    required = tool_of(int, Field(ge=1))
    assert required.parameters["required"] == ["value"]
    assert words(required, 0) == "value: Input should be greater than or equal to 1"
    optional = tool_of(int, Field(5, ge=1, description="How many."))
    assert optional.parameters["properties"]["value"] == {
        "type": "integer",
        "minimum": 1,
        "default": 5,
        "description": "How many.",
    }
    assert "required" not in optional.parameters
    assert read(optional, {}) == {"value": 5}
    made = tool_of(list[int], Field(default_factory=list, max_length=2))
    assert read(made, {})["value"] == []
    assert read(made, {})["value"] is not read(made, {})["value"]
    assert read(tool_of(Annotated[int, Field(default=4)]), {}) == {"value": 4}


def test_default_beside_field_is_in_the_schema_and_left_to_the_function() -> None:
    number = tool_of(Annotated[int, Field(ge=1)], 7)
    assert number.parameters["properties"]["value"] == {"type": "integer", "minimum": 1, "default": 7}
    assert read(number, {}) == {}
    nothing = tool_of(Annotated[int, Field(ge=1)], None)
    assert read(nothing, {"value": None}) == {"value": None}
    address = tool_of(Address, Address(street="Main"))
    assert address.parameters["properties"]["value"]["default"] == {"street": "Main", "zip_code": None, "storey": 0}


def test_two_classes_of_one_name_are_an_error() -> None:
    def other() -> Any:
        class Tree(BaseModel):
            leaves: int
            of: Tree | None = None

        return Tree

    def plant(first: Tree, second: Any) -> None: ...

    plant.__annotations__["second"] = other()
    with pytest.raises(TypeError, match=r"plant\(second\): .* two classes have the name Tree"):
        ToolFunction.of(plant, None, None)


class Answer(BaseModel):
    value: float = Field(serialization_alias="theValue")
    moment: datetime
    url: pydantic.HttpUrl | None = None
    secret: pydantic.SecretStr | None = None


@pydantic.dataclasses.dataclass
class Link:
    url: pydantic.HttpUrl


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Answer(value=1, moment=datetime(2024, 1, 15, tzinfo=UTC), url="https://example.com", secret="abc"),  # type: ignore[arg-type]
            {"theValue": 1.0, "moment": "2024-01-15T00:00:00Z", "url": "https://example.com/", "secret": "**********"},
        ),
        ({"a": [Address(street="Main")]}, {"a": [{"street": "Main", "zip_code": None, "storey": 0}]}),
        (Names(["a"]), ["a"]),
        (Link("https://example.com"), {"url": "https://example.com/"}),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_results_of_pydantic_are_dumped_as_json(value: Any, expected: Any) -> None:
    assert result_of(value) == expected


def test_result_that_pydantic_cannot_dump_is_an_error() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: object

    for value in (Odd(thing=object()), Answer(value=float("nan"), moment=datetime(2024, 1, 15, tzinfo=UTC))):
        assert result_of(value)["error"]["type"] == "invalid_result"


def test_tools_without_pydantic_do_not_import_it() -> None:
    program = """
import sys
from dataclasses import dataclass
from typing import Annotated
from interactor_ext import ToolSet

@dataclass
class Address:
    street: str

def search(query: Annotated[str, "What."], where: Address | None = None) -> list[Address]: ...

tools = ToolSet()
tools.tool(description="Searches.")(search)
assert "pydantic" not in sys.modules and "annotated_types" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_constraints_without_pydantic_installed_are_an_error_that_says_so() -> None:
    program = """
import sys
sys.modules["pydantic"] = None
import annotated_types
from typing import Annotated
from interactor_ext import ToolSet

def search(limit: Annotated[int, annotated_types.Ge(1)]) -> None: ...

try:
    ToolSet().tool(search)
except TypeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("search(limit): pydantic, or a package that it needs, isn't installed: ")
