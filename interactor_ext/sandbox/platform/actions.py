"""Actions of workflow states. Nothing leaves the machine: requests are simulated, emails are only recorded.

| type | config | into the context |
|---|---|---|
| `transform` | any keys | each of them |
| `http` | `url`, `method`, `simulate: {status, body}` | `http: {status, method, url, body}`, by default 200 and `{}` |
| `email` | `to`, `subject`, `body` | `email: {to, subject, sent}`; `sandbox.emails` has the whole email |
| `ai_process` | `prompt` | `ai_process: "Processed: <prompt>"` |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from interactor_ext.sandbox.storage.records import JsonObject

# In characters of JSON.
MAX_CONTEXT = 64 * 1024


class ContextTooLarge(Exception):
    """The context would be larger than 64 KiB of JSON."""

    def __init__(self) -> None:
        super().__init__(f"the context grew beyond {MAX_CONTEXT >> 10} KiB")


def merged(context: JsonObject, more: JsonObject) -> JsonObject:
    """Return a context with `more` added. Raises ContextTooLarge."""
    context = {**context, **more}
    if len(json.dumps(context)) > MAX_CONTEXT:
        raise ContextTooLarge
    return context


def perform(action: JsonObject, context: JsonObject, send: Callable[[JsonObject], None]) -> JsonObject:
    """Perform one action and return the new context; emails go to `send`. Raises ContextTooLarge."""
    config = action["config"]
    outcome: Any
    match action["type"]:
        case "transform":
            return merged(context, config)
        case "http":
            outcome = _http(config)
        case "email":
            send(config)
            outcome = {"to": config.get("to"), "subject": config.get("subject"), "sent": True}
        case _:
            outcome = f"Processed: {config.get('prompt', '')}"
    return merged(context, {action["type"]: outcome})


def _http(config: JsonObject) -> JsonObject:
    simulated = config.get("simulate")
    simulated = simulated if isinstance(simulated, dict) else {}
    return {
        "status": simulated.get("status", 200),
        "method": config.get("method", "GET"),
        "url": config.get("url"),
        "body": simulated.get("body", {}),
    }
