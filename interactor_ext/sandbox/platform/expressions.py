"""Conditions of workflow transitions: a small expression language over the instance's context, without `eval`.

    approved == true
    total > 100 && country in ["SE", "NO"]
    !(order.items[0].sku == 'x') or retries < 3

Names are paths into the context (`context.total` is the same as `total`). Literals are JSON's, strings in either quote.
`&&`/`and`, `||`/`or`, `!`/`not`, `== != < <= > >= in`, lists and parentheses. What is missing reads as null. Values of
different types are unequal and have no order: such a comparison is false, never an error.

A condition is translated to Python token by token, parsed by `ast`, and read by a whitelist of nodes.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Evaluate = Callable[[Mapping[str, Any]], Any]

MAX_LENGTH = 2_000
MAX_DEPTH = 50
TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)
      | (?P<string>"(?:[^"\\]|\\["'\\bfnrt]|\\u[0-9A-Fa-f]{4})*"|'(?:[^'\\]|\\["'\\bfnrt]|\\u[0-9A-Fa-f]{4})*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.])
    )""",
    re.VERBOSE | re.ASCII,
)
PYTHON = {"&&": "and", "||": "or", "!": "not", "true": "True", "false": "False", "null": "None"}
WORDS = {"and", "or", "not", "in", *PYTHON}
FORMS = "paths, literals, lists, comparisons of two values, and, or, not and in"


class ExpressionError(ValueError):
    """The text is not an expression; the message says why."""


@lru_cache(maxsize=256)
def compile_expression(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A function of the context, which raises nothing. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(" ".join(_tokens(text)), mode="eval")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ExpressionError(getattr(error, "msg", None) or f"nested deeper than {MAX_DEPTH} levels") from None
    evaluate = _compiled(tree.body, MAX_DEPTH)
    return lambda context: bool(evaluate(context))


def _tokens(text: str) -> list[str]:
    """The tokens of Python. Names get a `_` at the end, which no keyword has."""
    tokens: list[str] = []
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            at = len(text) - len(text[position:].lstrip())
            raise ExpressionError(f"unexpected character at character {at + 1}")
        token = match[0].strip()
        is_step = match["name"] and token not in WORDS
        tokens.append(PYTHON.get(token, f"{token}_" if is_step else token))
        position = match.end()
    return tokens


def _compiled(node: ast.expr, depth: int) -> Evaluate:
    """A function of the context for a node of the whitelist. Raises ExpressionError."""
    if depth == 0:
        raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels")
    match node:
        case ast.Constant(value=value):
            return lambda context: value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return lambda context: -number
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compiled(operand, depth - 1)
            return lambda context: not inner(context)
        case ast.BoolOp(op=joint, values=values):
            terms = [_compiled(each, depth - 1) for each in values]
            decide = any if isinstance(joint, ast.Or) else all
            return lambda context: decide(term(context) for term in terms)
        case ast.List(elts=values):
            items = [_compiled(each, depth - 1) for each in values]
            return lambda context: [item(context) for item in items]
        case ast.Compare(left=first, ops=[sign], comparators=[second]) if type(sign) in COMPARISONS:
            compare, left, right = COMPARISONS[type(sign)], _compiled(first, depth - 1), _compiled(second, depth - 1)
            return lambda context: compare(left(context), right(context))
        case ast.Name() | ast.Attribute() | ast.Subscript():
            steps = _path(node)
            return lambda context: look_up(context, steps)
    raise ExpressionError(f"contains something other than {FORMS}")


def _path(node: ast.expr) -> list[str | int]:
    steps: list[str | int] = []
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=inner, attr=name):
                steps.append(name[:-1])
            case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as step)) if not isinstance(
                step, bool
            ):
                steps.append(step)
            case _:
                raise ExpressionError("a path consists of names, indices from 0 up, and keys in quotes")
        node = inner
    return [node.id[:-1], *reversed(steps)]


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


def _equal(left: Any, right: Any) -> bool:
    # In JSON, true and 1 are different.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[name]) for name, value in left.items())
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison of two numbers or two texts, false for anything else."""

    def ordered(left: Any, right: Any) -> bool:
        kinds = {type(left), type(right)}
        return (kinds == {str} or kinds <= {int, float}) and compare(left, right)

    return ordered


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: not _equal(left, right),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: lambda left, right: isinstance(right, list) and any(_equal(left, item) for item in right),
}
