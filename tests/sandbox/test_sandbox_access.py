"""Tokens, scopes, namespaces and rate limits of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from interactor_ext import PermissionDeniedError
from interactor_ext.sandbox import Clock, Sandbox
from interactor_ext.sandbox.platform.contract import load_contract
from tests.support import patient
from tests.support.sandbox_caller import (
    OPERATIONS,
    Caller,
    ask_for_token,
    check_response,
    fetch_token,
    listening,
    problem,
    revoke,
    seed_file,
)

pytest_plugins = ["tests.support.sandbox_fixtures"]

Another = Callable[..., Caller]


@pytest.mark.parametrize(
    "fields", [{"client_id": "nobody"}, {"client_secret": "guess"}, {"client_secret": "gu\u00e9ss"}]
)
def test_wrong_client_credentials_return_401(sandbox: Sandbox, fields: dict[str, str]) -> None:
    response = ask_for_token(sandbox, **fields)
    problem(response, 401, "AUTH_ERROR")
    assert "guess" not in response.text
    problem(revoke(sandbox, "t", **fields), 401, "AUTH_ERROR")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic abc", "Bearer nonsense", "bearer \u00e9"])
def test_call_without_valid_token_returns_401(sandbox: Sandbox, authorization: str) -> None:
    headers = {"authorization": authorization.encode()} if authorization else {}
    response = patient.get(f"{sandbox.core_api_url}/assistants", headers=headers)
    check_response(response)
    problem(response, 401, "AUTH_ERROR")
    assert response.headers["www-authenticate"] == "Bearer"


def test_token_expires_by_sandbox_clock(sandbox: Sandbox, caller: Caller, another: Another) -> None:
    sandbox.clock.advance(3500)
    assert caller.get("/assistants").status_code == 200
    sandbox.clock.advance(101)
    assert "expired" in caller.get("/assistants").text
    assert another().get("/assistants").status_code == 200
    # Also once it is forgotten, as it is when the next token is made: the token itself says so.
    assert "expired" in caller.get("/assistants").text


def test_revoked_token_returns_401_and_only_its_client_can_revoke(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.add_client("other", "secret")
    token = caller.headers["authorization"].removeprefix("Bearer ")
    for client, status in (({"client_id": "other", "client_secret": "secret"}, 200), ({}, 401)):
        assert revoke(sandbox, token, **client).is_success
        assert caller.get("/assistants").status_code == status
    with Caller(sandbox) as anew:
        sandbox.revoke_tokens()
        problem(anew.get("/assistants"), 401, "AUTH_ERROR")


def test_every_operation_requires_scope_of_contract(sandbox: Sandbox, another: Another) -> None:
    scopes = load_contract().scopes - {"admin"}
    for scope in scopes:
        with_it = another(token=fetch_token(sandbox, scope=scope))
        without_it = another(token=fetch_token(sandbox, scope=" ".join(scopes - {scope})))
        for method, path, operation in OPERATIONS.values():
            if operation.get("x-scopes") == [scope] and operation.get("x-rate-limit-tier") != "streaming":
                url = sandbox.core_api_url.removesuffix("/api/v1") + path.pattern.replace("[^/]+", "x").replace(
                    "\\", ""
                )
                assert with_it.request(method, url).status_code != 403, operation["operationId"]
                assert without_it.request(method, url).status_code == 403, operation["operationId"]


def test_client_gets_no_scope_beyond_its_own(sandbox: Sandbox) -> None:
    sandbox.add_client("worker", "secret", scopes=["workflows:execute", "workflows:read"])
    worker = {"client_id": "worker", "client_secret": "secret"}
    assert ask_for_token(sandbox, **worker).json()["data"]["scope"] == "workflows:execute workflows:read"
    assert ask_for_token(sandbox, **worker, scope="workflows:read").json()["data"]["scope"] == "workflows:read"
    problem(ask_for_token(sandbox, **worker, scope="admin"), 403, "FORBIDDEN")
    sandbox.add_client(sandbox.client_id, "changed", scopes=["rooms:read"])
    problem(ask_for_token(sandbox), 401, "AUTH_ERROR")
    sandbox.reset()
    problem(ask_for_token(sandbox, **worker), 401, "AUTH_ERROR")
    assert ask_for_token(sandbox).json()["data"]["scope"] == "admin"
    assert "scope" in problem(ask_for_token(sandbox, scope="assistants:rite"), 422, "VALIDATION_ERROR")
    with pytest.raises(ValueError, match="assistants:rite"):
        sandbox.add_client("typo", "secret", scopes=["assistants:rite"])


def test_namespaces_are_isolated(sandbox: Sandbox, another: Another) -> None:
    token = fetch_token(sandbox)
    callers = [another(name, token=token) for name in (None, "user_1", "user_2", "b\u00fcro \u00df/\u6771")]
    for one in callers:
        room = one.room()
        one.make(f"/rooms/{room['id']}/messages", content="Hello")
        for other in callers:
            status = 200 if other is one else 404
            for path in (f"/rooms/{room['id']}", f"/rooms/{room['id']}/messages", f"/rooms/{room['id']}/stream"):
                if other is not one or not path.endswith("stream"):
                    assert other.get(path).status_code == status
            assert (room in other.read("/rooms")) is (other is one)
            body = {"assistant_id": room["assistant_id"]}
            assert other.post("/rooms", json=body).status_code == (201 if other is one else 422)
    assert {record.namespace for record in sandbox.requests} == {"", "user_1", "user_2", "b\u00fcro \u00df/\u6771"}


def of_client(sandbox: Sandbox, client_id: str = "app") -> str:
    return fetch_token(sandbox, client_id=client_id, client_secret="app_secret")


def test_client_gets_403_outside_its_namespaces(sandbox: Sandbox, another: Another) -> None:
    sandbox.add_client("app", "app_secret", namespaces=["user_1", "user_2"])
    token = of_client(sandbox)
    rooms = {name: another(name, token=token).get("/rooms") for name in ("user_1", "user_2", "user_3", None)}
    assert [each.status_code for each in rooms.values()] == [200, 200, 403, 403]
    problem(rooms["user_3"], 403, "FORBIDDEN")
    assert "without a namespace" in rooms[None].json()["error"]["message"]
    anonymous = another(None, token=token)
    assert anonymous.get("/rooms", params={"namespace": "user_2"}).status_code == 200
    problem(anonymous.get("/rooms", params={"namespace": "user_3"}), 403, "FORBIDDEN")
    problem(another("user_3", token=token).post("/rooms", json={}), 403, "FORBIDDEN")
    with sandbox.client(client_id="app", client_secret="app_secret") as client:
        assert client.namespace("user_1").rooms.list().data == []
        with pytest.raises(PermissionDeniedError):
            client.namespace("user_3").rooms.list()


def test_client_without_namespaces_may_use_all(sandbox: Sandbox, another: Another) -> None:
    sandbox.add_client("app", "app_secret")
    assert another("user_3", token=of_client(sandbox)).get("/rooms").status_code == 200
    sandbox.add_client("app", "app_secret", namespaces=[""])
    assert another(None, token=of_client(sandbox)).get("/rooms").status_code == 200
    problem(another("user_3", token=of_client(sandbox)).get("/rooms"), 403, "FORBIDDEN")


def test_single_string_for_a_list_is_refused(sandbox: Sandbox) -> None:
    for name in ("namespaces", "scopes"):
        with pytest.raises(ValueError, match=f"{name} must be a list of strings, not the single string 'user_1'"):
            sandbox.add_client("app", "app_secret", **{name: "user_1"})  # type: ignore[arg-type]
    for name in ("allowed_hosts", "allow_origins", "dialect"):
        with pytest.raises(ValueError, match=f"{name} must be a list of strings, not the single string 'tunnel'"):
            Sandbox(**{name: "tunnel"})  # type: ignore[arg-type]


def test_added_clients_and_their_namespaces_survive_restart_until_reset(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    with Sandbox(data=path).run() as sandbox:
        sandbox.add_client("app", "app_secret", scopes=["rooms:read"], namespaces=["user_1"])
        token = of_client(sandbox)
    with Sandbox(data=path, client_secret="another").run() as sandbox:
        with Caller(sandbox, token=token) as caller:
            assert caller.get("/rooms").status_code == 200
            problem(caller.get("/tools"), 403, "FORBIDDEN")
        with Caller(sandbox, "user_2", token=of_client(sandbox)) as caller:
            problem(caller.get("/rooms"), 403, "FORBIDDEN")
        sandbox.reset()
    with Sandbox(data=path).run() as sandbox:
        problem(ask_for_token(sandbox, client_id="app", client_secret="app_secret"), 401, "AUTH_ERROR")


def test_clients_of_seed_may_use_their_namespace(tmp_path: Path) -> None:
    client = {"client_id": "app", "client_secret": "app_secret"}
    wide = {**client, "client_id": "wide", "scopes": ["rooms:read"], "namespaces": None}
    with Sandbox(seed=seed_file(tmp_path, {"user_1": {"clients": [client, wide]}})).run() as sandbox:
        sandbox.reset()
        for client_id, status in (("app", 403), ("wide", 200)):
            with Caller(sandbox, "user_2", token=of_client(sandbox, client_id)) as caller:
                assert caller.get("/rooms").status_code == status
    for wrong, place in (({"scopes": ["fly"]}, ": unknown"), ({"id": "x"}, ".id: isn't a field")):
        seed = seed_file(tmp_path, {"user_1": {"clients": [{**client, **wrong}]}})
        with pytest.raises(ValueError, match=rf"user_1\.clients\[0\]{place}"):
            Sandbox(seed=seed)


def test_namespace_may_be_in_the_query_and_must_not_contradict_the_header(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    with Caller(sandbox, None) as other:
        assert other.read("/rooms?namespace=user_1") == [room]
        assert other.get(f"/rooms/{room['id']}?namespace=user_1").status_code == 404
    assert caller.read("/rooms?namespace=user_1") == [room]
    refused = caller.get("/rooms?namespace=user_2")
    assert "namespace" in problem(refused, 400, "API_ERROR")


def test_stream_accepts_token_and_namespace_in_query(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    token = caller.headers.pop("authorization").removeprefix("Bearer ")
    namespace = caller.headers.pop("x-namespace")
    params = {"token": token, "namespace": namespace}
    with listening(caller, f"/rooms/{room['id']}/stream", params=params) as stream:
        sandbox.emit(room["id"], {"type": "message.delta", "content": "Hi"})
        stream.until("message.delta")
    problem(caller.get(f"/rooms/{room['id']}/stream", params={**params, "token": "no"}), 401, "AUTH_ERROR")
    problem(caller.get(f"/rooms/{room['id']}", params=params), 401, "AUTH_ERROR")
    assert token not in repr(list(sandbox.requests))


def still_clock() -> Clock:
    """A clock that only moves by advance(): real time must not refill a bucket during a test."""
    return Clock(speed=1e-9)


def test_rate_limits_are_counted_but_not_enforced_by_default() -> None:
    with Sandbox(clock=still_clock()).run() as sandbox, Caller(sandbox) as caller:
        answers = [caller.get("/assistants") for _ in range(60)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].headers["x-ratelimit-scope"] == "namespace"
    assert answers[0].headers["x-ratelimit-limit"] == "300"
    counted = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert counted == [*range(294, -6, -6), *[0] * 10]


def test_enforced_rate_limits_return_429() -> None:
    clock = still_clock()
    with Sandbox(enforce_limits=True, clock=clock).run() as sandbox, ExitStack() as stack:
        token = fetch_token(sandbox)
        tenants = [stack.enter_context(Caller(sandbox, f"user_{number}", token=token)) for number in range(3)]
        assert {tenants[0].get("/assistants").status_code for _ in range(50)} == {200}
        refused = tenants[0].get("/assistants")
        problem(refused, 429, "RATE_LIMITED")
        assert (refused.headers["retry-after"], refused.headers["x-ratelimit-remaining"]) == ("1", "0")
        assert int(refused.headers["x-ratelimit-reset"]) > clock.now()
        assert {tenants[1].get("/assistants").status_code for _ in range(50)} == {200}
        everyone = tenants[2].get("/assistants")
        problem(everyone, 429, "RATE_LIMITED")
        assert everyone.headers["x-ratelimit-scope"] == "client"
        clock.advance(float(refused.headers["retry-after"]))
        assert tenants[0].get("/assistants").status_code == 200
        codes = [ask_for_token(sandbox).status_code for _ in range(5)]
        assert codes == [200] * 4 + [429]


def test_response_refused_before_counting_reports_rate_limit() -> None:
    def shown(answer: httpx.Response) -> list[str]:
        return [str(answer.status_code), *(answer.headers[f"x-ratelimit-{name}"] for name in ("scope", "remaining"))]

    with Sandbox(clock=still_clock(), scopes=["tools:read"]).run() as sandbox, Caller(sandbox, None) as caller:
        # Nobody's own calls use up what somebody else is told.
        assert [shown(patient.get(f"{sandbox.core_api_url}/tools"))[1:] for _ in range(3)] == [["client", "600"]] * 3
        assert shown(caller.get("/tools")) == ["200", "client", "594"]
        assert shown(caller.get("/rooms")) == ["403", "client", "594"]
        assert shown(caller.get("/tools")) == ["200", "client", "588"]
        in_namespace = {"x-namespace": "user_1"}
        assert shown(caller.get("/tools", headers=in_namespace)) == ["200", "namespace", "294"]
        assert shown(caller.get("/rooms", headers=in_namespace)) == ["403", "namespace", "294"]
        url = f"{sandbox.account_server_url}/oauth/token"
        unreadable = patient.post(url, content=b"{", headers={"content-type": "application/json"})
        assert shown(unreadable) == ["422", "oauth", "20"]
