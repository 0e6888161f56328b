"""`python -m interactor_ext.sandbox`: serves the sandbox to other processes until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import sys

from interactor_ext._redaction import escape_controls
from interactor_ext.sandbox._sandbox import Sandbox

EPILOG = "Stop it with Ctrl-C. Without --data, state is in memory and ends with the process."


def main(arguments: list[str] | None = None, *, prog: str = "python -m interactor_ext.sandbox") -> int:
    """Returns the exit status: 0 after Ctrl-C, 1 if the port or a file can't be used. `prog` is for its help."""
    options = _parser(prog).parse_args(arguments)
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(asctime)s %(message)s"))
    logging.basicConfig(level=options.log_level.upper(), handlers=[handler])
    try:
        sandbox = Sandbox(
            token_lifetime=options.token_lifetime,
            enforce_limits=options.enforce_limits,
            word_delay=options.word_delay,
            data=options.data,
            seed=options.seed,
            allowed_hosts=options.allow_host,
            allow_origins=options.allow_origin,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{escape_controls(str(error))}\n")
        return 1

    def announce() -> None:
        exports = "\n".join(f"export {name}={value}" for name, value in sandbox.env.items())
        sys.stdout.write(f"Interactor sandbox at {sandbox.core_api_url}\n\n{exports}\n\n{EPILOG}\n")
        sys.stdout.flush()

    try:
        sandbox.serve(options.port, host=options.host, announce=announce)
    except OSError as error:
        sys.stderr.write(f"Can't listen on {options.host} port {options.port}: {error.strerror or error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stdout.write("\nStopped.\n")
    return 0


class _Printable(logging.Formatter):
    """Formats log lines with control characters escaped, so that no request can drive the terminal or forge a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the name that it has there)
        record.message = record.message.replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(super().format(record))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: they go from 0 to 65535")
    return int(text)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The Interactor platform on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=8765, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="log level"
    )
    parser.add_argument("--token-lifetime", type=float, default=3600, help="seconds until an access token expires")
    parser.add_argument("--enforce-limits", action="store_true", help="answer 429 beyond the documented rate limits")
    parser.add_argument("--word-delay", type=float, default=0.03, help="seconds between two words of a streamed answer")
    parser.add_argument("--data", metavar="FILE", help="keep state in this SQLite file; made if there is none")
    parser.add_argument("--seed", metavar="FILE", help="JSON file of what is there from the start")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="answer under this host name, too, besides addresses and local names; may be given again",
    )
    parser.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="let pages of this origin, as http://localhost:3000, call the API (CORS); may be given again",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
