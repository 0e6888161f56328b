"""Calls each operation of a generated package on a mock server, with values made from the types of its parameters:
`python call_everything.py PACKAGE URL`. Prints the status of each as JSON.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.resources
import inspect
import json
import pkgutil
import sys
import types
import typing
from typing import Any

import attrs
import httpx


def value_of(kind: Any, package: str) -> Any:
    """A value of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return value_of(next(each for each in arguments if each is not types.NoneType), package)
    if origin is list:
        return [value_of(arguments[0], package)]
    if attrs.has(kind):
        hints = typing.get_type_hints(kind)
        required = [each.name for each in attrs.fields(kind) if each.default is attrs.NOTHING]
        return kind(**{name: value_of(hints[name], package) for name in required})
    if inspect.isclass(kind) and kind.__name__ == "File":
        return kind(b"content", "file.txt", "text/plain")
    simple: dict[Any, Any] = {
        str: "a0000000-0000-4000-8000-000000000000",
        int: 1,
        float: 1.0,
        bool: True,
        bytes: b"content",
        datetime.date: datetime.date(2026, 1, 1),
        datetime.datetime: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    }
    return simple.get(kind, {})


class MockServer(httpx.HTTPTransport):
    """Sends what goes to one of these servers to the mock server instead."""

    def __init__(self, url: str, servers: set[str]) -> None:
        super().__init__()
        self.url, self.servers = url, servers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for server in self.servers:
            if str(request.url).startswith(server):
                request.url = httpx.URL(self.url + str(request.url).removeprefix(server))
        return super().handle_request(request)


def servers_of_operations(document: dict[str, Any]) -> set[str]:
    items = document["paths"].values()
    parts = [part for item in items for part in (item, *item.values()) if isinstance(part, dict)]
    return {server["url"] for part in parts for server in part.get("servers", ())}


def main(name: str, url: str) -> None:
    package = importlib.import_module(name)
    api = importlib.import_module(f"{name}.api")
    document = json.loads(importlib.resources.files(name).joinpath("openapi.json").read_text())
    schemes = document.get("components", {}).get("securitySchemes", {}).values()
    basic = any(each.get("scheme") == "basic" for each in schemes)
    headers = {"Authorization": "Basic dTpw" if basic else "Bearer token"}
    headers |= {each["name"]: "key" for each in schemes if each.get("in") == "header"}
    statuses: dict[str, int | str] = {}
    mock = MockServer(url, servers_of_operations(document))
    with package.Client(url, headers=headers, timeout=60, httpx_args={"transport": mock}) as client:
        for found in pkgutil.walk_packages(api.__path__, f"{name}.api."):
            module = importlib.import_module(found.name)
            if not hasattr(module, "sync_detailed"):
                continue
            function = module.sync_detailed
            hints = typing.get_type_hints(function)
            required = [
                each.name
                for each in inspect.signature(function).parameters.values()
                if each.default is inspect.Parameter.empty and each.name != "client"
            ]
            try:
                response = function(client=client, **{each: value_of(hints[each], name) for each in required})
            except httpx.HTTPError as error:
                statuses[found.name] = repr(error)
                continue
            statuses[found.name] = response.status_code
            if response.status_code == 404 and b"NO_PATH_MATCHED" in response.content:
                statuses[found.name] = "no such path"
    json.dump(statuses, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
