"""Sync and async clients have the same names and parameters, and all of the contract's operations are there."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from interactor_client.api import AsyncResources, Resources
from interactor_ext import AsyncInteractorClient, InteractorClient
from tests.support.contract import resource_methods

METHODS = resource_methods()
TWINS = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}


def public(cls: type) -> dict[str, Any]:
    names = {name for name in dir(cls) if not name.startswith("_") or name in TWINS or name in TWINS.values()}
    # What raises where it is looked up stands in for a name of the twin.
    return {name: inspect.getattr_static(cls, name) for name in names if hasattr(cls, name)}


def parameters(function: Any) -> list[tuple[Any, ...]]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


def test_clients_have_the_same_names() -> None:
    sync, other = public(InteractorClient), public(AsyncInteractorClient)
    assert {TWINS.get(name, name) for name in sync} == set(other)


def test_clients_take_the_same_parameters() -> None:
    assert parameters(InteractorClient) == parameters(AsyncInteractorClient)
    for name, member in public(InteractorClient).items():
        twin = public(AsyncInteractorClient)[TWINS.get(name, name)]
        if inspect.isfunction(member):
            assert parameters(member) == parameters(twin), name
        else:
            assert type(member) is type(twin), name


def test_methods_that_send_are_coroutines_in_the_async_client_only() -> None:
    coroutines = {name for name, member in public(AsyncInteractorClient).items() if inspect.iscoroutinefunction(member)}
    assert {"get_access_token", "health", "room_stream_url", "workflow_stream_url", "aclose"} <= coroutines
    assert not any(inspect.iscoroutinefunction(member) for member in public(InteractorClient).values())


@pytest.mark.parametrize("tag", METHODS)
def test_every_operation_is_a_method_in_sync_and_async(tag: str) -> None:
    expected = METHODS[tag]
    module = import_module(f"interactor_client.api.{tag}")
    name = "".join(word.capitalize() for word in tag.split("_"))
    sync, other = getattr(module, name), getattr(module, f"Async{name}")
    hint = "run make generate, or edit tests/support/platform.txt"
    assert {method for method in vars(sync) if not method.startswith("_")} == expected, hint
    assert {method for method in vars(other) if not method.startswith("_")} == expected, hint
    for method in expected:
        assert parameters(getattr(sync, method)) == parameters(getattr(other, method)), method
        sends = method.split("_")[0] not in ("iterate", "stream")
        assert inspect.iscoroutinefunction(getattr(other, method)) == sends, method
        assert not inspect.iscoroutinefunction(getattr(sync, method))
    assert isinstance(vars(Resources)[tag], type(vars(AsyncResources)[tag]))
