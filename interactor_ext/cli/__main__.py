"""`python -m interactor_ext.cli`, for when the command `interactor` isn't on the path."""

from __future__ import annotations

import sys

from interactor_ext.cli import main

if __name__ == "__main__":
    sys.exit(main())
