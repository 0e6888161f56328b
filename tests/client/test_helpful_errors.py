"""Errors that say what was mistaken, and where it belongs: 404, keywords, with and async with, bodies, TLS, units."""

from __future__ import annotations

import decimal
import re
import warnings
from enum import Enum
from typing import Any

import pytest

from interactor_client.models import Assistant
from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    InteractorClient,
    NotFoundError,
    ServerError,
)
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform.handlers import HANDLERS
from interactor_ext.testing import example
from tests.support.modes import call, sync_and_async
from tests.support.wire import Wire

KEYS = {"client_id": "client_7f3a", "client_secret": "cs_9b2e"}


def test_404_quotes_no_secret_that_was_given_as_id(interactor_client: InteractorClient) -> None:
    secret = interactor_client.config.client_secret
    with pytest.raises(NotFoundError) as error:
        interactor_client.rooms.get(secret)
    assert secret not in str(error.value)


def test_operation_that_the_sandbox_lacks_says_so(
    interactor_client: InteractorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(HANDLERS, "get_oauth_status")
    with pytest.raises(
        ServerError, match=r"The sandbox doesn't support the operation get_oauth_status .*This server doesn't have"
    ):
        interactor_client.credentials.get_oauth_status("flow_1")


def test_405_names_the_variable_of_the_url(interactor_client: InteractorClient, interactor_sandbox: Sandbox) -> None:
    """As a web server of something else at this port answers."""
    interactor_sandbox.faults.add("list_rooms", status=405)
    with pytest.raises(APIStatusError, match=r"405 .*If it isn't the platform, check INTERACTOR_CORE_API_URL\."):
        interactor_client.rooms.list()


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"tags": {"a"}}, "metadata.tags is of type set, which JSON can't represent"),
        ({"a": [1, {"b": decimal.Decimal(1)}]}, r"metadata.a\[1\].b is of type Decimal"),
        ({"a": (1.5, float("inf"))}, r"metadata.a\[1\] is inf, a number that JSON can't represent"),
        ({"a": {b"k": 1}}, "metadata.a has a key of type bytes"),
        ({"a": "\ud800"}, "the body contains a lone surrogate"),
    ],
)
def test_body_that_is_no_json_names_the_field(metadata: Any, problem: str) -> None:
    with InteractorClient(**KEYS) as client, pytest.raises((TypeError, ValueError)) as error:
        client.rooms.create(assistant_id="asst_1", metadata=metadata)
    assert re.search(f"^POST /rooms: {problem}.*Nothing was sent.$", str(error.value))


def test_body_by_hand_that_is_no_json_names_the_field() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with InteractorClient(**KEYS) as client:
        with pytest.raises(TypeError, match=r"^POST /things: the body is of type object"):
            client.request("POST", "/things", json=object())
        with pytest.raises(ValueError, match=r"^POST /things: the body is nested too deeply, or contains itself"):
            client.request("POST", "/things", json=cycle)


class Chosen(str, Enum):  # noqa: UP042  (not a StrEnum, whose str is its value)
    ID = "asst_1"


FILTERS = [
    ("rooms", "assistant_id", ()),
    ("credentials", "provider", ()),
    ("credentials", "status", ()),
    ("data_sources", "type", ()),
    ("workflow_instances", "workflow_id", ()),
    ("workflow_instances", "status", ()),
    ("messages", "order", ("room_1",)),
]


@sync_and_async
@pytest.mark.parametrize(("tag", "name", "ids"), FILTERS, ids=lambda value: value if isinstance(value, str) else "")
def test_filter_that_is_no_text_is_refused_and_a_member_of_an_enum_sends_its_value(
    mode: str, tag: str, name: str, ids: tuple[str, ...]
) -> None:
    wire = Wire()
    bot = example(Assistant, system_prompt="Our prices are secret")
    wrong = [(bot, "Assistant: pass its id"), (["asst_1"], "list"), (5, "int"), ({"a": 1}, "dict"), (b"a", "bytes")]
    for method in ("list", "iterate"):
        for value, kind in wrong:
            with pytest.raises(ValueError, match=f"^{name} must be a string, not {kind}$"):
                call(mode, wire.settings, lambda client: getattr(getattr(client, tag), method)(*ids, **{name: value}))  # noqa: B023
        assert wire.requests == []
        call(mode, wire.settings, lambda client: getattr(getattr(client, tag), method)(*ids, **{name: Chosen.ID}))  # noqa: B023
        assert wire.requests.pop().url.params[name] == "asst_1"


@pytest.mark.parametrize("name", ["core_api_url", "account_server_url"])
def test_https_to_a_port_without_tls_says_so(interactor_sandbox: Sandbox, name: str) -> None:
    url = getattr(interactor_sandbox, name).replace("http://", "https://")
    with (
        interactor_sandbox.client(**{name: url, "max_retries": 0}) as client,
        pytest.raises(
            APIConnectionError, match=rf"doesn't use TLS. .*INTERACTOR_{name.upper()} must begin with http://"
        ),
    ):
        client.assistants.list()


def test_timeout_in_milliseconds_warns_once_that_the_unit_is_seconds() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            with InteractorClient(**KEYS, timeout=30_000) as client:
                client.with_options(max_retries=1).namespace("user_1")
        client.with_options(timeout=999)
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert str(warning.message).startswith("timeout=30000 is 500 minutes, because the unit is seconds: write 30 if")
    assert warning.filename == __file__
