"""Calls of tools that have a `callback_url`: posts them, and turns the responses into results.

A call is posted once, as the event `room.tool_call.pending` that webhooks get as well, with the headers of a delivery
and signed with the secret of the sandbox's first client: neither the contract nor the platform's guide specifies this.
`WebhookVerifier(client_secret)` therefore reads it, and `data.arguments` are the arguments. The JSON of a 2xx response
is the result, and null if the body is empty. The call fails, with an `error` as its result, if the status isn't 2xx,
the body isn't JSON or is larger than 1 MiB, or the receiver is unreachable or too slow. As with webhooks, only
receivers on this machine and in private networks are called, within `DeliveryOptions.timeout` seconds.
"""

from __future__ import annotations

from typing import Any

from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.storage.records import JsonObject
from interactor_ext.sandbox.storage.strict_json import parse_json


async def call_back(state: State, url: str, event: JsonObject) -> Any:
    """Post a tool call; returns its result."""
    outcome = await state.outbox.post_signed(url, event, state.accounts.first_secret)
    if not outcome.is_success:
        return _failed(outcome.error or f"its callback_url responded with {outcome.status}")
    try:
        return parse_json(outcome.content.decode()) if outcome.content else None
    except ValueError:
        return _failed("its callback_url responded with something other than JSON")


def _failed(reason: str) -> JsonObject:
    return {"error": f"The call failed: {reason}."}
