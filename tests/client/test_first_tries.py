"""What somebody writes first who comes from another client: it works, or its error says what to write."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec, patch

import pytest

import interactor_ext
from interactor_client.models import Assistant
from interactor_client.types import Page, PageMeta
from interactor_ext import AsyncInteractorClient, InteractorClient, reset_clients
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import example
from interactor_ext.webhooks import CredentialExpiredEvent
from tests.support.contract import platform_operations

KEYS = {"client_id": "app_1", "client_secret": "s3cr3t"}

TRIES = Path(__file__).with_name("first_tries.txt").read_text()
SECTIONS: dict[str, str] = dict(re.findall(r"^\[(\w+)]\n(.+?)\n(?:\n|\Z)", TRIES, re.MULTILINE | re.DOTALL))
IMPORTS = """
from interactor_client.api.assistants import list_assistants
from interactor_ext import *
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookVerifier
"""


async def outcomes(section: str, names: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Runs the lines of a section one after the other: each, what its error should say, and what it says."""
    found = []
    for row in section.strip().splitlines():
        line, _, advice = row.partition(" -> ")
        said = ""
        try:
            code = compile(line, "first try", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if inspect.isawaitable(result):
                await result
        except (AttributeError, ImportError, TypeError) as error:
            said = str(error)
        found.append((line, advice, said))
    return found


@pytest.mark.parametrize("section", SECTIONS)
async def test_each_first_try_works_or_meets_advice(section: str, interactor_sandbox: Sandbox) -> None:
    names: dict[str, Any] = {}
    exec(IMPORTS, names)
    with InteractorClient() as client:
        async with AsyncInteractorClient() as twin:
            tried = twin if section == "PYTHON_ASYNC" else client
            found = await outcomes(SECTIONS[section], {**names, "client": tried, "user": tried.namespace("user_1")})
    reset_clients()
    assert [row for row in found if not (row[1] in row[2] if row[1] else row[2] == "")] == []


async def test_every_endpoint_function_names_the_api_of_a_client() -> None:
    with InteractorClient(**KEYS) as client:
        clients = {"sync": client.namespace("u"), "asyncio": AsyncInteractorClient(**KEYS).namespace("u")}
        for operation in platform_operations():
            module = importlib.import_module(f"interactor_client.api.{operation.tag}.{operation.id}")
            for name in ("sync", "sync_detailed", "asyncio", "asyncio_detailed"):
                function: Any = getattr(module, name, None)
                if function is None:
                    assert f"`{operation.tag}.stream` of a client does" in (module.__doc__ or "")
                    continue
                given = dict.fromkeys(inspect.signature(function).parameters, MagicMock())
                with pytest.raises(TypeError, match=r"InteractorClient: pass its \.api, as in client=user\.api"):
                    await function(**{**given, "client": clients[name.partition("_")[0]]})


def test_errors_keep_their_types_and_what_looks_names_up_finds_none() -> None:
    with InteractorClient(**KEYS) as client:
        for owner, name in (
            (client, "create_assistant"),
            (client.credentials, "revoke"),
            (Page([], PageMeta(1, 1, 0, 0, has_more=False)), "items"),
            (interactor_ext, "InteractorClientSync"),
        ):
            assert not hasattr(owner, name)
            assert getattr(owner, name, "default") == "default"
            with pytest.raises(AttributeError) as caught:
                getattr(owner, name)
            assert (type(caught.value), caught.value.name, caught.value.obj) == (AttributeError, name, owner)
        assert copy.copy(client.assistants)._sender is client.assistants._sender
        assert "create_assistant" not in dir(client)
        double = create_autospec(InteractorClient, instance=True)
        assert not hasattr(double, "create_assistant")
        with pytest.raises(AttributeError), patch.object(client, "create_assistant"):
            pass
    with pytest.raises(ImportError) as failed:
        exec("from interactor_ext import InteractorClientSync")
    assert (type(failed.value), failed.value.name) == (ImportError, "interactor_ext")
    assert str(failed.value.path).endswith("__init__.py")


def test_attribute_error_within_a_property_is_its_own() -> None:
    class Mine(InteractorClient):
        @property
        def tenant(self) -> str:
            return (None).strip()  # type: ignore[attr-defined, no-any-return]

    with Mine(**KEYS) as client, pytest.raises(AttributeError, match=r"^'NoneType' object has no attribute 'strip'$"):
        client.tenant  # noqa: B018


@pytest.mark.parametrize("expression", ["client.asistants", "client.assistants.crate"])
def test_python_says_itself_what_a_misspelt_attribute_may_be(expression: str) -> None:
    program = f"from interactor_ext import InteractorClient; client = InteractorClient(**{KEYS}); {expression}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    meant = {"client.asistants": "assistants", "client.assistants.crate": "create"}[expression]
    assert done.stderr.endswith(f"Did you mean: '{meant}'?\n")


def test_models_are_no_sequences_and_stay_what_they_were() -> None:
    for model in (example(Assistant), example(CredentialExpiredEvent)):
        with pytest.raises(TypeError, match="is not iterable"):
            iter(model)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="is not subscriptable: its fields are attributes, and to_dict"):
            model["nothing"]  # type: ignore[index]
        with pytest.raises(TypeError, match=r"is not subscriptable: write \.id$"):
            model["id"]  # type: ignore[index]
        assert pickle.loads(pickle.dumps(model)) == copy.deepcopy(model) == model


def test_nothing_that_advises_is_loaded_where_nothing_fails(interactor_sandbox: Sandbox) -> None:
    program = """
import copy, pickle, sys
from interactor_ext import InteractorClient, sse, webhooks
with InteractorClient() as client:
    page = client.namespace("user_1").assistants.list()
    copy.deepcopy(page), pickle.dumps(page), copy.copy(client.rooms), dir(client), repr(client)
    [getattr(client, name, None) for name in ("__deepcopy__", "_repr_html_", "_ipython_display_")]
print(*(name for name in sys.modules if name.endswith((".advice", "unsendable"))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
