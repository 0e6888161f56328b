"""Files of environment variables: `--env-file` reads one, and `interactor sandbox --env-file` writes one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from interactor_ext._errors import ConfigurationError

_MARK = "# Written by `interactor sandbox`, which replaces this file.\n"
_LINE = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*"""
    r"""(?:'(?P<literal>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>(?:(?!\s\#)[^'"])*?))\s*(?:\s\#.*|\#.*)?""",
)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def load(path: Path) -> None:
    """Set the variables of a file, whatever the environment has: what is named on the command line goes first.

    A line is `NAME=value`, with or without `export` and quotes; `#` begins a comment. Nothing is expanded. Raises
    ConfigurationError for any other line, without quoting it, and OSError for a file that can't be read.
    """
    variables: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.") from None
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            found = _LINE.fullmatch(line)
            if found is None or "\0" in line:
                raise ConfigurationError(f"{path}, line {number}: write NAME=value; quotes go around the whole value.")
            variables[found["name"]] = _value(found)
    os.environ.update(variables)


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables to a file that only its owner can read.

    Raises ConfigurationError for a file that exists and was not written by this function: it may hold the only copy of
    something.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if not path.read_bytes().startswith(_MARK.encode()):
            raise ConfigurationError(
                f"{path} exists, and `interactor sandbox` has not written it: name another file with --env-file."
            ) from None
        descriptor = os.open(path, os.O_RDWR | os.O_TRUNC)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.chmod(path, 0o600)
        file.write(_MARK + "".join(f"{name}={value}\n" for name, value in variables.items()))


def _value(found: re.Match[str]) -> str:
    if found["quoted"] is None:
        return found["literal"] or found["plain"] or ""
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), found["quoted"])
