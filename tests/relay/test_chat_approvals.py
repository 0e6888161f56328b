"""The card of a call that waits for a person, in a real Chromium: asked, everything restarted, then decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chat_driver import Chat
from tests.support.chat_page import ChatPage, refunds
from tests.support.conversations import room_with
from tests.support.looks import Looks

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.browser_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER = "\ue007"
ASKED = '/tool refund {"order": "o_17", "amount": 250, "score": "fraud"}'
REFUSED = """
const looks = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/approvals"));
return looks.map(({ responseStatus }) => responseStatus);
"""


def test_refund_that_waited_over_a_restart_of_everything_is_decided_by_the_manager_on_the_chat_page(
    request: pytest.FixtureRequest, browser: WebDriver, tmp_path: Path
) -> None:
    data = tmp_path / "platform.db"

    def open_chat(page: ChatPage) -> Chat:
        browser.get(f"{page.url}/?room={room}")
        chat = Chat(browser)
        chat.shows("[part=status]", "Connected")
        chat.run("chat.toolLabels = value", {"refund": "Refund"})
        return chat

    with Sandbox(data=data).run() as sandbox, ChatPage(sandbox.env, tmp_path, "refunds") as page:
        room = room_with(sandbox, refunds)
        open_chat(page).write(ASKED)
        Chat(browser).shows(".tool .summary", "…\nRefund\nwaiting")
    with Sandbox(data=data).run() as sandbox, ChatPage(sandbox.env, tmp_path, "refunds") as page:
        customer = open_chat(page)
        customer.shows(".tool .state", "waiting")
        eventually(browser, lambda: customer.run(REFUSED) == [404])
        assert customer.run("return [chat.session.approvals, root.querySelectorAll('.tool button').length]") == [[], 0]

        browser.add_cookie({"name": "person", "value": "carol"})
        carol = open_chat(page)
        carol.shows(".approval dl", "order\no_17\namount\n250")
        Looks(request, "approval").check(browser, "card")
        carol.tab_to("Approve")
        carol.press(ENTER)
        eventually(browser, lambda: "250 euros are on their way" in carol.messages[-1])
        carol.shows(".tool .state", "done")
        carol.shows(".approval")
        assert carol.focused == "Message"

        carol.write(ASKED)
        carol.shows("[part=approval-title]", "This needs your approval.")
        carol.shows("[part~=stop]")
        carol.tab_to("Reason for rejecting (optional)")
        carol.press("It was delivered.", ENTER)
        carol.tab_to("Reject")
        carol.press(ENTER)
        eventually(browser, lambda: "It was delivered." in carol.messages[-1])
        carol.shows(".approval")
        assert carol.focused == "Message"
    assert [each for each in browser.get_log("browser") if "Content Security Policy" in each["message"]] == []
