"""Output of the commands: masks secrets and escapes control characters. All output of this package goes through it, so
text from a server can't control the terminal.
"""

from __future__ import annotations

import io
import json
import re
import sys
import textwrap
import traceback
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.live import Live
from rich.markdown import Markdown
from rich.prompt import IntPrompt
from rich.text import Text

from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._engine.redaction import CONTROLS, MASK, clean_json, clean_text, escape_controls, is_secret_name

# Newer versions of Typer contain a copy of click, which only they name.
UsageError: Any = typer.BadParameter.__base__


def _console(stream: TextIO, *, stderr: bool = False) -> Console:
    # FORCE_COLOR and TTY_COMPATIBLE, which many CI systems set, would have rich color pipes too.
    return Console(force_terminal=None if stream.isatty() else False, stderr=stderr, highlight=False, soft_wrap=True)


console: Console = _console(sys.stdout)
errors: Console = _console(sys.stderr, stderr=True)
_CONTROL = re.compile(f"[{CONTROLS}]")


def masked(value: Any) -> Any:
    """Return a JSON value with each string under a secret name masked."""
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(item, str) and item and is_secret_name(str(key)) else masked(item)
            for key, item in value.items()
        }
    return [masked(item) for item in value] if isinstance(value, list) else value


def printable(text: str) -> str:
    """Return text with control characters escaped, and characters replaced that the terminal can't encode."""
    return escape_controls(text).encode(console.encoding, "replace").decode(console.encoding)


def write(text: str, style: str = "", *, end: str = "\n") -> None:
    console.print(Text(printable(text), style=style), end=end)


def write_labeled(label: str, style: str, text: str) -> None:
    """Write a text after a label in this style."""
    write(label, style, end="")
    write(text)


def write_sections(rows: Iterable[tuple[str, str, str]], width: int) -> None:
    """Write rows of a section, a name and a text; names have a column of this width."""
    for section, group in groupby(rows, key=itemgetter(0)):
        write(f"\n{section}", "bold")
        for _, name, text in group:
            write_labeled(f"  {name:<{width}}", "cyan", text)


class Answer:
    """Writes a reply as it arrives: on a terminal as Markdown, redrawing the unfinished block, elsewhere unchanged."""

    def __enter__(self) -> Answer:
        self._text = ""
        self._live = Live(console=console, auto_refresh=False, transient=True)
        if console.is_terminal:
            self._live.start()
        return self

    def write(self, part: str) -> None:
        if not console.is_terminal:
            console.file.write(printable(part))
            console.file.flush()
            return
        self._text += part
        whole, blank_line, rest = self._text.rpartition("\n\n")
        # A blank line within a code block doesn't end the block.
        if blank_line and whole.count("```") % 2 == 0:
            write_markdown(whole)
            write("")
            self._text = rest
        self._live.update(_markdown(self._text), refresh=True)

    def __exit__(self, *_: object) -> None:
        if console.is_terminal:
            self._live.stop()
            write_markdown(self._text)
        else:
            write("")


def write_markdown(text: str) -> None:
    """Write Markdown on a terminal, and the plain text elsewhere."""
    if console.is_terminal:
        console.print(_markdown(text), soft_wrap=False)
    else:
        write(text)


def _markdown(text: str) -> Markdown:
    # A link shows its target.
    return Markdown(printable(text), hyperlinks=False)


def _as_json(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_json(value: Any, *, compact: bool = False, show_secrets: bool = False) -> None:
    """Write JSON on one line for programs; on a terminal, indented and highlighted."""
    value = value if show_secrets else masked(value)
    text = _as_json(json.dumps(value, ensure_ascii=console.options.ascii_only, indent=None if compact else 2))
    if compact or not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    else:
        console.print(JSONHighlighter()(text))


def note(text: str) -> None:
    """Write a note to stderr, separate from a response on stdout that programs may read."""
    errors.print(Text(printable(text), style="yellow"))


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def hanging(text: str, indent: int) -> str:
    """Wrap text at the column `indent` on a terminal; elsewhere leave it on one line."""
    if not console.is_terminal:
        return text
    room = max(console.width - indent, 20)
    return textwrap.fill(text, room, break_long_words=False, break_on_hyphens=False).replace("\n", f"\n{'':<{indent}}")


def confirmed(question: str) -> bool:
    """Ask a yes-no question on the terminal. Raises ConfigurationError, with advice, if there is no terminal."""
    if not (sys.stdin.isatty() and errors.file.isatty()):
        raise ConfigurationError(f"{question} This isn't a terminal, so there is nobody to ask: pass --yes.")
    errors.print(Text(f"{printable(question)} [y/N] ", style="yellow"), end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def chosen(question: str, options: Sequence[str]) -> int | None:
    """Return the index of the option that the user chooses on the terminal; None without a terminal."""
    if not (sys.stdin.isatty() and console.is_terminal):
        return None
    numbers = [str(number) for number in range(1, len(options) + 1)]
    for number, option in zip(numbers, options, strict=True):
        write(f"{number:>3}  {option}")
    return IntPrompt.ask(question, console=console, choices=numbers, show_choices=False) - 1


def complain(error: Any, *, verbose: bool, as_json: bool = False) -> int:
    """Write an error to stderr: as one line, with its details and traceback if `verbose`, or as JSON.

    Returns the exit status: 2 for invalid usage, else 1.
    """
    status = 2 if isinstance(error, UsageError) else 1
    if as_json:
        errors.file.write(_as_json(json.dumps({"error": _described(error)})) + "\n")
    elif isinstance(error, UsageError):
        text = io.StringIO()
        error.show(text)
        errors.file.write(escape_controls(text.getvalue()))
    else:
        name = "" if isinstance(error, InteractorError | OSError | ValueError) else f"{type(error).__name__}: "
        errors.print(Text.assemble(("Error: ", "bold red"), name, clean_text(str(error)) or type(error).__name__))
        if verbose:
            _show_details(error)
    return status


def _described(error: Any) -> dict[str, Any]:
    message = error.format_message() if isinstance(error, UsageError) else str(error)
    about: dict[str, Any] = {"type": type(error).__name__, "message": clean_text(message)}
    if isinstance(error, InteractorError):
        about |= {"code": error.code, "status": error.status, "request_id": error.request_id}
        about |= {"retry_after": error.retry_after, "details": clean_json(error.details)}
    return {name: value for name, value in about.items() if value not in (None, [])}


def _show_details(error: Exception) -> None:
    for key, value in _described(error).items():
        if key != "message":
            errors.print(Text.assemble((f"  {key}: ", "dim"), clean_text(str(value))))
    for line in "".join(traceback.format_exception(error)).splitlines():
        indent = " " * (len(line) - len(line.lstrip(" ")))
        errors.print(Text(indent + clean_text(line), style="dim"))
