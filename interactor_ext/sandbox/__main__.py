"""`python -m interactor_ext.sandbox`: the command `interactor sandbox`. Needs the extra `[cli]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from interactor_ext.cli import main as interactor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of this process. Returns the exit status."""
    return interactor(["sandbox", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
