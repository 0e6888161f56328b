"""ToolFunction: JSON Schema and description of a function, validation of arguments, conversion of results."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, Required, TypedDict
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from interactor_ext.tools import ToolContext, ToolFunction, ToolSet
from tests.support.tool_runs import read, result_of, run, tool_of

UserId = NewType("UserId", str)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Address:
    """Where somebody lives.

    Attributes:
        street: With the number.
    """

    street: str
    zip_code: str | None = None
    tags: list[str] = dataclasses.field(default_factory=list)
    country: Annotated[str, "ISO 3166."] = "NO"
    secret: str = dataclasses.field(default="", init=False)


@attrs.frozen
class Range:
    low: int
    high: int = 10
    _step: int = 1

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Filter(TypedDict, total=False):
    field: Required[str]
    value: Annotated[int, "What it must be."]


class Sorting(TypedDict):
    by: str
    descending: NotRequired[bool]


@dataclasses.dataclass
class Node:
    name: str
    children: list[Node] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(("option", "advice"), [("-O", "write a docstring"), ("-OO", "Python's option -OO removes")])
def test_tool_without_description_hears_of_the_option_that_removes_docstrings(option: str, advice: str) -> None:
    documented = '''def weather(city: str) -> str:\n    """The weather of a city."""\n    return city\n'''
    program = documented.replace('"""', "#" if option == "-O" else '"""')
    program += "from interactor_ext.tools import ToolSet\nToolSet().tool(description='Of a city.')(weather)\n"
    done = subprocess.run(
        [sys.executable, option, "-c", f"{program}ToolSet().tool(weather)"], capture_output=True, text=True
    )
    assert f"TypeError: the tool weather has no description: {advice}" in done.stderr


def schema_of(hint: Any) -> dict[str, Any]:
    return tool_of(hint).parameters["properties"]["value"]


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (UserId, {"type": "string"}),
        (Color, {"type": "string", "enum": ["red", "blue"]}),
        (Level, {"enum": [1, 2]}),
        (Literal["a", 1, None], {"enum": ["a", 1, None]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list, {"type": "array", "items": {}}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (dict, {"type": "object", "additionalProperties": {}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (time, {"type": "string", "format": "time"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Decimal, {"type": "number"}),
        (Annotated[str, "A name."], {"type": "string", "description": "A name."}),
        (Annotated[UserId, 5, "An id."], {"type": "string", "description": "An id."}),
    ],
    ids=str,
)
def test_type_hint_has_a_json_schema(hint: Any, schema: dict[str, Any]) -> None:
    assert schema_of(hint) == schema


def test_dataclasses_and_their_relatives_have_json_schemas() -> None:
    assert schema_of(Address) == {
        "type": "object",
        "description": "Where somebody lives.",
        "properties": {
            "street": {"type": "string", "description": "With the number."},
            "zip_code": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "tags": {"type": "array", "items": {"type": "string"}},
            "country": {"type": "string", "description": "ISO 3166.", "default": "NO"},
        },
        "required": ["street"],
        "additionalProperties": False,
    }
    assert schema_of(Range)["properties"] == {
        "low": {"type": "integer"},
        "high": {"type": "integer", "default": 10},
        "step": {"type": "integer", "default": 1},
    }
    assert schema_of(Filter) == {
        "type": "object",
        "properties": {"field": {"type": "string"}, "value": {"type": "integer", "description": "What it must be."}},
        "required": ["field"],
        "additionalProperties": False,
    }
    assert schema_of(Sorting)["required"] == ["by"]


def test_description_and_parameters_come_from_signature_and_docstring() -> None:
    tools = ToolSet()

    @tools.tool
    def search(
        query: str,
        color: Color = Color.RED,
        limit: int | None = None,
        since: datetime | None = None,
        address: Address = Address("Main St 1"),  # noqa: B008 - it is not changed
        key: Any = object(),  # noqa: B008
        nothing: str = None,  # type: ignore[assignment]  # noqa: RUF013 - found in the wild
    ) -> list[str]:
        """Search the archive.

        Finds what was stored.

        Args:
            query (str): What to look for,
                in any language.
            color: Of the cover.

        Returns:
            The titles.

        Raises:
            LookupError: nothing was found.
        """
        return [query]

    tool = tools["search"]
    assert (tool.name, tool.description) == ("search", "Search the archive.\n\nFinds what was stored.")
    properties = tool.parameters["properties"]
    assert tool.parameters["required"] == ["query"]
    assert tool.parameters["additionalProperties"] is False
    assert properties["query"] == {"type": "string", "description": "What to look for, in any language."}
    assert properties["color"] == {
        "type": "string",
        "enum": ["red", "blue"],
        "default": "red",
        "description": "Of the cover.",
    }
    assert properties["limit"]["default"] is None
    assert "default" not in properties["address"]  # as JSON it has a member that `__init__` does not take
    assert "default" not in properties["key"]
    assert properties["nothing"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert search("x") == ["x"]
    Draft202012Validator.check_schema(tool.parameters)


@pytest.mark.parametrize(
    ("docstring", "text", "parameters"),
    [
        (None, "", {}),
        ("Note: this is all text.\n\nRatio:\n    1 to 3", "Note: this is all text.\n\nRatio:\n    1 to 3", {}),
        (
            "Adds.\n\nArgs:\n    a: One.\n\n    b: Two.\n    no entry\n\nThe end.",
            "Adds.\n\nThe end.",
            {"a": "One.", "b": "Two."},
        ),
    ],
    ids=repr,
)
def test_docstring_is_parsed_into_text_and_parameters(
    docstring: str | None, text: str, parameters: dict[str, str]
) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    add.__doc__ = docstring
    tool = ToolFunction.of(add, None, None)
    described = {name: schema.get("description") for name, schema in tool.parameters["properties"].items()}
    assert (tool.description, described) == (text, {"a": None, "b": None, **parameters})


def test_decorator_sets_name_and_description() -> None:
    tools = ToolSet()

    @tools.tool(name="get-time", description="The time.")
    def clock() -> str:
        """Something else."""
        return "noon"

    assert clock() == "noon"
    assert [(tool.name, tool.description) for tool in tools] == [("get-time", "The time.")]
    assert "get-time" in tools
    assert "clock" not in tools
    assert len(tools) == 1
    assert repr(tools) == "ToolSet(get-time)"
    with pytest.raises(ValueError, match="get-time"):
        tools.tool(name="get-time")(clock)


def unhinted(a, b: int) -> None: ...  # type: ignore[no-untyped-def]


def variadic(*rest: int) -> None: ...


def keywords(**rest: int) -> None: ...


def in_bytes(value: bytes) -> None: ...


def nested(value: list[dict[str, complex]]) -> None: ...


def by_number(value: dict[int, str]) -> None: ...


def odd_literal(value: Literal[b"x"]) -> None: ...


def unresolved(value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def recursive(value: Node) -> None: ...


def positional(a: int, /) -> None: ...


def keyed(key: str) -> None: ...


class Nested(functools.partial[Any]):
    __name__ = "search"


def in_contexts(contexts: list[ToolContext]) -> None: ...


def generator() -> Iterator[int]:
    yield 1


class Service:
    def method(self, a: int) -> int:
        """Gives it back."""
        return a


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unhinted, r"unhinted\(a\) has no type hint"),
        (variadic, r"variadic\(\*rest: .*\)"),
        (keywords, r"keywords\(\*\*rest: .*\)"),
        (in_bytes, r"in_bytes\(value\): JSON can't represent bytes"),
        (nested, r"nested\(value\): JSON can't represent complex"),
        (by_number, r"by_number\(value\): the keys"),
        (odd_literal, r"odd_literal\(value\): b'x'"),
        (unresolved, "Missing"),
        (recursive, r"recursive\(value\)\.children: Node contains itself, which only a pydantic model can"),
        (positional, r"positional\(a: .*\): each parameter of a tool is passed by its name"),
        (functools.partial(keyed, key="k_1"), "has no name"),
        (Nested(keyed, key="k_1"), "search is a partial: write a function"),
        (generator, "generator"),
        (in_contexts, r"in_contexts\(contexts\): write one parameter of the type ToolContext"),
        (Service.method, r"self.*pass it bound"),
        (lambda: None, "name="),
    ],
)
def test_function_without_a_json_schema_raises_type_error(function: Any, message: str) -> None:
    tools = ToolSet()
    with pytest.raises(TypeError, match=message):
        tools.tool(function)
    assert len(tools) == 0


def test_callable_objects_and_methods_are_tools() -> None:
    class Callable:
        """Doubles."""

        def __call__(self, a: int) -> int:
            return a * 2

    tools = ToolSet()
    tools.tool(Service().method)
    tools.tool(name="double")(Callable())
    assert [tool.name for tool in tools] == ["method", "double"]
    assert run(tools["method"], {"a": 4}) == 4
    assert run(tools["double"], {"a": 4}) == 8


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3, 3),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (bool, True, True),
        (Color, "blue", Color.BLUE),
        (Level, 2, Level.HIGH),
        (Level, 2.0, Level.HIGH),
        (Literal["a", 1], 1, 1),
        (list[Color], ["red"], [Color.RED]),
        (set[int], [1, 2, 1], {1, 2}),
        (frozenset[int], [1], frozenset({1})),
        (tuple[int, ...], [1, 2], (1, 2)),
        (dict[str, Range], {"a": {"low": 1}}, {"a": Range(1)}),
        (Address, {"street": "x"}, Address("x")),
        (Range, {"low": 1, "high": 2, "step": 3}, Range(1, 2, 3)),
        (Filter, {"field": "a"}, {"field": "a"}),
        (int | str, "1", "1"),
        (int | float, 1.0, 1),
        (Address | None, None, None),
        (datetime, "2024-01-15T10:30:00Z", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        (datetime, "2024-01-15T10:30:00", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        (date, "2024-01-15", date(2024, 1, 15)),
        (time, "10:30", time(10, 30)),
        (Decimal, 0.1, Decimal("0.1")),
        (UUID, "12345678-1234-5678-1234-567812345678", UUID("12345678-1234-5678-1234-567812345678")),
        (Any, {"a": [1]}, {"a": [1]}),
    ],
    ids=str,
)
def test_valid_arguments_are_converted(hint: Any, value: Any, expected: Any) -> None:
    converted = read(tool_of(hint), {"value": value})["value"]
    assert converted == expected
    assert type(converted) is type(expected)


UNHASHABLE = "unhashable type: 'list'"
if sys.version_info >= (3, 14):
    UNHASHABLE = f"cannot use 'list' as a set element ({UNHASHABLE})"


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str, 1, {"value": "must be a string, not a number"}),
        (int, "1", {"value": "must be an integer, not a string"}),
        (int, True, {"value": "must be an integer, not a boolean"}),
        (int, 1.5, {"value": "must be an integer, not a number"}),
        (float, float("nan"), {"value": "must be a number"}),
        (float, True, {"value": "must be a number, not a boolean"}),
        (bool, 1, {"value": "must be a boolean, not a number"}),
        (None, 0, {"value": "must be null, not a number"}),
        (Color, "green", {"value": "must be one of 'red', 'blue'"}),
        (Literal[1], True, {"value": "must be one of 1"}),
        (list[int], "abc", {"value": "must be an array, not a string"}),
        (
            list[int],
            [1, "2", None],
            {"value.1": "must be an integer, not a string", "value.2": "must be an integer, not null"},
        ),
        (dict[str, int], {"a": "b"}, {"value.a": "must be an integer, not a string"}),
        (dict[str, int], [], {"value": "must be an object, not an array"}),
        (str | None, 1, {"value": "must be a string or null, not a number"}),
        (Address | None, {"street": 1}, {"value.street": "must be a string, not a number"}),
        (
            Address,
            {"stret": "x", "tags": [1]},
            {
                "value.street": "is missing",
                "value.stret": "is unknown; known keys: street, zip_code, tags, country",
                "value.tags.0": "must be a string, not a number",
            },
        ),
        (Range, {"low": 11}, {"value": "isn't a valid Range: low is above high"}),
        (set[Any], [[]], {"value": f"isn't a valid array: {UNHASHABLE}"}),
        (datetime, "yesterday", {"value": "must be a string with a date and a time, such as 2024-01-15T10:30:00Z"}),
        (date, 5, {"value": "must be a string with a date, such as 2024-01-15, not a number"}),
    ],
    ids=str,
)
def test_invalid_arguments_are_named_with_path_and_reason(hint: Any, value: Any, expected: dict[str, str]) -> None:
    details = run(tool_of(hint), {"value": value})["error"]["details"]
    assert {detail["field"]: detail["message"] for detail in details} == expected


class Everything(TypedDict):
    number: int
    ratio: float
    name: str | None
    color: Color
    pairs: list[tuple[str, ...]]
    by_name: dict[str, Range]


everything = st.fixed_dictionaries(
    {
        "number": st.integers(),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "name": st.none() | st.text(),
        "color": st.sampled_from(["red", "blue"]),
        "pairs": st.lists(st.lists(st.text()), max_size=3),
        "by_name": st.dictionaries(st.text(), st.fixed_dictionaries({"low": st.integers(max_value=10)}), max_size=3),
    }
)


@given(value=everything)
def test_read_and_to_json_are_inverse(value: dict[str, Any]) -> None:
    back = result_of(read(tool_of(Everything), {"value": value})["value"])
    for each in back["by_name"].values():
        assert (each.pop("high"), each.pop("_step")) == (10, 1)
    assert back == value


@pytest.mark.parametrize("hint", [ToolContext, ToolContext | None, Annotated["ToolContext | None", "Whose call."]])
def test_context_is_bound_and_hidden_from_the_model(hint: Any) -> None:
    tools = ToolSet()

    def where(first: int, second: int = 2, *, context: Any = None) -> list[Any]:
        """Where."""
        return [first, second, context.namespace, context.room_id, context.tool_call_id]

    where.__annotations__["context"] = hint
    tools.tool(where)
    assert "context" not in tools["where"].parameters["properties"]
    assert run(tools["where"], {"first": 1}) == [1, 2, "user_1", "room_1", "tc_1"]
    assert run(tools["where"], {"first": 1, "context": {}})["error"]["details"][0]["field"] == "context"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (LookupError(), "LookupError"),
        (StopIteration("x"), "StopIteration: x"),
        (SystemExit(2), "SystemExit: 2"),
        (asyncio.CancelledError(), "CancelledError"),
        (RuntimeError("Bearer abcdef012345"), "RuntimeError: Bearer ***"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("exposed", [False, True])
@pytest.mark.parametrize("kind", ["sync", "async", "sync in async"])
def test_exception_of_a_tool_becomes_an_error_result_and_is_logged(
    error: BaseException, message: str, kind: str, exposed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(city: str) -> None:
        raise error

    async def fail_async(city: str) -> None:
        raise error

    if isinstance(error, StopIteration) and kind != "sync":
        # Neither a coroutine nor a future can carry it.
        what = "coroutine" if kind == "async" else "The function"
        message = f"RuntimeError: {what} raised StopIteration" + ("" if kind == "async" else ".")
    tool = ToolFunction.of(fail_async if kind == "async" else fail, "fail", None)
    with caplog.at_level(logging.INFO, "interactor"):
        mode = "sync" if kind == "sync" else "async"
        result = run(tool, {"city": "secret-place"}, mode=mode, exposes_errors=exposed)
    error_id = result["error"].pop("id")
    assert result == {"error": {"type": "tool_failed", "message": message if exposed else "The tool failed."}}
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", f"the tool fail failed (call tc_1, error {error_id})")
    ]
    assert caplog.records[0].exc_info
    assert "secret-place" not in caplog.text


def test_asynchronous_tool_runs_for_a_synchronous_caller() -> None:
    async def answer() -> int:
        return 42

    assert run(ToolFunction.of(answer, None, None), {}) == 42


@pytest.mark.parametrize("arguments", [None, [], "x", 5], ids=repr)
def test_arguments_other_than_an_object_become_an_error_result(arguments: Any) -> None:
    def ping() -> str:
        return "pong"

    assert run(ToolFunction.of(ping, None, None), arguments)["error"]["type"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Color.RED, "red"),
        (Level.HIGH, 2),
        (Address("x"), {"street": "x", "zip_code": None, "tags": [], "country": "NO", "secret": ""}),
        ((1, {2}), [1, [2]]),
        ({Level.LOW: datetime(2024, 1, 15, tzinfo=UTC)}, {"1": "2024-01-15T00:00:00+00:00"}),
        ({date(2024, 1, 15): {UUID(int=1): {Color.RED: 2}}}, {"2024-01-15": {str(UUID(int=1)): {"red": 2}}}),
        (
            [date(2024, 1, 15), time(10), Decimal("1.50"), UUID(int=1)],
            ["2024-01-15", "10:00:00", "1.50", str(UUID(int=1))],
        ),
        (None, None),
    ],
    ids=str,
)
def test_results_are_converted_to_json(value: Any, expected: Any) -> None:
    assert json.loads(json.dumps(result_of(value))) == expected


def circle() -> list[Any]:
    things: list[Any] = []
    things.append(things)
    return things


@dataclasses.dataclass
class Asserting:
    number: int

    def __post_init__(self) -> None:
        assert self.number > 0, "number must be positive"


@attrs.frozen
class Looking:
    number: int = attrs.field(converter=lambda number: {1: "one"}[number])


@attrs.frozen
class Refusing:
    number: int = attrs.field()

    @number.validator
    def _check(self, attribute: Any, value: int) -> None:
        raise LookupError


@pytest.mark.parametrize("kind", [Asserting, Looking, Refusing])
def test_any_exception_of_a_record_class_is_an_invalid_argument(kind: type) -> None:
    error = run(tool_of(list[kind]), {"value": [{"number": 0}]})["error"]  # type: ignore[valid-type]
    assert error["type"] == "invalid_arguments"
    assert error["details"][0]["field"] == "value.0"
    assert error["details"][0]["message"].startswith(f"isn't a valid {kind.__name__}: ")


@dataclasses.dataclass
class Unset:
    number: int = dataclasses.field(init=False)


class Unread(Sequence[Any]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise OSError("the database is away")


class Unloaded:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Demanding:
    def to_dict(self, orient: str) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    "value",
    [
        *(object(), b"bytes", float("inf"), circle(), "\ud800", int, 10**5000, {"a": lambda: 1}),
        *(Unset(), Unread(), Unloaded(), Demanding()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_result_without_json_form_becomes_an_error_result(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert result_of(value)["error"]["type"] == "invalid_result"
    assert "give" in caplog.text


def test_lone_surrogates_in_a_call_give_a_result_that_can_be_sent() -> None:
    def use(name: Literal["a"]) -> None: ...

    for tool in (ToolFunction.of(use, None, None), None):
        result = run(tool, {"\ud800": "\ud800", "name": "\ud800"}, name="\ud800")
        assert result["error"]["type"] == ("unknown_tool" if tool is None else "invalid_arguments")
        json.dumps(result, ensure_ascii=False).encode()


@attrs.frozen
class Aliased:
    _number: int


@pytest.mark.parametrize(
    ("hint", "default"),
    [
        (Decimal, Decimal("1.5")),
        (Aliased, Aliased(1)),
        (datetime, datetime(2024, 1, 1)),  # it would come back with a zone
        (int, True),
    ],
    ids=str,
)
def test_default_that_does_not_survive_json_is_not_in_the_schema(hint: Any, default: Any) -> None:
    tool = tool_of(hint, default)
    assert "default" not in tool.parameters["properties"]["value"]
    assert read(tool, {}) == {}
