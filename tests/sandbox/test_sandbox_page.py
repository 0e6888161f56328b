"""The inspector page at `/_sandbox` in a real Chromium, and its protection from other sites."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.browser import eventually
from tests.support.chat_driver import Words
from tests.support.inspector_page import Page, origin
from tests.support.sandbox_caller import Caller

pytestmark = pytest.mark.full  # drives a browser

pytest_plugins = [
    *("tests.support.sandbox_fixtures", "tests.support.inspector_fixtures", "tests.support.chat_fixtures"),
]

ATTACK = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"
STATES = json.loads(Path(__file__).with_name("page_states.json").read_text())
STATES[0]["presentation"]["config"]["title"] += ATTACK


def test_page_sends_message_and_streams_reply(inspector: Page, caller: Caller, words: Words) -> None:
    room = caller.make("/rooms", assistant_id=caller.assistant(name="Ada")["id"], metadata={"note": ATTACK})
    inspector.open("rooms")
    inspector.shows("#room-facts", "onerror")
    count_streams = lambda: caller.sandbox.open_streams == 1  # noqa: E731
    eventually(inspector.browser, count_streams)
    question = " ".join(f"word{number}" for number in range(120))
    inspector.write("#content", question)
    asked_before = len(caller.sandbox.requests)
    inspector.press("Send")
    inspector.shows("#messages .user", "word119")
    first = eventually(inspector.browser, lambda: inspector.text("#messages .draft .content"))
    words.let(1)
    eventually(inspector.browser, lambda: len(inspector.text("#messages .draft .content")) > len(first))
    words.let_all()
    inspector.shows("#messages .assistant:not(.draft) .content", "word119")
    eventually(inspector.browser, lambda: not inspector.text("#messages .draft"))
    assert [each["role"] for each in caller.messages(room)] == ["user", "assistant"]
    # The one is this test's own look at the messages: what the page does is not what the program asked.
    assert len(caller.sandbox.requests) == asked_before + 1


def test_reader_of_a_growing_reply_is_left_where_they_are_and_a_draft_in_its_room(
    inspector: Page, caller: Caller
) -> None:
    one, other = (caller.make("/rooms", assistant_id=caller.assistant()["id"])["id"] for _ in range(2))
    run = inspector.browser.execute_script

    def grows(text: str) -> None:
        caller.sandbox.emit(one, {"type": "message.delta", "content": f"{'line ' * 2000}{text}"})
        inspector.shows("#messages .draft .content", text)

    inspector.open(f"rooms/{one}")
    eventually(inspector.browser, lambda: caller.sandbox.open_streams == 1)
    from_end = (
        "const log = document.getElementById('messages'); return log.scrollHeight - log.scrollTop - log.clientHeight"
    )
    grows("first")
    eventually(inspector.browser, lambda: run(from_end) < 1)
    place = run("const {x, y} = document.getElementById('messages').getBoundingClientRect(); return [x + 20, y + 20]")
    wheel = {"type": "mouseWheel", "x": place[0], "y": place[1], "deltaX": 0, "deltaY": -3}
    inspector.browser.execute_cdp_cmd("Input.dispatchMouseEvent", wheel)
    eventually(inspector.browser, lambda: run(from_end) > 1)
    grows("second")
    assert run(from_end) > 100

    draft = "return document.getElementById('content').value"
    inspector.write("#content", "A draft")
    run("location.hash = arguments[0]", f"rooms/{other}")
    inspector.shows("#room-facts", other)
    assert run(draft) == ""
    run("location.hash = arguments[0]", f"rooms/{one}")
    inspector.shows("#room-facts", one)
    assert run(draft) == "A draft"


def test_page_shows_what_takes_longer_than_the_time_between_two_requests(inspector: Page, caller: Caller) -> None:
    inspector.open("rooms")
    inspector.shows("#status", "live")
    inspector.browser.execute_script(
        "const { fetch } = window;"
        "window.fetch = async (...request) => {"
        "  const answer = await fetch(...request);"
        "  await new Promise((resolve) => setTimeout(resolve, 1500));"
        "  return answer;"
        "};"
    )
    room = caller.make("/rooms", assistant_id=caller.assistant()["id"])
    inspector.shows("#room-list", room["id"])


def test_page_escapes_html_in_data(inspector: Page, caller: Caller) -> None:
    room = caller.make("/rooms", assistant_id=caller.assistant(name=ATTACK)["id"])
    caller.say(room, ATTACK)
    inspector.open(f"rooms/{room['id']}")
    inspector.shows("#messages .user", "<script>")
    inspector.shows("#room-list", "<script>")
    assert inspector.browser.execute_script("return document.querySelectorAll('main img, main script').length") == 0


def test_page_answers_workflow_until_completed(inspector: Page, caller: Caller) -> None:
    instance = caller.start(*STATES, note=ATTACK)
    path = f"/workflow-instances/{instance['id']}"
    inspector.open("instances")
    inspector.shows("#diagram .current", "review")
    inspector.shows("#answer", "onerror")
    inspector.press("Approve")
    inspector.shows("#diagram .current", "details")
    inspector.write("[name=carrier]", "Post")
    inspector.write("[name=parcels]", "3")
    inspector.click("//input[@name='insured']")
    inspector.press("Submit")
    inspector.shows("#diagram .current", "choice")
    inspector.press("cheap")
    inspector.shows("#diagram .current", "done")
    inspector.shows("#instance-facts", "completed")
    done = caller.read(path)
    given = {"approved": True, "carrier": "Post", "parcels": 3, "insured": True, "selection": "cheap"}
    assert (done["status"], done["context"]) == ("completed", {"note": ATTACK, **given})


def test_page_sends_workflow_events_and_json_input(inspector: Page, caller: Caller) -> None:
    instance = caller.start(*STATES, note=ATTACK)
    inspector.open("instances")
    inspector.click("//summary[.='Answer with JSON']")
    area = "#answer textarea"
    eventually(inspector.browser, lambda: inspector.browser.find_element("css selector", area).is_displayed())
    inspector.browser.find_element("css selector", area).clear()
    inspector.write(area, '{"approved": true}')
    inspector.press("Send this object")
    inspector.shows("#diagram .current", "details")
    inspector.press("again")
    inspector.shows("#diagram .current", "review")
    # Its context has `approved` still, which the answer overrides.
    inspector.press("Reject")
    inspector.shows("#diagram .current", "rejected")
    assert caller.read(f"/workflow-instances/{instance['id']}")["current_state"] == "rejected"


def test_consent_page_grants_what_is_ticked_for_the_account_that_is_chosen(
    inspector: Page, sandbox: Sandbox, caller: Caller
) -> None:
    back = f"{origin(sandbox)}/back"
    flow = caller.make("/oauth/initiate", provider="google", redirect_uri=back, scopes=["calendar.read", "mail.read"])
    inspector.browser.get(flow["authorization_url"])
    inspector.click("//label[contains(., 'mail.read')]/input")
    inspector.browser.find_element("id", "account").clear()
    inspector.write("#account", "bob@example.com")
    inspector.click("//button[.='Approve']")
    code = eventually(inspector.browser, lambda: httpx.URL(inspector.browser.current_url).params.get("code"))
    done = caller.make("/oauth/callback", provider="google", code=code, state=flow["state"])
    assert done["scopes"] == ["calendar.read"]
    inspector.open("credentials")
    inspector.shows("#credential-list", "bob@example.com")
    flow = caller.make("/oauth/initiate", provider="google", redirect_uri=back)
    inspector.browser.get(flow["authorization_url"])
    inspector.click("//summary")
    inspector.click("//button[.='temporarily_unavailable']")
    eventually(inspector.browser, lambda: "error=temporarily_unavailable" in inspector.browser.current_url)


def test_request_is_copied_as_curl_and_python_without_its_secrets(
    inspector: Page, sandbox: Sandbox, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'It\'s "Ada" \\ \u00e4'
    caller.assistant(name=name, model="gpt-4", tools=[])
    inspector.open("requests")
    inspector.click("//*[@id='request-list']//summary[contains(., 'create_assistant')]")
    inspector.shows("#request-list details[open]", "Copy as Python")
    inspector.browser.execute_script(
        "window.copied = []; navigator.clipboard.writeText = async (text) => void window.copied.push(text);"
    )
    for button in ("Copy as curl", "Copy as Python"):
        inspector.press(button)
    curl, program = eventually(inspector.browser, lambda: inspector.browser.execute_script("return window.copied"))
    inspector.shows("#request-list details[open]", "Copied.")
    token = caller.headers["authorization"].removeprefix("Bearer ")
    assert token not in curl + program
    environment = {**os.environ, **sandbox.env, "INTERACTOR_ACCESS_TOKEN": token}
    for command in (["bash", "-c", f"{curl} --silent --fail"], [sys.executable, "-c", program]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert json.loads(done.stdout)["data"]["name"] == name, done.stderr
    assert [each["name"] for each in caller.read("/assistants")] == [name] * 3


def test_request_leads_to_its_deliveries_with_their_attempts_on_a_line_of_time(
    inspector: Page, sandbox: Sandbox, caller: Caller
) -> None:
    for _ in range(2):
        caller.make("/webhooks", url="http://127.0.0.1:1/hook", events=["room.message.created"])
    sandbox.clock.freeze()
    caller.make(f"/rooms/{caller.room()['id']}/messages", content="Hi", role="system")
    sandbox.wait_for_deliveries()
    sandbox.clock.advance(31)
    eventually(inspector.browser, lambda: len(sandbox.deliveries) == 4)
    inspector.open("requests")
    inspector.click("//*[@id='request-list']//summary[contains(., 'send_message')]")
    inspector.click("(//*[@id='request-list']//a[contains(., 'delivery')])[1]")
    inspector.shows("#deliveries-tally", "2 of 4 match.")
    inspector.click("(//*[@id='delivery-list']//summary)[1]")
    inspector.shows("#delivery-list .moments", "after 31 s")
    inspector.shows("#delivery-list details[open]", "X-Interactor-Signature")
    inspector.shows("#delivery-list details[open]", "ConnectError")
    inspector.click("//a[.='Show all deliveries']")
    eventually(inspector.browser, lambda: inspector.text("#deliveries-tally") == "")


def test_explored_run_is_a_line_of_time(inspector: Page, sandbox: Sandbox, caller: Caller) -> None:
    inspector.open("requests")
    inspector.shows("#request-list", "create_token")
    assert not inspector.browser.find_element("id", "schedule").is_displayed()
    for place, fault in (("r1 create_token", ""), (f"r2 create_room [LOST] {ATTACK}", "lost")):
        sandbox._state.schedule.append({"time": sandbox.clock.stamp(), "place": place, "fault": fault})
    inspector.shows("#schedule-list li:not([aria-current])", "r1 create_token")
    inspector.shows("#schedule-list li[aria-current]:last-child", "r2 create_room [LOST]")
    inspector.shows("#schedule-list .badge.failed", "lost")


def act(sandbox: Sandbox, **headers: str) -> httpx.Response:
    body = {"operation": "cancel_workflow_instance", "namespace": "", "path": {"instance_id": "wfi_no"}}
    return patient.post(f"{origin(sandbox)}/_sandbox/act", json=body, headers=headers)


def test_cross_site_page_requests_return_403(sandbox: Sandbox) -> None:
    assert act(sandbox).status_code == 404  # allowed, but the instance doesn't exist
    assert act(sandbox, origin=origin(sandbox)).status_code == 404
    for foreign in ("https://evil.example", "null", "http://[", "http://127.0.0.1:1"):
        assert act(sandbox, origin=foreign).status_code == 403
    assert act(sandbox, **{"sec-fetch-site": "cross-site"}).status_code == 403
    rebound = {"host": "evil.example", "origin": "http://evil.example"}
    assert act(sandbox, **rebound).status_code == 403
    for path in ("", "/page/state", "/page/rooms/room_1/stream"):
        answer = patient.get(f"{origin(sandbox)}/_sandbox{path}", headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    foreign_read = patient.get(f"{origin(sandbox)}/_sandbox/page/state", headers={"origin": "https://evil.example"})
    assert foreign_read.status_code == 403


@pytest.mark.parametrize("path", ["/api/v1/rooms", "/auth/api/v1/oauth/jwks", "/nothing", "/_sandbox/authorize?flow=x"])
def test_public_host_name_returns_403(sandbox: Sandbox, caller: Caller, path: str) -> None:
    answer = patient.get(f"{origin(sandbox)}{path}", headers={**caller.headers, "host": "evil.example:8765"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "--allow-host" in answer.json()["error"]["message"]
    for host in ("127.0.0.1.evil.example", "localhost.evil.com", "1.2.3"):
        assert patient.get(f"{origin(sandbox)}{path}", headers={**caller.headers, "host": host}).status_code == 403
    for host in ("localhost", "[::1]", "192.168.1.7", "sandbox:8765", "a.localhost", "my.test"):
        assert patient.get(f"{origin(sandbox)}{path}", headers={**caller.headers, "host": host}).status_code != 403


def test_allowed_hosts_are_accepted() -> None:
    with Sandbox(allowed_hosts=["Sandbox.Example.com:443"]).run() as sandbox, Caller(sandbox) as caller:
        for path in ("/api/v1/rooms", "/_sandbox", "/_sandbox/page/state", "/_sandbox/faults"):
            for host, status in (("sandbox.example.com", 200), ("sandbox.example.com:81", 200), ("example.com", 403)):
                answer = patient.get(f"{origin(sandbox)}{path}", headers={**caller.headers, "host": host})
                assert answer.status_code == status


def test_cross_site_oauth_decision_returns_403(sandbox: Sandbox, caller: Caller) -> None:
    flow = caller.make("/oauth/initiate", provider="google", redirect_uri="http://127.0.0.1:1/back")
    url = f"{flow['authorization_url']}&decision=approve"
    assert patient.post(url, headers={"origin": "https://evil.example"}).status_code == 403
    answer = patient.post(url, headers={"origin": origin(sandbox)})
    assert (answer.status_code, httpx.URL(answer.headers["location"]).path) == (303, "/back")


@pytest.mark.parametrize(
    "asked",
    [
        [],
        {"operation": "no_such", "namespace": "", "path": {"room_id": "r"}},
        {"operation": "send_message", "namespace": 1, "path": {"room_id": "r"}, "body": {"content": "x"}},
        {"operation": "send_message", "namespace": "", "path": {"room_id": "r"}, "body": {"content": 7}},
    ],
)
def test_invalid_page_action_returns_422(sandbox: Sandbox, asked: Any) -> None:
    answer = patient.post(f"{origin(sandbox)}/_sandbox/act", json=asked)
    assert answer.status_code == 422


def test_unknown_page_resource_returns_404(sandbox: Sandbox) -> None:
    base = f"{origin(sandbox)}/_sandbox/page"
    assert patient.get(f"{base}/rooms/room_no/stream").status_code == 404
    assert patient.get(f"{base}/nothing.js").status_code == 404


def test_page_state_is_bounded_in_size(sandbox: Sandbox) -> None:
    """Every open page requests it each second."""
    wide, long = {f"key_{number}": [] for number in range(3_000)}, "word " * 40_000
    state = {"name": "wait", "type": "halting", "presentation": {"type": "form", "config": wide}}
    with Caller(sandbox) as caller:
        room = caller.room(name=long)
        for _ in range(5):
            caller.say(room, long)
        caller.patch(f"/rooms/{room['id']}", json={"metadata": wide})
        workflow = caller.make("/workflows", name=long[:9000], initial_state="wait", states=[state])
        for _ in range(5):
            caller.make("/workflow-instances", workflow_id=workflow["id"], context=wide)
        caller.make("/oauth/initiate", provider=long, scopes=[long], redirect_uri="https://app.test")
        sandbox.add_credential(long, namespace="user_1", scopes=list(wide))
    response = patient.get(f"{origin(sandbox)}/_sandbox/page/state")
    shown = response.json()
    assert len(response.content) < 400_000
    assert shown["room"]["messages"][0]["content"].startswith("word word")
    assert shown["room"]["metadata"] == shown["instance"]["context"] == "more than 10000 characters"
    assert shown["credentials"][0]["scopes"] == ["more than 10000 characters"]
    assert (shown["instances"][0]["status"], "context" in shown["instances"][0]) == ("halted", False)
