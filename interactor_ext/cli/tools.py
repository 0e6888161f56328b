"""`interactor tools`: lists a room's calls that wait for approval, and approves or rejects them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import interactor_ext
from interactor_ext import tools as sdk_tools
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.named_object import load_named
from interactor_ext._engine.redaction import clean_text
from interactor_ext.cli.groups import group
from interactor_ext.cli.output import confirmed, masked, write, write_json, write_labeled
from interactor_ext.cli.settings import AsJson, Insecure, Namespace, client_of

tools: typer.Typer = group("Approve or reject tool calls that need approval.")

Tools = Annotated[str, typer.Argument(metavar="module:name", help="Module and name of the ToolSet.")]
Room = Annotated[str, typer.Argument(help="Id of the room.")]
CallId = Annotated[str, typer.Argument(help="The call's id, as shown by `pending`.")]
By = Annotated[str | None, typer.Option(help="Who decides (default: your user name).", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Run without asking for confirmation.")]


@tools.command()
def pending(
    tool_set: Tools,
    room: Room,
    namespace: Namespace = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """List the calls of a room that are waiting for approval, with their arguments."""
    with _opened(tool_set, namespace, insecure) as (found, user):
        waiting = found.pending(user, room)
    for call in waiting:
        if as_json:
            about = {"id": call.id, "tool": call.tool, "arguments": masked(call.arguments), "digest": call.digest}
            write_json(about, compact=True)
        else:
            _show(call)
    if not as_json and not waiting:
        write("No calls are waiting.")


@tools.command()
def approve(
    tool_set: Tools,
    room: Room,
    call_id: CallId,
    by: By = None,
    yes: Yes = False,
    namespace: Namespace = None,
    insecure: Insecure = False,
) -> None:
    """Run a call on this machine and submit its result."""
    with _opened(tool_set, namespace, insecure) as (found, user):
        call = _chosen(found, user, room, call_id)
        _show(call)
        if not yes and not confirmed("Run it?"):
            raise ConfigurationError("Nothing was run.")
        found.approve(user, call, by=by or getpass.getuser())
    write("Ran the call and submitted its result.", "green")


@tools.command()
def reject(
    tool_set: Tools,
    room: Room,
    call_id: CallId,
    reason: Annotated[str, typer.Option(help="The reason, which the model reads.")] = "It wasn't approved.",
    by: By = None,
    namespace: Namespace = None,
    insecure: Insecure = False,
) -> None:
    """Tell the model that a call won't run."""
    with _opened(tool_set, namespace, insecure) as (found, user):
        found.reject(user, _chosen(found, user, room, call_id), reason=reason, by=by or getpass.getuser())
    write("Rejected.")


@contextmanager
def _opened(
    name: str, namespace: str | None, insecure: bool
) -> Iterator[tuple[interactor_ext.ToolSet, interactor_ext.InteractorClient]]:
    found: Any = load_named(name, "ToolSet", "shop.tools:tools")
    if not isinstance(found, interactor_ext.ToolSet):
        raise ConfigurationError(f"{name!r} isn't a ToolSet; its type is {type(found).__name__}.")
    with client_of(namespace, insecure) as user:
        yield found, user


def _chosen(
    found: interactor_ext.ToolSet, user: interactor_ext.InteractorClient, room: str, call_id: str
) -> sdk_tools.WaitingCall:
    for call in found.pending(user, room):
        if call.id == call_id:
            return call
    raise ConfigurationError(
        f"No call {clean_text(call_id)!r} is waiting in this room. Run `interactor tools pending` to "
        "list the waiting ones."
    )


def _show(call: sdk_tools.WaitingCall) -> None:
    write_labeled(f"{call.id} ", "bold cyan", clean_text(call.tool))
    for line in json.dumps(masked(call.arguments), indent=2, ensure_ascii=False).splitlines():
        write(f"  {line}")
