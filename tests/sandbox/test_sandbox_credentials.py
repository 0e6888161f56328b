"""Credentials: OAuth flows, refresh, expiry and revocation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from interactor_ext import CredentialExpiredError
from interactor_ext.sandbox import Clock, Sandbox
from tests.support import patient
from tests.support.modes import opened, sync_and_async
from tests.support.sandbox_caller import Caller, check_event, listening, problem
from tests.support.scripted_server import receiving
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]

Another = Callable[..., Caller]
BACK = "https://app.test/back?keep=me&%C3%BC=1#gone"


def initiate(caller: Caller, **fields: Any) -> dict[str, Any]:
    return caller.make("/oauth/initiate", **{"provider": "google", "redirect_uri": BACK, **fields})


def visit(flow: dict[str, Any], decision: str) -> httpx.Response:
    return patient.get(f"{flow['authorization_url']}&decision={decision}")


def brought_back(flow: dict[str, Any], decision: str = "approve") -> dict[str, str]:
    answer = visit(flow, decision)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def complete(caller: Caller, **fields: str) -> httpx.Response:
    return caller.post("/oauth/callback", json={"provider": "google", **fields})


def status(caller: Caller, flow: dict[str, Any]) -> dict[str, Any]:
    return dict(caller.read(f"/oauth/status/{flow['flow_id']}"))


def test_oauth_approval_redirects_with_code(sandbox: Sandbox, caller: Caller) -> None:
    flow = initiate(caller, scopes=["calendar.read"])
    assert flow["authorization_url"].startswith(sandbox.core_api_url.removesuffix("api/v1"))
    assert status(caller, flow) == {"flow_id": flow["flow_id"], "status": "pending"}
    location = urlsplit(visit(flow, "approve").headers["location"])
    query = parse_qs(location.query)
    assert (location.scheme, location.netloc, location.path, location.fragment) == ("https", "app.test", "/back", "")
    assert (query["keep"], query["\u00fc"], query["state"]) == (["me"], ["1"], [flow["state"]])
    credential = complete(caller, code=query["code"][0], state=flow["state"]).json()["data"]
    assert (credential["provider"], credential["status"]) == ("google", "active")
    assert credential["scopes"] == ["calendar.read"]
    done = {"flow_id": flow["flow_id"], "status": "completed", "credential_id": credential["id"]}
    assert status(caller, flow) == done
    (event,) = sandbox.events
    check_event("WebhookEvent", "event", event)
    assert event["event"] == "credential.connected"


def test_oauth_denial_redirects_with_error(caller: Caller) -> None:
    flow = initiate(caller)
    back = brought_back(flow, "deny")
    assert back["error"] == "access_denied"
    assert back["state"] == flow["state"]
    assert status(caller, flow) == {"flow_id": flow["flow_id"], "status": "failed", "error": "access_denied"}
    assert "failed" in problem(complete(caller, code="x", state=flow["state"]), 422, "VALIDATION_ERROR")["state"]
    assert visit(flow, "approve").status_code == 409


def test_user_grants_some_scopes_with_an_account(sandbox: Sandbox, caller: Caller) -> None:
    scopes = ["calendar.read", "calendar.write", "mail.read"]
    ways = {
        "form": lambda flow: patient.post(
            flow["authorization_url"],
            data={"decision": "approve", "account": "bob@example.com", "scope": ["mail.read", "calendar.read"]},
        ).headers["location"],
        "address": lambda flow: patient.get(
            f"{flow['authorization_url']}&decision=approve&scope=mail.read&scope=calendar.read&account=bob@example.com"
        ).headers["location"],
        "program": lambda flow: sandbox.decide(
            flow["flow_id"], scopes=["mail.read", "calendar.read"], account="bob@example.com"
        ),
    }
    for decide in ways.values():
        flow = initiate(caller, scopes=scopes)
        back = dict(parse_qsl(urlsplit(decide(flow)).query))
        credential = complete(caller, code=back["code"], state=back["state"]).json()["data"]
        assert credential["scopes"] == ["calendar.read", "mail.read"]
        event = sandbox.events[-1]
        check_event("WebhookEvent", "event", event)
        assert event["data"]["metadata"] == {"account": "bob@example.com"}
    flow = initiate(caller, scopes=scopes)
    none = patient.post(flow["authorization_url"], data={"decision": "approve", "account": ""})
    code = dict(parse_qsl(urlsplit(none.headers["location"]).query))["code"]
    assert complete(caller, code=code, state=flow["state"]).json()["data"]["scopes"] == []
    foreign = patient.get(f"{initiate(caller)['authorization_url']}&decision=approve&scope=mail.write")
    assert "mail.write" in problem(foreign, 422, "VALIDATION_ERROR")["scope"]


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable", "invalid_scope", "unauthorized_client"])
def test_consent_fails_as_a_provider_does(sandbox: Sandbox, caller: Caller, error: str) -> None:
    flow = initiate(caller)
    back = brought_back(flow, error)
    assert (back["error"], back["state"], "code" in back) == (error, flow["state"], False)
    assert status(caller, flow) == {"flow_id": flow["flow_id"], "status": "failed", "error": error}
    assert f"error={error}" in sandbox.decide(initiate(caller)["flow_id"], approve=False, error=error)


def test_provider_is_derived_from_service_id(sandbox: Sandbox, caller: Caller) -> None:
    flow = caller.make("/oauth/initiate", service_id="svc_google_calendar", redirect_uri="app://back")
    code = brought_back(flow)["code"]
    assert complete(caller, code=code, state=flow["state"]).json()["data"]["provider"] == "google"
    assert sandbox.events[0]["data"]["service_id"] == "svc_google_calendar"


def test_credential_connected_names_a_service_however_it_was_connected(sandbox: Sandbox, caller: Caller) -> None:
    flow = initiate(caller)
    complete(caller, code=brought_back(flow)["code"], state=flow["state"])
    sandbox.add_credential("slack")
    sandbox.add_credential("google", service_id="svc_google_drive")
    services = [event["data"]["service_id"] for event in sandbox.events]
    assert services == ["svc_google", "svc_slack", "svc_google_drive"]


def test_oauth_callback_must_match_its_flow(caller: Caller, another: Another) -> None:
    flow = initiate(caller)
    assert "code" in problem(complete(caller, code="early", state=flow["state"]), 422, "VALIDATION_ERROR")
    code = brought_back(flow)["code"]
    good = {"code": code, "state": flow["state"]}
    for fields, wrong in (
        ({**good, "state": "other"}, "state"),
        ({**good, "code": "other"}, "code"),
        ({**good, "code": "\u00e9"}, "code"),
        ({**good, "provider": "github"}, "provider"),
    ):
        assert wrong in problem(complete(caller, **fields), 422, "VALIDATION_ERROR")
    assert "state" in problem(complete(another("user_2"), **good), 422, "VALIDATION_ERROR")
    assert complete(caller, **good).status_code == 200
    assert "completed" in problem(complete(caller, **good), 422, "VALIDATION_ERROR")["state"]


def test_oauth_flow_expires(sandbox: Sandbox, caller: Caller) -> None:
    flow = initiate(caller)
    sandbox.clock.advance(601)
    assert status(caller, flow)["status"] == "expired"
    assert visit(flow, "approve").status_code == 409
    with pytest.raises(ValueError, match="expired"):
        sandbox.decide(flow["flow_id"])


def test_authorize_page_validates_flow_and_decision(sandbox: Sandbox, caller: Caller) -> None:
    flow = initiate(caller)
    asking = patient.get(flow["authorization_url"])
    assert (asking.status_code, asking.headers["content-type"]) == (200, "text/html; charset=utf-8")
    odd = patient.get(f"{flow['authorization_url']}&decision=perhaps")
    assert odd.status_code == 422
    assert odd.json()["error"]["details"][0]["field"] == "decision"
    page = f"{sandbox.core_api_url.removesuffix('api/v1')}_sandbox/authorize"
    assert patient.get(page, params={"flow": "flow_no", "decision": "deny"}).status_code == 404
    assert patient.get(page, params={"flow": "flow_no"}).status_code == 404
    assert patient.post(page).status_code == 422
    assert patient.put(page).status_code == 405
    with pytest.raises(ValueError, match="no flow"):
        sandbox.decide("flow_no")


def test_authorization_url_uses_request_host(caller: Caller) -> None:
    for host, expected in (("my.test:81", "http://my.test:81/"), ("[::1]:9", "http://[::1]:9/")):
        body = {"provider": "google", "redirect_uri": BACK}
        answer = caller.post("/oauth/initiate", json=body, headers={"host": host}).json()["data"]
        assert answer["authorization_url"].startswith(expected)


def test_credential_token_is_refreshed_when_expired(sandbox: Sandbox, caller: Caller, another: Another) -> None:
    credential = sandbox.add_credential("google", namespace="user_1", scopes=["a", "b"])
    path = f"/credentials/{credential['id']}"
    first = caller.read(f"{path}/token")
    assert (first["token_type"], first["scope"]) == ("Bearer", "a b")
    assert caller.read(f"{path}/token")["access_token"] == first["access_token"]
    sandbox.clock.advance(3600)
    later = another()
    second = later.read(f"{path}/token")
    assert second["access_token"] != first["access_token"]
    assert 3500 < second["expires_in"] <= 3600
    assert later.read(path)["expires_at"] > credential["expires_at"]
    assert event_types(sandbox)[-1] == "refreshed"
    near = sandbox.add_credential("google", namespace="user_1", expires_in=20)
    assert later.read(f"/credentials/{near['id']}/token")["expires_in"] > 3000


def test_credential_without_refresh_expires(sandbox: Sandbox, caller: Caller) -> None:
    credential = sandbox.add_credential("google", namespace="user_1", expires_in=60, refreshable=False)
    path = f"/credentials/{credential['id']}"
    assert caller.read(f"{path}/token")["expires_in"] in range(30, 61)
    sandbox.clock.advance(61)
    assert [each["status"] for each in caller.read("/credentials")] == ["expired"]
    assert caller.read("/credentials?status=active") == []
    assert caller.read(path)["status"] == "expired"
    problem(caller.get(f"{path}/token"), 409, "REFRESH_FAILED")
    problem(caller.post(f"{path}/refresh"), 409, "REFRESH_FAILED")
    assert event_types(sandbox) == ["connected", "expired", "error", "error"]
    revoked = sandbox.add_credential("google", namespace="user_1", status="revoked")
    problem(caller.get(f"/credentials/{revoked['id']}/token"), 409, "REFRESH_FAILED")
    assert caller.read("/credentials?status=revoked&provider=google") == [revoked]
    assert caller.read("/credentials?provider=github") == []


def event_types(sandbox: Sandbox) -> list[str]:
    for event in sandbox.events:
        check_event("WebhookEvent", "event", event)
    return [event["event"].removeprefix("credential.") for event in sandbox.events]


def test_credential_expired_while_stopped_is_published_at_start(tmp_path: Path) -> None:
    clock = Clock()
    with Sandbox(data=tmp_path / "platform.db", clock=clock).run() as sandbox:
        sandbox.add_credential("google", expires_in=60, refreshable=False)
    clock.advance(61)
    with Sandbox(data=tmp_path / "platform.db", clock=clock).run() as sandbox:
        eventually(lambda: event_types(sandbox) == ["expired"])


def test_expire_credential_refuses_its_token_and_reaches_webhooks_alone(
    sandbox: Sandbox, caller: Caller, another: Another
) -> None:
    credential = sandbox.add_credential("google", namespace="user_1")
    room = caller.room()
    with receiving() as (receiver, url), listening(caller, f"/rooms/{room['id']}/stream") as stream:
        for each, path in ((caller, "/ours"), (another("user_2"), "/theirs")):
            each.make("/webhooks", url=f"{url}{path}", events=["credential.expired"])
        caller.make("/webhooks", url=f"{url}/other", events=["credential.connected"])
        expired = sandbox.expire_credential(credential["id"])
        sandbox.wait_for_deliveries(60)
        sandbox.emit(room["id"], {"type": "message.delta", "content": "end"})
        assert [event["type"] for event in stream.until("message.delta")] == ["message.delta"]
    [got] = receiver.got
    assert got.path == "/ours"
    event = json.loads(got.body)
    check_event("WebhookEvent", "event", event)
    assert event["data"] == {"credential_id": credential["id"], "provider": "google", "namespace": "user_1"}
    assert expired["status"] == caller.read(f"/credentials/{credential['id']}")["status"] == "expired"
    assert expired["expires_at"] < credential["expires_at"]
    for method, path in (("GET", "token"), ("POST", "refresh")):
        response = caller.request(method, f"/credentials/{credential['id']}/{path}")
        problem(response, 409, "REFRESH_FAILED")


def test_only_active_credential_can_be_expired(sandbox: Sandbox, control: httpx.Client) -> None:
    credential = sandbox.add_credential("google")
    path = f"/credentials/{credential['id']}/expire"
    answer = control.post(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "expired")
    problem(control.post(path), 409, "CONFLICT")
    problem(control.post("/credentials/cred_no/expire"), 404, "NOT_FOUND")
    with pytest.raises(ValueError, match="is already expired"):
        sandbox.expire_credential(credential["id"])
    with pytest.raises(ValueError, match="no credential"):
        sandbox.expire_credential("cred_no")


@sync_and_async
async def test_calls_to_a_provider_reach_the_sandbox(sandbox: Sandbox, mode: str) -> None:
    google = sandbox.provider("google")
    google.add("GET", "/calendar/v3/list", {"items": ["Lunch"]}, times=2)
    google.add("POST", "/calendar/v3/list", "<html>", status=502, headers={"X-Served-By": "a proxy"})
    credential = sandbox.add_credential("google", namespace="user_1")["id"]
    other = sandbox.add_credential("slack", namespace="user_1")["id"]
    async with opened(mode, sandbox._with_connection({"namespace": "user_1"})) as user:

        async def call(method: str, path: str, credential_id: str = credential) -> httpx.Response:
            request = httpx.Request(method, f"{google.url}{path}", json={} if method == "POST" else None)
            auth = user.credential_auth(credential_id, hosts=[google.host])
            if mode == "sync":
                with patient.Client() as client:
                    return client.send(request, auth=auth._value)
            async with patient.AsyncClient() as client:
                return await client.send(request, auth=auth)

        assert (await call("GET", "/calendar/v3/list?page=2")).json() == {"items": ["Lunch"]}
        answer = await call("POST", "/calendar/v3/list")
        assert (answer.status_code, answer.text, answer.headers["x-served-by"]) == (502, "<html>", "a proxy")
        assert (await call("GET", "/nothing")).status_code == 404
        assert (await call("GET", "/calendar/v3/list", other)).status_code == 401
        sandbox.expire_credential(credential)  # whose token the client holds
        with pytest.raises(CredentialExpiredError):
            await call("GET", "/calendar/v3/list")
    shown = [(each.method, each.status, each.credential_id == credential) for each in google.requests]
    assert shown[:3] == [("GET", 200, True), ("POST", 502, True), ("GET", 404, True)]
    assert {each[1:] for each in shown[3:]} == {(401, False)}
    assert (google.requests[0].query, google.requests[1].content) == ("page=2", b"{}")
