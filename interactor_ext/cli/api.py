"""`interactor api`: calls any operation of the contract, with JSON in and out."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from interactor_ext import InteractorClient
from interactor_ext._errors import ConfigurationError
from interactor_ext.cli import description, operations
from interactor_ext.cli.output import console, note, write, write_json
from interactor_ext.cli.settings import Environment, Namespace, settings


def complete_operation(incomplete: str) -> list[tuple[str, str]]:
    return [(name, each.summary) for name, each in operations.operations().items() if name.startswith(incomplete)]


def api(
    operation: Annotated[str | None, typer.Argument(help="Its operationId.", autocompletion=complete_operation)] = None,
    parameters: Annotated[
        list[str] | None, typer.Argument(help="Parameters of path and query, as name=value.", metavar="[NAME=VALUE]...")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="The body as JSON; @FILE reads a file, - the standard input.")
    ] = None,
    every_page: Annotated[bool, typer.Option("--all", help="Every item of every page, not one page.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="In place of one that is made up.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many events of a stream, or items of --all.")
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Show what the operation takes, and send nothing.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write the answer to a file that only you can read, secrets included.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="On one line (of a stream, and with --all: a line each).")
    ] = False,
    namespace: Namespace = None,
    environment: Environment = None,
) -> None:
    """Call any operation of the API. Without one, list them all; OPERATION --describe shows what one takes.

    Secrets in an answer are masked; --output is the way to get at them.
    """
    if operation is None:
        _list(as_json)
        return
    described = operations.describe(operation)
    if describe:
        description.show(described, as_json=as_json)
        return
    if every_page and not described.is_paged:
        raise ConfigurationError(f"{operation} has no pages.")
    if limit is not None and not (described.operation.stream or every_page):
        raise ConfigurationError(
            f"--limit is for streams and for --all; {operation} takes per_page=..."
            if described.is_paged
            else f"--limit is for streams and for --all, and {operation} is neither a stream nor a list."
        )
    given = dict(_pair(each) for each in parameters or ())
    with InteractorClient(**settings(environment, namespace)) as client:
        body = _completed(described, _body(data), client)
        request = operations.arguments(described, given, body)
        view = client if idempotency_key is None else client.with_options(idempotency_key=idempotency_key)
        if described.namespaced and client.config.namespace is None and "namespace" not in given:
            note("No namespace was given (-n): this call acts in the default namespace of the OAuth client.")
        if described.operation.stream:
            _follow(view, described, given, limit)
        elif every_page:
            items = itertools.islice(operations.send_all(view, request), limit)
            _put(list(items), output) if output or not as_json else _put_lines(items)
        else:
            _put(operations.send(view, request), output, compact=as_json)


def _list(as_json: bool) -> None:
    if as_json:
        about = {
            name: {"method": each.operation.method, "path": each.operation.path, "summary": each.summary}
            for name, each in operations.operations().items()
        }
        write_json(about, compact=True)
        return
    tag = ""
    for name, each in operations.operations().items():
        if each.operation.tag != tag:
            tag = each.operation.tag
            write(f"\n{tag}", "bold")
        write(f"  {name:<30}", "cyan", end="")
        write(f"{each.operation.method:<7}{each.operation.path}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r} is no parameter: write name=value, and a body with -d.")
    return name, value


def _body(data: str | None) -> Any:
    if data is None:
        return None
    text = sys.stdin.read() if data == "-" else data
    if data.startswith("@"):
        text = Path(data[1:]).read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"The body is not JSON: {error}.") from None


def _completed(described: operations.Described, body: Any, client: InteractorClient) -> Any:
    """Add the client's credentials to the body of an account server operation, so that nobody has to type them."""
    names = (described.body or {}).get("properties", {})
    if described.operation.server != "account" or not names:
        return body
    config = client.config
    known = {"client_id": config.client_id, "client_secret": config.client_secret, "grant_type": "client_credentials"}
    return {**{name: value for name, value in known.items() if name in names}, **(body or {})}


def _follow(
    client: InteractorClient, described: operations.Described, given: dict[str, str], limit: int | None
) -> None:
    if client.config.namespace is None and "namespace" in given:
        client = client.namespace(given["namespace"])
    resource = getattr(client, described.operation.tag)
    with resource.stream(given[described.path_names[0]]) as stream:
        for number, event in enumerate(stream.raw(), 1):
            try:
                write_json(json.loads(event.data), compact=True)
            except ValueError:
                write(event.data)
            if number == limit:
                return


def _put(answer: Any, output: Path | None, *, compact: bool = False) -> None:
    if output is None:
        if answer is not None:
            write_json(answer, compact=compact)
        elif console.is_terminal:
            write("Done; there is nothing to show.", "green")
        return
    with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        os.chmod(output, 0o600)  # for a file that existed before
        json.dump(answer, file, ensure_ascii=False, indent=2)
    write(f"Written to {output}.")


def _put_lines(items: Any) -> None:
    for item in items:
        write_json(item, compact=True)
