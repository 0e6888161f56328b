"""`interactor sandbox`: serves the platform on this machine, on its own or for the duration of a program."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import sandbox_logger
from interactor_ext._engine.redaction import escape_controls
from interactor_ext.cli.output import note, write
from interactor_ext.cli.program import NOT_FOUND, run_program
from interactor_ext.cli.settings import write_env_file

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

_PORT = 8765


def sandbox(
    program: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- PROGRAM [ARGUMENTS]...]",
            help="Program to run with the variables set. The sandbox stops when it ends, and exits with its status.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on; 0 picks a free one.",
            show_default=f"{_PORT}, or a free one for a program",
        ),
    ] = None,
    env_path: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="Write the variables to this file, which only you can read."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep state in this SQLite file, creating it if needed (default: in memory)."
        ),
    ] = None,
    seed: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON file with the initial data.")] = None,
    token_lifetime: Annotated[float, typer.Option(help="Seconds until an access token expires.")] = 3600,
    enforce_limits: Annotated[
        bool, typer.Option("--enforce-limits", help="Respond with 429 beyond the documented rate limits.")
    ] = False,
    word_delay: Annotated[float, typer.Option(help="Seconds between the words of a streamed reply.")] = 0.03,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Accept this host name, too. Repeatable.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="Allow calls from pages of this origin, such as http://localhost:3000. Repeatable."
        ),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=(
                "Follow the platform's guide instead of the contract: current_page, whole_objects, enabled, "
                "bare_signature or deprecation_true. Repeatable."
            ),
        ),
    ] = None,
) -> None:
    """Serve a sandbox of the platform on this machine until Ctrl-C, or while a program runs."""
    _log("WARNING" if program else "INFO")
    served = sandbox_class()(
        token_lifetime=token_lifetime,
        enforce_limits=enforce_limits,
        word_delay=word_delay,
        data=data,
        seed=seed,
        allowed_hosts=allow_host or (),
        allow_origins=allow_origin or (),
        dialect=dialect or (),  # type: ignore[arg-type]  # checked there
    )
    if port is None:
        port = 0 if program else _PORT
    try:
        if program:
            raise typer.Exit(_run(served, program, host, port, env_path))
        served.serve(port, host=host, announce=lambda: _announce(served, env_path))
    except OSError as error:
        if error.filename is not None:
            raise
        reason = error.strerror or error
        raise OSError(f"Can't listen on {host} port {port}: {reason}. Choose another port with --port.") from error
    except KeyboardInterrupt:
        write("\nStopped.")


def sandbox_class() -> type[Sandbox]:
    """Return the class. Raises ConfigurationError without its extra."""
    try:
        from interactor_ext.sandbox import Sandbox
    except ImportError:
        raise ConfigurationError("The sandbox needs an extra: pip install 'interactor-sdk[sandbox]'") from None
    return Sandbox


def _run(served: Sandbox, program: list[str], host: str, port: int, env_path: Path | None) -> int:
    from interactor_ext.testing.environment import environment_of

    with served.run(port, host=host):
        _write_variables(served, env_path)
        url = served.core_api_url
        where = f"Interactor sandbox at {url}. Open {inspector_url(url)} to look inside."
        status = run_program(program, environment_of(served), lambda: note(where))
    if status == NOT_FOUND:
        note("Without a program, `interactor sandbox` serves until Ctrl-C.")
    return status


def _announce(served: Sandbox, env_path: Path | None) -> None:
    _write_variables(served, env_path)
    write(f"Interactor sandbox at {served.core_api_url}")
    write(f"Open {inspector_url(served.core_api_url)} to look inside.\n")
    if env_path is None:
        write("".join(f"export {name}={value}\n" for name, value in served.env.items()))
    else:
        write(f"The variables are in {env_path}. For example: interactor --env-file {env_path} doctor\n")
    write("Press Ctrl-C to stop. Without --data, state is in memory and lost on exit.")


def inspector_url(core_api_url: str) -> str:
    """Return the URL of the sandbox's inspector page, the prefix of its control endpoints."""
    url = urlsplit(core_api_url)
    return f"{url.scheme}://{url.netloc}/_sandbox"


def _write_variables(served: Sandbox, path: Path | None) -> None:
    """Write the sandbox's variables, and empty ones, which the SDK treats as unset, for those that contradict it."""
    if path is not None:
        write_env_file(path, {**served.env, "INTERACTOR_ENVIRONMENT": "", "INTERACTOR_SCOPES": ""})


def _log(level: str) -> None:
    """Log to stderr: warnings of all libraries, and the sandbox's own records according to `level`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    sandbox_logger.setLevel(level)


class _Printable(logging.Formatter):
    """Formats log lines with control characters escaped, so no request can control the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(super().format(record))
