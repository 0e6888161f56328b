"""Dialects of the sandbox, each as it is sent and as the client reads it; and the contract at /openapi.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
import yaml

from interactor_client.models import Tool
from interactor_ext import InteractorClient
from interactor_ext.deprecation import InteractorDeprecationWarning
from interactor_ext.sandbox import Dialect, Sandbox
from interactor_ext.webhooks import WebhookVerifier
from tests.support import patient
from tests.support.sandbox_caller import DOCUMENT, Caller, problem
from tests.support.scripted_server import receiving

ALL: tuple[Dialect, ...] = get_args(Dialect)


@contextmanager
def speaking(*dialect: Dialect) -> Iterator[tuple[Sandbox, Caller, InteractorClient]]:
    with (
        Sandbox(dialect=dialect).run() as sandbox,
        Caller(sandbox) as caller,
        sandbox.client(namespace="user_1") as client,
    ):
        yield sandbox, caller, client


@pytest.mark.parametrize("dialect", [("current_page",), ALL])
def test_meta_with_current_page_and_total_count_is_read(dialect: Any) -> None:
    with speaking(*dialect) as (_, caller, client):
        for name in "abc":
            client.tools.create(name=name, description="", parameters={})
        meta = caller.get("/tools", params={"per_page": 2}).json()["meta"]
        assert meta == {"current_page": 1, "per_page": 2, "total_count": 3, "total_pages": 2}
        page = client.tools.list(page=2, per_page=2)
        assert (page.meta.page, page.meta.total, page.meta.has_more) == (2, 3, False)
        assert [tool.name for tool in client.tools.iterate(per_page=2)] == ["a", "b", "c"]


@pytest.mark.parametrize("dialect", [("whole_objects",), ALL])
def test_assistants_with_whole_objects_are_read(dialect: Any) -> None:
    with speaking(*dialect) as (_, caller, client):
        tool = client.tools.create(name="get_order", description="", parameters={})
        source = client.data_sources.create(name="Orders", type="url", config={"url": "https://shop.test"})
        bot = client.assistants.create(
            name="Bot", model="gpt-4", system_prompt="", tools=[tool.id], data_sources=[source.id]
        )
        sent = caller.read(f"/assistants/{bot.id}")
        assert (sent["tools"][0]["name"], sent["data_sources"][0]["name"]) == ("get_order", "Orders")
        for read in (bot, client.assistants.get(bot.id), client.assistants.list().data[0]):
            [whole] = read.tools
            assert isinstance(whole, Tool)
            assert whole == tool
        room = client.rooms.create(assistant_id=bot.id)
        assert client.messages.send(room.id, content="/tool get_order").tool_calls


@pytest.mark.parametrize("dialect", [("enabled",), ALL])
def test_webhooks_with_enabled_are_read_and_take_both_names(dialect: Any) -> None:
    with speaking(*dialect) as (_, caller, client):
        hook = {"url": "http://127.0.0.1:9/", "events": ["credential.expired"]}
        sent = caller.make("/webhooks", **hook, enabled=False)
        assert sent["enabled"] is False
        assert "active" not in sent
        assert client.webhooks.get(sent["id"]).active is False
        assert client.webhooks.update(sent["id"], active=True).active is True
        assert caller.patch(f"/webhooks/{sent['id']}", json={"enabled": False}).json()["data"]["enabled"] is False
        assert [each.active for each in client.webhooks.list().data] == [False]
        assert "enabled" in problem(caller.post("/tools", json={"enabled": 1}), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("dialect", [("bare_signature",), ALL])
def test_bare_signature_is_verified(dialect: Any) -> None:
    with receiving() as (receiver, url), speaking(*dialect) as (sandbox, _, client):
        hook = client.webhooks.create(url=url, events=["credential.connected"])
        sandbox.add_credential("google", namespace="user_1")
        [got] = receiver.wait(1)
        assert len(got.headers["x-interactor-signature"]) == 64
        assert got.verified(str(hook.secret), sandbox).data.provider == "google"
        assert WebhookVerifier(str(hook.secret)).verify(got.body, got.headers).namespace == "user_1"


def test_deprecation_true_warns() -> None:
    with speaking("deprecation_true") as (sandbox, caller, client):
        sandbox.deprecate("list_workflows", sunset=sandbox.clock.now() + 3600)
        assert caller.get("/workflows").headers["deprecation"] == "true"
        with pytest.warns(InteractorDeprecationWarning, match="/workflows"):
            client.workflows.list()


def test_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown dialect klingon: use current_page"):
        Sandbox(dialect=["klingon"])  # type: ignore[list-item]


@pytest.mark.parametrize("path", ["/openapi.yaml", "/api/v1/openapi.yaml"])
def test_openapi_yaml_is_the_contract_with_this_sandbox_for_servers(path: str) -> None:
    page = "http://localhost:3000"
    with Sandbox(allow_origins=[page]).run() as sandbox:
        url = sandbox.core_api_url.replace("/api/v1", path)
        response = patient.get(url, headers={"origin": page})
        assert (response.status_code, response.headers["content-type"]) == (200, "application/yaml")
        assert response.headers["access-control-allow-origin"] == page
        served = yaml.load(response.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        assert served["servers"] == [{"url": sandbox.core_api_url}]
        assert served["paths"]["/oauth/token"].pop("servers") == [{"url": sandbox.account_server_url}]
        expected = json.loads(json.dumps(DOCUMENT))
        del expected["paths"]["/oauth/token"]["servers"]
        assert served["paths"]["/oauth/token"] == expected["paths"]["/oauth/token"]
        assert served["components"] == expected["components"]
        assert patient.get(url, headers={"host": "evil.example"}).status_code == 403
