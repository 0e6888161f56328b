"""`interactor api`: calls any operation of the contract, with JSON in and out."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import interactor_ext
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.cli import description, operations
from interactor_ext.cli.answers import Answers
from interactor_ext.cli.output import confirmed, note, write_sections
from interactor_ext.cli.settings import Insecure, Namespace, client_of


def complete_operation(incomplete: str) -> list[tuple[str, str]]:
    return [(name, each.summary) for name, each in operations.operations().items() if name.startswith(incomplete)]


def complete_parameter(context: typer.Context, incomplete: str) -> list[str]:
    """Suggest `name=` for each parameter of the operation that isn't set yet."""
    described = operations.operations().get(context.params.get("operation") or "")
    given = {each.partition("=")[0] for each in context.params.get("parameters") or ()}
    names = [each["name"] for each in described.parameters] if described else []
    return [f"{name}=" for name in names if name not in given and name.startswith(incomplete)]


def api(
    operation: Annotated[str | None, typer.Argument(help="The operationId.", autocompletion=complete_operation)] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            help="Path and query parameters, as name=value.",
            metavar="[NAME=VALUE]...",
            autocompletion=complete_parameter,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="The body as JSON; @FILE reads it from a file, - from standard input."),
    ] = None,
    every_page: Annotated[bool, typer.Option("--all", help="Fetch the items of all pages, not of one.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many events of a stream, or items with --all.")
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Show the parameters and the body of the operation; send nothing.")
    ] = False,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Print only this field of the response, as text: data.id, data[0].id or data[].id."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the response to a file that only you can read, secrets included.")
    ] = None,
    show_secret: Annotated[bool, typer.Option("--show-secret", help="Don't mask secrets in the response.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking for confirmation.")] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help=(
                "Print one line of JSON (one per item with --all, and one per event of a stream). Applies to "
                "errors, too."
            ),
        ),
    ] = False,
    namespace: Namespace = None,
    insecure: Insecure = False,
) -> None:
    """Call any operation of the API. Without OPERATION, list all; OPERATION --describe shows its parameters.

    Secrets in a response are masked, unless you pass --output or --show-secret. An operation that shows a secret only
    once requires one of them.
    """
    if operation is None:
        known = [(name, each.operation) for name, each in operations.operations().items()]
        write_sections(((each.tag, name, f"{each.method:<7}{each.path}") for name, each in known), 30)
        return
    described = operations.describe(operation)
    if describe:
        description.show(described, as_json=as_json)
        return
    _refuse_misfits(described, every_page, limit, output)
    answers = Answers(output=output, field=field, show_secrets=show_secret, compact=as_json)
    answers.refuse_to_lose(described.shown_once, operation)
    given = dict(_pair(each) for each in parameters or ())
    with client_of(namespace, insecure) as client:
        body = _completed(described, _body(data), client)
        request = operations.arguments(described, given, body)
        if described.namespaced and client.config.namespace is None and "namespace" not in given:
            if client.config.require_namespace:
                raise ConfigurationError("Pass a namespace with -n: INTERACTOR_REQUIRE_NAMESPACE is set.")
            note("No namespace was given (-n): this call uses the OAuth client's default namespace.")
        if described.operation.method == "DELETE" and not yes and not confirmed(_question(described, given)):
            raise ConfigurationError("Nothing was deleted.")
        with answers.opened():
            if described.operation.stream:
                answers.put_each(_events(client, described, given, limit))
            elif every_page:
                answers.put_all(itertools.islice(operations.send_all(client, request), limit))
            else:
                answers.put(operations.send(client, request))


def _refuse_misfits(described: operations.Described, every_page: bool, limit: int | None, output: Path | None) -> None:
    """Raise ConfigurationError for options that don't apply to the operation."""
    operation = described.operation
    if every_page and not described.is_paged:
        raise ConfigurationError(f"{operation.id} isn't paged, so --all doesn't apply.")
    if limit is not None and not (operation.stream or every_page):
        raise ConfigurationError("--limit needs a stream or --all; a list accepts per_page=...")
    if operation.stream and output:
        raise ConfigurationError(
            f"--output writes a single response, and {operation.id} is a stream: redirect it with > FILE."
        )


def _question(described: operations.Described, given: dict[str, str]) -> str:
    what = " ".join(given[name] for name in described.path_names)
    return f"{described.operation.id} {what} can't be undone. Continue?"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r} isn't a parameter: write name=value, and pass a body with -d.")
    return name, value


def _body(data: str | None) -> Any:
    if data is None:
        return None
    text = sys.stdin.read() if data == "-" else data
    if data.startswith("@"):
        text = Path(data[1:]).read_text(encoding="utf-8-sig")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"The body isn't valid JSON: {error}.") from None


def _completed(described: operations.Described, body: Any, client: interactor_ext.InteractorClient) -> Any:
    """Add the client's credentials to the body of an account server operation, so users needn't type them."""
    names = (described.body or {}).get("properties", {})
    if described.operation.server != "account" or not names:
        return body
    config = client.config
    known = {"client_id": config.client_id, "client_secret": config.client_secret, "grant_type": "client_credentials"}
    return {**{name: value for name, value in known.items() if name in names}, **(body or {})}


def _events(
    client: interactor_ext.InteractorClient, described: operations.Described, given: dict[str, str], limit: int | None
) -> Iterator[Any]:
    """Yield the events of a stream, as JSON."""
    if client.config.namespace is None and "namespace" in given:
        client = client.namespace(given["namespace"])
    resource = getattr(client, described.operation.tag)
    with resource.stream(given[described.path_names[0]]) as stream:
        for event in itertools.islice(stream.raw(), limit):
            yield json.loads(event.data)
