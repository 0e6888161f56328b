"""Dead letters of one router, for the commands that list and replay them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interactor_ext._errors import ConfigurationError, WebhookPayloadError

if TYPE_CHECKING:
    from interactor_ext.webhooks.queue._contract import DeadLetter
    from interactor_ext.webhooks.worker._worker import WebhookWorker

# SQLite takes an int of 64 bits.
_ALL = 2**63 - 1


def letters_of(worker: WebhookWorker) -> list[DeadLetter]:
    """The oldest first. Those of this router: services that share a queue have a name each."""
    return [each for each in worker.queue.dead_letters(_ALL) if each.key.startswith(worker.router.key_prefix)]


def chosen(worker: WebhookWorker, keys: list[str] | None, every: bool = False) -> list[DeadLetter]:
    """Those with these keys, or all. Raises ConfigurationError."""
    if bool(keys) == every:
        raise ConfigurationError("Pass keys of dead letters or --all, not both.")
    letters = letters_of(worker)
    if every:
        return letters
    by_key = {each.key: each for each in letters}
    wanted = dict.fromkeys(keys or ())
    if unknown := [key for key in wanted if key not in by_key]:
        raise ConfigurationError(f"No dead letter of this router has the key {unknown[0]!r}.")
    return [by_key[key] for key in wanted]


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
