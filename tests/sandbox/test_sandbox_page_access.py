"""The inspector page by the keyboard alone, and as axe-core, a phone and a dark screen see it.

INTERACTOR_SCREENSHOTS=folder keeps pictures of each view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.inspector_page import Page
from tests.support.looks import Looks
from tests.support.sandbox_caller import Caller

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.full  # drives a browser

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.inspector_fixtures"]

TAB, ENTER, SPACE, ESCAPE, UP, DOWN = "\ue004", "\ue007", "\ue00d", "\ue00c", "\ue013", "\ue015"
SELECT_ALL = "\ue009a\ue000"
# Far more than the page has.
MOST_CONTROLS = 300
LONG = "customer_with_a_very_long_name_that_goes_on_and_on_4711"
STATES = (
    {
        "name": "review",
        "type": "halting",
        "presentation": {
            "type": "approval",
            "config": {"title": "Approve the order?"},
            "fields": [{"name": "note", "type": "text", "label": "Note"}],
        },
        "transitions": [{"to": "ship", "condition": "approved == true"}, {"to": "review", "event": "again"}],
    },
    {"name": "ship", "type": "terminal"},
)


class Keyboard:
    """Presses keys only: what it does not reach, a user without a mouse does not reach."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @property
    def focused(self) -> WebElement:
        return self._page.browser.switch_to.active_element

    def is_at(self, selector: str) -> bool:
        return bool(self._page.browser.execute_script("return document.activeElement.matches(arguments[0])", selector))

    def go_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(MOST_CONTROLS):
            self.focused.send_keys(TAB)
            if self.is_at(selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    def press(self, selector: str, key: str = ENTER) -> None:
        self.go_to(selector)
        self.focused.send_keys(key)

    def write(self, selector: str, text: str) -> None:
        self.go_to(selector)
        self.focused.send_keys(SELECT_ALL, text)

    def choose(self, selector: str, text: str) -> None:
        """Move to the option of a select that begins with a text."""
        self.go_to(selector)
        steps = self._page.browser.execute_script(
            "const {options, selectedIndex} = document.activeElement;"
            "return [...options].findIndex((option) => option.text.startsWith(arguments[0])) - selectedIndex",
            text,
        )
        self.focused.send_keys((DOWN if steps > 0 else UP) * abs(steps))

    def __call__(self, *keys: str) -> None:
        self.focused.send_keys(*keys)


@pytest.fixture
def keyboard(inspector: Page) -> Keyboard:
    return Keyboard(inspector)


def has_everything(sandbox: Sandbox, caller: Caller) -> dict[str, Any]:
    """Fill every list of the page; returns the room."""
    caller.make("/webhooks", url=f"http://127.0.0.1:1/{'hooks/' * 20}", events=["room.message.created"])
    room = caller.room(name="Ada", tools=[caller.tool("get_weather")["id"]])
    caller.patch(f"/rooms/{room['id']}", json={"metadata": {"ticket": 4711}})
    caller.say(room, "Hello, where is my order? " * 5)
    caller.say(room, '/tool get_weather {"city": "Oslo"}')
    caller.start(*STATES, order="ord_1")
    sandbox.add_credential("google", namespace="user_1", scopes=["calendar.read", "x" * 200])
    sandbox.add_credential("slack", namespace=LONG, status="expired")
    caller.get(f"/nothing/{'x' * 200}")
    sandbox.faults.add("list_rooms", status=503, times=3)
    sandbox.faults.add(kind="malformed", namespace=LONG, probability=0.1, times=None)
    sandbox.replies.add(when="order", say="It is on its way.")
    sandbox.wait_for_deliveries()
    return room


def test_inspector_and_consent_page_have_no_accessibility_violation_in_any_view(
    request: pytest.FixtureRequest, inspector: Page, sandbox: Sandbox, caller: Caller
) -> None:
    looks = Looks(request, "inspector")

    def look(section: str, selector: str, text: str, view: str) -> None:
        inspector.open(section)
        inspector.shows(selector, text)
        looks.check(inspector.browser, view)

    look("rooms", "#no-room", "No rooms yet", "no-rooms")
    look("instances", "#no-instance", "No workflow instances yet", "no-workflows")
    look("credentials", "#credential-list", "No credentials yet", "no-credentials")
    look("deliveries", "#delivery-list", "No deliveries yet", "no-webhooks")
    look("control", "#fault-list", "No active faults", "nothing-to-control")
    room = has_everything(sandbox, caller)
    look(f"rooms/{room['id']}", "#messages", "get_weather", "rooms")
    look("instances", "#answer", "Approve the order?", "workflows")
    flow = caller.make(
        "/oauth/initiate", provider="google", redirect_uri="https://app.test/back", scopes=["a.b", f"https://{LONG}"]
    )
    look("credentials", "#flow-list", "google", "credentials")
    look("assistants", "#tool-list", "get_weather", "assistants")
    look("control", "#tool-call-list", "Oslo", "control")
    inspector.press("Remove all faults")
    inspector.shows("#fault .outcome.good", "No active faults")
    inspector.write("#reply [name=then]", "Bye.")
    inspector.press("Add the reply")
    inspector.shows("#reply .outcome.bad", "a reply needs")
    looks.check(inspector.browser, "control-outcomes")
    inspector.press("Reset…")
    inspector.shows("#reset-dialog", "Reset the sandbox?")
    looks.check(inspector.browser, "reset")
    inspector.open("deliveries")
    inspector.click("//*[@id='delivery-list']//summary")
    inspector.shows("#delivery-list details[open]", "Payload")
    looks.check(inspector.browser, "webhooks")
    look("requests", "#request-list", "create_room", "requests")
    inspector.click("//*[@id='request-list']//summary[contains(., 'initiate_oauth')]")
    inspector.shows("#request-list details[open]", "Response body")
    inspector.shows("#request-list details[open]", "authorization_url")
    looks.check(inspector.browser, "request")
    inspector.browser.find_element("id", "filter-path").send_keys("no such path")
    inspector.shows("#request-list", "No request matches.")
    looks.check(inspector.browser, "no-request-matches")
    inspector.browser.get(flow["authorization_url"])
    inspector.shows("main", "Connect google?")
    looks.check(inspector.browser, "consent")
    sandbox.decide(flow["flow_id"], approve=False)
    inspector.browser.refresh()
    inspector.shows("main", "Nothing to decide")
    looks.check(inspector.browser, "consent-over")


def test_control_panel_is_driven_by_the_keyboard_alone(
    inspector: Page, keyboard: Keyboard, sandbox: Sandbox, caller: Caller
) -> None:
    room = caller.room(name="Ada", tools=[caller.tool("get_weather")["id"]])
    caller.say(room, "/tool get_weather")
    credential = sandbox.add_credential("google", namespace="user_1")
    inspector.open("rooms")
    inspector.shows("#room-list", "Ada")

    keyboard.press("#sections a[href='#control']")
    inspector.shows("#tool-call-list", "get_weather")
    inspector.shows("#fault select[name=kind]", "malformed")

    before = sandbox.clock.now()
    keyboard.write("#clock [name=amount]", "2")
    keyboard.choose("#clock [name=unit]", "days")
    keyboard(TAB, ENTER)
    inspector.shows("#clock .outcome", "now")
    assert sandbox.clock.now() - before >= 2 * 86_400
    sandbox.clock.advance(-2 * 86_400)  # the caller's token would be too old

    keyboard.write("#tool-call-list textarea", '{"degrees": -3}')
    keyboard(TAB, ENTER)
    inspector.shows("#tool-call-list", "No pending tool calls")
    assert "degrees" in caller.messages(room)[-1]["content"]

    keyboard.choose("#event [name=event]", "credential.exp")
    keyboard.write("#event [name=namespace]", "user_7")
    keyboard.press("#event button")
    inspector.shows("#event .outcome", "Published as evt_")
    published = sandbox.events[-1]
    assert (published["event"], published["namespace"]) == ("credential.expired", "user_7")
    assert published["data"] == {"credential_id": "cred_5Tn8", "provider": "google"}

    keyboard.choose("#fault [name=operation]", "list_rooms")
    keyboard.write("#fault [name=status]", "502")
    keyboard.write("#fault [name=times]", "3")
    keyboard(ENTER)
    inspector.shows("#fault-list", "status 502")
    [fault] = sandbox.faults.snapshot()
    assert (fault.operation, fault.status, fault.left, fault.namespace) == ("list_rooms", 502, 3, None)
    keyboard.press("#fault-list button")
    inspector.shows("#fault-list", "No active faults")
    assert keyboard.is_at("#fault-list")  # where the focus goes with the row gone
    assert len(sandbox.faults) == 0
    keyboard.choose("#fault [name=kind]", "dropped")
    keyboard.choose("#fault [name=operation]", "stream_room")
    keyboard.write("#fault [name=after_events]", "2")
    keyboard(ENTER)
    inspector.shows("#fault-list", "dropped_stream")
    keyboard.press("#clear-faults", SPACE)
    inspector.shows("#fault-list", "No active faults")

    keyboard.write("#reply [name=when]", "w.ather")
    keyboard.press("#reply [name=is_pattern]", SPACE)
    keyboard.write("#reply [name=say]", "Let me look.")
    keyboard.write("#reply [name=tool]", "get_weather")
    keyboard.write("#reply [name=arguments]", '{"city": "Oslo"}')
    keyboard.write("#reply [name=then]", "Cold.")
    keyboard.press("#reply button")
    inspector.shows("#reply-list", "/w.ather/")
    asking = caller.say(room, "The weather?")
    assert asking["content"] == "Let me look."
    assert [each["arguments"] for each in asking["tool_calls"]] == [{"city": "Oslo"}]
    keyboard.press("#reply-list button")
    inspector.shows("#reply-list", "No scripted replies")
    assert len(sandbox.replies) == 0

    keyboard.go_to("#expiry [name=credential]")
    keyboard.press("#expiry button")
    inspector.shows("#expiry .outcome", "has expired")
    assert caller.read(f"/credentials/{credential['id']}")["status"] == "expired"

    keyboard.press("#reset")
    inspector.shows("#reset-dialog", "Reset the sandbox?")
    keyboard(ESCAPE)
    assert keyboard.is_at("#reset")
    assert len(sandbox.requests) > 0
    keyboard(ENTER)
    keyboard.press("#reset-dialog [value=reset]")
    inspector.shows("#reset-outcome", "was reset")
    assert len(sandbox.requests) == 0
    assert keyboard.is_at("#reset")


def test_every_other_section_is_driven_by_the_keyboard_alone(
    inspector: Page, keyboard: Keyboard, sandbox: Sandbox, caller: Caller
) -> None:
    room = caller.room(name="Ada")
    caller.room(name="Bea")
    caller.make("/webhooks", url="http://127.0.0.1:1/hook", events=["room.message.created"])
    inspector.open("rooms")
    inspector.shows("#room-facts", "Bea")
    keyboard.press(f"#room-list a[href$={room['id']}]")
    inspector.shows("#room-facts", "Ada")
    keyboard.write("#content", "Hello")
    keyboard(ENTER)
    inspector.shows("#messages .assistant", "You said: Hello")
    assert keyboard.is_at("#content")

    keyboard.press("#sections a[href='#deliveries']")
    inspector.shows("#delivery-list", "room.message.created")
    attempts = len(sandbox.deliveries)
    keyboard.press("#delivery-list button")
    eventually(inspector.browser, lambda: len(sandbox.deliveries) > attempts)

    flow = caller.make("/oauth/initiate", provider="google", redirect_uri=f"{inspector.origin}/_sandbox")
    inspector.open("credentials")
    inspector.shows("#flow-list", "google")
    keyboard.go_to("#flow-list a")
    inspector.browser.get(flow["authorization_url"])
    keyboard.press("button.primary")
    eventually(inspector.browser, lambda: "code=" in inspector.browser.current_url)


def test_refused_control_shows_the_reason_beside_its_button(inspector: Page, keyboard: Keyboard) -> None:
    inspector.open("control")
    inspector.shows("#fault select[name=kind]", "malformed")
    keyboard.choose("#fault [name=kind]", "latency")
    keyboard(ENTER)
    keyboard.press("#fault button.primary")
    inspector.shows("#fault .outcome.bad", "latency")
    keyboard.write("#event [name=data]", "{")
    keyboard.press("#event button")
    invalid = inspector.browser.find_element("css selector", "#event :invalid")
    assert invalid.get_attribute("name") == "data"


def test_skip_link_moves_the_focus_past_the_header(inspector: Page, keyboard: Keyboard, caller: Caller) -> None:
    caller.room()
    inspector.open("")
    inspector.shows("#room-list", "room_")
    keyboard(TAB)
    assert keyboard.is_at("#skip")
    keyboard(ENTER)
    assert keyboard.is_at("#main")
    keyboard(TAB)
    assert keyboard.is_at("#room-list a")


def test_focus_and_drafts_stay_while_the_page_renews_its_data(
    inspector: Page, keyboard: Keyboard, sandbox: Sandbox, caller: Caller
) -> None:
    caller.room()
    inspector.open("requests")
    keyboard.press("#request-list summary")
    inspector.shows("#request-list details[open]", "Response body")
    opened = keyboard.focused
    caller.get("/tools")
    inspector.shows("#request-list li:first-child", "list_tools")
    assert keyboard.focused == opened
    keyboard.press("#request-list summary", SPACE)

    room = caller.room_with_tools("get_weather")
    caller.say(room, "/tool get_weather")
    inspector.open("control")
    inspector.shows("#tool-call-list", "get_weather")
    keyboard.write("#tool-call-list textarea", '{"draft": 1}')
    written = keyboard.focused
    credential = sandbox.add_credential("google", namespace="user_1")
    eventually(inspector.browser, lambda: credential["id"] in inspector.text("#expiry select"))
    assert keyboard.focused == written
    assert written.get_attribute("value") == '{"draft": 1}'


def test_focus_stays_in_the_answer_when_a_workflow_moves_on(
    inspector: Page, keyboard: Keyboard, caller: Caller
) -> None:
    caller.start(*STATES)
    inspector.open("instances")
    inspector.shows("#answer", "Approve the order?")
    keyboard.write("#answer [name=note]", "yes")
    keyboard.press("#answer button.primary")
    inspector.shows("#instance-facts", "completed")
    assert keyboard.is_at("#answer")


def test_filters_of_requests_show_how_many_match_of_all(inspector: Page, keyboard: Keyboard, caller: Caller) -> None:
    for _ in range(110):
        caller.get("/rooms/room_no")
    caller.get("/tools")
    inspector.open("requests")
    inspector.shows("#requests-tally", "The newest 100 of 112 are shown.")
    inspector.shows("#requests-count", "112")
    keyboard.press("#filter-status", DOWN * 2)
    inspector.shows("#requests-tally", "110 of 112 match. The newest 100 of 110 are shown.")
    keyboard(UP)
    keyboard.write("#filter-path", "list_tools")
    inspector.shows("#requests-tally", "1 of 112 match.")
    inspector.shows("#request-list", "GET /api/v1/tools")


def test_pause_stops_the_renewal_until_resumed(inspector: Page, keyboard: Keyboard, caller: Caller) -> None:
    inspector.open("rooms")
    inspector.shows("#status", "live")
    keyboard.press("#pause")
    inspector.shows("#status", "paused")
    caller.room(name="Later")
    count = """
        const before = window.fetch;
        let asked = 0;
        window.fetch = (...given) => (asked++, before(...given));
        document.dispatchEvent(new Event("visibilitychange"));
        window.fetch = before;
        return asked;
    """
    assert inspector.browser.execute_script(count) == 0
    assert "Later" not in inspector.text("#room-list")
    keyboard(ENTER)
    inspector.shows("#room-list", "Later")
    assert inspector.browser.execute_script(count) == 1
