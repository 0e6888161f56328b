"""`interactor webhooks trigger`: publishes an event on demand, signed here or delivered by the sandbox."""

from __future__ import annotations

import copy
import json
from typing import Annotated, Any

import typer

import interactor_ext
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.lazy import httpx
from interactor_ext.cli import operations
from interactor_ext.cli.deliveries import TIMEOUT, SecretFile, complete_event, post, secret_of, show_answer
from interactor_ext.cli.output import write_labeled
from interactor_ext.cli.sandbox import inspector_url
from interactor_ext.cli.settings import Insecure, Namespace, client_of
from interactor_ext.testing import deliveries


def trigger(
    event: Annotated[
        str, typer.Argument(help="Event type, such as credential.expired.", autocompletion=complete_event)
    ],
    namespace: Namespace = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="data.FIELD=VALUE", help="Change a field of the contract's example data. Repeatable."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Deliver to this URL, signed with the webhook's secret.")
    ] = None,
    secret_file: SecretFile = None,
    insecure: Insecure = False,
) -> None:
    """Publish an event: to the URL of --to, or in the sandbox, to every webhook that listens for it.

    Exits with status 1 unless the response from --to is a 2xx.
    """
    data = _data(event, namespace, changes or [])
    if to is None:
        with client_of(namespace, insecure) as client:
            _publish(client, event, data)
        return
    delivery = deliveries.WebhookFactory(secret_of(secret_file))(event, data, namespace=namespace)
    with httpx.Client(timeout=TIMEOUT) as client:
        answer = post(client, "--to", to, delivery.body, delivery.headers)
    show_answer(answer)
    if not answer.is_success:
        raise typer.Exit(1)


def _data(event: str, namespace: str | None, changes: list[str]) -> dict[str, Any]:
    """Return the contract's example data with the changes applied. Raises ConfigurationError."""
    if problem := deliveries.unknown_in(event, {}):
        raise ConfigurationError(f"{problem}.")
    described = deliveries.contract_events()[event]
    data = copy.deepcopy(described.example)
    if "namespace" in data:
        data["namespace"] = namespace
    for change in changes:
        path, equals, text = change.partition("=")
        root, *way = path.split(".")
        if not equals or root != "data" or not way:
            raise ConfigurationError(f"Can't parse --set {path}: write --set data.FIELD=VALUE.")
        if problem := deliveries.unknown_in(event, {way[0]: text}):
            raise ConfigurationError(f"{problem}.")
        at: Any = data
        for step in way[:-1]:
            at = at.setdefault(step, {}) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            raise ConfigurationError(f"--set {path} leads into a value that isn't an object.")
        at[way[-1]] = _value(text, operations.resolve(described.fields[way[0]]) if len(way) == 1 else {})
    return data


def _value(text: str, schema: dict[str, Any]) -> Any:
    """Parse JSON, or return the text unchanged. Where the contract has a string, 42 stays a string."""
    kinds = schema.get("type", ())
    if "string" in kinds and not (text == "null" and "null" in kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _publish(client: interactor_ext.InteractorClient, event: str, data: dict[str, Any]) -> None:
    namespace = client.config.namespace or ""
    listening = [each for each in client.webhooks.iterate() if each.active is not False and event in each.events]
    if not listening:
        raise ConfigurationError(
            f"No active webhook {f'of {namespace}' if namespace else 'without a namespace'} listens for {event}. Run "
            "`interactor webhooks listen --forward-to URL` at the same time, register a webhook, or pass --to URL."
        )
    control = inspector_url(client.config.core_api_url)
    asked = json.dumps({"event": event, "namespace": namespace, "data": data}).encode()
    headers = {"Content-Type": "application/json"}
    # The sandbox is on this machine or on the local network, so no proxy leads there.
    with httpx.Client(timeout=TIMEOUT, trust_env=False) as direct:
        answer = post(direct, "INTERACTOR_CORE_API_URL", f"{control}/events", asked, headers)
    if answer.status_code != 201:
        raise ConfigurationError(
            f"{client.config.core_api_url} isn't a sandbox, and only a sandbox publishes events on "
            "demand. Pass --to URL."
        )
    published = answer.json()
    receivers = ", ".join(each.url or each.id for each in listening)
    write_labeled(f"{event} ", "bold cyan", f"{published['id']} goes to {receivers}")
