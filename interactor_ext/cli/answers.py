"""Output of `interactor api`: to stdout or a file, the whole response or one field, with secrets masked or shown."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.cli.output import console, masked, note, write, write_json
from interactor_ext.cli.settings import open_private

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d*)\]")


class Answers:
    """Shows responses, or writes them to `output`. `show_secrets` shows secrets; the file always contains them."""

    def __init__(self, *, output: Path | None, field: str | None, show_secrets: bool, compact: bool) -> None:
        self._output = output
        self._field = field
        self._shows_secrets = show_secrets or output is not None
        self._compact = compact
        self._file: io.StringIO | None = None
        self._has_noted = False
        self._steps = [] if field is None else steps(field)

    def refuse_to_lose(self, shown_once: str | None, operation: str) -> None:
        """Raise ConfigurationError if a secret that the platform only shows once would be masked or omitted."""
        if shown_once is None:
            return
        if not self._shows_secrets:
            raise ConfigurationError(
                f"{operation} responds with a secret ({shown_once}) that no other response shows, and secrets "
                "are masked: pass --output FILE, which only you can read, or --show-secret. Nothing was sent."
            )
        if steps(shown_once)[: len(self._steps)] != self._steps:
            raise ConfigurationError(
                f"{operation} responds with a secret that no other response shows, but --field {self._field} "
                f"omits it: pass --field {shown_once}, or no --field. Nothing was sent."
            )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file before the call, so no response is lost. A failed call leaves the file unchanged."""
        if self._output is None:
            yield
            return
        is_new = not self._output.exists()
        self._file = io.StringIO()
        try:
            with open_private(self._output, keep=True) as file:
                yield
                if self._output.is_file():  # not a device
                    file.truncate(0)
                file.write(self._file.getvalue())
        except BaseException:
            if is_new:
                self._output.unlink(missing_ok=True)
            raise
        write(f"Written to {self._output}.")

    def put(self, answer: Any, *, on_one_line: bool = False) -> None:
        if answer is None and self._file is None:
            if console.is_terminal:
                write("Done. The response has no body.", "green")
            return
        shown = answer if self._shows_secrets else masked(answer)
        if self._field is not None:
            values = select(shown, self._field)
            if values != select(answer, self._field):
                raise ConfigurationError(f"{self._field} contains a secret: pass --show-secret or --output FILE.")
            for value in values:
                self._write(value, compact=True)
            return
        if shown != answer and not self._has_noted:
            self._has_noted = True
            note("Secrets are masked (***). Pass --show-secret to show them, or --output FILE to save them.")
        self._write(shown, compact=self._compact or on_one_line)

    def put_each(self, items: Iterable[Any]) -> None:
        """Show items as they arrive, one per line."""
        for item in items:
            self.put(item, on_one_line=True)

    def put_all(self, items: Iterable[Any]) -> None:
        """Show items as they arrive if each is one line, else as one list. `--field` applies to each item."""
        if self._compact or self._field:
            self.put_each(items)
        else:
            self.put(list(items))

    def _write(self, value: Any, *, compact: bool) -> None:
        is_text = self._field is not None and isinstance(value, str)
        if self._file is not None:
            indent = None if compact else 2
            self._file.write(f"{value if is_text else json.dumps(value, ensure_ascii=False, indent=indent)}\n")
        elif is_text and not self._compact:
            write(value)
        else:
            write_json(value, compact=compact, show_secrets=True)


def steps(path: str) -> list[str]:
    """Split a path: `data[0].id` becomes data, 0, id; `[]` means every item. Raises ConfigurationError."""
    found = [match[1] or match[2] or "[]" for match in _STEP.finditer(path)]
    if not found or _STEP.sub("", path):
        raise ConfigurationError(f"{path!r} isn't a valid field path: write data.id, data[0].id or data[].id.")
    return found


def select(value: Any, path: str) -> list[Any]:
    """Return the values at a path: one, unless it contains `[]`. Raises ConfigurationError for a nonexistent path."""
    found = [value]
    for step in steps(path):
        found = [inner for each in found for inner in _within(each, step, path)]
    return found


def _within(value: Any, step: str, path: str) -> list[Any]:
    if isinstance(value, dict) and step in value:
        return [value[step]]
    if isinstance(value, list) and step == "[]":
        return value
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return [value[int(step)]]
    there = f"it has {', '.join(value)}" if value and isinstance(value, dict) else "it has no fields"
    if isinstance(value, list):
        there = f"it is a list of {len(value)}: write [0], or [] for all"
    raise ConfigurationError(f"The response has no field {path!r}: at {step!r}, {there}.")
