"""Schemathesis hooks, for what schemathesis.toml cannot configure. That file names this one."""

from __future__ import annotations

import uuid
from typing import Any

import schemathesis

from interactor_ext._config._checks import idempotency_key_problem


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A key of its own for each request. When schemathesis runs a scenario again, with the same values, it would be
    told a second time of what it has created, and deleted, the first time: as it should be, but it takes that for a
    fault.
    """
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if key is not None and idempotency_key_problem(key) is None:
        headers["Idempotency-Key"] = str(uuid.uuid4())
