"""The Python of the generator, which has an environment of its own: it holds back packages that users get newer."""

from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2] / ".venv-generate" / "bin" / "python"


def skip_without_generator() -> None:
    """Skips the tests of the module that calls this."""
    if not PYTHON.exists():
        pytest.skip("no generator: make generate", allow_module_level=True)
