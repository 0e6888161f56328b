"""Conditions of workflow transitions: a small expression language over the instance's context, without `eval`.

    approved == true
    total > 100 && country in ["SE", "NO"]
    !(order.items[0].sku == 'x') or retries < 3

Names are paths into the context (`context.total` is the same as `total`). Literals are JSON's, strings in either quote.
`&&`/`and`, `||`/`or`, `!`/`not`, `== != < <= > >= in`, lists and parentheses. Missing values read as null. Values of
different types have no order: such a comparison is false, never an error.

A condition is translated to Python, parsed by `ast`, and compiled from a whitelist of nodes.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Evaluate = Callable[[Mapping[str, Any]], Any]

# Strings are tokens so their contents aren't translated.
TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|&&|\|\||!(?!=)|\b[^\W\d]\w*""")
PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "null": "None"}
PYTHON |= {word: word for word in ("and", "or", "not", "in")}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
}
FORMS = "paths, literals, lists, comparisons of two values, and, or, not and in"


class ExpressionError(ValueError):
    """The text isn't an expression; the message says why."""


def compile_expression(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function of the context that never raises. Raises ExpressionError."""
    try:
        # Parentheses permit line breaks.
        evaluate = _compiled(ast.parse(f"({TOKEN.sub(_python, text)})", mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(getattr(error, "msg", "") or str(error) or "nested too deeply") from None
    return lambda context: bool(evaluate(context))


def _python(token: re.Match[str]) -> str:
    """Return a token in Python. Names get a `_` at the end, because no keyword ends with one."""
    return PYTHON.get(token[0], f"{token[0]}_" if token[0].isidentifier() else token[0])


def _compiled(node: ast.expr) -> Evaluate:
    """Return a function of the context for a whitelisted node. Raises ExpressionError."""
    match node:
        case ast.Constant(value=value):
            return lambda context: value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return lambda context: -number
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compiled(operand)
            return lambda context: not inner(context)
        case ast.BoolOp(op=joint, values=values):
            terms = [_compiled(each) for each in values]
            decide = any if isinstance(joint, ast.Or) else all
            return lambda context: decide(term(context) for term in terms)
        case ast.List(elts=values):
            items = [_compiled(each) for each in values]
            return lambda context: [item(context) for item in items]
        case ast.Compare(left=first, ops=[sign], comparators=[second]) if type(sign) in COMPARISONS:
            compare, left, right = COMPARISONS[type(sign)], _compiled(first), _compiled(second)
            return lambda context: _holds(compare, left(context), right(context))
        case ast.Name(id=name):
            return lambda context: {"context": context, **context}.get(name[:-1])
        case ast.Attribute(value=whole, attr=name):
            outer = _compiled(whole)
            return lambda context: _part(outer(context), name[:-1])
        case ast.Subscript(value=whole, slice=index):
            outer, key = _compiled(whole), _compiled(index)
            return lambda context: _part(outer(context), key(context))
    raise ExpressionError(f"contains something other than {FORMS}")


def _part(whole: Any, step: Any) -> Any:
    try:
        return whole[step]
    except (LookupError, TypeError):
        return None


def _holds(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    try:
        return bool(compare(_typed(left), _typed(right)))
    except (TypeError, RecursionError):
        return False


def _typed(value: Any) -> Any:
    """In Python `True == 1`; in JSON it isn't."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return {name: _typed(each) for name, each in value.items()} if isinstance(value, dict) else value
