"""Tokens of stream URLs: one scope, one kind of stream, apart from the client's own token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interactor_client.api.rooms import stream_room
from interactor_client.api.workflow_instances import stream_workflow_instance
from interactor_ext import AuthenticationError, ConfigurationError
from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.modes import call, in_turn, sync_and_async
from tests.support.sandbox_caller import DOCUMENT, Caller, problem
from tests.support.scripted_server import Asked, OddServer, js, token_answer
from tests.support.token_stores import RecordedStore
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.token_fixtures"]
pytestmark = pytest.mark.usefixtures("awaited_token_stores")

KINDS = {
    "room_stream_url": ("rooms:read", stream_room.OPERATION),
    "workflow_stream_url": ("workflows:read", stream_workflow_instance.OPERATION),
}


def url(name: str, **options: Any) -> Callable[[Any], Any]:
    """A call of a client for a stream URL."""
    return lambda client: getattr(client, name)("x", **options)


def token_in(url: str) -> str:
    [token] = parse_qs(urlsplit(url).query)["token"]
    return token


def tokens_of(mode: str, server: OddServer, *names: str, **options: Any) -> list[str]:
    """The tokens in these stream URLs, one after the other."""
    return [token_in(found) for found in in_turn(mode, server.settings, *(url(name, **options) for name in names))]


def never(asked: Asked) -> None:
    raise AssertionError(asked)


def bodies(server: OddServer) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in server.token_requests]


@pytest.mark.parametrize("name", KINDS)
def test_scope_is_that_of_the_contract(name: str) -> None:
    scope, operation = KINDS[name]
    assert DOCUMENT["paths"][operation.path]["get"]["x-scopes"] == [scope]


@sync_and_async
def test_each_kind_of_stream_url_has_one_token_with_its_scope(mode: str) -> None:
    with OddServer(never) as server:
        tokens = tokens_of(mode, server, *KINDS, *KINDS)
        assert tokens == ["token_1", "token_2", "token_1", "token_2"]
        rooms, workflows = bodies(server)
        core = server.settings["core_api_url"]
        assert (rooms["scope"], rooms["resource"]) == ("rooms:read", f"{core}/rooms/*/stream")
        assert (workflows["scope"], workflows["resource"]) == ("workflows:read", f"{core}/workflow-instances/*/stream")


@sync_and_async
def test_shared_token_store_keeps_narrow_and_broad_tokens_apart(mode: str) -> None:
    # The client itself has the scope of a stream URL, and no other.
    with OddServer(never) as server:
        store = RecordedStore()
        settings = {**server.settings, "scopes": ["rooms:read"], "token_store": store}
        for _ in range(2):
            own, *urls = in_turn(mode, settings, lambda client: client.get_access_token(), *map(url, KINDS))
            assert [own, *map(token_in, urls)] == ["token_1", "token_2", "token_3"]
            eventually(lambda: len(store.saved) == 3)
    assert len(server.token_requests) == 3


@sync_and_async
@pytest.mark.parametrize("granted", [{"scope": "rooms:read"}, {}, {"scope": None}], ids=["the same", "absent", "null"])
def test_granted_scope_that_is_the_same_or_absent_is_narrow(mode: str, granted: dict[str, Any]) -> None:
    answer = js(200, {"access_token": "narrow", "expires_in": 900, **granted})
    with OddServer(never, lambda asked: answer) as server:
        assert tokens_of(mode, server, "room_stream_url") == ["narrow"]


@sync_and_async
@pytest.mark.parametrize(
    "granted", ["admin", "rooms:read rooms:write", "", "workflows:read", ["rooms:read", "admin"], 1]
)
def test_other_granted_scope_raises_configuration_error(mode: str, granted: object) -> None:
    answer = js(200, {"data": {"access_token": "broad_token", "scope": granted}})
    with OddServer(never, lambda asked: answer) as server:
        with pytest.raises(
            ConfigurationError, match=r"only the scope rooms:read.*interactor_ext\.relay.*allow_broad_token"
        ) as e:
            tokens_of(mode, server, "room_stream_url", allow_broad_token="no")  # only True allows it
        assert "broad_token" not in str(e.value).replace("allow_broad_token", "")


def refuses(status: int, body: dict[str, Any]) -> Any:
    def answer_token(asked: Asked) -> bytes:
        return js(status, body) if "scope" in json.loads(asked.body) else token_answer("own")

    return answer_token


REFUSALS = [
    (400, {"error": "invalid_scope", "error_description": "no such scope"}),
    (403, {"error": {"code": "FORBIDDEN", "message": "This client may not have it."}}),
    (422, {"error": {"code": "VALIDATION_ERROR", "message": "scope: unknown"}}),
]


@sync_and_async
@pytest.mark.parametrize(("status", "body"), REFUSALS, ids=["invalid_scope", "403", "422"])
def test_refused_scope_raises_configuration_error(mode: str, status: int, body: dict[str, Any]) -> None:
    refused = pytest.raises(ConfigurationError, match=rf"only the scope rooms:read.*\b{status}\b")
    with OddServer(never, refuses(status, body)) as server, refused:
        tokens_of(mode, server, "room_stream_url")


@sync_and_async
def test_allow_broad_token_gives_the_own_token_and_asks_once(mode: str) -> None:
    with OddServer(never, refuses(*REFUSALS[1])) as server:
        store = RecordedStore()
        calls = [url("room_stream_url", allow_broad_token=True)] * 5
        urls = in_turn(mode, {**server.settings, "token_store": store}, *calls)
        assert [token_in(found) for found in urls] == ["own"] * 5
        assert len(server.token_requests) == 2  # one refusal, one own token
    assert len(store.keys) == 4  # before and after the store was locked, for each of the two


@sync_and_async
def test_allow_broad_token_changes_nothing_where_the_server_narrows(mode: str, sandbox: Sandbox) -> None:
    found = call(mode, sandbox._with_connection({}), url("room_stream_url", allow_broad_token=True))
    with Caller(sandbox, token=token_in(found)) as caller:
        problem(caller.get("/rooms"), 403, "FORBIDDEN")


@sync_and_async
def test_server_that_refuses_resource_is_asked_for_the_scope_alone(mode: str) -> None:
    def strict(asked: Asked) -> bytes:
        body = json.loads(asked.body)
        if "resource" in body:
            return js(422, {"error": {"code": "VALIDATION_ERROR", "message": "resource: unknown field"}})
        return token_answer(body["scope"].replace(":", "_"))

    with OddServer(never, strict) as server:
        assert tokens_of(mode, server, "room_stream_url") == ["rooms_read"]


@sync_and_async
@pytest.mark.parametrize("refusal", [(401, {}), (400, {"error": "invalid_client"})], ids=["401", "invalid_client"])
def test_wrong_secret_is_an_authentication_error(mode: str, refusal: tuple[int, dict[str, Any]]) -> None:
    with OddServer(never, lambda asked: js(*refusal)) as server:
        with pytest.raises(AuthenticationError):
            tokens_of(mode, server, "room_stream_url", allow_broad_token=True)
        assert len(server.token_requests) == 1


@sync_and_async
def test_401_to_the_own_token_replaces_the_tokens_of_stream_urls(mode: str, sandbox: Sandbox) -> None:
    rooms = lambda client: client.rooms.list()  # noqa: E731
    stream = url("room_stream_url")
    revoke = lambda client: sandbox.revoke_tokens()  # noqa: E731
    _, before, _, _, after = in_turn(mode, sandbox._with_connection({}), rooms, stream, revoke, rooms, stream)
    assert token_in(before) != token_in(after)
    assert [patient.get(each).status_code for each in (before, after)] == [401, 404]
