"""Tools whose parameters and results are pydantic's, or have constraints: schema, what is accepted, what is refused."""

from __future__ import annotations

import dataclasses
import enum
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import annotated_types as at
import attrs
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel

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


def words(tool: ToolFunction, value: Any) -> str:
    return refusal(tool, {"value": value})


def python(expression: str) -> Any:
    return eval(expression, {"Decimal": Decimal, **globals()})


ROWS = tomllib.loads(Path(__file__).with_name("pydantic_hints.toml").read_text())["row"]
HINTS = [python(row["hint"]) for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[row["hint"][:80] for row in ROWS])
def test_annotation_gives_schema_and_is_enforced(row: dict[str, Any]) -> None:
    tool = tool_of(python(row["hint"]))
    Draft202012Validator.check_schema(tool.parameters)
    assert tool.parameters["properties"]["value"] == json.loads(row["schema"])
    for text, expression in row["accepted"].items():
        value, expected = read(tool, {"value": json.loads(text)})["value"], python(expression)
        assert value == expected
        assert type(value) is type(expected)
    refused = row.get("refused", {})
    errors = {text: run(tool, {"value": json.loads(text)})["error"] for text in refused}
    assert {text: ", ".join(each["field"] for each in error["details"]) for text, error in errors.items()} == refused


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "kind", "low", "a", ""]), inner),
    max_leaves=10,
)
TOOLS = [tool_of(hint) for hint in (*HINTS, str | None, datetime, Level, tuple[int, ...])]


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
    ids=str,
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
