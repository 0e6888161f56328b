"""`interactor chat`: a conversation with an assistant, in the terminal or in the browser."""

from __future__ import annotations

import contextlib
import shlex
import sys
import warnings
from typing import Annotated

import typer

import interactor_ext
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._interactor import models
from interactor_ext.cli.output import Answer, chosen, complain, write, write_markdown
from interactor_ext.cli.settings import Insecure, Namespace, settings

_SHOWN = 20


def chat(
    room: Annotated[str | None, typer.Argument(help="Continue in this room (default: a new room).")] = None,
    assistant: Annotated[
        str | None,
        typer.Option("--assistant", "-a", help="Assistant for a new room (default: the only one there is)."),
    ] = None,
    namespace: Namespace = None,
    web: Annotated[bool, typer.Option("--web", help="Chat in the browser, on 127.0.0.1.")] = False,
    insecure: Insecure = False,
) -> None:
    """Talk to an assistant. Tools that it calls don't run. The commands are /history, /room and /quit."""
    options = settings(namespace, insecure)
    with interactor_ext.InteractorClient(**options) as user:
        if web:
            from interactor_ext.cli.chat_page import serve

            if namespace is None:
                raise ConfigurationError("--web needs a namespace, such as -n user_123.")
            entered = _enter(user, room, assistant)
            known = entered.assistant_id and user.assistants.get(entered.assistant_id).name
            serve(options, entered.id, known or "")
        else:
            _converse(user, _enter(user, room, assistant), is_new=room is None)


def _enter(user: interactor_ext.InteractorClient, room: str | None, assistant: str | None) -> models.Room:
    return user.rooms.get(room) if room else user.rooms.create(assistant_id=assistant or _only_assistant(user))


def _converse(user: interactor_ext.InteractorClient, room: models.Room, *, is_new: bool) -> None:
    write(f"Room {room.id}. Type /quit or press Ctrl-D to leave.", "dim")
    if not is_new:
        _show_history(user, room)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (adds line editing and history to input())
    while (text := _ask()) is not None:
        if text in ("/quit", "/exit"):
            break
        _run_command_or_send(user, room, text)


def _run_command_or_send(user: interactor_ext.InteractorClient, room: models.Room, text: str) -> None:
    try:
        if text == "/history":
            _show_history(user, room)
        elif text == "/room":
            write(room.id)
        elif text.startswith("/") and not text.startswith("//"):
            write("The commands are /history, /room and /quit. Begin a message with // to send a leading slash.", "dim")
        elif text:
            _send(user, room, text.removeprefix("/"))
    except InteractorError as error:
        complain(error, verbose=False)  # the conversation continues


def _send(user: interactor_ext.InteractorClient, room: models.Room, text: str) -> None:
    note = ""
    with warnings.catch_warnings(), user.chat(room.id, text) as reply, Answer() as answer:
        warnings.simplefilter("ignore", RuntimeWarning)  # about tools that aren't run: the command reports them itself
        try:
            for event in reply:
                if isinstance(event, models.MessageDelta):
                    answer.write(event.content)
                elif isinstance(event, models.ToolCallStart):
                    note = f"(calls {event.tool_call.tool_id}; tools don't run here, /history shows the result later)"
                    break
        except KeyboardInterrupt:
            note = "... (not waiting for the rest)"
    if note:
        write(note, "dim")


def _ask() -> str | None:
    try:
        return input("you> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        write("")
        return None


def _show_history(user: interactor_ext.InteractorClient, room: models.Room) -> None:
    newest = user.messages.list(room.id, order="desc", per_page=_SHOWN)
    for message in reversed(newest.data):
        write(f"{message.role or '?'}> ", "cyan", end="")
        show = write_markdown if message.role == "assistant" else write
        show(message.content or "")
    if newest.meta.has_more or (newest.meta.has_more is None and len(newest) >= _SHOWN):
        write(f"(the last {_SHOWN} messages)", "dim")


def _only_assistant(user: interactor_ext.InteractorClient) -> str:
    found = user.assistants.list(per_page=_SHOWN)
    if len(found) == 1 and found.meta.has_more is not True:
        return found.data[0].id
    if not found.data:
        namespace = user.config.namespace
        where = "" if namespace is None else f"-n {shlex.quote(namespace)} "
        raise ConfigurationError(
            f"There is no assistant in this namespace. Create one: interactor api create_assistant {where}"
            """-d '{"name": "Bot", "model": "gpt-4", "system_prompt": "You are helpful."}'"""
        )
    picked = chosen("Talk to", [f"{each.name}  {each.id}" for each in found])
    if picked is not None:
        return found.data[picked].id
    names = ", ".join(f"{each.id} ({each.name})" for each in found)
    raise ConfigurationError(f"There are several assistants. Choose one with --assistant: {names}")
