"""The operations of the contract that the package ships, as the tests need them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import NamedTuple

_METHODS = {"get", "put", "post", "delete", "patch"}


class ContractOperation(NamedTuple):
    id: str
    tag: str

    @property
    def method_name(self) -> str:
        """The operationId less the words of its tag, in the singular or the plural."""
        words = {word for name in self.tag.split("_") for word in (name, name.removesuffix("s"))}
        return "_".join(word for word in self.id.split("_") if word not in words)


def operations() -> list[ContractOperation]:
    document = json.loads(files("interactor_client").joinpath("openapi.json").read_text())
    return [
        ContractOperation(operation["operationId"], operation["tags"][0])
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in _METHODS
    ]
