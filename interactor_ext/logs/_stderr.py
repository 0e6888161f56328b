"""INTERACTOR_LOG: the log of the SDK on stderr, with secrets masked, in programs that configure no logging."""

from __future__ import annotations

import logging
import warnings

from interactor_ext.logs._filter import RedactingFilter

_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG}


def log_to_stderr(logger: logging.Logger, value: str) -> None:
    """`value` is that of INTERACTOR_LOG. An unknown one is a warning: what serves debugging must stop no service."""
    level = _LEVELS.get(value.lower())
    if level is None:
        warnings.warn(f"INTERACTOR_LOG is {value!r}, which is neither info nor debug: nothing is logged", stacklevel=2)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(level)
