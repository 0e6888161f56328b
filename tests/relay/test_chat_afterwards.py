"""What a person does with an answer that has come, in a real Chromium: ask in other words, and rate it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.chat_driver import Chat
from tests.support.conversations import new_room

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER, END, BACKSPACE = "\ue007", "\ue010", "\ue003"


def test_question_is_edited_and_asked_again_and_the_earlier_answer_is_folded(
    open_chat: Callable[..., Chat], sandbox: Sandbox
) -> None:
    chat = open_chat(room=new_room(sandbox))
    chat.write("Where is order 1")
    chat.shows_messages("Where is order 1", "Bot here. You said: Where is order 1")
    chat.tab_to("Edit")
    chat.press(ENTER)
    assert chat.focused == "Message"
    chat.press(END, BACKSPACE, "2?", ENTER)
    asked = ["Where is order 1", "Where is order 2?", "Bot here. You said: Where is order 2?"]
    chat.shows_messages(*asked)
    chat.shows(".fold", "Answer to the earlier wording")
    chat.tab_to("Answer to the earlier wording")
    chat.press(ENTER)
    chat.shows_messages(asked[0], "Bot here. You said: Where is order 1", *asked[1:])
    # A message that was emptied and typed anew is a new question, not an edited one.
    chat.tab_to("Edit")
    chat.press(ENTER)
    chat.run("root.querySelector('#input').select()")
    chat.press(BACKSPACE, "New", ENTER)
    chat.shows_messages(asked[0], "Bot here. You said: Where is order 1", *asked[1:], "New", "Bot here. You said: New")


def test_answer_is_rated_where_the_page_asks_for_it(open_chat: Callable[..., Chat], sandbox: Sandbox) -> None:
    chat = open_chat(room=new_room(sandbox))
    chat.write("Hi")
    chat.shows_messages("Hi", "Bot here. You said: Hi")
    assert chat.texts(".good, .bad") == []
    chat.run("chat.feedback = true")
    chat.shows(".good, .bad", "Good answer", "Bad answer")
    chat.tab_to("Good answer")
    chat.press(ENTER)
    chat.shows("[aria-pressed=true]", "Good answer")
    chat.tab_to("Bad answer")
    chat.press(ENTER)
    chat.shows("[aria-pressed=true]", "Bad answer")
