"""Suggests the intended command for a nonexistent one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interactor_client.advice import operation_advice
from interactor_client.hints import hint, snake
from interactor_client.methods import METHODS
from interactor_ext.cli.output import UsageError


def with_advice(error: Any, arguments: Sequence[str]) -> Any:
    """Return an error of the command line, with the intended command if the error reports an unknown one."""
    if isinstance(error, UsageError) and error.message.startswith("No such command"):
        words = [each for each in arguments if not each.startswith("-")]
        if advice := _advice(words):
            # Without merely similar names, such as `chat` for `health`.
            error.message = f"{error.message.partition(' Did you mean')[0]} {advice}"
    return error


def _advice(words: Sequence[str]) -> str:
    """Suggest a command of a group, such as `webhooks list`, or of a resource, such as `rooms get`."""
    first, second = (*map(snake, words), "", "")[:2]
    if first in METHODS:
        return f"Write `interactor api {first}`."
    found = hint([first], second) or hint(["commands"], first)
    if not found and (operations := operation_advice(first, second)):
        return f"Write `interactor api {operations[0]}`{', or '.join(['', *operations[1:]])}."
    if not found:
        return ""
    return f"Write `{found.text}`." if found.is_name else f"{found.text[0].upper()}{found.text[1:]}."
