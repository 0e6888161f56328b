"""A program that configures its logging after it has imported the SDK, as most do."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

import interactor_ext.logs  # noqa: F401 - it gives the loggers their handler

PROGRAM = """
import logging.config, sys
from interactor_ext._engine.logs import relay_logger
handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
logging.config.dictConfig({"version": 1, "handlers": {"h": handler}, "root": {"handlers": ["h"]}, **eval(sys.argv[1])})
relay_logger.error("of the relay")
"""


@pytest.mark.parametrize("setting", [{"disable_existing_loggers": False}, {"loggers": {"interactor": {}}}])
def test_logger_stays_enabled_as_the_page_says(setting: object) -> None:
    command = [sys.executable, "-c", PROGRAM, repr(setting)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (run.stdout, run.stderr) == ("of the relay\n", "")


def test_loggers_are_like_those_of_any_library() -> None:
    kinds = {type(logging.getLogger(f"interactor{name}")) for name in ("", ".webhooks", ".tools", ".relay", ".sandbox")}
    assert kinds == {logging.getLoggerClass()}
    assert any(isinstance(each, logging.NullHandler) for each in logging.getLogger("interactor").handlers)
