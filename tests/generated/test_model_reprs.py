"""How models look in rich and IPython, and what they show of secrets there."""

from __future__ import annotations

from typing import Any

from IPython.lib.pretty import pretty
from rich.pretty import pretty_repr

from interactor_client import models
from interactor_client.types import Page, PageMeta
from tests.support.cases import for_each
from tests.support.json_schema import COMPONENTS, MODELS

SHOWN = [pretty_repr, pretty]
ASSISTANT = {**COMPONENTS["Assistant"]["examples"][0], "tools": COMPONENTS["Tool"]["examples"]}
# Hidden by their names wherever they occur, and by `x-secret` of their schemas.
SECRET_NAMES = {"access_token", "refresh_token", "client_secret", "secret", "token"}
MARKED = {
    ("DataSource", "config"),
    ("CreateDataSourceRequest", "config"),
    ("UpdateDataSourceRequest", "config"),
    ("OAuthAuthorization", "authorization_url"),
    ("OAuthAuthorization", "state"),
    ("CompleteOAuthRequest", "state"),
}
SECRETS = MARKED | {(name, field) for name in MODELS for field in SECRET_NAMES & set(COMPONENTS[name]["properties"])}


@for_each(SHOWN)
def test_long_model_is_one_set_field_a_line_with_models_indented_within(show: Any) -> None:
    lines = show(models.Assistant.from_dict(ASSISTANT)).splitlines()
    assert len(lines) > 7
    assert "    name='Support Bot'," in lines
    assert any(line.startswith(" " * 8) and "name='get_calendar_events'" in line for line in lines)
    call = models.OAuthFlow.from_dict({"flow_id": "flow_1", "status": "pending"})
    assert show(call) == "OAuthFlow(flow_id='flow_1', status='pending')"


def test_specification_marks_what_is_secret_without_being_called_so() -> None:
    assert {(name, field) for name in MODELS for field in COMPONENTS[name].get("x-secret", ())} == MARKED


@for_each(sorted(SECRETS))
def test_secrets_and_undocumented_values_are_not_shown(name: str, field: str) -> None:
    value = {"dsn": "postgres://bob:s3cr3t@db/x"} if field == "config" else "s3cr3t"
    example = COMPONENTS[name]["examples"][0]
    model = getattr(models, name).from_dict({**example, field: value, "new": "s3cr3t"})
    assert getattr(model, field) == value
    page = Page([model], PageMeta(1, 20, None, None, has_more=False))
    for shown in (repr(model), str(model), f"{[model]}", *(show(each) for show in SHOWN for each in (model, page))):
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
