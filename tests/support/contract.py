"""The operations and events of the contract: written by hand as the platform has them, and as the package ships
them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

PLATFORM = Path(__file__).with_name("platform.txt")
# What a webhook can subscribe to, also by hand, in the order of openapi.yaml.
EVENTS = [
    *(f"credential.{name}" for name in ("connected", "refreshed", "expired", "revoked", "error")),
    *(f"room.message.{name}" for name in ("created", "updated")),
    *(f"room.tool_call.{name}" for name in ("pending", "completed")),
    *(
        f"workflow.instance.{name}"
        for name in ("started", "state_changed", "halted", "completed", "failed", "cancelled")
    ),
]
_METHODS = {"get", "put", "post", "delete", "patch"}


class ContractOperation(NamedTuple):
    id: str
    tag: str

    @property
    def method_name(self) -> str:
        """The operationId without the words of its tag, in the singular or the plural."""
        words = {word for name in self.tag.split("_") for word in (name, name.removesuffix("s"))}
        return "_".join(word for word in self.id.split("_") if word not in words)


class PlatformOperation(NamedTuple):
    tag: str
    id: str
    resource_method: str
    http_method: str
    path: str
    successes: str


def platform_operations() -> list[PlatformOperation]:
    found, tag = [], ""
    for line in PLATFORM.read_text().splitlines()[2:]:
        if line.endswith(":"):
            tag = line.removesuffix(":")
        else:
            found.append(PlatformOperation(tag, *line.split()))
    return found


def resource_methods() -> dict[str, set[str]]:
    """The methods of each resource class: one per operation, `iterate` for each `list`, and those that make several
    calls."""
    ensured = ("assistants", "rooms", "webhooks", "workflows")
    methods = {"workflow_instances": {"question", "wait"}, **{tag: {"ensure"} for tag in ensured}}
    for operation in platform_operations():
        of_tag = methods.setdefault(operation.tag, set())
        of_tag.add(operation.resource_method)
        if operation.resource_method.split("_")[0] == "list":
            of_tag.add(operation.resource_method.replace("list", "iterate", 1))
    return methods


def operations() -> list[ContractOperation]:
    document = json.loads(files("interactor_client").joinpath("openapi.json").read_text())
    return [
        ContractOperation(operation["operationId"], operation["tags"][0])
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in _METHODS
    ]
