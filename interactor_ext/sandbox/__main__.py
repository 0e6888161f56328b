"""`python -m interactor_ext.sandbox`: the command `interactor sandbox`. Needs the extra `[cli]`."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "sandbox")
    runpy.run_module("interactor_ext.cli", run_name="__main__", alter_sys=True)
