"""The commands of `interactor`, their exit status and error output."""

from __future__ import annotations

from typing import Annotated

import typer

from interactor_ext._errors import ConfigurationError, InteractorError
from interactor_ext._version import __version__
from interactor_ext.cli.api import api
from interactor_ext.cli.chat import chat
from interactor_ext.cli.doctor import doctor
from interactor_ext.cli.output import complain, write
from interactor_ext.cli.webhooks import webhooks

app = typer.Typer(
    name="interactor",
    help="The Interactor platform from a terminal. Settings come from the variables INTERACTOR_...",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(doctor)
app.command()(chat)
app.command(no_args_is_help=False)(api)
app.add_typer(webhooks, name="webhooks")


def run(arguments: list[str]) -> int:
    """Run a command line. Returns the exit status: 1 after an error, 2 for invalid usage."""
    verbose = "--verbose" in arguments
    try:
        app([each for each in arguments if each != "--verbose"], prog_name="interactor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        complain(error, verbose=verbose)
        return 1
    return 0


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"interactor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show all details of an error. May be anywhere.")] = False,
) -> None:
    pass


@app.command()
def demo() -> None:
    """Run the quickstart against an embedded sandbox. Needs no credentials."""
    try:
        from interactor_ext.cli.demo import main
    except ImportError:
        raise _needs_sandbox() from None
    raise typer.Exit(main())


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(context: typer.Context) -> None:
    """Serve the sandbox of the platform on this machine; `--help` shows its options."""
    try:
        from interactor_ext.sandbox.__main__ import main
    except ImportError:
        raise _needs_sandbox() from None
    raise typer.Exit(main(context.args, prog="interactor sandbox"))


def _needs_sandbox() -> InteractorError:
    return ConfigurationError("The sandbox needs an extra: pip install 'interactor-sdk[sandbox]'")
