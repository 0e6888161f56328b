"""Operations, paths and schemas of the API contract, read from the client's openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from interactor_ext.sandbox.platform.schemas import Document, compiled, inlined, parts_of, without_nulls
from interactor_ext.sandbox.platform.validation import Parameter, problems_of
from interactor_ext.sandbox.problems import Problem, invalid

CORE_PREFIX = "/api/v1"
ACCOUNT_PREFIX = "/auth/api/v1"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class ContractOperation:
    """One operation of the contract.

    `open` operations need no token. `status` is the first documented success status.
    """

    id: str
    tag: str
    method: str
    path: str
    path_names: tuple[str, ...]
    open: bool
    scopes: frozenset[str]
    tier: str
    stream: bool
    status: int
    parameters: tuple[Parameter, ...]
    body: Draft202012Validator | None
    body_required: bool
    shown: Mapping[str, Any]
    """The fields of a success's `data`, with their schemas."""
    required: frozenset[str]
    """Those that it must have."""

    def read_parameters(self, place: str, given: Mapping[str, str]) -> dict[str, Any]:
        """Convert the parameters of one place (`query` or `header`). Raises Problem; ignores unknown parameters."""
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            name = parameter.name if place == "query" else parameter.name.lower()
            if parameter.place == place and name in given:
                values[parameter.name] = parameter.read(given[name])
        return values

    def namespace(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """Return the namespace from the header, or from the query if this operation accepts it there; "" without one.

        Raises Problem 400 if they contradict each other.
        """
        names = {parameter.name for parameter in self.parameters}
        by_header = headers.get("x-namespace", "") if "X-Namespace" in names else ""
        by_query = query.get("namespace", "") if "namespace" in names else ""
        if by_header and by_query and by_header != by_query:
            wrong = [("namespace", "differs from X-Namespace")]
            raise Problem(400, "The X-Namespace header and the query contradict each other.", details=wrong)
        return by_header or by_query

    def read_body(self, body: Any) -> Any:
        """Validate a body and remove optional fields that are null, which count as left out.

        Raises Problem with a detail for each invalid field.
        """
        if self.body is None:
            return body
        body = without_nulls(self.body.schema, body)
        if wrong := problems_of(self.body, body):
            raise invalid(*wrong)
        return body


class Contract:
    """The operations by id and by path, and the rate limit tiers."""

    def __init__(self, document: Document) -> None:
        self.tiers: Mapping[str, Mapping[str, int]] = document["x-rate-limit-tiers"]
        # The contract's example data of each webhook event.
        self.events: dict[str, dict[str, Any]] = dict(_events(document))
        self.operations: dict[str, ContractOperation] = {operation.id: operation for operation in _operations(document)}
        # By path and method. Fixed names go before ids: `{` sorts after every letter.
        self.paths: dict[str, dict[str, ContractOperation]] = {}
        for operation in sorted(self.operations.values(), key=lambda each: each.path):
            self.paths.setdefault(operation.path, {})[operation.method] = operation

    @property
    def scopes(self) -> frozenset[str]:
        """Return every scope that some operation needs, and `admin`, which includes them all."""
        return frozenset({"admin"}).union(*(operation.scopes for operation in self.operations.values()))


@lru_cache(maxsize=1)
def load_contract() -> Contract:
    return Contract(read_document())


def read_document() -> Document:
    text = files("interactor_client").joinpath("openapi.json").read_text(encoding="utf-8")
    document: Document = json.loads(text)
    return document


def _events(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for schema in document["components"]["schemas"].values():
        if schema.get("x-event-family") == "WebhookEvent" and "const" in schema["properties"]["event"]:
            yield schema["properties"]["event"]["const"], schema["examples"][0]["data"]


def _operations(document: Document) -> Iterator[ContractOperation]:
    for path, item in document["paths"].items():
        # Only the account server's paths have servers of their own.
        prefix = ACCOUNT_PREFIX if "servers" in item else CORE_PREFIX
        for method in METHODS:
            if method in item:
                yield _operation(document, prefix + path, method, item)


def _operation(document: Document, path: str, method: str, item: Document) -> ContractOperation:
    spec = inlined(document, item[method])
    status, success = next((code, answer) for code, answer in spec["responses"].items() if code.startswith("2"))
    listed = [*inlined(document, item.get("parameters", [])), *spec.get("parameters", ())]
    outside = [each for each in listed if each["in"] != "path"]
    request = spec.get("requestBody", {})
    schema = request.get("content", {}).get("application/json", {}).get("schema")
    envelope = success.get("content", {}).get("application/json", {}).get("schema", {})
    shown = parts_of(envelope.get("properties", {}).get("data", {}))
    return ContractOperation(
        id=spec["operationId"],
        tag=spec["tags"][0],
        method=method.upper(),
        path=path,
        path_names=tuple(part[1:-1] for part in path.split("/") if part.startswith("{")),
        open=spec.get("security", document.get("security")) == [],
        scopes=frozenset(spec.get("x-scopes", ())),
        tier=spec.get("x-rate-limit-tier", "standard"),
        stream=bool(success.get("x-event-stream")),
        status=int(status),
        parameters=tuple(Parameter(each["name"], each["in"], compiled(each["schema"])) for each in outside),
        body=None if schema is None else compiled(schema),
        body_required=request.get("required", False),
        shown={name: field for part in shown for name, field in part.get("properties", {}).items()},
        required=frozenset(name for part in shown for name in part.get("required", ())),
    )
