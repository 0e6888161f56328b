"""`interactor webhooks`: receives, signs, verifies and replays deliveries."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Annotated, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import typer

from interactor_ext._errors import APIConnectionError, ConfigurationError, WebhookError, WebhookPayloadError
from interactor_ext._redaction import clean_text
from interactor_ext.cli.dead_letters import dead
from interactor_ext.cli.output import PrintableStream, write, write_json
from interactor_ext.webhooks import (
    InvalidWebhookEvent,
    MemoryEventStore,
    WebhookEvent,
    WebhookRouter,
    WebhookVerifier,
    parse_event,
    sign,
)

webhooks = typer.Typer(
    help="Receive, sign, check and repeat webhook deliveries.", no_args_is_help=True, rich_markup_mode=None
)
webhooks.add_typer(dead, name="dead")

SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", help="Where the webhook's secret stands; otherwise INTERACTOR_WEBHOOK_SECRET."),
]
Body = Annotated[
    str, typer.Argument(help="A file with the body, or with what `listen --save` has kept; - is the standard input.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
# The headers that verification needs, and the options that set them.
_SIGNED = {"x-interactor-signature": "--signature", "x-interactor-timestamp": "--timestamp"}


@webhooks.command()
def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8400,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    save: Annotated[
        Path | None, typer.Option(help="A folder to keep deliveries in, refused ones too, for `replay`.")
    ] = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Receive deliveries, verify them and show their events, until Ctrl-C."""
    router = WebhookRouter(WebhookVerifier(_secret(secret_file)), MemoryEventStore(ttl=math.inf))
    router.default(lambda event: _show_received(event, as_json))
    if save is not None:
        save.mkdir(mode=0o700, parents=True, exist_ok=True)
    application = _RecordingRouter(router, save, as_json)
    with make_server(host, port, application, _Server, _QuietRequestHandler) as server:
        if not as_json:
            write(f"Listening at http://{host}:{server.server_port}/ (Ctrl-C ends it).")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            write("", end="")


@webhooks.command(name="sign")
def sign_body(
    body: Body,
    event: Annotated[str | None, typer.Option(help="Adds X-Interactor-Event.")] = None,
    timestamp: Annotated[float | None, typer.Option(help="Unix seconds; now, if left out.")] = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the headers of a delivery with this body, in the format of curl's -H @FILE."""
    headers = sign(_read(body)[0], _secret(secret_file), timestamp=timestamp, event=event)
    if as_json:
        write_json(headers, compact=True)
    else:
        for name, value in headers.items():
            write(f"{name}: {value}")


@webhooks.command()
def verify(
    body: Body,
    signature: Annotated[str | None, typer.Option(help="Of the header X-Interactor-Signature.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Of the header X-Interactor-Timestamp.")] = None,
    any_age: Annotated[bool, typer.Option("--any-age", help="However long ago it was delivered.")] = False,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a delivery; the exit status is 1 if it is not genuine."""
    raw, kept = _read(body)
    given = zip(_SIGNED, (signature, timestamp), strict=True)
    headers = {**kept, **{name: value for name, value in given if value is not None}}
    if missing := _SIGNED.keys() - headers.keys():
        options = " and ".join(_SIGNED[name] for name in sorted(missing))
        raise ConfigurationError(f"A body alone proves nothing: pass {options} of the headers that it came with.")
    verifier = WebhookVerifier(_secret(secret_file), tolerance=None if any_age else 300)
    try:
        event = verifier.verify(raw, headers)
    except WebhookError as error:
        if not as_json:
            raise
        write_json({"genuine": False, "reason": str(error)}, compact=True)
        raise typer.Exit(1) from None
    if as_json:
        write_json({"genuine": True, "event": event.to_dict()}, compact=True)
    else:
        write("Genuine.", "green")
        _show(event.to_dict(), as_json=False)


@webhooks.command()
def replay(
    body: Body,
    to: Annotated[str, typer.Option(help="The URL that takes webhooks.")],
    times: Annotated[int, typer.Option(min=1, help="More than once shows how a receiver handles a duplicate.")] = 1,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Deliver a body with a new signature and timestamp. The exit status is 1 unless every response is a 2xx."""
    raw, _ = _read(body)
    headers = sign(raw, _secret(secret_file), event=_type_of(raw))
    accepted = True
    with httpx.Client(timeout=30) as client:
        for _ in range(times):
            try:
                answer = client.post(to, content=raw, headers=headers)
            except (httpx.InvalidURL, ValueError):
                # The error may contain a part of a password.
                raise ConfigurationError(
                    "--to is no URL of a receiver, such as http://localhost:8000/webhooks"
                ) from None
            except httpx.HTTPError as error:
                raise APIConnectionError(f"No answer from {to}: {error or type(error).__name__}") from error
            accepted = accepted and answer.is_success
            if as_json:
                write_json({"status": answer.status_code, "body": answer.text[:1000]}, compact=True)
            else:
                write(f"{answer.status_code} ", "green" if answer.is_success else "red", end="")
                write(clean_text(answer.text))
    if not accepted:
        raise typer.Exit(1)


@webhooks.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def work(context: typer.Context) -> None:
    """Run the handlers of queued events until SIGTERM or Ctrl-C; `--help` shows its options."""
    from interactor_ext.webhooks.worker._process import main

    raise typer.Exit(main(context.args, prog="interactor webhooks work"))


def _type_of(raw: bytes) -> str | None:
    """The event type of a body; None without one, or if no header can carry it: any body may be replayed."""
    with suppress(WebhookPayloadError):
        kind = parse_event(raw).event
        return kind if kind.isascii() and kind.isprintable() else None
    return None


def _secret(file: Path | None) -> str:
    secret = file.read_text(encoding="utf-8") if file else os.environ.get("INTERACTOR_WEBHOOK_SECRET", "")
    if not secret.strip():
        raise ConfigurationError("INTERACTOR_WEBHOOK_SECRET is not set. Set it, or name a file with --secret-file.")
    return secret.strip()


def _read(name: str) -> tuple[bytes, dict[str, str]]:
    """Read a body, and the headers of a saved delivery."""
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        kept = json.loads(raw)
        return kept["raw"].encode("utf-8", "surrogateescape"), dict(kept["headers"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return raw, {}


def _show(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(event, compact=True)
        return
    write(f"{event.get('event')} ", "bold cyan", end="")
    write(f"{event.get('id')} of {event.get('namespace') or 'no namespace'} at {event.get('timestamp')}")
    write_json(event.get("data"))


def _show_received(event: WebhookEvent, as_json: bool) -> None:
    _show(event.to_dict(), as_json)
    if isinstance(event, InvalidWebhookEvent) and not as_json:
        write("It does not fit its type, so typed handlers do not get it: ", "red", end="")
        write(clean_text(event.validation_error))


class _RecordingRouter:
    """WSGI application around the router: shows refused deliveries, and saves deliveries to files on demand."""

    def __init__(self, router: WebhookRouter, folder: Path | None, as_json: bool) -> None:
        self._router = router
        self._folder = folder
        self._as_json = as_json
        self._numbers = itertools.count(1)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), self._router.max_body + 1)
        body = environ["wsgi.input"].read(length)
        headers = {
            name: environ[f"HTTP_{name.upper().replace('-', '_')}"] for name in _SIGNED if self._has(environ, name)
        }
        answer = self._router.handle(body, headers, method=environ["REQUEST_METHOD"])
        if answer.status >= 400:
            self._refused(json.loads(answer.body)["error"], answer.status)
        if self._folder is not None and environ["REQUEST_METHOD"] == "POST":
            self._keep(self._folder, body, headers, answer.status)
        start_response(f"{answer.status} Answered", list(answer.headers.items()))
        return [answer.body]

    @staticmethod
    def _has(environ: dict[str, Any], name: str) -> bool:
        return f"HTTP_{name.upper().replace('-', '_')}" in environ

    def _refused(self, error: dict[str, str], status: int) -> None:
        if self._as_json:
            write_json({"status": status, "error": error}, compact=True)
        else:
            write(f"Refused with {status}: ", "red", end="")
            write(error["message"])

    def _keep(self, folder: Path, body: bytes, headers: dict[str, str], status: int) -> None:
        try:
            event = parse_event(body)
            what = f"{event.event}-{event.id}"
        except WebhookPayloadError:
            what = "unnamed"
        refused = f"refused-{status}-" if status >= 400 else ""
        name = re.sub(r"[^\w.-]", "_", f"{next(self._numbers):04}-{refused}{what}")[:120]
        text = json.dumps({"headers": headers, "raw": body.decode("utf-8", "surrogateescape")}, indent=2)
        file = folder / f"{name}.json"
        file.unlink(missing_ok=True)
        # Readable by its owner only, as it holds customers' data.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writable:
            writable.write(text)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        traceback.print_exc(file=PrintableStream())


class _QuietRequestHandler(WSGIRequestHandler):
    def get_stderr(self) -> Any:
        return PrintableStream()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that it has there)
        pass
