"""The loggers of the SDK: `interactor` and, below it, one for webhooks, one for the relay and one for the sandbox.

All code takes its logger from here, so that none prints to stderr in a program that has configured no logging.
"""

from __future__ import annotations

import logging
import os

logger = logging.getLogger("interactor")
# Without a handler, Python prints warnings to stderr. The loggers below find this one as well.
logger.addHandler(logging.NullHandler())
webhooks_logger = logging.getLogger("interactor.webhooks")
relay_logger = logging.getLogger("interactor.relay")
sandbox_logger = logging.getLogger("interactor.sandbox")

if _wanted := os.environ.get("INTERACTOR_LOG", "").strip():
    from interactor_ext.logs._stderr import log_to_stderr  # which most programs do without

    log_to_stderr(logger, _wanted)
