"""The commands of `interactor`, their exit statuses and error output."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
import typer.main

from interactor_ext._interactor import __version__
from interactor_ext.cli.groups import group
from interactor_ext.cli.mistaken import with_advice
from interactor_ext.cli.output import complain, write
from interactor_ext.cli.sandbox import sandbox, sandbox_class
from interactor_ext.cli.settings import load_env_file


@cache  # Building them takes 30 ms, and tests run hundreds of command lines in one process.
def command_line(*, sandbox_alone: bool = False) -> Callable[..., object]:
    """Return all commands, or only `sandbox`, which starts in half the time without the others' imports."""
    app = group(
        "The Interactor platform from a terminal. Settings come from the INTERACTOR_... variables.",
        name="interactor",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    if not sandbox_alone:
        from interactor_ext.cli.api import api
        from interactor_ext.cli.chat import chat
        from interactor_ext.cli.docs import docs
        from interactor_ext.cli.doctor import doctor
        from interactor_ext.cli.explore import explore
        from interactor_ext.cli.mcp import mcp
        from interactor_ext.cli.tools import tools
        from interactor_ext.cli.webhooks import webhooks

        app.command()(doctor)
        app.command()(chat)
        app.command(no_args_is_help=False)(api)
        app.add_typer(webhooks, name="webhooks")
        app.add_typer(tools, name="tools")
        app.command()(docs)
        app.command()(mcp)
        app.command()(demo)
        # As for `sandbox` below.
        app.command(context_settings={"allow_interspersed_args": False})(explore)
    # Arguments after the program's name belong to the program.
    app.command(context_settings={"allow_interspersed_args": False})(sandbox)
    return typer.main.get_command(app)


def run(arguments: list[str]) -> int:
    """Run a command line. Returns the exit status: 1 after an error, 2 for invalid usage, 130 after Ctrl-C."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    verbose, as_json = "--verbose" in own, "--json" in own
    try:
        command = command_line(sandbox_alone=arguments[:1] == ["sandbox"])
        status = command([*_reordered(own), *arguments[len(own) :]], prog_name="interactor", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        return complain(with_advice(error, own), verbose=verbose, as_json=as_json)
    return status if isinstance(status, int) else 0


def _reordered(arguments: list[str]) -> list[str]:
    """Return the arguments without `--verbose`, and with `--env-file` before the command. `sandbox` has its own."""
    rest = [each for each in arguments if each != "--verbose"]
    named = [number for number, each in enumerate(rest) if each.partition("=")[0] == "--env-file"]
    commands = (each for number, each in enumerate(rest) if not each.startswith("-") and number - 1 not in named)
    if not named or next(commands, None) == "sandbox":
        return rest
    begin = named[0]
    end = begin + (1 if "=" in rest[begin] else 2)
    return [*rest[begin:end], *rest[:begin], *rest[end:]]


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"interactor {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show all details of errors. Goes anywhere.")] = False,
    env_path: Annotated[
        Path | None,
        typer.Option(
            "--env-file", metavar="FILE", help="Read variables from this file. Goes anywhere, but after `sandbox`."
        ),
    ] = None,
) -> None:
    if env_path is not None:
        load_env_file(env_path)


def demo() -> None:
    """Run the quickstart against an embedded sandbox. Needs no credentials."""
    sandbox_class()
    from interactor_ext.cli.demo import main

    raise typer.Exit(main())
