"""Clients and their resources under `unittest.mock`."""

from __future__ import annotations

import inspect
from typing import Any
from unittest.mock import create_autospec, patch

import pytest

from interactor_ext import AsyncInteractorClient, InteractorClient
from tests.support.modes import done

both = pytest.mark.parametrize("cls", [InteractorClient, AsyncInteractorClient])
SETTINGS: dict[str, Any] = {"client_id": "c", "client_secret": "s"}


@both
async def test_patched_methods_and_resources_are_called_and_put_back(cls: Any) -> None:
    client = cls(**SETTINGS)
    for view in (client, client.namespace("user_1"), client.with_options(timeout=5)):
        before = view.assistants.list
        with patch.object(view.assistants, "list", return_value="page") as method:
            assert await done(view.assistants.list(per_page=5)) == "page"
        method.assert_called_once_with(per_page=5)
        assert view.assistants.list == before
        for name in ("assistants", "chat", "health"):
            before = getattr(view, name)
            with patch.object(view, name) as replacement:
                assert getattr(view, name) is replacement
            assert getattr(view, name) == before
    with patch.object(cls.assistants, "list", return_value="page"):
        assert await done(client.namespace("user_2").assistants.list()) == "page"


@both
async def test_autospec_of_a_client_has_the_methods_of_its_resources(cls: Any) -> None:
    for client in (
        create_autospec(cls, instance=True),
        create_autospec(cls)(**SETTINGS),
        create_autospec(cls(**SETTINGS)),
    ):
        client.assistants.get.return_value = "bot"
        result = client.assistants.get("asst_1")
        assert inspect.isawaitable(result) == (cls is AsyncInteractorClient)
        assert await done(result) == "bot"
        with pytest.raises(TypeError):
            await done(client.assistants.get())
        with pytest.raises(AttributeError):
            client.assistants.fetch("asst_1")
