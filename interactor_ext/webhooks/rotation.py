"""Rotates a webhook's secret without losing a delivery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from interactor_ext._engine.arguments import require_function
from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync
from interactor_ext._engine.errors import WebhookError
from interactor_ext.webhooks.signature import WebhookVerifier

_KNOWN_HERE_ALONE = (
    "The platform already signs with the new secret and this process verifies with it, but it "
    "wasn't stored. Rotate again, or deliveries will be refused after a restart."
)


class Webhooks(Protocol):
    """`client.webhooks` of any view, sync or async."""

    def rotate_secret(self, webhook_id: str, /) -> Any: ...


class SecretRotation:
    """A rotation in progress: the verifier accepts the new and the old secrets until `finish()`."""

    def __init__(self, verifier: WebhookVerifier, secret: str) -> None:
        self._verifier, self._old = verifier, verifier._keys
        verifier.add_secret(secret)

    def finish(self) -> None:
        """Stop accepting the secrets from before this rotation, but not newer ones. Call it after the platform's last
        retries with them (at most 2 h 45 min later).
        """
        self._verifier._forget(self._old)


def rotate_secret(
    webhooks: Webhooks, webhook_id: str, *, verifier: WebhookVerifier, hand_over: Callable[[str], object]
) -> SecretRotation:
    """Rotate the secret on the platform, and accept both the old and the new one from then on.

    `webhooks` is `client.webhooks`. `hand_over` receives the new secret, to store it where your processes read it (a
    secrets manager); the platform only shows it this once. Errors that `hand_over` raises reach the caller, when the
    new secret is already in use. Other processes get the new secret with `verifier.add_secret`; until then they respond
    with 401 and the platform retries.
    """
    return run_sync(_rotate(webhooks, webhook_id, verifier, hand_over))


async def arotate_secret(
    webhooks: Webhooks,
    webhook_id: str,
    *,
    verifier: WebhookVerifier,
    hand_over: Callable[[str], Awaitable[object]],
) -> SecretRotation:
    """`rotate_secret` for an asynchronous client; `hand_over` is a coroutine function."""
    return await run_async(_rotate(webhooks, webhook_id, verifier, hand_over))


def _rotate(
    webhooks: Any, webhook_id: str, verifier: WebhookVerifier, hand_over: Callable[[str], object]
) -> Effects[SecretRotation]:
    require_function(hand_over, "hand_over=")  # before the platform rotates the secret
    webhook = yield Invoke(webhooks.rotate_secret, (webhook_id,))
    secret = webhook.secret
    if not isinstance(secret, str) or not secret:
        raise WebhookError("The platform rotated the secret but didn't return the new one. Rotate again.")
    rotation = SecretRotation(verifier, secret)
    try:
        yield Invoke(hand_over, (secret,), of_user=True)
    except Exception as error:
        error.add_note(_KNOWN_HERE_ALONE)
        raise
    return rotation
