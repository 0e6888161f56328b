"""Conditions of workflow transitions: a small expression language over the instance's context, without `eval`.

    approved == true
    total > 100 && country in ["SE", "NO"]
    !(order.items[0].sku == 'x') or retries < 3

Names are paths into the context (`context.total` is the same as `total`). Literals are JSON's, strings in either quote.
`&&`/`and`, `||`/`or`, `!`/`not`, `== != < <= > >= in`, lists and parentheses. What is missing reads as null. Values of
different types are unequal and have no order: such a comparison is false, never an error. What a condition costs
depends on the context: each value that is looked at is paid from a Budget.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from interactor_ext.sandbox.platform.work import MAX_WORK, Budget

Evaluate = Callable[[Mapping[str, Any], Budget], Any]

MAX_LENGTH = 2_000
MAX_DEPTH = 50
TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.])
    )""",
    re.VERBOSE | re.ASCII,
)
# Characters of a text that are compared at the cost of one value.
CHARACTERS = 1000
LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
COMPARISONS = {"==", "!=", "<", "<=", ">", ">=", "in"}


class ExpressionError(ValueError):
    """The text is not an expression; the message says where and why."""


@lru_cache(maxsize=256)
def compile_expression(text: str) -> Callable[..., bool]:
    """A function of the context and of a Budget, if any, that raises TooMuchWork and nothing else. Raises
    ExpressionError.
    """
    evaluate = _Parser(text).whole()

    def holds(context: Mapping[str, Any], budget: Budget | None = None) -> bool:
        return bool(evaluate(context, budget or Budget(MAX_WORK)))

    return holds


class _Parser:
    """A recursive descent parser, one method for each precedence; each returns a function of the context."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Evaluate:
        evaluate = self._either()
        if self._next < len(self._tokens):
            self._fail("expected the end")
        return evaluate

    def _either(self) -> Evaluate:
        terms = [self._both()]
        while self._take("||", "or"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else lambda context, budget: any(term(context, budget) for term in terms)

    def _both(self) -> Evaluate:
        terms = [self._negated()]
        while self._take("&&", "and"):
            terms.append(self._negated())
        return terms[0] if len(terms) == 1 else lambda context, budget: all(term(context, budget) for term in terms)

    def _negated(self) -> Evaluate:
        negations = 0
        while self._take("!", "not"):
            negations += 1
        inner = self._comparison()
        if not negations:
            return inner
        wanted = negations % 2 == 0
        return lambda context, budget: bool(inner(context, budget)) is wanted

    def _comparison(self) -> Evaluate:
        left = self._value()
        operator = self._take(*COMPARISONS)
        if not operator:
            return left
        right = self._value()
        return lambda context, budget: _compare(operator, left(context, budget), right(context, budget), budget)

    def _value(self) -> Evaluate:
        kind, text = self._peek()
        self._next += 1
        if kind == "number":
            number = float(text) if re.search(r"[.eE]", text) else int(text)
            return lambda _, budget: number
        if kind == "string":
            string = _unquoted(text)
            return lambda _, budget: string
        if kind == "name" and text in LITERALS:
            return lambda _, budget: LITERALS[text]
        if kind == "name" and text not in {"and", "or", "not", "in"}:
            return self._path(text)
        if text in {"(", "["}:
            return self._nested(text)
        self._next -= 1
        return self._fail("expected a value")

    def _nested(self, bracket: str) -> Evaluate:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} levels")
        inner = self._either() if bracket == "(" else self._list()
        if bracket == "(":
            self._expect(")")
        self._depth -= 1
        return inner

    def _list(self) -> Evaluate:
        items: list[Evaluate] = []
        while not self._take("]"):
            if items:
                self._expect(",")
            items.append(self._value())
        return lambda context, budget: [item(context, budget) for item in items]

    def _path(self, first: str) -> Evaluate:
        steps: list[str | int] = [first]
        while sign := self._take(".", "["):
            kind, text = self._peek()
            self._next += 1
            if sign == "." and kind == "name":
                steps.append(text)
            elif sign == "[" and kind == "string":
                steps.append(_unquoted(text))
            elif sign == "[" and kind == "number" and text.isdigit():
                steps.append(int(text))
            else:
                self._next -= 1
                self._fail("expected a name" if sign == "." else "expected an index or a key")
            if sign == "[":
                self._expect("]")

        def value(context: Mapping[str, Any], budget: Budget) -> Any:
            budget.spend(len(steps))
            return look_up(context, steps)

        return value

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next][:2] if self._next < len(self._tokens) else ("end", "")

    def _take(self, *wanted: str) -> str:
        kind, text = self._peek()
        if kind != "string" and text in wanted:
            self._next += 1
            return text
        return ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f"expected {sign}")

    def _fail(self, problem: str) -> NoReturn:
        at = f"at character {self._tokens[self._next][2] + 1}" if self._next < len(self._tokens) else "at the end"
        raise ExpressionError(f"{problem} {at}")


def look_up(context: Mapping[str, Any], steps: list[str | int]) -> Any:
    """The value at a path in JSON, or None. A leading `context` is skipped unless it is a key."""
    if steps[0] == "context" and "context" not in context:
        steps = steps[1:]
    value: Any = context
    for step in steps:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError(f"unexpected character at character {at + 1}")
        tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    if not tokens:
        raise ExpressionError("is empty")
    return tokens


def _unquoted(text: str) -> str:
    if text[0] == "'":
        swapped = {"\\'": "'", '"': '\\"'}
        text = '"' + re.sub(r'\\.|"', lambda match: swapped.get(match[0], match[0]), text[1:-1]) + '"'
    try:
        return str(json.loads(text, strict=False))
    except ValueError as error:
        raise ExpressionError("a string has an escape that JSON does not know") from error


def _compare(operator: str, left: Any, right: Any, budget: Budget) -> bool:
    if operator in {"==", "!="}:
        return _equal(left, right, budget) is (operator == "==")
    if operator == "in":
        return isinstance(right, list) and any(_equal(left, item, budget) for item in right)
    budget.spend(1 + _size(left) // CHARACTERS)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        return False
    before, same = bool(left < right), bool(left == right)
    return {"<": before, "<=": before or same, ">": not before and not same, ">=": not before}[operator]


def _equal(left: Any, right: Any, budget: Budget) -> bool:
    budget.spend(1 + _size(left) // CHARACTERS)
    # In JSON, true and 1 are different.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _equal(one, other, budget) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        budget.spend(len(left))
        return left.keys() == right.keys() and all(_equal(value, right[name], budget) for name, value in left.items())
    return bool(left == right)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
