"""The generated models: every example of the specification, and invalid values of every kind."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.lib.pretty import pretty
from rich.pretty import pretty_repr

from interactor_client import UNSET, DecodeError, Unset, models
from interactor_client.models import Assistant, CredentialToken, MessageDelta, Room, Tool
from interactor_client.types import Page, PageMeta
from interactor_client.wire import as_datetime, to_json
from tests.support.json_schema import COMPONENTS, EXAMPLES, MODELS

ASSISTANT, TOOL = COMPONENTS["Assistant"]["examples"][0], COMPONENTS["Tool"]["examples"][0]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def without_time_notation(value: Any) -> Any:
    """JSON in which two notations of one time are equal."""
    if isinstance(value, dict):
        return {name: without_time_notation(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_time_notation(item) for item in value]
    if isinstance(value, str) and value[4:5] == "-" and "T" in value:
        return datetime.fromisoformat(value)
    return value


def refusal(name: str, body: Any) -> DecodeError | None:
    try:
        getattr(models, name).from_dict(body).to_dict()
    except DecodeError as error:
        return error
    return None


def test_example_round_trips_through_its_model_which_can_be_copied_and_pickled(subtests: pytest.Subtests) -> None:
    for name, example in EXAMPLES:
        with subtests.test(name=name):
            before = copy.deepcopy(example)
            model = getattr(models, name).from_dict(example)
            assert example == before
            assert without_time_notation(model.to_dict()) == without_time_notation(example)
            assert vars(model) == model.to_dict()
            assert set(model.additional_properties) == set(example) - set(COMPONENTS[name]["properties"])
            model = getattr(models, name).from_dict({**example, "brand_new": {"a": [1]}})
            assert model.additional_properties["brand_new"] == model.to_dict()["brand_new"] == {"a": [1]}
            for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
                assert twin == model
                assert twin.to_dict() == model.to_dict()


def test_page_can_be_copied_and_pickled_and_is_plain_json() -> None:
    page = Page([Assistant.from_dict(ASSISTANT)], PageMeta(1, 20, None, None, has_more=False))
    for twin in (copy.copy(page), copy.deepcopy(page), pickle.loads(pickle.dumps(page))):
        assert twin == page
    meta = {"page": 1, "per_page": 20, "total": None, "total_pages": None, "has_more": False}
    assert json.loads(json.dumps(page.to_dict())) == {"data": [page.data[0].to_dict()], "meta": meta}


OF_ANY_TYPE: list[Any] = [None, True, 5, 1.5, "text", "", [], [1], [None], {}, {"type": []}, 10**400]
OF_ANY_TYPE += [float("nan"), float("inf")]


def test_value_that_does_not_fit_is_decoded_or_raises_error_that_names_its_field(subtests: pytest.Subtests) -> None:
    for name, example in EXAMPLES:
        with subtests.test(name=name):
            for field in example:
                for value in OF_ANY_TYPE:
                    error = refusal(name, {**example, field: value})
                    assert error is None or (error.root == name and error.path.startswith(field))
            others = {"string": 5, "integer": "x", "number": "x", "boolean": "true", "array": "x", "object": []}
            for field, schema in COMPONENTS[name]["properties"].items():
                if str(schema.get("type")) in others and schema.get("format") != "date-time":
                    error = refusal(name, {**example, field: others[schema["type"]]})
                    assert error is not None
                    assert (error.model, error.field) == (name, field)
            for field in COMPONENTS[name].get("required", []) if "x-bare" not in COMPONENTS[name] else []:
                if field in COMPONENTS[name].get("x-absent", {}):
                    continue
                error = refusal(name, {key: value for key, value in example.items() if key != field})
                assert error is not None
                assert (error.model, error.field, error.problem) == (name, field, "is missing")
            for body in ("text", None, [], 5, UNSET):
                error = refusal(name, body)
                assert error is not None
                assert (error.model, error.field) == (name, "")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(MODELS), data=st.data())
def test_any_json_is_decoded_or_raises_decode_error(name: str, data: st.DataObject) -> None:
    fields = list(COMPONENTS[name]["properties"])
    body = data.draw(st.dictionaries(st.sampled_from(fields) | st.text(max_size=3), json_values, max_size=6))
    error = refusal(name, body)
    assert error is None or error.root == name


# What is nearly right


def test_null_is_kept_in_a_nullable_field_and_unset_in_an_optional_one() -> None:
    meta = models.PaginationMeta.from_dict({"page": None, "total": 3})
    assert (meta.page, meta.to_dict()) == (UNSET, {"total": 3})
    tool = Tool.from_dict({**TOOL, "callback_url": None})
    assert tool.callback_url is tool.to_dict()["callback_url"] is None
    assert Tool.from_dict(TOOL).callback_url is UNSET


# What creation makes optional, or has no word of, and what it reads as when a server says null or nothing.
ABSENT = {
    "AccessToken": {"token_type": None},
    "Assistant": {"name": "", "system_prompt": "", "tools": [], "data_sources": [], "created_at": None},
    "Credential": {"provider": "", "status": None, "scopes": [], "updated_at": None, "expires_at": None},
    "CredentialToken": {"expires_in": None, "refresh_token": UNSET, "scope": UNSET},
    "DataSource": {"semantic_mappings": []},
    "Message": {"content": "", "tool_calls": UNSET},
    "MessageDelta": {"content": ""},
    "Room": {"namespace": "", "metadata": {}},
    "ThreadMessage": {"content": ""},
    "Tool": {"callback_url": UNSET},
    "ToolCall": {"arguments": {}, "result": UNSET},
    "Webhook": {"id": "", "url": None, "secret": UNSET, "active": None},
    "Workflow": {"description": ""},
    "WorkflowInstance": {"namespace": "", "context": {}},
    "WorkflowState": {"type": None, "actions": UNSET, "transitions": UNSET, "presentation": UNSET},
    "WorkflowStateChanged": {"context": {}},
    "WorkflowThread": {"messages": []},
    "WorkflowTransition": {"condition": UNSET, "event": UNSET},
}


def test_fields_that_creation_makes_optional_may_be_null_or_absent_in_responses(subtests: pytest.Subtests) -> None:
    for model, field, expected in [(model, *each) for model, fields in ABSENT.items() for each in fields.items()]:
        with subtests.test(model=model):
            cls = getattr(models, model)
            example = COMPONENTS[model]["examples"][0]
            absent = cls.from_dict({name: value for name, value in example.items() if name != field})
            null = cls.from_dict({**example, field: None})
            assert getattr(absent, field) == expected
            assert getattr(null, field) == (None if expected is UNSET else expected)
            # And what was read can be written as it came, and read again; an assigned value is written.
            assert field not in absent.to_dict()
            if expected is not UNSET:
                assert null.to_dict()[field] is None
                assert (absent.left_out, null.left_out) == (
                    {**null.left_out, field: UNSET},
                    {**absent.left_out, field: None},
                )
            for read in (absent, null):
                assert cls.from_dict(json.loads(json.dumps(read.to_dict()))) == read
                setattr(read, field, getattr(cls.from_dict(example), field, UNSET))
                assert read.to_dict() == cls.from_dict(example).to_dict()


def test_free_json_is_a_plain_dict_of_its_own() -> None:
    body = {"id": "r", "assistant_id": "a", "created_at": 0}
    room = Room.from_dict({**body, "metadata": {"email": "x", "n": [1]}})
    assert type(room.metadata) is dict
    assert room.metadata == {"email": "x", "n": [1]}
    Room.from_dict(body).metadata["email"] = "x"
    assert Room.from_dict(body).metadata == {}


def test_union_of_id_and_object_is_decoded_by_json_type() -> None:
    assistant = Assistant.from_dict({**ASSISTANT, "tools": ["tool_0", TOOL]})
    assert assistant.tools == ["tool_0", Tool.from_dict(TOOL)]
    assert assistant.to_dict()["tools"] == ["tool_0", TOOL]


def test_integer_accepts_whole_float_and_refuses_boolean() -> None:
    token = {"access_token": "t", "token_type": "Bearer"}
    expires_in = CredentialToken.from_dict({**token, "expires_in": 900.0}).expires_in
    assert (expires_in, type(expires_in)) == (900, int)
    for wrong in (True, 900.5, float("nan")):
        with pytest.raises(DecodeError, match=r"CredentialToken\.expires_in must be an integer"):
            CredentialToken.from_dict({**token, "expires_in": wrong})


@pytest.mark.parametrize("text", ["soon", "", "9.5", "-1", "٤", "9" * 5000])
def test_expires_in_that_is_no_number_raises_decode_error(text: str) -> None:
    with pytest.raises(DecodeError, match=r"AccessToken\.expires_in must be an integer, not a string"):
        models.AccessToken.from_dict({"access_token": "t", "token_type": "Bearer", "expires_in": text})


def test_wrong_constant_raises_decode_error() -> None:
    assert MessageDelta(content="Hello").to_dict() == {"type": "message.delta", "content": "Hello"}
    with pytest.raises(DecodeError, match=r"MessageDelta\.type must be 'message\.delta', not another value"):
        MessageDelta.from_dict({"type": "message.other", "content": "Hello"})


def test_decode_error_names_the_path_and_not_the_value() -> None:
    body = {"data": [ASSISTANT, {**ASSISTANT, "tools": ["tool_0", {**TOOL, "name": ["sk_live_1"]}]}]}
    with pytest.raises(DecodeError) as caught:
        models.AssistantListResponse.from_dict(body)
    error = caught.value
    assert (error.model, error.field) == ("Tool", "name")
    assert (error.root, error.path) == ("AssistantListResponse", "data[1].tools[1].name")
    assert str(error) == (
        "Tool.name must be a string, not an array (at data[1].tools[1].name of AssistantListResponse)"
    )
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# Requests


def test_request_holds_only_set_fields_and_none_only_where_it_is_a_value() -> None:
    update = models.UpdateAssistantRequest
    assert update(name="New").to_dict() == {"name": "New"}
    assert update().to_dict() == update(name=None).to_dict() == {}  # type: ignore[arg-type]
    assert update(tools=[], temperature=0).to_dict() == {"tools": [], "temperature": 0}
    state = models.WorkflowState(name="a", type="terminal")
    request = models.CreateWorkflowRequest(name="Order", description=None, initial_state="a", states=[state])
    assert set(request.to_dict()) == {"name", "initial_state", "states"}
    assert models.SubmitToolResultRequest(tool_call_id="tc_1", result=None).to_dict()["result"] is None


def test_times_are_serialized_as_iso_8601() -> None:
    moment = datetime(2025, 1, 2, 3, 4, 5, 600000, tzinfo=timezone(timedelta(hours=2)))
    assert to_json({"at": [moment, moment.date()]}) == {"at": ["2025-01-02T03:04:05.600000+02:00", "2025-01-02"]}


# Times

HALF_PAST_TEN = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
SECONDS = 1736937000
NOTATIONS = {
    HALF_PAST_TEN: [
        *("2025-01-15T10:30:00Z", "2025-01-15T10:30:00", "2025-01-15 10:30:00", "2025-01-15T10:30"),
        *("2025-01-15T10:30:00.0Z", "2025-01-15T10:30:00.000000000000Z", "2025-01-15t10:30:00z", "20250115T103000Z"),
        *("2025-01-15T12:30:00+02:00", "2025-01-15T12:30:00+0200", "2025-015T10:30:00Z", "2025-01-15 10:30:00 UTC"),
        *("Wed, 15 Jan 2025 10:30:00 GMT", datetime(2025, 1, 15, 10, 30), HALF_PAST_TEN),
        *(SECONDS, float(SECONDS), str(SECONDS), f"{SECONDS}.0"),
        *(SECONDS * 10**3, SECONDS * 10**6, SECONDS * 10**9, f"{SECONDS}000", f"{SECONDS}000000"),
    ],
    datetime(2025, 1, 15, tzinfo=UTC): ["2025-01-15", "20250115", "2025-01-14T24:00:00Z"],
    datetime(2025, 1, 15, 10, 30, 0, 100_000, tzinfo=UTC): ["2025-01-15T10:30:00.1Z"],
    datetime(2025, 1, 15, 10, 30, 0, 123_456, tzinfo=UTC): ["2025-01-15T10:30:00.123456789Z"],
    # A leap second becomes the second before.
    datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC): ["2016-12-31T23:59:60Z"],
}


def test_time_in_every_notation_is_decoded_with_a_zone(subtests: pytest.Subtests) -> None:
    for value, moment in ((value, moment) for moment, values in NOTATIONS.items() for value in values):
        with subtests.test(value=value):
            decoded = as_datetime("Model", "created_at", value)
            assert decoded == moment
            assert decoded.utcoffset() is not None
            assert pickle.loads(pickle.dumps(decoded)) == decoded


def test_invalid_time_raises_decode_error(subtests: pytest.Subtests) -> None:
    for value in [
        *(None, True, [], {}, "", " ", "soon", "10:30", "January", "nan", "inf", "-inf", "1e300", "9" * 400),
        *(float("nan"), float("inf"), -float("inf"), 1e300, 10**400, -(10**30), "2025-13-45T99:99:99Z"),
        *("2025-01-15T10:30:00 PST", "2025-01-15T10:30:00+99:99", "0000-00-00T00:00:00Z", "2025-01-15T10:30:00Zjunk"),
        *("\ud800", "1\x00", "((((", "1e1e1", "-", "2025-", "2016-12-31T23:60:00Z"),
    ]:
        with subtests.test(value=value):
            with pytest.raises(DecodeError) as caught:
                as_datetime("Model", "created_at", value)
            assert (caught.value.model, caught.value.field) == ("Model", "created_at")


@settings(max_examples=300, deadline=None)
@given(value=st.text(alphabet=st.sampled_from("0123456789-:+.TZ ewJanUTCPM/,()\u00e9"), max_size=30) | json_values)
def test_any_value_becomes_a_time_with_zone_or_raises_decode_error(value: Any) -> None:
    with contextlib.suppress(DecodeError):
        moment = as_datetime("Model", "created_at", value)
        assert moment.utcoffset() is not None
        moment.isoformat()


# How models look in rich and IPython, and what they show of secrets

SHOWN = [pretty_repr, pretty]
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


@pytest.mark.parametrize("show", SHOWN)
def test_long_model_is_one_set_field_a_line_with_models_indented_within(show: Any) -> None:
    lines = show(Assistant.from_dict({**ASSISTANT, "tools": [TOOL]})).splitlines()
    assert len(lines) > 7
    assert "    name='Support Bot'," in lines
    assert any(line.startswith(" " * 8) and "name='get_calendar_events'" in line for line in lines)
    call = models.OAuthFlow.from_dict({"flow_id": "flow_1", "status": "pending"})
    assert show(call) == "OAuthFlow(status='pending', flow_id='flow_1')"


def test_specification_marks_what_is_secret_without_being_called_so() -> None:
    assert {(name, field) for name in MODELS for field in COMPONENTS[name].get("x-secret", ())} == MARKED


@pytest.mark.parametrize(("name", "field"), sorted(SECRETS))
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


# UNSET, and what is loaded


def test_unset_is_a_falsy_singleton() -> None:
    for twin in (copy.copy(UNSET), copy.deepcopy(UNSET), pickle.loads(pickle.dumps(UNSET)), copy.deepcopy([UNSET])[0]):
        assert twin is UNSET
    assert not UNSET
    assert repr(UNSET) == str(UNSET) == "UNSET"
    assert isinstance(UNSET, Unset)


def test_every_event_type_has_a_model_and_every_family_a_fallback() -> None:
    for family, members in models.EVENT_MODELS.items():
        assert "" in members
        for constant, class_name in members.items():
            assert class_name in models.__all__
            assert COMPONENTS[class_name]["x-event-family"] == family
            assert not constant or constant in json.dumps(COMPONENTS[class_name]["properties"])
        assert len(getattr(models, family).__args__) == len(members)
    assert len(models.EVENT_MODELS["StreamEvent"]) == 8


def test_every_name_in_all_and_dir_of_models_loads() -> None:
    assert {*models.__all__} <= {*dir(models)}
    for name in models.__all__:
        assert getattr(models, name) is getattr(models, name)
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = getattr(models, "Nonsense")  # noqa: B009 - type checkers know that it is not there
