"""`interactor webhooks`: receives, triggers, signs, verifies and replays deliveries."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Annotated, Any

import typer

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.lazy import asyncio, httpx
from interactor_ext.cli.dead_letters import dead
from interactor_ext.cli.deliveries import (
    SIGNED,
    TIMEOUT,
    SecretFile,
    post,
    read_body,
    secret_of,
    show_answer,
    show_event,
    type_of,
)
from interactor_ext.cli.groups import group
from interactor_ext.cli.listen import listen
from interactor_ext.cli.output import write
from interactor_ext.cli.trigger import trigger
from interactor_ext.webhooks import WebhookVerifier, schema_statements, sign

webhooks: typer.Typer = group("Receive, trigger, sign, verify and replay webhook deliveries.")
webhooks.command()(listen)
webhooks.command()(trigger)
webhooks.add_typer(dead, name="dead")

_BODY = "File with the body, or one saved by `listen --save`; - reads standard input."
Body = Annotated[str, typer.Argument(help=_BODY)]
Bodies = Annotated[list[str], typer.Argument(help=_BODY, metavar="BODY...")]


@webhooks.command(name="sign")
def sign_body(
    body: Body,
    secret_file: SecretFile = None,
) -> None:
    """Print the headers of a delivery with this body, in the format of curl's -H @FILE."""
    raw = read_body(body)[0]
    for name, value in sign(raw, secret_of(secret_file), event=type_of(raw)).items():
        write(f"{name}: {value}")


@webhooks.command()
def verify(
    body: Body,
    signature: Annotated[str | None, typer.Option(help="Value of the X-Interactor-Signature header.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Value of the X-Interactor-Timestamp header.")] = None,
    any_age: Annotated[bool, typer.Option("--any-age", help="Accept deliveries of any age.")] = False,
    secret_file: SecretFile = None,
) -> None:
    """Verify a delivery. Exits with status 1 if it isn't genuine."""
    raw, kept = read_body(body)
    given = zip(SIGNED, (signature, timestamp), strict=True)
    headers = {**kept, **{name: value for name, value in given if value is not None}}
    if missing := SIGNED.keys() - headers.keys():
        options = " and ".join(SIGNED[name] for name in sorted(missing))
        raise ConfigurationError(f"A body isn't enough: pass {options} from the headers that it came with.")
    verifier = WebhookVerifier(secret_of(secret_file), tolerance=None if any_age else 300)
    event = verifier.verify(raw, headers)
    write("Genuine.", "green")
    show_event(event.to_dict())


@webhooks.command()
def replay(
    bodies: Bodies,
    to: Annotated[str, typer.Option(help="URL of the receiver.")],
    secret_file: SecretFile = None,
) -> None:
    """Deliver bodies with a new signature and timestamp. Exits with status 1 unless every response is a 2xx."""
    secret = secret_of(secret_file)
    raw_bodies = [read_body(body)[0] for body in bodies]
    accepted = True
    with httpx.Client(timeout=TIMEOUT) as client:
        for raw in raw_bodies:
            answer = post(client, "--to", to, raw, sign(raw, secret, event=type_of(raw)))
            accepted = accepted and answer.is_success
            show_answer(answer)
    if not accepted:
        raise typer.Exit(1)


class Dialect(StrEnum):
    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


@webhooks.command()
def schema(
    dialect: Annotated[Dialect, typer.Option(help="Database to print the SQL for.")] = Dialect.POSTGRESQL,
) -> None:
    """Print the SQL of the tables for stores and queues, for your own migrations."""
    for statement in schema_statements(dialect):
        write(f"{statement};")


@webhooks.command()
def rename(
    router: Annotated[str, typer.Argument(metavar="module:name", help="Module and name of the WebhookRouter.")],
    old: Annotated[str, typer.Argument(help="Former name of the service; '' for a router without a name.")],
) -> None:
    """Rename a service in the database of a queue or store, from its former name to the name of its router."""
    from interactor_ext.webhooks.worker._loading import load_router

    found = load_router(router)
    shared = found.queue or found.store
    if not callable(move := getattr(shared, "rename", None)):
        raise ConfigurationError(f"A {type(shared).__name__} can't rename events. It forgets them after its ttl.")
    moved: Any = move(old, found.key_prefix.rstrip(":"))
    write(f"Rows moved: {asyncio.run(moved) if inspect.iscoroutine(moved) else moved}.")


@webhooks.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def work(context: typer.Context) -> None:
    """Run the handlers of queued events until SIGTERM or Ctrl-C. See --help for the options."""
    from interactor_ext.webhooks.worker._process import main

    raise typer.Exit(main(context.args, prog="interactor webhooks work"))
