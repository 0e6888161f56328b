"""`interactor webhooks dead`: lists, shows, replays and drops the dead letters of a router's queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.redaction import clean_text
from interactor_ext.cli.groups import group
from interactor_ext.cli.output import confirmed, write, write_json, write_labeled
from interactor_ext.cli.settings import AsJson
from interactor_ext.webhooks.worker._dead_letters import chosen, how_many, letters_of, summary

if TYPE_CHECKING:
    from interactor_ext.webhooks import WebhookWorker

dead: typer.Typer = group("List, show, replay and drop events whose handlers failed for good.")

Router = Annotated[
    str,
    typer.Argument(
        metavar="module:name", help="Module and name of the WebhookRouter with the queue, or of a WebhookWorker."
    ),
]
Key = Annotated[str, typer.Argument(help="The key, as shown by `list`.")]
Keys = Annotated[list[str] | None, typer.Argument(help="The keys, as shown by `list`.")]
All = Annotated[bool, typer.Option("--all", help="Apply to all dead letters of this router.")]


@dead.command(name="list")
def list_letters(
    router: Router,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first."""
    letters = letters_of(_load(router))
    for letter in letters:
        about = summary(letter)
        if as_json:
            write_json(about, compact=True)
        else:
            kind = about["event"] or "unreadable"
            write_labeled(f"{letter.key} ", "bold cyan", f"{kind}, {letter.attempts} attempts, {about['failed_at']}")
            write(f"  {clean_text(letter.error)}")
    if not as_json:
        write(f"{how_many(len(letters))}.")


@dead.command()
def show(router: Router, key: Key) -> None:
    """Show a dead letter with its body. Exits with status 1 if the key is unknown."""
    [letter] = chosen(_load(router), [key])
    try:
        body = json.loads(letter.body)
    except ValueError:
        body = letter.body.decode("utf-8", "backslashreplace")
    write_json({**summary(letter), "body": body})


@dead.command()
def replay(router: Router, keys: Keys = None, every: All = False) -> None:
    """Queue dead letters again, with all attempts. Exits with status 1, doing nothing, if a key is unknown."""
    worker = _load(router)
    # False if another process was faster.
    replayed = [worker.queue.replay(letter.key) for letter in chosen(worker, keys, every)]
    write(f"{how_many(sum(replayed))} replayed.")


@dead.command()
def drop(
    router: Router,
    keys: Keys = None,
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Drop without asking for confirmation.")] = False,
) -> None:
    """Delete dead letters permanently: their events count as handled. Exits with status 1 like `replay`."""
    worker = _load(router)
    letters = chosen(worker, keys, every)
    if letters and not yes and not confirmed(f"Dropping {how_many(len(letters))} can't be undone. Continue?"):
        raise ConfigurationError("Nothing was dropped.")
    dropped = [worker.queue.discard(letter.key) for letter in letters]
    write(f"{how_many(sum(dropped))} dropped.")


def _load(router: str) -> WebhookWorker:
    from interactor_ext.webhooks.worker._loading import load_queue_worker

    return load_queue_worker(router)
