"""The command line's calls of operations by name, with JSON in and out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx

from interactor_client.advice import operation_advice
from interactor_client.errors import DecodeError
from interactor_client.types import Operation, Page
from interactor_client.wire import path_segment
from interactor_ext import InteractorClient
from interactor_ext._engine import pages as _pages
from interactor_ext._engine.errors import ConfigurationError, ResponseValidationError
from interactor_ext._engine.responses.read import read_response

Json = dict[str, Any]


class Described(NamedTuple):
    """An operation with its documentation, parameters and body schema."""

    operation: Operation
    summary: str
    description: str
    parameters: tuple[Json, ...]
    """Path and query parameters, as in the contract."""
    namespaced: bool
    scopes: tuple[str, ...]
    body: Json | None
    """The schema of the request body."""
    shown_once: str | None
    """The path of a secret in the response that no later response shows."""

    @property
    def path_names(self) -> tuple[str, ...]:
        return tuple(each["name"] for each in self.parameters if each["in"] == "path")

    @property
    def query_names(self) -> tuple[str, ...]:
        return tuple(each["name"] for each in self.parameters if each["in"] == "query")

    @property
    def is_paged(self) -> bool:
        return {"page", "per_page"} <= set(self.query_names)

    def example(self) -> str:
        """Return a call with the contract's example of its body."""
        words = ["interactor api", self.operation.id, *(f"{name}=..." for name in self.path_names)]
        if self.namespaced:
            words.append("-n user_123")
        if self.body is not None and self.operation.server == "core":
            examples = self.body.get("examples") if self.body.get("properties") else None
            words.append(f"-d {shlex.quote(json.dumps((examples or [{'...': '...'}])[0], ensure_ascii=False))}")
        return " ".join(words)


@cache
def _document() -> Json:
    document: Json = json.loads(files("interactor_client").joinpath("openapi.json").read_text(encoding="utf-8"))
    return document


def resolve(schema: Json) -> Json:
    """Resolve a schema's reference, and keep the keywords next to it."""
    return {**_resolve(schema), **{key: value for key, value in schema.items() if key != "$ref"}}


def inlined(schema: Any, within: tuple[str, ...] = ()) -> Any:
    """Return a self-contained schema with all references inlined. A recursive reference becomes an empty schema."""
    if isinstance(schema, list):
        return [inlined(item, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(name := schema.get("$ref"), str):
        return {} if name in within else inlined(resolve(schema), (*within, name))
    return {key: inlined(value, within) for key, value in schema.items()}


@cache
def operations() -> dict[str, Described]:
    """Return every operation of the contract, by operationId."""
    return {
        spec["operationId"]: _described(item, spec)
        for item in _document()["paths"].values()
        for spec in item.values()
        if isinstance(spec, dict) and "operationId" in spec
    }


def scopes() -> set[str]:
    return {"admin"}.union(*(described.scopes for described in operations().values()))


def describe(operation_id: str) -> Described:
    """Return the operation with this id. Raises ConfigurationError if it isn't in the contract."""
    found = operations().get(operation_id)
    if found is None:
        close = operation_advice(operation_id, "") or get_close_matches(operation_id, operations(), n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "Run `interactor api` to list all operations."
        raise ConfigurationError(f"Unknown operation {operation_id!r}. {hint}")
    return found


def arguments(described: Described, given: Mapping[str, str], body: Any = None) -> dict[str, Any]:
    """Return the arguments of `httpx.Client.request`. Raises ConfigurationError for invalid parameters or body."""
    operation = described.operation
    unknown = given.keys() - {*described.path_names, *described.query_names}
    if unknown:
        known = ", ".join((*described.path_names, *described.query_names)) or "none"
        raise ConfigurationError(
            f"{operation.id} has no parameter {', '.join(sorted(unknown))} (its parameters: {known}). "
            "Pass a body with -d."
        )
    missing = [name for name in described.path_names if not given.get(name)]
    if missing or (body is None and described.body is not None and described.body.get("required")):
        raise ConfigurationError(f"Arguments are missing. Call it like this: {described.example()}")
    if body is not None and described.body is None:
        raise ConfigurationError(f"{operation.id} doesn't accept a body.")
    path = operation.path
    for name in described.path_names:
        path = path.replace(f"{{{name}}}", path_segment(name, given[name]))
    made: dict[str, Any] = {
        "method": operation.method,
        "url": path,
        "params": {name: given[name] for name in described.query_names if name in given},
        "headers": {"Accept": "text/event-stream"} if operation.stream else {},
        "extensions": {"operation": operation},
    }
    return made if body is None else {**made, "json": body}


def send(client: InteractorClient, request: dict[str, Any]) -> Any:
    """Send a request and return the response's JSON, or None without a body. Raises InteractorError."""
    return read_response(client.api.get_httpx_client().request(**request), _json)


def send_all(client: InteractorClient, request: dict[str, Any]) -> Iterator[Any]:
    """Yield every item of the list once."""

    def fetch(number: int) -> Page[Any]:
        params = {**request["params"], "page": number}
        answer = send(client, {**request, "params": params})
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise ResponseValidationError("The response isn't a list with `data`.", model="page", field="data")
        meta = {"has_more": answer.get("has_more"), **(answer.get("meta") or {})}
        envelope: Any = SimpleNamespace(data=answer["data"], meta=SimpleNamespace(**meta))
        return _pages.page_of(envelope, params)

    return _pages.iterate(fetch, 0)


def _json(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        raise DecodeError("JSON", "", "is expected. Is this the right server?") from None


def _described(item: Json, spec: Json) -> Described:
    name, tag = spec["operationId"], spec["tags"][0]
    parameters = [_resolve(each) for each in (*item.get("parameters", ()), *spec.get("parameters", ()))]
    content = _resolve(spec.get("requestBody", {})).get("content", {}).get("application/json", {})
    return Described(
        operation=import_module(f"interactor_client.api.{tag}.{name}").OPERATION,
        summary=spec.get("summary", ""),
        description=spec.get("description", ""),
        # Only browsers need the token in the query.
        parameters=tuple(each for each in parameters if each["in"] in ("path", "query") and each["name"] != "token"),
        namespaced=any(each["name"] == "X-Namespace" for each in parameters),
        scopes=tuple(spec.get("x-scopes", ())),
        body=_resolve(content["schema"]) if "schema" in content else None,
        shown_once=spec.get("x-shown-once"),
    )


def _resolve(schema: Json) -> Json:
    while "$ref" in schema:
        at: Any = _document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        schema = at
    return schema
