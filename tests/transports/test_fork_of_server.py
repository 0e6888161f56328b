"""Processes that their server forked without running the hooks of Python, as uWSGI does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox

pytest_plugins = ["tests.support.sandbox_fixtures"]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="forks by the C library (needs Linux)"),
    pytest.mark.skipif(
        sys.version_info >= (3, 13),
        reason="Python itself may crash in such a child: its table of waiting threads has those of the parent",
    ),
]

# The parent has used all that a child must not: a connection, a thread, an event loop and a file of SQLite.
PROGRAM = """
import asyncio, ctypes, os, sys, threading, time
from interactor_ext import InteractorClient
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET, delivery

client = InteractorClient(namespace="user_1", timeout=60)
store = SQLiteEventStore(sys.argv[1])
router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop", handler_timeout=60)

@router.on("*")
async def handler(event):
    pass

def use(number):
    assert list(client.assistants.iterate()) == []
    assert asyncio.run(router.ahandle(*delivery(key=f"a{number}"))).status == 200
    assert router.handle(*delivery(key=f"b{number}")).status == 200

def others():
    frames = sys._current_frames()
    del frames[threading.get_ident()]
    return {thread: (frame.f_code.co_name, frame.f_lasti) for thread, frame in frames.items()}

use(0)
# A thread that is not waiting holds locks of Python itself: without its hooks, a child crashes or hangs.
before = None
while before != (before := others()) or {name for name, _ in before.values()} - {"select", "wait"}:
    time.sleep(0.05)
children = []
for number in (1, 2):
    child = ctypes.PyDLL(None).fork()  # which keeps the GIL
    if not child:
        try:
            use(number)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    children.append(child)
use(3)
for child in children:
    assert (status := os.waitpid(child, 0)[1]) == 0, status
print("well", flush=True)
os._exit(0)
"""


def test_child_of_a_server_that_runs_no_hooks_uses_nothing_of_its_parent(sandbox: Sandbox, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "events.db")]
    done = subprocess.run(command, env=sandbox.env, capture_output=True, text=True, timeout=240)
    assert (done.stderr, done.stdout, done.returncode) == ("", "well\n", 0)
