"""Actions of workflow states. Nothing leaves the machine: requests are simulated, emails are only recorded.

| type | config | into the context |
|---|---|---|
| `transform` | any keys | each of them |
| `http` | `url`, `method`, `simulate: {status, body}` | `http: {status, method, url, body}`, by default 200 and `{}` |
| `email` | `to`, `subject`, `body` | `email: {to, subject, sent}`; the whole of it is in `sandbox.emails` |
| `ai_process` | `prompt` | `ai_process: "Processed: <prompt>"` |

`save_as` names another key than the type's. `{{ path }}` in any string of a config is the value at that path of the
context: the value itself where the string is nothing else, its text where it stands among other words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from interactor_ext.sandbox.platform.expressions import look_up
from interactor_ext.sandbox.storage.records import JsonObject

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")
# Characters of a context as JSON: a workflow that feeds its context back into itself must fail before it fills memory.
MAX_CONTEXT = 64 * 1024


class ContextTooLarge(Exception):
    """The context would be larger than 64 KiB of JSON."""

    def __init__(self) -> None:
        super().__init__(f"the context grew beyond {MAX_CONTEXT >> 10} KiB")


def merged(context: JsonObject, more: JsonObject) -> JsonObject:
    """A context with `more`. Raises ContextTooLarge."""
    context = {**context, **more}
    if len(json.dumps(context)) > MAX_CONTEXT:
        raise ContextTooLarge
    return context


def perform(action: JsonObject, context: JsonObject, send: Callable[[JsonObject], None]) -> JsonObject:
    """Perform one action, and return the context after it; emails go to `send`. Raises ContextTooLarge."""
    config = _filled(action["config"], context)
    save_as = _text(config.pop("save_as", action["type"]))
    match action["type"]:
        case "transform":
            return merged(context, config)
        case "http":
            outcome: Any = _http(config)
        case "email":
            send(config)
            outcome = {"to": config.get("to"), "subject": config.get("subject"), "sent": True}
        case _:
            outcome = f"Processed: {_text(config.get('prompt', ''))}"
    return merged(context, {save_as: outcome})


def _filled(value: Any, context: JsonObject) -> Any:
    """A part of a config with its placeholders replaced."""

    def found(placeholder: re.Match[str]) -> Any:
        return look_up(context, [int(step) if step.isdigit() else step for step in placeholder[1].split(".")])

    if isinstance(value, dict):
        return {key: _filled(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, context) for item in value]
    if not isinstance(value, str):
        return value
    if whole := PLACEHOLDER.fullmatch(value):
        return found(whole)
    return PLACEHOLDER.sub(lambda placeholder: _text(found(placeholder)), value)


def _http(config: JsonObject) -> JsonObject:
    simulated = config.get("simulate")
    simulated = simulated if isinstance(simulated, dict) else {}
    return {
        "status": simulated.get("status", 200),
        "method": config.get("method", "GET"),
        "url": config.get("url"),
        "body": simulated.get("body", {}),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
