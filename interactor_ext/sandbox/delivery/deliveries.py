"""Delivery and DeliveryOptions: the record of one webhook attempt, and how webhooks are delivered.

- An event goes to the webhooks of its namespace that are active and list its type at that moment. A webhook that is
  deleted or made inactive gives up what it had not got yet; one whose URL or secret changes has the new one used from
  the next attempt on.
- An attempt waits its turn from the end of the one before. What ends the tries is a 2xx, the sixth attempt, or the
  webhook's end. A redirect is a failure: it is not followed.
- A webhook gets up to 8 deliveries at a time, all webhooks together 128; up to 1000 of them, or 64 MiB, wait for it.
  What comes on top of that is recorded as not sent, and not tried again unless `redeliver` asks for it.
- Only receivers on this machine and in private networks get anything, unless `DeliveryOptions.public` says otherwise:
  what a test does must not reach the webhook that production uses.
- Whoever stops the server cuts off what is under way; if the same Sandbox is served again, it is sent again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import attrs

# Seconds from the end of one attempt to the next; the first is made at once.
WAITS = (30.0, 120.0, 600.0, 1800.0, 7200.0)


def _share(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability, 0 to 1, not {value!r}")


def _duration(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} is a number from 0 up, not {value!r}")


@attrs.define(kw_only=True)
class DeliveryOptions:
    """How webhooks are delivered; each may be changed at any time and counts for the events that come after.

    `duplicate`: the share of deliveries that are sent twice, at the same time. `reorder`: the share that is held back
    until another one to the same webhook has overtaken it, for at most a real second. `delay`: the first attempt waits
    for a random time of up to so many seconds of the clock. `time_scale` makes the waits between attempts longer or
    shorter: 0.001 turns the 2 hours into 7.2 s. `timeout`: the real seconds that a receiver has for its answer.
    `public`: also deliver to addresses that are reached through the internet.
    """

    duplicate: float = attrs.field(default=0.0, validator=_share)
    reorder: float = attrs.field(default=0.0, validator=_share)
    delay: float = attrs.field(default=0.0, validator=_duration)
    time_scale: float = attrs.field(default=1.0, validator=_duration)
    timeout: float = attrs.field(default=30.0, validator=_duration)
    public: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver an event to a webhook.

    All attempts at the same have the same `id`; `attempt` counts them from 1 and is 0 for what was not even tried.
    `status` is the receiver's answer, None if there was none; `error` then says why. `duration` is in real seconds.
    `next_attempt_at` is None after the last. `is_duplicate` marks the second copy that `DeliveryOptions.duplicate`
    ordered; a copy is tried once.
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

    @property
    def event_id(self) -> str:
        return str(self.event["id"])

    @property
    def event_type(self) -> str:
        return str(self.event["event"])

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300
