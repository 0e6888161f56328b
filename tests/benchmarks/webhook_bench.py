"""Verifying and reading one message event, beside what nobody can save (one HMAC, one json.loads) and a rival."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from interactor_ext.webhooks import WebhookVerifier, sign
from tests.benchmarks.measure import cpu_medians, report
from tests.support.webhook_deliveries import SECRET, body_of

CALLS = 5_000
FLOOR = "hmac.digest + json.loads"
OURS = "WebhookVerifier.verify"
RIVAL = "standardwebhooks.verify"


def rivals(calls: int) -> dict[str, Callable[[], None]]:
    body = body_of("room.message.created")
    # As a server hands them over: lower case, and among the others.
    headers = {"host": "example.com", "content-length": str(len(body)), "user-agent": "Interactor-Webhooks/1"}
    headers |= {name.lower(): value for name, value in sign(body, SECRET, event="room.message.created").items()}
    key, verifier = SECRET.encode(), WebhookVerifier(SECRET)
    standard = Webhook(base64.b64encode(key).decode())
    now = datetime.now(UTC)
    standard_headers = headers | {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standard.sign("msg_1", now, body.decode()),
    }

    def floor() -> None:
        for _ in range(calls):
            hmac.digest(key, body, "sha256")
            json.loads(body)

    def ours() -> None:
        for _ in range(calls):
            verifier.verify(body, headers)

    def rival() -> None:
        for _ in range(calls):
            standard.verify(body, standard_headers)

    return {FLOOR: floor, OURS: ours, RIVAL: rival}


def verify_ratios(*, calls: int = CALLS, rounds: int = 9) -> Mapping[str, float]:
    """CPU of each over that of `hmac.digest` and `json.loads` of the same bytes. The rival makes no typed event."""
    return report("webhook: verify and parse", cpu_medians(rivals(calls), rounds=rounds), calls=calls, against=FLOOR)


def run() -> None:
    verify_ratios()
