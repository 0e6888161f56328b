"""What the commands of `interactor webhooks` share: the secret, saved bodies, sending and printing."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from interactor_ext._engine.errors import APIConnectionError, ConfigurationError, WebhookPayloadError
from interactor_ext._engine.lazy import httpx
from interactor_ext._engine.redaction import clean_text
from interactor_ext.cli.output import write_json, write_labeled
from interactor_ext.testing import deliveries
from interactor_ext.webhooks import parse_event

SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", help="File containing the webhook secret (default: $INTERACTOR_WEBHOOK_SECRET)."),
]
# In seconds, as long as the platform waits for a receiver.
TIMEOUT = 30.0
# The headers needed for verification, and the options that set them.
SIGNED = {"x-interactor-signature": "--signature", "x-interactor-timestamp": "--timestamp"}


def complete_event(incomplete: str) -> list[str]:
    return [name for name in deliveries.contract_events() if name.startswith(incomplete)]


def secret_of(file: Path | None) -> str:
    secret = file.read_text(encoding="utf-8") if file else os.environ.get("INTERACTOR_WEBHOOK_SECRET", "")
    if not secret.strip():
        raise ConfigurationError("INTERACTOR_WEBHOOK_SECRET isn't set. Set it, or pass a file with --secret-file.")
    return secret.strip()


def read_body(name: str) -> tuple[bytes, dict[str, str]]:
    """Read a body, and the headers of a saved delivery."""
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        kept = json.loads(raw)
        return kept["raw"].encode("utf-8", "surrogateescape"), dict(kept["headers"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return raw, {}


def type_of(raw: bytes) -> str | None:
    """Return the event type of a body, or None if there is none that a header can contain: any body may be replayed."""
    with suppress(WebhookPayloadError):
        kind = parse_event(raw).event
        return kind if kind.isascii() and kind.isprintable() else None
    return None


def post(client: httpx.Client, option: str, url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Deliver to the URL that `option` names. Raises InteractorError."""
    try:
        return client.post(url, content=body, headers=headers)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        # The error may contain a part of a password.
        raise ConfigurationError(
            f"{option} isn't the URL of a receiver, such as http://localhost:8000/webhooks."
        ) from None
    except httpx.HTTPError as error:
        raise APIConnectionError(f"No response from {url}: {error or type(error).__name__}") from error


def show_event(event: dict[str, Any]) -> None:
    about = f"{event.get('id')} of {event.get('namespace') or 'no namespace'} at {event.get('timestamp')}"
    write_labeled(f"{event.get('event')} ", "bold cyan", about)
    write_json(event.get("data"))


def show_answer(answer: httpx.Response) -> None:
    write_labeled(f"{answer.status_code} ", "green" if answer.is_success else "red", clean_text(answer.text))
