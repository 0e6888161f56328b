"""What commands write: for people, for programs, and never a secret."""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from interactor_ext._errors import InteractorError
from interactor_ext._redact import MASK, clean_text, is_secret_name

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

# C0 but for tab and line break, DEL and C1 drive terminals; lone surrogates cannot be written.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def masked(value: Any) -> Any:
    """A JSON value with a mask for each text that is named like a secret."""
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(item, str) and item and is_secret_name(str(key)) else masked(item)
            for key, item in value.items()
        }
    return [masked(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """Text of others, fit for a terminal, and for what the terminal can show."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if can_show(text) else text.encode(console.encoding, "replace").decode(console.encoding)


def can_show(text: str) -> bool:
    """Whether the standard output has these characters: in some locales it has ASCII alone."""
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def write(text: str, style: str = "", *, end: str = "\n") -> None:
    console.print(Text(printable(text), style=style), end=end)


def write_json(value: Any, *, compact: bool = False) -> None:
    """On one line for programs, else indented and, on a terminal, coloured."""
    text = json.dumps(masked(value), ensure_ascii=False, indent=None if compact else 2)
    if not can_show(_CONTROL.sub("", text)):
        text = json.dumps(masked(value), indent=None if compact else 2)
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if compact or not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    else:
        console.print_json(text, ensure_ascii=False)


def note(text: str) -> None:
    """To people, beside an answer that programs may read."""
    errors.print(Text(printable(text), style="yellow"))


def complain(error: BaseException, *, verbose: bool) -> None:
    """One line on stderr; with `verbose` whatever is known as well."""
    name = "" if isinstance(error, InteractorError | OSError | ValueError) else f"{type(error).__name__}: "
    errors.print(Text.assemble(("Error: ", "bold red"), name, clean_text(str(error)) or type(error).__name__))
    if not verbose:
        return
    if isinstance(error, InteractorError):
        about: dict[str, object] = {"error": type(error).__name__, "code": error.code, "status": error.status}
        about |= {"request_id": error.request_id, "retry_after": error.retry_after, "details": error.details}
        for key, value in about.items():
            if value is not None and value != []:
                errors.print(Text.assemble((f"  {key}: ", "dim"), clean_text(str(value))))
    for line in "".join(traceback.format_exception(error)).splitlines():
        indent = " " * (len(line) - len(line.lstrip(" ")))
        errors.print(Text(indent + clean_text(line), style="dim"))
