"""`<interactor-chat>` and its React component in a real Chromium: through the relay to the sandbox, by the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interactor_client.models import WorkflowState
from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chat_driver import LOST, Chat, Words
from tests.support.chat_page import ChatPage
from tests.support.conversations import NAMESPACE, new_room
from tests.support.looks import Looks
from tests.support.react_bundles import REACT_VERSIONS, react_bundle

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER, DOWN, DELETE = "\ue007", "\ue015", "\ue017"
FAILED = "Not sent. Can't reach the server."


def halting(name: str, to: str, presentation: dict[str, Any], *more: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "type": "halting", "presentation": presentation, "transitions": [*more, {"to": to}]}


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "label": name.title(), **more}


APPROVAL = {"type": "approval", "title": "Approve the order?", "description": "It is a large one."}
DELIVERY = [field("carrier", "text", required=True), field("parcels", "number")]
SPEEDS = ["fast", {"value": "cheap", "label": "As cheap as can be"}]
STATES = [
    halting(
        "review",
        "rejected",
        {**APPROVAL, "fields": [field("note", "text")]},
        {"to": "details", "condition": "approved == true"},
    ),
    halting(
        "details",
        "speed",
        {"type": "form", "title": "Delivery", "fields": [*DELIVERY, field("insured", "boolean", required=True)]},
    ),
    halting("speed", "rest", {"type": "selection", "config": {"title": "How fast?", "options": SPEEDS}}),
    halting("rest", "done", {"type": "form", "title": "Sign"}),
    {"name": "done", "type": "terminal"},
    {"name": "rejected", "type": "terminal"},
]


@pytest.fixture(params=["element", *REACT_VERSIONS])
def path(request: pytest.FixtureRequest, bundles: Path) -> str:
    """Of the page with the web component, and of those with the React component."""
    if request.param == "element":
        return ""
    react_bundle(request, request.param, bundles)
    return f"react/{request.param}"


def start_workflow(sandbox: Sandbox, initial_state: str = "review") -> str:
    with sandbox.client(namespace=NAMESPACE) as user:
        states = [WorkflowState.from_dict(each) for each in STATES]
        workflow = user.workflows.create(name="Order", initial_state=initial_state, states=states)
        return user.workflow_instances.start(workflow_id=workflow.id).id


def test_chat_by_keyboard_survives_a_restart_of_the_relay_and_answers_a_workflow_beside_a_second_tab(
    path: str,
    open_chat: Callable[..., Chat],
    page: ChatPage,
    sandbox: Sandbox,
    words: Words,
    browser: WebDriver,
    expected: list[str],
) -> None:
    room, instance = new_room(sandbox), start_workflow(sandbox)
    chat = open_chat(path, room=room, instance=instance)
    chat.shows("#question", "Approve the order?")
    chat.write("Where is my order?")
    words.let(2)
    chat.streams("Bot here. You")
    page.kill()
    expected.append(LOST)
    chat.shows("[part=status]", "Connection lost, reconnecting")
    words.let(1)
    page.start()
    chat.streams("Bot here. You said:")
    chat.shows("[part=status]", "Connected")

    browser.switch_to.new_window("tab")
    second = open_chat(path, room=room, instance=instance)
    second.shows_messages("Where is my order?")
    words.let(1)
    words.let_all()
    conversation_now = ["Where is my order?", "Bot here. You said: Where is my order?"]
    second.shows_messages(*conversation_now)
    second.shows("#question", "Approve the order?")
    chat.show()
    chat.shows_messages(*conversation_now)

    chat.tab_to("Note")
    chat.press("gift", ENTER)
    chat.tab_to("Approve")
    chat.press(ENTER)
    chat.shows("#question", "Delivery")
    assert chat.focused == "Carrier (required)"
    chat.press("Post")
    chat.tab_to("Parcels")
    chat.press("3")
    chat.tab_to("Insured")
    chat.press(" ")
    chat.tab_to("Submit")
    chat.press(ENTER)
    chat.shows("#question", "How fast?")
    second.show()
    second.shows("#question", "How fast?")
    second.tab_to("fast")
    second.press(DOWN, ENTER)
    second.shows("#question", "Sign")
    chat.show()
    chat.shows("#question", "Sign")
    chat.tab_to("Input as a JSON object")
    chat.press(DELETE, DELETE, '{"signed": true}')
    chat.tab_to("Submit")
    chat.press(ENTER)
    for each in (chat, second):
        each.show()
        each.shows("[part=workflow]", "Workflow completed: done")
        each.shows("#question")
        each.shows_messages(*conversation_now)
    if path:
        assert "message.complete" in chat.run("return document.getElementById('root').dataset.seen")
        assert chat.run(
            "return [chat.className, chat.style.maxInlineSize, chat.id, chat.ariaLabel, chat.innerText]"
        ) == [*("chat", "48rem", "support", "Help", "Help")]
        assert chat.run("return document.getElementById('root').dataset.ref") == "interactor-chat"
    with sandbox.client(namespace=NAMESPACE) as user:
        context = user.workflow_instances.get(instance).context
    answers = {"approved": True, "note": "gift", "carrier": "Post", "parcels": 3, "insured": True}
    assert context == {**answers, "selection": "cheap", "signed": True}


def test_earlier_messages_come_by_a_button_and_what_is_read_stays_in_place(
    open_chat: Callable[..., Chat], sandbox: Sandbox
) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        for number in range(45):
            user.messages.send(room, content=f"Message {number}")
    with sandbox.client(namespace=NAMESPACE) as user:
        count = user.messages.list(room).meta.total
    chat = open_chat(room=room)
    eventually(chat.browser, lambda: len(chat.messages) == 50)
    first = chat.messages[0]
    place = """
        const bubble = [...root.querySelectorAll(".log .bubble")].find((each) => each.innerText === value);
        return bubble.getBoundingClientRect().top;
    """
    chat.run("""
        window.told = [];
        const announcer = root.querySelector("[role=status]");
        new MutationObserver(() => window.told.push(announcer.textContent)).observe(announcer, { childList: true });
    """)
    chat.tab_to("Earlier messages")
    before = chat.run(place, first)
    chat.press(ENTER)
    eventually(chat.browser, lambda: len(chat.messages) == count)
    assert abs(chat.run(place, first) - before) < 2
    assert chat.run("return window.told") == []
    assert chat.focused == "Message"


def test_message_that_failed_is_sent_again_or_edited(
    open_chat: Callable[..., Chat], page: ChatPage, sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    words.let_all()
    expected.append(LOST)
    room = new_room(sandbox)
    chat = open_chat(room=room)
    page.kill()
    chat.write("First")
    chat.shows(".failure span", FAILED)
    chat.write("Second")
    chat.shows(".failure span", FAILED, FAILED)
    page.start()
    chat.tab_to("Try again")
    chat.press(ENTER)
    chat.shows(".failure span", FAILED)
    assert chat.focused == "Message"
    chat.tab_to("Edit")
    chat.press(ENTER)
    chat.shows(".failure span")
    chat.shows_messages("First", "Bot here. You said: First")
    assert chat.focused == "Message"
    chat.press(" thoughts")
    chat.press_with_shift(ENTER)
    chat.press("and more", ENTER)
    second = "Second thoughts\nand more"
    chat.shows_messages("First", "Bot here. You said: First", second, f"Bot here. You said: {second}")
    with sandbox.client(namespace=NAMESPACE) as user:
        assert [each.content for each in user.messages.list(room, order="asc").data][::2] == ["First", second]


def test_tools_run_before_the_eyes_of_the_user(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    expected.append("404")  # of a call that takes long, it is asked whether it waits for a person
    words.let_all()
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        tool = user.tools.create(name="get_weather", description="The weather.", parameters={})
        user.assistants.update(user.rooms.get(room).assistant_id, tools=[tool.id])
        chat = open_chat(room=room)
        chat.run("chat.toolLabels = value", {tool.id: "Weather forecast"})
        chat.write('/tool get_weather {"city": "Oslo"}')
        chat.shows(".tool .summary", "…\nWeather forecast\nwaiting")
        [call] = next(each.tool_calls for each in user.messages.list(room).data if each.tool_calls)
        user.tools.submit_result(room, tool_call_id=call.id, result={"degrees": 21})
    chat.shows(".tool .state", "done")
    answer = 'Bot here. get_weather returned {"degrees": 21}.'
    chat.shows_messages('/tool get_weather {"city": "Oslo"}', answer)
    chat.run("chat.tools = 'hidden'")
    chat.shows(".tool .state")


def test_page_replaces_texts_and_renders_markdown_and_content_is_never_markup(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room, lang="sv_SE")  # which is no language
    chat.run("chat.texts = { send: 'Skicka', message: 'Meddelande', statuses: { open: 'Ansluten' } }")
    chat.shows("[part=status]", "Ansluten")
    chat.shows("[part~=send]", "Skicka")
    attack = "<img src=x onerror=alert(1)>"
    chat.tab_to("Meddelande")
    chat.press(attack, ENTER)
    words.let_all()
    chat.shows_messages(attack, f"Bot here. You said: {attack}")
    assert chat.run("return root.querySelectorAll('img').length") == 0
    assert chat.run("return root.querySelector('time').textContent") != ""
    chat.run("""chat.renderMarkdown = (text) => {
        if (text.includes("fail")) throw new Error("no such markdown");
        const node = document.createElement("em");
        node.textContent = text.toUpperCase();
        return node;
    }""")
    chat.shows(".bubble em", f"BOT HERE. YOU SAID: {attack.upper()}")
    expected.append("no such markdown")
    chat.press("fail", ENTER)
    chat.shows_messages(attack, f"BOT HERE. YOU SAID: {attack.upper()}", "fail", "Bot here. You said: fail")
    # What was set on the element before the module was loaded.
    chat.run(
        """
        const early = document.createElement("interactor-chat");
        Object.defineProperty(early, "texts", { value: { send: "Abschicken" }, configurable: true });
        early.room = value;
        chat.replaceWith(early);
    """,
        room,
    )
    chat.shows("[part~=send]", "Abschicken")


def test_question_whose_answer_failed_can_be_asked_again(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Where?")
    chat.streams("Bot")
    sandbox.emit(room, {"type": "error", "error": "secret of the platform"})
    chat.shows(".problem button", "Ask again")
    assert "secret" not in "".join(chat.texts(".problem"))
    words.let_all()
    chat.shows_messages("Where?", "Bot here. You said: Where?")
    chat.shows(".problem")


def test_chat_streams_an_answer_word_by_word_and_tells_a_screen_reader_of_whole_messages(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.shows("[part=empty]", "No messages yet")
    chat.run("""
        window.told = [];
        const live = root.querySelectorAll("[role=status], [role=alert]");
        const note = (records) => {
          for (const { target, addedNodes } of records) window.told.push(addedNodes[0]?.textContent ?? target.data);
        };
        for (const node of live) new MutationObserver(note).observe(node, { childList: true, characterData: true });
    """)
    chat.write("Where?")
    chat.streams("Bot")
    chat.shows_messages("Where?")
    words.let(2)
    chat.streams("Bot here. You")
    words.let_all()
    chat.shows_messages("Where?", "Bot here. You said: Where?")
    assert chat.streaming == ""
    assert chat.focused == "Message"
    sandbox.emit(
        room,
        {"type": "message.complete", "message": {"id": "msg_2", "room_id": room, "role": "user", "content": "And I"}},
    )
    chat.shows_messages("Where?", "Bot here. You said: Where?", "And I")
    told = [each for each in chat.run("return window.told") if each]
    assert told == ["Assistant is writing", "Bot here. You said: Where?", "And I."]


def test_chat_shows_another_room_when_told_to_and_leaves_the_stream_of_the_first(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    words.let_all()
    one, other = new_room(sandbox), new_room(sandbox)
    chat = open_chat(room=one)
    chat.write("In the first")
    chat.shows_messages("In the first", "Bot here. You said: In the first")
    chat.run("chat.room = value", other)
    chat.shows("[part=empty]", "No messages yet")
    with sandbox.client(namespace=NAMESPACE) as user:
        user.messages.send(one, content="Not here")
        user.messages.send(other, content="In the second")
    chat.shows_messages("In the second", "Bot here. You said: In the second")
    chat.run("chat.remove()")
    assert eventually(chat.browser, lambda: sandbox.open_streams == 0)


def has_a_conversation(sandbox: Sandbox, room: str, tools: list[str]) -> None:
    """A long word, several lines, two directions, markup that is none, and tools that succeed, fail and run."""
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.rooms.get(room).assistant_id
        user.assistants.update(bot, tools=[user.tools.create(name=n, description=n, parameters={}).id for n in tools])
        for text in ("Hello!", f"<b>Not bold</b>\n\nhttps://example.com/{'long/' * 40}", "متى تصل طلبيتي رقم 1234؟"):
            user.messages.send(room, content=text)
        for result in ({"temperature": 21, "unit": "°C"}, {"error": "Oslo is unknown"}):
            asking = user.messages.send(room, content='/tool get_weather {"city": "Oslo"}')
            assert asking.tool_calls
            user.tools.submit_result(room, tool_call_id=asking.tool_calls[0].id, result=result)
        user.messages.send(room, content='/tool get_weather {"city": "Bergen"}')


@pytest.mark.parametrize("path", ["element"], indirect=True)
def test_chat_has_no_accessibility_violation_in_any_state(
    path: str,
    request: pytest.FixtureRequest,
    open_chat: Callable[..., Chat],
    page: ChatPage,
    sandbox: Sandbox,
    words: Words,
    expected: list[str],
) -> None:
    """INTERACTOR_SCREENSHOTS=folder keeps pictures of each state, narrow and wide, light and dark."""
    looks = Looks(request, path.replace("/", "-") or "element")
    room = new_room(sandbox)
    chat = open_chat(path, room=room)
    chat.shows("[part=empty]", "No messages yet")
    looks.check(chat.browser, "empty")

    has_a_conversation(sandbox, room, ["get_weather"])
    chat = open_chat(path, room=room, lang="en-GB")
    eventually(chat.browser, lambda: chat.texts(".tool .state") == ["done", "failed", "waiting"])
    looks.check(chat.browser, "conversation")
    chat.run("root.querySelectorAll('details').forEach((each) => (each.open = true))")
    chat.run("root.querySelector('.scroller').scrollTop = 700")
    chat.shows(".newest", "Newest messages")
    looks.check(chat.browser, "tools")

    chat = open_chat(path, room=room, dir="rtl", lang="ar")
    eventually(chat.browser, lambda: len(chat.messages) > 5)
    looks.check(chat.browser, "right-to-left")

    room = new_room(sandbox)
    chat = open_chat(path, room=room)
    chat.write("Where is my order?")
    words.let(3)
    chat.streams("Bot here. You said:")
    looks.check(chat.browser, "streaming")

    expected.append(LOST)
    page.kill()
    chat.shows("[part=status]", "Connection lost, reconnecting")
    chat.write("Hello?")
    chat.shows(".failure span", FAILED)
    looks.check(chat.browser, "error")
    page.start()

    expected.append("404")
    chat = open_chat(path, connects=False, room="room_none")
    chat.shows(".problem span", "This conversation doesn't exist.")
    looks.check(chat.browser, "unknown-room")

    chat = open_chat(path, instance=start_workflow(sandbox))
    chat.shows("#question", "Approve the order?")
    looks.check(chat.browser, "workflow")
    questions = {"review": "Approve the order?", "details": "Delivery", "speed": "How fast?", "rest": "Sign"}
    for state, question in questions.items():
        chat = open_chat(path, room=room, instance=start_workflow(sandbox, state))
        chat.shows("#question", question)
        looks.check(chat.browser, f"form-{state}")
