"""What the inspector page is told: requests with their bodies, counts, filters; and its actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.storage.journal import MAX_SHOWN, RESPONSES
from interactor_ext.webhooks import WebhookVerifier
from tests.support import patient
from tests.support.sandbox_caller import Caller, control_url, fetch_token, listening
from tests.support.scripted_server import receiving
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]


def state(control: httpx.Client, **query: str) -> dict[str, Any]:
    return dict(control.get("/page/state", params=query).raise_for_status().json())


def newest_exchange(control: httpx.Client) -> dict[str, Any]:
    request_id = state(control)["requests"][0]["request_id"]
    return dict(control.get(f"/page/requests/{request_id}").raise_for_status().json())


def test_request_row_has_time_duration_and_status(sandbox: Sandbox, caller: Caller, control: httpx.Client) -> None:
    sandbox.clock.advance(1800)
    sandbox.faults.add("list_rooms", latency=0.05)
    caller.get("/rooms")
    row = state(control)["requests"][0]
    assert (row["method"], row["path"], row["operation"], row["status"]) == ("GET", "/api/v1/rooms", "list_rooms", 200)
    assert row["milliseconds"] >= 50
    assert row["time"] > sandbox.clock.stamp(-60)
    assert sandbox.requests[-1].duration >= 0.05
    assert control.get("/requests").json()["requests"][-1]["time"] == row["time"]


def test_exchange_shows_request_and_response_bodies(caller: Caller, control: httpx.Client) -> None:
    assistant = caller.assistant(name="Ada")
    shown = newest_exchange(control)
    assert '"name": "Ada"' in shown["request"]["text"]
    assert shown["request"]["size"] < shown["response"]["size"]
    assert assistant["id"] in shown["response"]["text"]
    assert shown["headers"]["x-namespace"] == "user_1"
    caller.delete(f"/assistants/{assistant['id']}")
    shown = newest_exchange(control)
    assert shown["request"] == shown["response"] == {"size": 0, "note": "No body."}
    body = b'{"client_secret": "hunter2hunter2", "name": '
    caller.post("/assistants", content=body, headers={"content-type": "application/json"})
    masked = {"size": len(body), "text": '{"client_secret": "***", "name": '}
    assert newest_exchange(control)["request"] == masked


def test_exchange_masks_secrets_of_both_bodies_and_headers(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    token = fetch_token(sandbox)
    shown = newest_exchange(control)
    assert shown["operation"] == "create_token"
    assert sandbox.client_id in shown["request"]["text"]
    secret = caller.make("/webhooks", url="http://127.0.0.1:1/hook?token=abc12345", events=["room.message.created"])
    webhook = newest_exchange(control)
    credential = sandbox.add_credential("google", namespace="user_1")
    provider_token = caller.read(f"/credentials/{credential['id']}/token")["access_token"]
    credential_token = newest_exchange(control)
    for each in (shown, webhook, credential_token):
        for hidden in (token, sandbox.client_secret, secret["secret"], "abc12345", provider_token):
            assert hidden not in str(each)
        assert "***" in each["response"]["text"]


def test_exchange_shows_the_beginning_of_long_bodies_and_says_why_there_is_none(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    caller.assistant(system_prompt="x" * MAX_SHOWN)
    shown = newest_exchange(control)
    for part in (shown["request"], shown["response"]):
        assert part["size"] > MAX_SHOWN == len(part["text"])
    sandbox.faults.add("list_rooms", kind="reset")
    with pytest.raises(httpx.TransportError):
        caller.get("/rooms")
    assert newest_exchange(control)["response"] == {"note": "No response: a fault cut the connection."}
    assert control.get("/page/requests/req_no").status_code == 404


def test_exchange_shows_the_events_of_a_stream_as_they_were_sent(caller: Caller, control: httpx.Client) -> None:
    room = caller.room()
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        request_id = state(control)["requests"][0]["request_id"]
        caller.say(room, "Hello")
        stream.until("message.complete")
    shown = control.get(f"/page/requests/{request_id}").json()
    assert shown["response_headers"]["content-type"].startswith("text/event-stream")
    assert shown["response"]["text"].startswith("id: 0\n: connected\n\n")
    assert "message.complete" in shown["response"]["text"]
    assert shown["response"]["size"] >= len(shown["response"]["text"])


def test_exchange_names_response_headers_and_what_the_request_caused(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    with receiving() as (_, url):
        webhook = caller.make("/webhooks", url=url, events=["room.message.created", "credential.connected"])
        room = caller.room()
        said = caller.post(f"/rooms/{room['id']}/messages", json={"content": "Hello"}, params={"token": "abc12345"})
        sandbox.add_credential("google", namespace="user_1")
        sandbox.wait_for_deliveries()
    shown = control.get(f"/page/requests/{said.headers['x-request-id']}").json()
    headers = {name: said.headers[name] for name in ("x-request-id", "x-ratelimit-remaining", "content-type")}
    assert headers.items() <= shown["response_headers"].items()
    assert shown["query"] == "token=***"
    assert [each["event"] for each in shown["events"]] == ["room.message.created"] * 2
    deliveries = [each for event in shown["events"] for each in event["deliveries"]]
    assert [(each["webhook_id"], each["status"]) for each in deliveries] == [(webhook["id"], 200)] * 2
    assert control.get("/page/requests/" + sandbox.requests[0].request_id).json()["events"] == []


def test_delivery_shows_payload_signature_answer_and_all_its_attempts(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    with receiving() as (receiver, url):
        receiver.answers.append(503)
        receiver.content = b'{"told": "thanks", "api_key": "hunter2hunter2"}'
        webhook = caller.make("/webhooks", url=url, events=["room.message.created"])
        caller.make(f"/rooms/{caller.room()['id']}/messages", content="Hi", role="system")
        sandbox.wait_for_deliveries()
        sandbox.clock.advance(31)
        eventually(lambda: len(sandbox.deliveries) == 2)
    shown = control.get(f"/page/deliveries/{sandbox.deliveries[0].id}").json()
    assert json.loads(shown["payload"]["text"]) == sandbox.events[-1]
    failed, done = shown["attempts"]
    assert json.loads(failed["answer"]) == {"told": "thanks", "api_key": "***"}
    assert (failed["status"], done["status"]) == (503, 200)
    assert done["sent_at"] >= failed["next_attempt_at"]
    body = json.dumps(sandbox.events[-1], separators=(",", ":")).encode()
    assert WebhookVerifier(webhook["secret"]).verify(body, done["headers"]).id == sandbox.events[-1]["id"]
    assert webhook["secret"] not in str(shown)
    listed = state(control, delivery=failed["id"])
    assert ([each["attempt"] for each in listed["deliveries"]], listed["counts"]["deliveries"]["matching"]) == (
        [2, 1],
        2,
    )
    assert control.get("/page/deliveries/dlv_no").status_code == 404


def test_state_lists_assistants_tools_data_sources_and_the_history_of_a_workflow(
    caller: Caller, control: httpx.Client
) -> None:
    caller.assistant(name="Ada", tools=[caller.tool("get_weather")["id"]])
    caller.make("/data-sources", name="Orders", type="url", config={"url": "https://shop.test", "key": "k_12345"})
    instance = caller.start()
    caller.make(f"/workflow-instances/{instance['id']}/input", input={"approved": True})
    shown = state(control)
    names = {name: [each["name"] for each in shown[name]] for name in ("assistants", "tools", "data_sources")}
    assert names == {"assistants": ["Ada"], "tools": ["get_weather"], "data_sources": ["Orders"]}
    assert "k_12345" not in str(shown["data_sources"])
    assert shown["counts"]["data_sources"] == {"all": 1}
    history = [(each["event"].rpartition(".")[2], each["state"]) for each in shown["instance"]["history"]]
    assert history == [("started", "ask"), ("halted", "ask"), ("state_changed", "end"), ("completed", "end")]


def test_lists_go_back_beyond_the_newest_and_bodies_are_searched(caller: Caller, control: httpx.Client) -> None:
    for number in range(120):
        caller.assistant(name=f"Bot {number}")
    older = state(control, skip="100")
    assert [each["name"] for each in older["assistants"]] == [f"Bot {number}" for number in reversed(range(20))]
    assert len(older["requests"]) == older["counts"]["requests"]["all"] - 100
    found = state(control, body='"NAME": "bot 7"')
    assert (len(found["requests"]), found["counts"]["requests"]["matching"]) == (0, 0)
    found = state(control, body='BOT 77"')
    assert [each["operation"] for each in found["requests"]] == ["create_assistant"]


def test_requests_are_filtered_by_status_path_and_namespace(
    sandbox: Sandbox, caller: Caller, another: Callable[..., Caller], control: httpx.Client
) -> None:
    caller.room()
    another("user_2").get("/rooms/room_no")
    sandbox.faults.add("list_tools", kind="reset")
    with pytest.raises(httpx.TransportError):
        caller.get("/tools")

    def operations(**query: str) -> list[str]:
        return [each["operation"] for each in state(control, **query)["requests"]]

    assert operations(status="4") == ["get_room"]
    assert operations(status="0") == ["list_tools"]
    assert operations(status="2", path="/ROOMS") == ["create_room"]
    assert operations(path="POST /api/v1/assistants") == ["create_assistant"]
    assert operations(path="get_room", namespace="user_1") == []
    count = {"all": len(sandbox.requests), "matching": 1, "dropped": 0}
    assert state(control, status="4")["counts"]["requests"] == count


def test_of_older_responses_only_the_size_is_kept(caller: Caller, control: httpx.Client) -> None:
    answer = [caller.get("/rooms") for _ in range(RESPONSES + 1)][-1]
    oldest = state(control, skip=f"{RESPONSES}")["requests"][0]["request_id"]
    shown = [control.get(f"/page/requests/{each}").json() for each in (oldest, answer.headers["x-request-id"])]
    assert shown[0]["response"] == {"size": len(answer.content), "note": "Only the newest 500 are kept."}
    assert json.loads(shown[1]["response"]["text"]) == answer.json()


def test_dropped_requests_are_counted_until_reset() -> None:
    with Sandbox(history=5).run() as sandbox, patient.Client(base_url=control_url(sandbox)) as control:
        for _ in range(2):
            with Caller(sandbox) as caller:
                for _ in range(6):
                    caller.get("/tools")
            assert state(control)["counts"]["requests"] == {"all": 5, "matching": 5, "dropped": 2}
            sandbox.reset()
            assert state(control)["counts"]["requests"]["dropped"] == 0


def test_page_offers_what_the_contract_has(control: httpx.Client) -> None:
    offered = control.get("/page/contract").json()
    assert "send_message" in offered["operations"]
    assert "dropped_stream" in offered["kinds"]
    assert offered["events"]["credential.expired"] == {"credential_id": "cred_5Tn8", "provider": "google"}


def test_pending_tool_call_is_listed_and_answered_by_the_page(caller: Caller, control: httpx.Client) -> None:
    room = caller.room_with_tools("get_weather")
    caller.say(room, '/tool get_weather {"city": "Oslo"}')
    [call] = state(control)["tool_calls"]
    facts = {"namespace": "user_1", "room_id": room["id"], "tool": "get_weather", "arguments": {"city": "Oslo"}}
    assert call == {"id": call["id"], **facts}
    asked = {
        "operation": "submit_tool_result",
        "namespace": "user_1",
        "path": {"room_id": room["id"]},
        "body": {"tool_call_id": call["id"], "result": {"degrees": -3}},
    }
    assert control.post("/act", json=asked).status_code == 204
    assert state(control)["tool_calls"] == []
    assert "degrees" in caller.messages(room)[-1]["content"]
    assert control.post("/act", json=asked).status_code == 409


def test_event_is_published_over_http_with_the_example_of_the_contract(sandbox: Sandbox, control: httpx.Client) -> None:
    asked = {"event": "credential.expired", "namespace": "user_1", "data": {"provider": "slack"}}
    made = control.post("/events", json=asked)
    assert made.status_code == 201
    assert made.json() == sandbox.events[-1]
    event = made.json()
    assert (event["event"], event["namespace"]) == ("credential.expired", "user_1")
    assert event["data"] == {"credential_id": "cred_5Tn8", "provider": "slack"}
    assert control.post("/events", json={"event": "credential.expired"}).json()["namespace"] == ""
