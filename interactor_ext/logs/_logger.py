"""The loggers of the SDK, `interactor` and below it those of webhooks, relay and sandbox; where warnings point to.

All code takes its logger from here, so that none prints to stderr in a program that has configured no logging.
"""

from __future__ import annotations

import logging
import os
import sys

logger = logging.getLogger("interactor")
# Without a handler, Python prints warnings to stderr. The loggers below find this one as well.
logger.addHandler(logging.NullHandler())
webhooks_logger = logging.getLogger("interactor.webhooks")
relay_logger = logging.getLogger("interactor.relay")
sandbox_logger = logging.getLogger("interactor.sandbox")
_OURS = frozenset({"interactor_ext", "interactor_client", "httpx"})


def depth_of_caller() -> int:
    """The `stacklevel` at which `warnings.warn` points to the code that called the SDK."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, depth = frame.f_back, depth + 1
    return depth


if _wanted := os.environ.get("INTERACTOR_LOG", "").strip():
    from interactor_ext.logs._stderr import log_to_stderr  # which most programs do without

    log_to_stderr(logger, _wanted)
