"""`interactor webhooks listen`: a receiver in the terminal, which can register itself and forward deliveries."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

import interactor_ext
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._engine.waiting import ThreadWaiter
from interactor_ext.cli import receiver
from interactor_ext.cli.deliveries import SecretFile, secret_of
from interactor_ext.cli.output import note, write
from interactor_ext.cli.program import signals_handled
from interactor_ext.cli.settings import Insecure, Namespace, client_of
from interactor_ext.testing import deliveries

# Ctrl-C, the end of a service, and a closed terminal.
_STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8400,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    save: Annotated[
        Path | None, typer.Option(help="Save deliveries to this folder for `replay`, refused ones included.")
    ] = None,
    forward_to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Register a temporary webhook, and forward genuine deliveries to this URL."),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --forward-to: URL that leads to this port, such as a tunnel's."),
    ] = None,
    namespace: Namespace = None,
    insecure: Insecure = False,
    secret_file: SecretFile = None,
) -> None:
    """Receive deliveries, verify them and show their events, until Ctrl-C or SIGTERM.

    With --forward-to, register a webhook with the secret that the application at that URL uses, and delete it on exit.
    The application's responses go back to the platform, which redelivers after a failure.
    """
    if forward_to is None and public_url:
        raise typer.BadParameter("--public-url needs --forward-to.")
    secret = secret_of(secret_file)
    if save is not None:
        save.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        ended = ThreadWaiter()
        # No signal may interrupt the registration or its removal.
        stack.enter_context(signals_handled(_STOP_SIGNALS, lambda *_: ended.wake()))
        url = stack.enter_context(receiver.served(host, port, secret, save, forward_to))
        if forward_to is not None:
            client = stack.enter_context(client_of(namespace, insecure))
            where = public_url or _reachable(url, client)
            stack.enter_context(_registered(client, where, secret))
        to = f", forwarding to {forward_to}" if forward_to else ""
        write(f"Listening at {url}{to}. Press Ctrl-C to stop.")
        # In short waits, because on Windows no signal interrupts a wait.
        while not ended.wait(1):
            pass
        write("")


def _reachable(url: str, client: interactor_ext.InteractorClient) -> str:
    from interactor_ext._interactor.config.checks import is_loopback

    if is_loopback(urlsplit(client.config.core_api_url).hostname or ""):
        return url
    raise ConfigurationError(
        f"{client.config.core_api_url} can't reach {url}. Pass the URL of a tunnel with --public-url."
    )


@contextmanager
def _registered(client: interactor_ext.InteractorClient, url: str, secret: str) -> Iterator[None]:
    """Register a webhook for the duration of the block."""
    types: list[Any] = [*deliveries.contract_events()]  # a type checker knows each of them
    webhook = client.webhooks.create(url=url, events=types, secret=secret)
    of = client.config.namespace or "the default namespace"
    write(f"Registered {webhook.id} in {of} for all events. It will be deleted on exit.", "dim")
    try:
        yield
    finally:
        try:
            client.webhooks.delete(webhook.id)
        except InteractorError:
            note(f"The webhook {webhook.id} is still registered. Delete it with `interactor api delete_webhook`.")
            raise
        write(f"Deleted {webhook.id}.", "dim")
