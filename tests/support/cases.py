"""How many cases a test tries."""

from __future__ import annotations

import os

import pytest

NIGHTLY = "INTERACTOR_EXAMPLES" in os.environ
"""Whether this is `make nightly`: tests that hunt for rare failures then use larger numbers."""
nightly = pytest.mark.skipif(not NIGHTLY, reason="slow, and its subject hardly ever changes: `make nightly` runs it")
