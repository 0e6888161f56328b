"""The expression language of workflow conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_ext.sandbox.platform.expressions import ExpressionError, compile_expression

ROWS = json.loads(Path(__file__).with_suffix(".json").read_text())

CONTEXT: dict[str, Any] = {
    "approved": True,
    "denied": False,
    "total": 250,
    "price": 9.5,
    "country": "SE",
    "nothing": None,
    "empty": [],
    "order": {"items": [{"sku": "a-1"}], "my key": 3, "it's": '"quoted"'},
    "tags": ["new", "vip"],
    "数量": {"überschuss": 4},
}


@pytest.mark.parametrize(
    "text",
    ROWS["conditions that hold"],
)
def test_condition_holds(text: str) -> None:
    assert compile_expression(text)(CONTEXT) is True


@pytest.mark.parametrize(
    "text",
    ROWS["conditions that do not hold"],
)
def test_condition_does_not_hold(text: str) -> None:
    assert compile_expression(text)(CONTEXT) is False


def test_path_with_key_named_context() -> None:
    assert compile_expression("context.a == 1")({"context": {"a": 1}})
    assert not compile_expression("context.b == 1")({"context": {"a": 1}, "b": 1})


@pytest.mark.parametrize(
    ("text", "problem"),
    [*ROWS["invalid"], ("!" * 5000 + "a", "deep|complex|recursion")],
)
def test_invalid_expression_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        compile_expression(text)


def test_long_chains_do_not_recurse() -> None:
    assert compile_expression("||".join(["0"] * 660 + ["1"]))({})
    assert compile_expression("&&".join(["1"] * 660))({})


WORDS = ["a", "b.c", "1", "-2.5", "'x'", "true", "null", "(", ")", "[", "]", ",", "&&", "or", "!", "==", "<", "in", "."]
CONTEXTS = st.dictionaries(
    st.sampled_from("abc"), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
)


@given(text=st.text() | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), context=CONTEXTS)
def test_fuzzed_expression_evaluates_or_raises_expression_error(text: str, context: dict[str, Any]) -> None:
    try:
        holds = compile_expression(text)
    except ExpressionError:
        return
    assert holds(context) in {True, False}
