"""The generated resource classes: what they take by position, what their docstrings name, and what they import."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from interactor_client import UNSET
from interactor_client.api.credentials import Credentials
from interactor_ext import ServerError
from tests.support.contract import platform_operations, resource_methods
from tests.support.modes import opened, sync_and_async
from tests.support.wire import Wire

METHODS = resource_methods()
# What methods take by position besides the ids of the path.
POSITIONAL = {
    ("messages", "send"): ["content"],
    ("rooms", "create"): ["assistant_id"],
    ("tools", "submit_result"): ["tool_call_id", "result"],
    ("workflow_instances", "start"): ["workflow_id"],
    ("workflow_instances", "submit_input"): ["body"],
    ("workflow_instances", "trigger_event"): ["event"],
    ("workflow_instances", "send_thread_message"): ["content"],
}


def test_docstrings_name_methods_and_no_operations() -> None:
    package = files("interactor_client")
    texts = {str(path): path.read_text() for path in Path(str(package)).rglob("*.py")}
    named = {
        f"{name}: `{operation.id}`"
        for operation in platform_operations()
        for name, text in texts.items()
        if f"`{operation.id}`" in text and operation.id != operation.method
    }
    assert named == set()
    assert "fetch one with `credentials.get_token`" in (inspect.getdoc(Credentials.list) or "")


@pytest.mark.parametrize("tag", METHODS)
def test_no_method_takes_token_namespace_or_idempotency_key(tag: str) -> None:
    """Ids of the path come by position, and after them what reads naturally; nothing else."""
    cls = getattr(import_module(f"interactor_client.api.{tag}"), "".join(word.capitalize() for word in tag.split("_")))
    for name in METHODS[tag]:
        taken = list(inspect.signature(getattr(cls, name)).parameters.values())[1:]
        given = {each.name for each in taken}
        assert not given & {"x_namespace", "namespace", "idempotency_key", "client"}
        assert ("token" in given) == ((tag, name) == ("oauth", "revoke_token"))
        positional = [each.name for each in taken if each.kind is each.POSITIONAL_OR_KEYWORD]
        added = POSITIONAL.get((tag, name), [])
        assert positional[len(positional) - len(added) :] == added
        assert all(each.endswith("_id") for each in positional[: len(positional) - len(added)])
        assert not [each for each in taken if each.kind is each.VAR_KEYWORD]
        for each in taken:
            assert name == "wait" or each.default in (each.empty, UNSET, None, "", 0, "client_credentials")


@sync_and_async
async def test_what_reads_naturally_is_taken_by_position_and_by_keyword(mode: str) -> None:
    wire = Wire(lambda request: httpx.Response(500))
    async with opened(mode, wire.settings) as client:
        for (tag, name), fields in POSITIONAL.items():
            method = getattr(getattr(client, tag), name)
            ids = ["id_1"] * (name not in ("create", "start"))
            values = {each: {"a": each} for each in fields}
            for positional, keywords in ((values.values(), {}), ((), values)):
                with suppress(ServerError):
                    await method(*ids, *positional, **keywords)
    sent = [(request.url.path, json.loads(request.content)) for request in wire.requests]
    assert sent[::2] == sent[1::2]
    result = {"tool_call_id": {"a": "tool_call_id"}, "result": {"a": "result"}}
    assert ("/api/v1/rooms/id_1/tool-results", result) in sent


def test_models_and_endpoints_are_imported_on_first_use() -> None:
    script = """
import sys
import interactor_client
from interactor_client.api import AsyncResources, Resources
lazy = ("interactor_client.models", "interactor_client.api.")
def loaded(): return sorted(name for name in sys.modules if name.startswith(lazy))
assert loaded() == [], loaded()
client = Resources()
client._sender = None
import interactor_client.models
assert loaded() == ["interactor_client.models"], loaded()
interactor_client.models.MessageDelta
assert loaded() == ["interactor_client.models", "interactor_client.models.message_delta"], loaded()
client.tools
assert "interactor_client.api.tools" in loaded() and "interactor_client.models.tool" in loaded(), loaded()
assert "interactor_client.models.room" not in loaded() and "interactor_client.api.tools.list_tools" not in loaded()
assert "dateutil" not in sys.modules and "attr" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
