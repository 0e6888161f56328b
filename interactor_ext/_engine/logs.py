"""The SDK's loggers, and the line of the caller that a warning points to."""

from __future__ import annotations

import logging
import os
import sys
from contextvars import ContextVar

user_id: ContextVar[str | None] = ContextVar("interactor_user_id", default=None)
"""The field `user_id` of the log records of calls: `user_id.set("u_1")` applies to the task or thread that sets it."""


def is_handled(source: logging.Logger | None) -> bool:
    """Whether one of the application's handlers gets a logger's records."""
    while source is not None:
        if any(not isinstance(handler, _LastResort) for handler in source.handlers):
            return True
        source = source.parent if source.propagate else None
    return False


class _LastResort(logging.NullHandler):
    """A library's NullHandler keeps warnings off stderr if no log is configured; errors still go there."""

    def handle(self, record: logging.LogRecord) -> bool:
        if logging.lastResort is not None and not is_handled(logging.getLogger(record.name)):
            logging.lastResort.handle(record)
        return True


# All code of the SDK gets its logger from here. The loggers below this one find its handler as well.
logger: logging.Logger = logging.getLogger("interactor")
logger.addHandler(_LastResort(logging.ERROR))
webhooks_logger: logging.Logger = logging.getLogger("interactor.webhooks")
tools_logger: logging.Logger = logging.getLogger("interactor.tools")
relay_logger: logging.Logger = logging.getLogger("interactor.relay")
sandbox_logger: logging.Logger = logging.getLogger("interactor.sandbox")
_OURS = frozenset({"interactor_ext", "interactor_client", "httpx"})


def depth_of_caller(beyond: frozenset[str] = _OURS) -> int:
    """Return the `stacklevel` at which `warnings.warn` points to the code that called the SDK."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in beyond:
        frame, depth = frame.f_back, depth + 1
    return depth


def line_of_caller() -> str:
    """Return the file and line of the code that called the SDK, even through a task or an exit stack."""
    code = sys._getframe(depth_of_caller(_OURS | {"asyncio", "contextlib"}) - 1)
    return f"{code.f_code.co_filename}:{code.f_lineno}"


if _wanted := os.environ.get("INTERACTOR_LOG", "").strip():
    from interactor_ext._engine.log_filter import log_to_stderr  # which most programs don't need

    log_to_stderr(logger, _wanted)
