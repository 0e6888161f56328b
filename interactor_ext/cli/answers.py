"""Where the answers of `interactor api` go: to stdout or into a file, whole or one field of them, masked or not.

The path of a field, as in `--field data.id`, is also that of `--set data.id=value`.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from interactor_ext._errors import ConfigurationError
from interactor_ext.cli.output import console, masked, note, write, write_json

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d*)\]")


class Answers:
    """Shows answers, or writes them to `output`. Secrets are in the file, and shown if `show_secrets`."""

    def __init__(self, *, output: Path | None, field: str | None, show_secrets: bool, compact: bool) -> None:
        self._output = output
        self._field = field
        self._shows_secrets = show_secrets or output is not None
        self._compact = compact
        self._file: TextIO | None = None
        self._has_noted = False
        steps(field or ".")

    def refuse_to_lose(self, shown_once: str | None, operation: str) -> None:
        """Raise ConfigurationError if a secret that is shown once would not be seen."""
        if shown_once is None:
            return
        if not self._shows_secrets:
            raise ConfigurationError(
                f"{operation} responds with a secret ({shown_once}) that no other response shows, and secrets "
                "are masked: pass --output FILE, which only you can read, or --show-secret. Nothing was sent."
            )
        wanted = steps(self._field or ".")
        if steps(shown_once)[: len(wanted)] != wanted:
            raise ConfigurationError(
                f"{operation} responds with a secret that no other response shows, but --field {self._field} "
                f"omits it: pass --field {shown_once}, or no --field. Nothing was sent."
            )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file before the call, so that no answer is lost to a path that can't be written."""
        if self._output is None:
            yield
            return
        is_new = not self._output.exists()
        with open(os.open(self._output, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as self._file:
            try:
                yield
            except BaseException:
                if is_new:
                    self._output.unlink()
                raise

    def put(self, answer: Any) -> None:
        if self._file is not None:
            self._write(self._file, self._selected(answer) if self._field else answer)
        elif answer is None:
            if console.is_terminal:
                write("Done. The response has no body.", "green")
        else:
            self._show(answer, compact=self._compact)

    def put_each(self, items: Iterable[Any]) -> None:
        """Show items as they come, a line each."""
        for item in items:
            self._show(item, compact=True)

    def put_all(self, items: Iterable[Any]) -> None:
        """Show items as they come, where each is a line, else as one list. The field is one of each item."""
        if self._file is not None:
            self._write(self._file, [value for item in items for value in self._selected(item)])
        elif self._compact or self._field:
            self.put_each(items)
        else:
            self._show(list(items), compact=False)

    def _selected(self, value: Any) -> list[Any]:
        return [value] if self._field is None else select(value, self._field)

    def _show(self, answer: Any, *, compact: bool) -> None:
        shown = answer if self._shows_secrets else masked(answer)
        if self._field is not None:
            for value, whole in zip(self._selected(shown), self._selected(answer), strict=True):
                if isinstance(whole, str) and value != whole:
                    raise ConfigurationError(f"{self._field} is a secret: pass --show-secret or --output FILE.")
                self._show_field(value)
            return
        if shown != answer and not self._has_noted:
            self._has_noted = True
            note("Secrets are masked (***). Pass --show-secret to show them, or --output FILE to save them.")
        write_json(shown, compact=compact, show_secrets=True)

    def _show_field(self, value: Any) -> None:
        if isinstance(value, str) and not self._compact:
            write(value)
        else:
            write_json(value, compact=True, show_secrets=True)

    def _write(self, file: TextIO, answer: Any) -> None:
        """Write an answer, or a list of selected values as lines."""
        assert self._output is not None
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.chmod(self._output, 0o600)  # for a file that existed before
            file.truncate(0)
        for value in answer if self._field else [answer]:
            is_text = self._field is not None and isinstance(value, str)
            file.write(f"{value if is_text else json.dumps(value, ensure_ascii=False, indent=2)}\n")
        write(f"Written to {self._output}.")


def steps(path: str) -> list[str]:
    """The parts of a path: `data[0].id` is data, 0, id; `[]` stands for every item. Raises ConfigurationError."""
    found = [match[1] or match[2] or "[]" for match in _STEP.finditer(path)]
    if path != "." and (not found or _STEP.sub("", path)):
        raise ConfigurationError(f"{path!r} isn't a valid field path: write data.id, data[0].id or data[].id.")
    return found


def select(value: Any, path: str) -> list[Any]:
    """The values at a path: one, unless `[]` is in it. Raises ConfigurationError where it leads nowhere."""
    found = [value]
    for step in steps(path):
        found = [inner for each in found for inner in _within(each, step, path)]
    return found


def _within(value: Any, step: str, path: str) -> list[Any]:
    if isinstance(value, dict) and step in value:
        return [value[step]]
    if isinstance(value, list) and step == "[]":
        return value
    if isinstance(value, list) and re.fullmatch(r"-?\d+", step) and -len(value) <= int(step) < len(value):
        return [value[int(step)]]
    if isinstance(value, dict):
        there = f"it has {', '.join(value)}" if value else "it is empty"
    elif isinstance(value, list):
        there = f"it is a list of {len(value)}: write [0], or [] for all"
    else:
        there = f"it is {json.dumps(value, ensure_ascii=False)[:100]}"
    raise ConfigurationError(f"The response has no field {path!r}: at {step!r}, {there}.")
