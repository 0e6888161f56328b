"""The expression language of workflow conditions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_ext.sandbox.platform.expressions import ExpressionError, compile_expression

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
    [
        "approved",
        "approved == true",
        "denied == false",
        "total > 100 && country == 'SE'",
        'total >= 250 and total <= 250 and country in ["NO", "SE"]',
        "total < 100 || price < 10",
        "total < 100 or approved",
        "!denied",
        "not denied",
        "!!approved",
        "!(total < 100)",
        "not total < 100",
        "context.total == 250",
        "order.items[0].sku == 'a-1'",
        "order['my key'] == 3",
        'order["it\'s"] == \'"quoted"\'',
        "'it\\'s' == \"it's\"",
        "'\\u00e9\\n' == \"\u00e9\\n\"",
        "'vip' in tags",
        "total == 250.0",
        "total == 2.5e2",
        "price > -1",
        "-5 < 3",
        "nothing == null",
        "missing == null",
        "missing.at.all == null",
        "order.items[7] == null",
        "tags.vip == null",
        "country > 'AA'",
        "country != 'NO'",
        "from.class.lambda == null",
        "tags == ['new', 'vip']",
        "[] == empty",
        "denied && denied || approved",
        "((((approved))))",
        "数量.überschuss == 4 && context.数量.überschuss > 3",
        "true",
        "approved != 1 && approved in [true] && denied < approved",
    ],
)
def test_condition_holds(text: str) -> None:
    assert compile_expression(text)(CONTEXT) is True


@pytest.mark.parametrize(
    "text",
    [
        "denied",
        "false",
        "null",
        "''",
        "0",
        "empty",
        "missing",
        "approved != true",
        "total > '100'",
        "total < null",
        "country < 7",
        "total in 250",
        "[1, 2] == [1]",
        "missing > 0",
        "!approved",
        "approved && denied",
        "denied || missing",
        "total != 250",
        "total > 250",
        "total < 250",
        "'x' in tags",
        "context.missing",
        "approved == 1",
        "denied in [0]",
        "[1] == [approved]",
        "approved < 2",
    ],
)
def test_condition_does_not_hold(text: str) -> None:
    assert compile_expression(text)(CONTEXT) is False


def test_path_with_key_named_context() -> None:
    assert compile_expression("context.a == 1")({"context": {"a": 1}})
    assert not compile_expression("context.b == 1")({"context": {"a": 1}, "b": 1})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "something other than paths"),
        ("total >", "invalid syntax"),
        ("total > > 1", "invalid syntax"),
        ("total 5", "invalid syntax"),
        ("a < b < c", "comparisons of two values"),
        ("a not in b", "comparisons of two values"),
        ("(total > 1", "was never closed"),
        ("total)", "unmatched"),
        ("(a, b)", "something other than paths"),
        ("a.1", "invalid syntax"),
        ("total = 1", "Maybe you meant '=='"),
        ("a & b", "something other than paths"),
        ("a # b", "was never closed"),
        ("'open", "unterminated string"),
        ("'\\x'", "truncated"),
        ("__import__('os')", "something other than paths"),
        ("(a for a in b)", "invalid syntax"),
        ("a -5", "something other than paths"),
        ("!" * 5000 + "a", "deep|complex|recursion"),
    ],
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
