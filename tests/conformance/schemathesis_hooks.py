"""Schemathesis hooks, for what schemathesis.toml cannot configure. That file names this one."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

VALID_KEY = re.compile("(?! )[ -~]{1,255}(?<! )")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A key of its own for each request. When schemathesis runs a scenario again, with the same values, it would be
    told a second time of what it has created, and deleted, the first time: as it should be, but it takes that for a
    fault.
    """
    headers = case.headers or {}
    if VALID_KEY.fullmatch(str(headers.get("Idempotency-Key", ""))):
        headers["Idempotency-Key"] = str(uuid.uuid4())
