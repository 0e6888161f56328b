"""What users call changes only on purpose: docs/explanation/public.md is the promise."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated, Any, get_type_hints

import pytest
from fastapi import Depends, FastAPI
from fastapi.exceptions import FastAPIError

from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorConfig
from tests.support import public_names


def test_public_names_and_their_signatures_are_those_of_the_committed_list() -> None:
    """A line that is gone breaks somebody's code: keep the old name or parameter for a minor release, with a
    DeprecationWarning. Then run `python -m tests.support.public_names`, and tell users in CHANGELOG.md.
    """
    committed, found = set(public_names.FILE.read_text(encoding="utf-8").splitlines()), set(public_names.lines())
    gone, new = sorted(committed - found), sorted(found - committed)
    assert gone == [], "these are in the list, and are gone or have changed: see the docstring"
    assert new == [], "if they are meant, `python -m tests.support.public_names` adds them to the list"


def test_public_modules_list_their_public_names() -> None:
    """`dir`, which editors and notebooks complete from."""
    for module in sorted({module for module, _, _ in public_names.public_names()}):
        if module.startswith("interactor_ext"):
            found = importlib.import_module(module)
            assert dir(found) == sorted(found.__all__), module


def test_annotations_of_public_callables_resolve() -> None:
    """pydantic, injectors and other readers of annotations evaluate them where the function is defined."""
    unresolved = []
    for module, name, value in public_names.public_names():
        members = dict(public_names.public_members(value)) if inspect.isclass(value) else {}
        found: dict[str, Any] = {"": value, ".__init__": getattr(value, "__init__", None)}
        for path, each in {**found, **{f".{member}": each for member, each in members.items()}}.items():
            if inspect.isclass(each) or inspect.isfunction(each):
                try:
                    get_type_hints(each)
                except ModuleNotFoundError:  # the package of an extra
                    pass
                except NameError as error:
                    unresolved.append(f"{module}.{name}{path}: {error}")
    assert unresolved == []
    assert get_type_hints(InteractorClient.__init__)["config"] == InteractorConfig | None


@pytest.mark.parametrize("client", [InteractorClient, AsyncInteractorClient])
def test_fastapi_refuses_a_client_as_dependency_before_it_serves(client: Any) -> None:
    """Its settings are no parameters of a request."""

    def page(given: object) -> None: ...

    page.__annotations__["given"] = Annotated[Any, Depends(client)]
    with pytest.raises(FastAPIError, match="Invalid args"):
        FastAPI().get("/")(page)
