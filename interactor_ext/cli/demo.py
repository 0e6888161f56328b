"""`interactor demo`: runs examples/quickstart.py against an embedded sandbox; it needs no credentials."""

from __future__ import annotations

import sys
from pathlib import Path

from interactor_ext.cli.output import note
from interactor_ext.cli.program import run_program
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing.environment import environment_of


def main() -> int:
    """Return the quickstart's exit status: 0 if every call succeeded."""
    path = _quickstart()
    note(f"This runs {path} against an embedded sandbox.")
    with Sandbox(word_delay=0.03).run() as sandbox:
        return run_program([sys.executable, str(path)], environment_of(sandbox))


def _quickstart() -> Path:
    """Return the quickstart's path, in a wheel or a clone."""
    packed = Path(__file__).with_name("quickstart.py")
    return packed if packed.exists() else Path(__file__).parents[2] / "examples" / "quickstart.py"


if __name__ == "__main__":
    sys.exit(main())
