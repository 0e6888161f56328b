"""A program that configures its logging after it has imported the SDK, as most do."""

from __future__ import annotations

import subprocess
import sys

import pytest

NAMES = ("interactor", "interactor.webhooks", "interactor.relay", "interactor.sandbox")
PROGRAM = f"""
import io, logging.config, sys
from interactor_ext import APIConnectionError, InteractorClient
logging.getLogger("interactor.sandbox").disabled = True
ini = "[loggers]\\nkeys=root\\n[handlers]\\nkeys=h\\n[formatters]\\nkeys=\\n[logger_root]\\nhandlers=h\\n"
if sys.argv[1] == "dictConfig":
    handler = {{"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}}
    logging.config.dictConfig({{"version": 1, "handlers": {{"h": handler}}, "root": {{"handlers": ["h"]}}}})
else:
    logging.config.fileConfig(io.StringIO(ini + "[handler_h]\\nclass=StreamHandler\\nargs=(sys.stdout,)"))
server = "http://127.0.0.1:9"
settings = {{"core_api_url": server, "account_server_url": server, "max_retries": 0}}
with InteractorClient(client_id="c", client_secret="s", **settings) as client:
    try:
        client.assistants.list()
    except APIConnectionError:
        pass
for name in {NAMES}:
    logging.getLogger(name).error(f"of {{name}}")
"""


@pytest.mark.parametrize("function", ["dictConfig", "fileConfig"])
def test_loggers_stay_enabled_where_a_configuration_does_not_name_them(function: str) -> None:
    command = [sys.executable, "-c", PROGRAM, function]
    run = subprocess.run(command, env={"INTERACTOR_LOG": "info"}, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    # The last one was disabled by the program itself.
    assert run.stdout.splitlines()[-3:] == [f"of {name}" for name in NAMES[:-1]]
    assert "GET /assistants: NETWORK_ERROR" in run.stdout
    assert "WARNING interactor: GET /assistants: NETWORK_ERROR" in run.stderr
