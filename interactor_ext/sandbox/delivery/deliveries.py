"""Delivery and DeliveryOptions: the record of one webhook attempt, and how webhooks are delivered.

- An event goes to the webhooks of its namespace that are active and subscribe to its type at that moment. A deleted or
  inactive webhook drops its pending deliveries; a changed URL or secret is used from the next attempt on.
- The wait before a retry counts from the end of the previous attempt. Retries end with a 2xx, the sixth attempt, or the
  deletion of the webhook. A redirect is a failure: it is not followed.
- A webhook gets up to 8 deliveries at a time. Any number may wait.
- Only receivers on this machine and in private networks get deliveries, unless `DeliveryOptions.public` permits others:
  a test must not reach the webhook that production uses.
- A stop of the server cancels deliveries in flight; if the same Sandbox is served again, they are sent again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import attrs
from attrs.validators import ge, le, lt

# Seconds from the end of one attempt to the next; the first attempt is immediate.
WAITS = (30.0, 120.0, 600.0, 1800.0, 7200.0)


_PROBABILITY = (ge(0.0), le(1.0))
_FINITE = (ge(0.0), lt(math.inf))


@attrs.define(kw_only=True)
class DeliveryOptions:
    """How webhooks are delivered; each option may be changed at any time and applies to later events.

    `duplicate`: the probability that a delivery is sent twice at the same time. `reorder`: the probability that it is
    held until another delivery to the same webhook has overtaken it, for at most one second. `delay`: the maximum
    random delay of the first attempt. Both times are seconds of the clock. `time_scale` scales the waits between
    attempts:
    0.001 turns 2 hours into 7.2 s. `timeout`: the real seconds that a receiver has to respond. `public`: also deliver
    to public internet addresses. The last two also apply to the `callback_url` of tools.
    """

    duplicate: float = attrs.field(default=0.0, validator=_PROBABILITY)
    reorder: float = attrs.field(default=0.0, validator=_PROBABILITY)
    delay: float = attrs.field(default=0.0, validator=_FINITE)
    time_scale: float = attrs.field(default=1.0, validator=_FINITE)
    timeout: float = attrs.field(default=30.0, validator=_FINITE)
    public: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver an event to a webhook.

    All attempts of one delivery have the same `id`; `attempt` counts from 1. `status` is the receiver's status code,
    None without a response; `error` then says why. `duration` is in real seconds. `next_attempt_at` is None after the
    last attempt. `is_duplicate` marks the copy made by `DeliveryOptions.duplicate`; a copy has one attempt. `headers`
    are the ones that the sandbox sent, including the signature, and `answer` is the beginning of the response's body.
    """

    id: str
    webhook_id: str
    namespace: str
    url: str
    event: dict[str, Any] = field(repr=False)
    attempt: int
    request_id: str
    sent_at: str
    status: int | None
    error: str | None
    duration: float
    next_attempt_at: str | None
    is_duplicate: bool
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    answer: str = field(default="", repr=False)

    @property
    def event_id(self) -> str:
        """The `id` in the body."""
        return str(self.event["id"])

    @property
    def event_type(self) -> str:
        """The `event` in the body, such as "room.message.created"."""
        return str(self.event["event"])

    @property
    def succeeded(self) -> bool:
        """Whether the receiver responded with a 2xx."""
        return self.status is not None and 200 <= self.status < 300
