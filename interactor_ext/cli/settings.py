"""Options shared by several commands, the client settings made from them, and the files of `--env-file`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

import interactor_ext
from interactor_ext._engine.errors import ConfigurationError

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Tenant, such as user_123.")]
Insecure = Annotated[
    bool,
    typer.Option("--allow-insecure-http", help="Allow http:// to a host that isn't local, unencrypted."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

CREDENTIALS = ("INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET")
WITHOUT_ACCOUNT = "Without an account: `interactor sandbox` serves the platform on this machine."
_MARK = "# Written by `interactor sandbox`, which replaces this file.\n"
_LINE = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*"""
    r"""(?:'(?P<literal>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>(?:(?!\s\#)[^'"])*?))\s*(?:\s\#.*|\#.*)?""",
)


def settings(namespace: str | None, insecure: bool) -> dict[str, Any]:
    """Return arguments for `InteractorClient`; other settings come from environment variables.

    Raises ConfigurationError if the credentials are missing.
    """
    if missing := [name for name in CREDENTIALS if not os.environ.get(name, "").strip()]:
        raise ConfigurationError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Set what is "
            f"missing, or pass a file that has it with --env-file. {WITHOUT_ACCOUNT}"
        )
    return {
        "namespace": namespace,
        "user_agent_suffix": "interactor-cli",
        "allow_insecure_http": insecure,
    }


def client_of(namespace: str | None, insecure: bool) -> interactor_ext.InteractorClient:
    """Return a client. Raises ConfigurationError as `settings` does."""
    return interactor_ext.InteractorClient(**settings(namespace, insecure))


def load_env_file(path: Path) -> None:
    """Set the variables of a file, even if the environment has them: the command line takes precedence.

    A line is `NAME=value`, with or without `export` and quotes; `#` begins a comment. Nothing is expanded,
    including backslashes. Raises ConfigurationError for any other line, without quoting it, and OSError for a file that
    can't be read.
    """
    variables: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:  # UTF-16, as PowerShell's `>` writes it
        raise ConfigurationError(f"{path} isn't UTF-8 text. Save it as UTF-8.") from None
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            found = _LINE.fullmatch(line)
            if found is None:
                raise ConfigurationError(
                    f"{path}, line {number}: write NAME=value, with quotes around the whole value or none."
                )
            variables[found["name"]] = found["literal"] or found["quoted"] or found["plain"] or ""
    os.environ.update(variables)


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables to a file that only its owner can read.

    Raises ConfigurationError if the file exists and wasn't written by this function: it may be the only copy.
    """
    if path.exists() and not path.read_bytes().startswith(_MARK.encode()):
        raise ConfigurationError(
            f"{path} exists, and `interactor sandbox` didn't write it. Choose another file with --env-file."
        )
    with open_private(path) as file:
        file.write(_MARK + "".join(f"{name}={value}\n" for name, value in variables.items()))


def open_private(path: Path, *, keep: bool = False) -> TextIO:
    """Open a text file for writing that only its owner can read, emptied unless `keep`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (0 if keep else os.O_TRUNC), 0o600)
    if path.is_file():  # not a device, such as /dev/null
        path.chmod(0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
