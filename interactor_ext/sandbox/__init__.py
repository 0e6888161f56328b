"""A local sandbox of the Interactor platform, for tests and for trying things out.

    with Sandbox().run() as sandbox, sandbox.client() as client:
        ...

Needs the extra `interactor-sdk[sandbox]`. `interactor sandbox` serves it to other processes, or runs a program inside
it; `python -m interactor_ext.sandbox` is the same. Both need the extra `[cli]`.

It validates every request against the contract that the client is generated from, and responds with 422 and a detail
for each invalid field. Where the contract leaves something open, it decides as follows:

- A request without a namespace belongs to the namespace `""`. Anything in another namespace is 404.
- A nonexistent id in the path is 404, in the body 422.
- Lists are in order of creation, so a page stays the same while items are added.
- A token requested without a scope gets all scopes that its client may have. `admin` is every scope.
- Only successful responses are stored under an Idempotency-Key. The key is valid for one operation, path and body.
- X-RateLimit-Remaining is the share of X-RateLimit-Limit that is left in the burst bucket, -Reset is when that bucket
  is full again.

- Bodies have up to 8 MiB, workflow contexts 64 KiB.

The docstrings of its modules document further decisions: assistants, tools and streams in conversation.py, replies.py
and streams.py, scripted replies in scripts.py, callbacks of tools in callbacks.py; workflows in engine.py,
expressions.py and actions.py; OAuth flows and credentials in credentials.py; faults in faults.py, control over HTTP in
control.py; data files in datafile.py, seeds in seeds.py; delivery of webhooks in deliveries.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names

try:
    from interactor_ext.sandbox._sandbox import Sandbox
    from interactor_ext.sandbox.clock import Clock
    from interactor_ext.sandbox.delivery.deliveries import Delivery, DeliveryOptions
    from interactor_ext.sandbox.http.dialects import Dialect
    from interactor_ext.sandbox.platform.faults import Fault, Faults
    from interactor_ext.sandbox.platform.scripts import Replies, ScriptedReply
    from interactor_ext.sandbox.storage.journal import Journal, RequestRecord
except ModuleNotFoundError as _missing:
    if (_missing.name or "").startswith("interactor"):
        raise
    raise ImportError("interactor_ext.sandbox needs an extra: pip install 'interactor-sdk[sandbox]'") from _missing

__all__ = [
    "Clock",
    "Delivery",
    "DeliveryOptions",
    "Dialect",
    "Fault",
    "Faults",
    "Journal",
    "Replies",
    "RequestRecord",
    "Sandbox",
    "ScriptedReply",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})
