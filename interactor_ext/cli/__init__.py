"""The command `interactor` (extra `[cli]`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from interactor_ext._engine.lazy import lazy_modules

# Code that sends requests is only imported when it runs, so --help and completion are fast.
lazy_modules(__name__, "description", "examination", "network", "operations", "receiver")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default the process's own. Returns the exit status."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError:
        sys.stderr.write("The command `interactor` needs an extra: pip install 'interactor-sdk[cli]'\n")
        return 1
    from interactor_ext.cli.app import run

    return run(sys.argv[1:] if arguments is None else list(arguments))
