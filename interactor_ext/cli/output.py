"""Output of the commands: masks secrets and escapes control characters. Nothing else in this package writes, so that no
text of a server reaches a terminal that it could drive.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from interactor_ext._errors import InteractorError
from interactor_ext._redaction import CONTROLS, MASK, clean_text, escape_controls, is_secret_name

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
_CONTROL = re.compile(f"[{CONTROLS}]")


def masked(value: Any) -> Any:
    """A JSON value with each string under a secret name masked."""
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(item, str) and item and is_secret_name(str(key)) else masked(item)
            for key, item in value.items()
        }
    return [masked(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """Text with control characters escaped, and with what the terminal can't encode replaced."""
    text = escape_controls(text)
    return text if can_show(text) else text.encode(console.encoding, "replace").decode(console.encoding)


def can_show(text: str) -> bool:
    """Whether the standard output can encode a text: in some locales it is ASCII only."""
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def write(text: str, style: str = "", *, end: str = "\n") -> None:
    console.print(Text(printable(text), style=style), end=end)


def write_part(text: str) -> None:
    """Write a part of a line and flush."""
    console.file.write(printable(text))
    console.file.flush()


def _as_json(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_json(value: Any, *, compact: bool = False) -> None:
    """On one line for programs, else indented, and highlighted on a terminal."""
    indent = None if compact else 2
    text = _as_json(json.dumps(masked(value), ensure_ascii=False, indent=indent))
    if not can_show(text):
        text = _as_json(json.dumps(masked(value), indent=indent))
    if compact or not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    else:
        console.print(JSONHighlighter()(text))


def note(text: str) -> None:
    """Write a note to stderr, beside a response on stdout that programs may read."""
    errors.print(Text(printable(text), style="yellow"))


def complain(error: BaseException, *, verbose: bool) -> None:
    """Write an error as one line to stderr; with `verbose` also its details and traceback."""
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


class PrintableStream:
    """A text stream to stderr that escapes control characters, for example in wsgiref's tracebacks."""

    def write(self, text: str) -> None:
        errors.file.write(escape_controls(text))

    def flush(self) -> None:
        errors.file.flush()
