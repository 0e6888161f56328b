"""Environment variables for processes that tests start."""

from __future__ import annotations

import os


def environment_without_coverage() -> dict[str, str]:
    """For a process whose memory is measured, or that is interrupted anywhere, including in the lock of coverage, which
    would then stay taken.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
