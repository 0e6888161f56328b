"""The dead letters of one router. The commands that list and replay them use this."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.errors import ConfigurationError, WebhookPayloadError

if TYPE_CHECKING:
    from interactor_ext.webhooks.queue._contract import DeadLetter
    from interactor_ext.webhooks.worker._worker import WebhookWorker

# SQLite accepts a 64-bit int.
_ALL = 2**63 - 1


def letters_of(worker: WebhookWorker) -> list[DeadLetter]:
    """Return this router's dead letters, the oldest first: services that share a queue have different names."""
    return worker.queue.dead_letters(_ALL, worker.router.key_prefix.rstrip(":"))


def chosen(worker: WebhookWorker, keys: list[str] | None, every: bool = False) -> list[DeadLetter]:
    """Return the dead letters with these keys, or all. Raises ConfigurationError."""
    if bool(keys) == every:
        raise ConfigurationError("Pass keys of dead letters or --all, not both.")
    if every:
        return letters_of(worker)
    service, letters = worker.router.key_prefix.rstrip(":"), []
    for key in dict.fromkeys(keys or ()):
        found = worker.queue.dead_letters(1, service, key) if key else []
        if not found:
            raise ConfigurationError(f"No dead letter of this router has the key {key!r}.")
        letters += found
    return letters


def how_many(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number} dead letters"


def summary(letter: DeadLetter) -> dict[str, Any]:
    kind = None
    with suppress(WebhookPayloadError):
        kind = letter.event.event
    return {
        "key": letter.key,
        "event": kind,
        "attempts": letter.attempts,
        "failed_at": datetime.fromtimestamp(letter.failed_at, UTC).isoformat(timespec="seconds"),
        "error": letter.error,
    }
