"""The generator's Python. It has its own environment because it holds back packages that users get in newer
versions."""

from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2] / ".venv-generate" / "bin" / "python"


def skip_without_generator() -> None:
    """Skips the tests of the calling module."""
    if not PYTHON.exists():
        pytest.skip("no generator: make generate", allow_module_level=True)
