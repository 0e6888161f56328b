"""How models look in rich and IPython, and what they show of secrets there."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.lib.pretty import pretty
from rich.pretty import pretty_repr

from interactor_client import models
from interactor_client.types import Page, PageMeta
from tests.support.json_schema import COMPONENTS

SHOWN = [pytest.param(pretty_repr, id="rich"), pytest.param(pretty, id="IPython")]
TOOL = {"id": "tool_1", "name": "look_up", "description": "Looks up.", "parameters": {"type": "object"}}
ASSISTANT: dict[str, Any] = {
    "id": "asst_1",
    "name": "Support Bot",
    "model": "gpt-4",
    "system_prompt": "You are helpful, and you answer in one sentence.",
    "tools": [TOOL],
    "created_at": "2025-01-15T10:30:00Z",
    "updated_at": "2025-01-15T10:30:00Z",
}


@pytest.mark.parametrize("show", SHOWN)
def test_fields_that_are_unset_are_not_shown(show: Any) -> None:
    call = models.OAuthFlow.from_dict({"flow_id": "flow_1", "status": "pending"})
    assert show(call) == "OAuthFlow(flow_id='flow_1', status='pending')"


@pytest.mark.parametrize("show", SHOWN)
def test_long_model_is_one_field_a_line_with_models_indented_within(show: Any) -> None:
    lines = show(models.Assistant.from_dict(ASSISTANT)).splitlines()
    assert len(lines) > 7
    assert "    name='Support Bot'," in lines
    assert any(line.startswith(" " * 8) and "name='look_up'" in line for line in lines)


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize(
    ("name", "field"),
    [("CredentialToken", "access_token"), ("CredentialToken", "refresh_token"), ("Webhook", "secret")],
)
def test_secrets_and_undocumented_values_are_not_shown(show: Any, name: str, field: str) -> None:
    model = getattr(models, name).from_dict({**COMPONENTS[name]["examples"][0], field: "s3cr3t", "new": "s3cr3t"})
    for shown in (show(model), show(Page([model], PageMeta(1, 20, None, None, has_more=False)))):
        assert "s3cr3t" not in shown
        assert f"{field}='***'" in shown
        assert "additional_properties={'new': ...}" in shown


def test_model_within_itself_ends_in_ipython() -> None:
    loop = models.UnknownWebhookEvent.from_dict(
        {"id": "evt_1", "event": "new", "timestamp": None, "idempotency_key": "i", "namespace": None, "data": None}
    )
    loop.data = [loop]
    assert "data=[UnknownWebhookEvent(...)]" in pretty(loop)
    assert "data=[...]" in pretty_repr(loop)
