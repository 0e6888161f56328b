"""The log of the SDK: one record for each call and for each retry, under `interactor`; and a filter that masks secrets.

Records carry, as attributes (`extra`): `request_id`, `namespace`, `endpoint` (the template of the path), `method`,
`status_code` and `duration_ms`, None where unknown; and where known `user_id`, `resource_id`, `error_code` and
`retry_count`. A call that succeeds is INFO; one that fails, and each retry, is WARNING. Each attempt is DEBUG, with
`attempt`, `request_bytes` and `response_bytes` (after unpacking); bodies are never logged. The environment variable
INTERACTOR_LOG, "info" or "debug", writes the log to stderr with secrets masked.
"""

from __future__ import annotations

import logging
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from interactor_ext._lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext.logs._filter import RedactingFilter

__all__ = ["RedactingFilter", "user_id"]

__getattr__, __dir__ = lazy_names(__name__, {"._filter": ("RedactingFilter",)})

user_id: ContextVar[str | None] = ContextVar("interactor_user_id", default=None)
"""The field `user_id` of the log records of calls: `user_id.set("u_1")` holds for the task or thread that sets it."""

# All code of the SDK takes its logger from here, so that none prints to stderr in a program that has configured no
# logging: without a handler, Python prints warnings there. The loggers below the first find its handler as well.
logger = logging.getLogger("interactor")
logger.addHandler(logging.NullHandler())
webhooks_logger = logging.getLogger("interactor.webhooks")
relay_logger = logging.getLogger("interactor.relay")
sandbox_logger = logging.getLogger("interactor.sandbox")
_OURS = frozenset({"interactor_ext", "interactor_client", "httpx"})


def depth_of_caller(beyond: frozenset[str] = _OURS) -> int:
    """The `stacklevel` at which `warnings.warn` points to the code that called the SDK."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in beyond:
        frame, depth = frame.f_back, depth + 1
    return depth


def line_of_caller() -> str:
    """File and line of the code that called the SDK, also by a task or an exit stack."""
    code = sys._getframe(depth_of_caller(_OURS | {"asyncio", "contextlib"}) - 1)
    return f"{code.f_code.co_filename}:{code.f_lineno}"


if _wanted := os.environ.get("INTERACTOR_LOG", "").strip():
    from interactor_ext.logs._filter import log_to_stderr  # which most programs do without

    log_to_stderr(logger, _wanted)
