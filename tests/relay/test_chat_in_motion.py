"""`<interactor-chat>` while an answer streams, in a real Chromium: what moves, what stays, what is read out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chaos_proxy import ChaosProxy
from tests.support.chat_driver import Chat, Words
from tests.support.chat_page import ChatPage
from tests.support.conversations import NAMESPACE, new_room

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER, UP, END = "\ue007", "\ue013", "\ue010"
PARAGRAPHS = "\n\n".join(f"Paragraph {number}" for number in range(40))
FROM_END = """
const scroller = root.querySelector(".scroller");
return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
"""
SHIFTS = """
window.shifts = [];
const note = (list) => list.getEntries().forEach((entry) => window.shifts.push(JSON.stringify(entry)));
new PerformanceObserver(note).observe({ type: "layout-shift" });
"""
TWO_FRAMES = "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]()))"
MARKDOWN = """Order **4711**:

- packed on Monday
- with the carrier

Do:

```sh
track 4711
```

| Plan | Price |
|---|--:|
| Free | 0 |"""
SPOKEN = "Order 4711: packed on Monday. with the carrier. Do: Code sh: track 4711. Plan, Price. Free, 0."


READ_OUT = [
    *("<article>", "Assistant", "Jan 1, 2126, 12:00 AM", "Order ", "4711", ":"),
    *("<list>", "<listitem>", "packed on Monday", "<listitem>", "with the carrier"),
    *("Do:", "sh", "<button Copy>", "<code>", "track 4711"),
    *(
        "<table>",
        "<row>",
        "<columnheader>",
        "Plan",
        "<columnheader>",
        "Price",
        "<row>",
        "<cell>",
        "Free",
        "<cell>",
        "0",
    ),
    *("<button Copy>", "<button Ask again>"),
]


def tell(sandbox: Sandbox, room: str, text: str) -> None:
    sandbox.emit(room, {"type": "message.delta", "content": text})


def complete(sandbox: Sandbox, room: str, text: str) -> None:
    message = {"id": "msg_end", "room_id": room, "role": "assistant", "created_at": "2126-01-01T00:00:00Z"}
    sandbox.emit(room, {"type": "message.complete", "message": {**message, "content": text}})


@contextmanager
def writing(sandbox: Sandbox, room: str) -> Iterator[None]:
    """A paragraph after the other, until it ends."""
    is_over = threading.Event()

    def write() -> None:
        while not is_over.wait(0.02):
            tell(sandbox, room, "\n\nMore of it")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


def touchpad(chat: Chat) -> None:
    at = {"x": 300, "y": 300, "modifiers": 0, "deltaX": 0, "deltaY": -3}
    chat.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseWheel", **at})


def finger(chat: Chat) -> None:
    chat.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for kind, y in (
        ("touchStart", 300),
        ("touchMove", 315),
        ("touchMove", 320),
        ("touchMove", 325),
        ("touchEnd", None),
    ):
        points = [] if y is None else [{"x": 300, "y": y}]
        chat.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    chat.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def key(chat: Chat) -> None:
    chat.run("root.querySelector('.scroller').focus()")
    chat.press(UP)


@pytest.mark.parametrize("scroll_up", [touchpad, finger, key])
def test_reader_who_scrolls_up_is_left_there_while_words_arrive_and_follows_on_from_the_end(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, scroll_up: Callable[[Chat], None]
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Hello")
    chat.streams("Bot")
    tell(sandbox, room, f"\n\n{PARAGRAPHS}")
    chat.until(lambda: chat.streaming.endswith("39") and chat.run(FROM_END) < 1)
    with writing(sandbox, room):
        scroll_up(chat)
        chat.until(lambda: chat.run(FROM_END) > 500)
        chat.shows(".newest", "Newest messages")
        chat.write("And now?")
        chat.until(lambda: chat.run(FROM_END) < 1)
        chat.shows(".newest")
        scroll_up(chat)
        chat.until(lambda: chat.run(FROM_END) > 500)
    chat.run("root.querySelector('.scroller').focus()")
    chat.press(END)
    chat.shows(".newest")
    tell(sandbox, room, "\n\nThe end")
    chat.until(lambda: chat.streaming.endswith("The end") and chat.run(FROM_END) < 1)


@pytest.mark.parametrize("text", ["", PARAGRAPHS, MARKDOWN], ids=["short", "long", "blocks"])
def test_nothing_jumps_while_an_answer_grows_and_when_it_ends(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, text: str
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Hello")
    chat.streams("Bot")
    chat.run(SHIFTS)
    heights = "return root.querySelector('[part~=assistant] .bubble').getBoundingClientRect().height"
    tell(sandbox, room, f"\n\n{text}")
    if text:
        chat.until(lambda: chat.run("return chat.session.messages.at(-1).content").endswith(text))
    chat.browser.execute_async_script(TWO_FRAMES)
    before = chat.run(heights)
    complete(sandbox, room, f"Bot\n\n{text}")
    chat.shows("[part~=copy]:not(.code-block *)", "Copy")
    assert chat.run(heights) == before
    chat.browser.execute_async_script(TWO_FRAMES)
    assert chat.run("return window.shifts") == []


def test_chat_has_its_height_before_its_script_arrives(browser: WebDriver, page: ChatPage, sandbox: Sandbox) -> None:
    height = "return document.querySelector('interactor-chat').getBoundingClientRect().height"
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with ChaosProxy(page.url, lambda request, number: gone if "/interactor-chat.js" in request else None) as proxy:
        browser.get(f"{proxy.url}/?room={new_room(sandbox)}")
        before = browser.execute_script(height)
    browser.get(f"{page.url}/?room={new_room(sandbox)}")
    Chat(browser).shows("[part=status]", "Connected")
    assert before == browser.execute_script(height) > 400


def test_turn_goes_on_while_a_tool_runs_and_is_told_as_whole_messages(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    expected.append("404")  # of a call that takes long, it is asked whether it waits for a person
    sandbox.replies.add(when="refund", say="One moment.", call=("refund", {}), then="Paid.")
    with sandbox.client(namespace=NAMESPACE) as user:
        tool = user.tools.create(name="refund", description="Pays back.", parameters={})
        room = new_room(sandbox, tool.id)
        chat = open_chat(room=room)
        chat.run("""
            window.told = [];
            const announcer = root.querySelector("[role=status]");
            new MutationObserver(() => window.told.push(announcer.textContent)).observe(announcer, { childList: true });
        """)
        chat.write("A refund, please")
        chat.streams("One")  # a frame is drawn in which it writes
        words.let_all()
        chat.shows(".tool .state", "waiting")
        chat.shows("[part~=stop]", "Stop")
        dots = "return [...root.querySelectorAll('.dots')].filter((each) => each.checkVisibility()).length"
        chat.until(lambda: chat.run(dots) == 1)
        chat.shows("[part~=ask-again]")
        [call] = next(each.tool_calls for each in user.messages.list(room).data if each.tool_calls)
        user.tools.submit_result(room, tool_call_id=call.id, result={})
    chat.shows_messages("A refund, please", "One moment.", "Paid.")
    chat.shows("[part~=ask-again]", "Ask again")
    chat.shows("[part~=stop]")
    assert chat.run("return window.told") == ["Assistant is writing", "One moment.", "Paid."]


# What NVDA reads in its browse mode: the accessibility tree in order, with the roles that it says.
READ = {"heading", "list", "listitem", "table", "row", "columnheader", "cell", "code", "button", "article", "link"}


def accessible(browser: WebDriver) -> list[str]:
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}

    def read(node: Any) -> Iterator[str]:
        role, name = node["role"]["value"], node.get("name", {}).get("value", "")
        if role == "StaticText":
            yield name
            return
        if role in READ and not node["ignored"]:
            yield f"<{role}>" if role != "button" else f"<button {name}>"
        if role != "button":
            for child in node.get("childIds", ()):
                yield from read(by_id[child])

    [start] = [n for n in nodes if n["role"]["value"] == "article" and "Assistant" in "".join(read(n))]
    return list(read(start))


def test_answer_of_blocks_is_announced_as_text_and_read_with_its_structure(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Hello")
    chat.streams("Bot")
    complete(sandbox, room, MARKDOWN)
    chat.shows("[part~=ask-again]", "Ask again")
    assert chat.run("return root.querySelector('[role=status]').textContent") == SPOKEN
    assert accessible(browser) == READ_OUT


def test_draft_stays_in_its_room_and_nothing_is_kept_for_the_next_user_who_goes_back(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    words.let_all()
    one, other = new_room(sandbox), new_room(sandbox)
    chat = open_chat(room=one)
    draft = "return root.querySelector('textarea').value"
    chat.write("Hello")
    chat.shows_messages("Hello", "Bot here. You said: Hello")
    chat.press("A draft")
    chat.run("chat.room = value", other)
    chat.shows("[part=empty]", "No messages yet")
    assert chat.run(draft) == ""
    chat.press("Another")
    chat.run("chat.room = value", one)
    chat.shows_messages("Hello", "Bot here. You said: Hello")
    assert chat.run(draft) == "A draft"
    leave = "dispatchEvent(new PageTransitionEvent(value, { persisted: true }))"
    chat.run(leave, "pagehide")
    assert (chat.messages, chat.run(draft)) == ([], "")
    assert eventually(chat.browser, lambda: sandbox.open_streams == 0)
    chat.run(leave, "pageshow")
    chat.shows_messages("Hello", "Bot here. You said: Hello")
    assert chat.run(draft) == ""


def test_message_of_yesterday_has_its_date_in_the_language_around_the_shadow_root(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    words.let_all()
    chat = open_chat(room=new_room(sandbox))
    chat.write("Hello")
    chat.shows_messages("Hello", "Bot here. You said: Hello")
    year = chat.run("return String(new Date().getFullYear())")
    assert not any(year in each for each in chat.texts("time"))
    chat.run("""
        const Real = Date;
        window.Date = class extends Real {
          constructor(...given) {
            if (given.length) super(...given);
            else super(Real.now() + 86_400_000);
          }
        };
        chat.prompts = [];
    """)
    chat.until(lambda: all(year in each for each in chat.texts("time")))
    german = """
        const host = document.createElement("div");
        host.lang = "de";
        host.attachShadow({ mode: "open" });
        chat.replaceWith(host);
        host.shadowRoot.append(chat);
        chat.texts = { you: "Du" };
        window.time = () => root.querySelector("time").textContent;
    """
    chat.run(german)
    chat.until(lambda: chat.browser.execute_script("return /^\\d+\\.\\d+\\.\\d+, \\d+:\\d+$/.test(window.time())"))


def test_code_and_answers_are_copied_without_a_clipboard(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", permissions)
    chat.run("window.real = navigator.clipboard; Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    chat.write("Hello")
    chat.streams("Bot")
    complete(sandbox, room, MARKDOWN)
    chat.shows("[part~=ask-again]", "Ask again")
    read = "const done = arguments[0]; window.real.readText().then(done)"
    for button, copied in ((".foot [part~=copy]", MARKDOWN), (".code-block [part~=copy]", "track 4711")):
        chat.run("[...root.querySelectorAll(value)].at(-1).focus()", button)
        chat.press(ENTER)
        chat.until(lambda: chat.focused == "Copied")
        assert browser.execute_async_script(read) == copied
        chat.shows("[data-copied]")


def test_page_renders_formulas_and_code_of_an_answer_that_grows(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    expected.append("no such language")
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.run("""
        const shown = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
        chat.renderMath = (text, isBlock) => shown(isBlock ? "mark" : "var", text.trim());
        chat.highlightCode = (code, language) => {
          if (language !== "py") throw new Error("no such language");
          return shown("b", code);
        };
    """)
    chat.write("Hello")
    chat.streams("Bot")
    for piece in (" $a_1", " + b_2$\n\n", "$$\nc\n- d\n", "$$\n```py\n1\n", "2\n```\n```js\n3\n```\n"):
        tell(sandbox, room, piece)
    chat.shows(".bubble :is(var, mark, code)", "a_1 + b_2", "c\n- d", "1\n2", "3")
    chat.shows(".bubble b", "1\n2")
