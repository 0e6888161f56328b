"""The SDK's own pytest plugin, as users have it by its entry point."""

from __future__ import annotations

import signal

pytest_plugins = ["interactor_ext.pytest_plugin"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts a job in the background has it ignore Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
