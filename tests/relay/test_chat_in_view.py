"""What a person sees of `<interactor-chat>` in a real Chromium: while answers stream, without network, in many tabs."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interactor_client.models import WorkflowState
from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.cases import NIGHTLY
from tests.support.chat_driver import LOST, Chat, Words
from tests.support.chat_page import ChatPage
from tests.support.conversations import NAMESPACE, new_room
from tests.support.looks import Looks
from tests.support.pages import DOCS
from tests.support.react_bundles import REACT_VERSIONS, react_bundle

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.browser_fixtures", "tests.support.chat_fixtures"]
pytestmark = pytest.mark.full  # drives a browser

ENTER = "\ue007"
TABS = 8  # a browser has six connections for a server
LONG = "\n".join(f"{number}. line" for number in range(60))
# Whether all of the last node of a selector is in view.
IN_VIEW = """
const [place, frame] = [[...root.querySelectorAll(value)].at(-1), root.querySelector(".scroller")]
  .map((node) => node.getBoundingClientRect());
return place.top >= frame.top && place.bottom <= frame.bottom + 1;
"""
MARKDOWN = {
    "# One\n## Two\n#### Four": "<h2>One</h2><h3>Two</h3><h4>Four</h4>",
    "one\ntwo **bold _and_ `code`** ~~no~~": (
        "<p>one<br>two <strong>bold <em>and</em> <code>code</code></strong> <del>no</del></p>"
    ),
    "- a\n  - b\n\n3. c\n4. d": '<ul><li>a<ul><li>b</li></ul></li></ul><ol start="3"><li>c</li><li>d</li></ol>',
    "> quoted\n\n---": "<blockquote><p>quoted</p></blockquote><hr>",
    "| a | b |\n|---|--:|\n| 1 | `2` |": (
        '<div><table><thead><tr><th>a</th><th class="end">b</th></tr></thead>'
        '<tbody><tr><td>1</td><td class="end"><code>2</code></td></tr></tbody></table></div>'
    ),
    "```py\n\tif a < b:\n```": ("<div><div><span>py</span></div><pre><code>\tif a &lt; b:</code></pre></div>"),
    "[Shop](https://shop.example/a_(b)) https://x.example/y.": (
        '<p><a href="https://shop.example/a_(b)">Shop</a> <a href="https://x.example/y">https://x.example/y</a>.</p>'
    ),
    "[a](javascript:alert(1)) [b](JaVaScript:x) [c](data:text/html,x) ![d](javascript:x)": "<p>a b c d</p>",
    "<img src=x onerror=alert(1)> <script>alert(1)</script>": (
        "<p>&lt;img src=x onerror=alert(1)&gt; &lt;script&gt;alert(1)&lt;/script&gt;</p>"
    ),
    "|a|\n|-|\n|1<br>2&nbsp;&lt;b> &amp;copy; &para;|": (
        "<div><table><thead><tr><th>a</th></tr></thead>"
        "<tbody><tr><td>1<br>2&nbsp;&lt;b&gt; &amp;copy; &amp;para;</td></tr></tbody></table></div>"
    ),
    "[https://bank.example/x](https://evil.example/y) [bank.example](mailto:e@evil.example)": (
        '<p><a href="https://evil.example/y">https://bank.example/x (evil.example)</a> '
        '<a href="mailto:e@evil.example">bank.example (mailto:e@evil.example)</a></p>'
    ),
    "[Pay at www.bank.example](https://bank.example) [Shop](https://evil.example)": (
        '<p><a href="https://bank.example/">Pay at www.bank.example</a> <a href="https://evil.example/">Shop</a></p>'
    ),
    "$a_1 * b_2 * c$, \\(d_1 *e* f\\), $5 and *$10*": "<p>$a_1 * b_2 * c$, \\(d_1 *e* f\\), $5 and <em>$10</em></p>",
    "text\n$$\na_1\n- b *c* d\n$$\nafter\n\\[ x_1\n+ y_2 \\]\n$$ open\n\nend": (
        "<p>text</p><p>$$\na_1\n- b *c* d\n$$</p><p>after</p><p>\\[ x_1\n+ y_2 \\]</p><p>$$ open</p><p>end</p>"
    ),
    "snake_case_name 2 * 3 * 4 \\*no\\* **open": "<p>snake_case_name 2 * 3 * 4 *no* **open</p>",
}
PAGES = Path(__file__).with_name("pages")
RENDER = (PAGES / "markdown.js").read_text()
REACT_PAGE = (PAGES / "two_chats.jsx").read_text()
HOSTILE = ["[", "](", "**a ", "*a _b ", "`", "``a`", "[a](b", "![[", "> ", "- ", "|-", "~~a", "https://a)", "<a", "# "]
HOSTILE += ["$", "$a ", "$$a", "\\(", "\\[a", "\\(a b", "&lt", "<br ", "[https://a](b"]
# Lines that open, close or continue a block, or change what a line before them is.
LINES = [
    "",
    "",
    "text **b**",
    "- item",
    "- [x] done",
    "  - in",
    "   more",
    "* star",
    "2. two",
    "   1. in",
    "- # In",
    "# One",
    "#### Four",
]
LINES += [
    "> quote",
    "> - in",
    "| a | b |",
    "|---|--:|",
    "| 1 | `2` |",
    "a | b",
    "---",
    "```py",
    "```",
    "~~~",
    "**open",
    "-",
    "\t- tab",
    "$$",
    "$$ a_1",
    "\\[ b",
    "c_2 \\]",
    "$a_1$ &amp; <br>",
    "|",
]
# Markdown that grows against the same text drawn at once. A mark in what is complete shows that it is not drawn again.
GROW = (PAGES / "growing_markdown.js").read_text()
TIMES = """
const done = arguments[1];
import("/interactor/static/interactor-markdown.js").then(({ renderMarkdown }) => {
  const count = (text) => renderMarkdown(text).textContent.length;
  done(arguments[0].map((part) => count(part.repeat(10_000)) + count(`${part}\\n`.repeat(10_000))));
});
"""


def start_workflow(sandbox: Sandbox, states: list[dict[str, Any]]) -> str:
    with sandbox.client(namespace=NAMESPACE) as user:
        all_states = [WorkflowState.from_dict(each) for each in (*states, {"name": "end", "type": "terminal"})]
        workflow = user.workflows.create(name="Order", initial_state=states[0]["name"], states=all_states)
        return user.workflow_instances.start(workflow_id=workflow.id).id


def say(sandbox: Sandbox, room: str, *texts: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        for text in texts:
            user.messages.send(room, content=text)


def stream(sandbox: Sandbox, room: str, text: str) -> None:
    sandbox.emit(room, {"type": "message.delta", "content": text})


def test_message_that_is_sent_while_an_answer_streams_or_offline_is_in_view(
    open_chat: Callable[..., Chat], page: ChatPage, sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("First")
    chat.streams("Bot")
    stream(sandbox, room, f"\n\n{LONG}")
    eventually(chat.browser, lambda: chat.streaming.endswith("line"))
    chat.write("Second")
    chat.shows_messages("First", "Second")
    assert chat.run(IN_VIEW, ".message.user .bubble")
    eventually(chat.browser, lambda: not chat.run("return root.querySelector('[data-state=sending]') !== null"))
    expected.append(LOST)
    page.kill()
    try:
        chat.write("Third")
        chat.shows(".failure span", "Not sent. Can't reach the server.")
        assert chat.run(IN_VIEW, ".message.user .bubble")
    finally:
        page.start()


def test_quick_messages_beyond_the_limit_give_one_alert_and_follow_by_themselves(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, expected: list[str]
) -> None:
    expected.append("429")
    words.let_all()
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.run("""
        window.alerts = new Set();
        const live = root.querySelectorAll("[role=alert]");
        const note = () => live.forEach((each) => window.alerts.add(each.innerText.trim()));
        new MutationObserver(note).observe(root, { subtree: true, childList: true, characterData: true });
        for (let number = 1; number <= 58; number++) chat.session.send(`Message ${number}`);
    """)
    eventually(chat.browser, lambda: chat.run("return chat.session.pause > 0"))
    # Those before are sent at once, and arrive in any order.
    chat.run("for (let number = 59; number <= 62; number++) chat.session.send(`Message ${number}`);")
    with sandbox.client(namespace=NAMESPACE) as user:
        eventually(chat.browser, lambda: user.messages.list(room).meta.total == 124)
        sent = [
            each.content for each in user.messages.list(room, order="desc", per_page=100).data if each.role == "user"
        ]
    assert sent[:4] == [f"Message {number}" for number in range(62, 58, -1)]
    eventually(chat.browser, lambda: chat.texts(".problem") == [])
    alerts = {text for text in chat.run("return [...window.alerts]") if text}
    assert {text.split(".")[0] for text in alerts} == {"Too many messages at once"}


def test_form_opens_at_its_title_and_marks_what_is_required(open_chat: Callable[..., Chat], sandbox: Sandbox) -> None:
    fields = [{"name": f"field{number}", "type": "text", "required": number == 0} for number in range(30)]
    state = {"name": "ask", "type": "halting", "presentation": {"type": "form", "title": "Long", "fields": fields}}
    chat = open_chat(instance=start_workflow(sandbox, [{**state, "transitions": [{"to": "end"}]}]))
    chat.shows("#question", "Long")
    eventually(chat.browser, lambda: chat.run(IN_VIEW, "#question"))
    assert chat.texts("form label")[:2] == ["field0 (required)", "field1"]


def test_accent_of_the_guide_is_readable_in_every_scheme(
    open_chat: Callable[..., Chat], request: pytest.FixtureRequest, sandbox: Sandbox
) -> None:
    guide = (DOCS / "how-to" / "web-page.md").read_text()
    accents = re.findall("--interactor-accent: ([^;]+);", guide)
    chat = open_chat(room=new_room(sandbox))
    for number, accent in enumerate([*accents, "#ffd400", "#777", "#0b6e4f"]):
        chat.run("chat.style.setProperty('--interactor-accent', value)", accent)
        Looks(request, "accents").check(chat.browser, f"accent-{number}")


def test_hidden_tabs_leave_their_connections_and_go_on_when_they_are_shown(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver
) -> None:
    words.let_all()
    room = new_room(sandbox)
    chats = [open_chat(room=room)]
    for _ in range(TABS - 1):
        browser.switch_to.new_window("tab")
        chats.append(open_chat(room=room))
    eventually(browser, lambda: sandbox.open_streams == 1)
    say(sandbox, room, "While it was hidden")
    chats[0].show()
    chats[0].shows_messages("While it was hidden", "Bot here. You said: While it was hidden")
    chats[0].shows("[part=status]", "Connected")
    chats[0].write("And now")
    chats[0].shows("[data-state=sent].user .bubble", "While it was hidden", "And now")


def test_selection_and_focus_stay_while_an_answer_grows_and_when_it_ends(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    chat.write("Hello")
    chat.streams("Bot")
    stream(sandbox, room, "\n\n**Bold** text\n\n```\ncode\n```\n\n- item")
    chat.shows("[part~=streaming] li", "item")
    chat.run("""
        root.querySelector(".code-block button").focus();
        getSelection().selectAllChildren(root.querySelector("[part~=streaming] strong"));
        window.kept = [root.activeElement, root.querySelector("[part~=streaming] strong")];
    """)
    stream(sandbox, room, " more\n- item")
    chat.shows("[part~=streaming] li", "item more", "item")
    kept = "return root.activeElement === window.kept[0] && window.kept[1].isConnected && String(getSelection())"
    assert chat.run(kept) == "Bold"
    said = {"id": "msg_end", "room_id": room, "role": "assistant", "created_at": "2126-01-01T00:00:00Z"}
    text = "Bot\n\n**Bold** text\n\n```\ncode\n```\n\n- item more\n- item"
    sandbox.emit(room, {"type": "message.complete", "message": {**said, "content": text}})
    eventually(chat.browser, lambda: chat.run("return !root.querySelector('[part~=streaming]')"))
    assert chat.run(kept) == "Bold"


def test_answer_is_stopped_copied_and_asked_again_after_a_starter_prompt(
    open_chat: Callable[..., Chat], sandbox: Sandbox, words: Words, browser: WebDriver
) -> None:
    room = new_room(sandbox)
    chat = open_chat(room=room)
    browser.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    chat.run("chat.setAttribute('assistant-name', 'Ada'); chat.setAttribute('prompts', 'Where is it? | What now?')")
    chat.shows(".prompts button", "Where is it?", "What now?")
    chat.tab_to("Where is it?")
    chat.press(ENTER)
    chat.streams("Bot")
    assert chat.focused == "Message"
    chat.tab_to("Stop")
    chat.press(ENTER)
    chat.shows(".stopped", "Stopped. The rest of this answer isn't shown.")
    words.let_all()
    chat.shows("[part~=copy]", "Copy")
    chat.shows_messages("Where is it?", "Bot")
    chat.tab_to("Ask again")
    chat.press(ENTER)
    chat.shows_messages("Where is it?", "Bot", "Where is it?", "Bot here. You said: Where is it?")
    chat.run("root.querySelectorAll('.foot > [part~=copy]')[1].focus()")
    chat.press(ENTER)
    chat.shows("[data-copied]", "Copied")
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    assert browser.execute_async_script(read) == "Bot here. You said: Where is it?"
    assert chat.texts(".message.assistant .meta span") == ["Ada", "Ada"]


def test_markdown_becomes_safe_nodes_in_a_time_that_grows_with_its_length(
    open_chat: Callable[..., Chat], browser: WebDriver
) -> None:
    open_chat()
    rendered = browser.execute_async_script(RENDER, list(MARKDOWN))
    assert dict(zip(MARKDOWN, rendered, strict=True)) == MARKDOWN
    assert len(browser.execute_async_script(TIMES, HOSTILE)) == len(HOSTILE)


def test_markdown_that_grows_is_at_each_step_what_it_is_at_once_and_leaves_alone_what_is_complete(
    open_chat: Callable[..., Chat], browser: WebDriver
) -> None:
    open_chat()
    chance = random.Random(1)
    texts = ["\n".join(MARKDOWN), "\n".join(HOSTILE), "text\n|a|b|\n|-|-|c", "- #### Four\n  # One\n- item"]
    for _ in range(2000 if NIGHTLY else 60):
        ends = ["\n"] * 8 + ["\r", "\r\n"]
        texts.append("".join(chance.choice(LINES) + chance.choice(ends) for _ in range(chance.randint(2, 20))))
    cases = [(text, step) for text in texts for step in (1, 7)]
    differ, kept, other = browser.execute_async_script(GROW, cases)
    assert differ == []
    assert kept == ["text", "one", "ab", "12", "end"]
    assert other == "other"


@pytest.mark.parametrize("react", REACT_VERSIONS)
def test_react_draws_a_box_of_its_own_and_renders_answers(
    open_chat: Callable[..., Chat],
    request: pytest.FixtureRequest,
    bundles: Path,
    sandbox: Sandbox,
    words: Words,
    browser: WebDriver,
    react: str,
) -> None:
    react_bundle(request, react, bundles, REACT_PAGE)
    chat = open_chat(f"react/{react}", room=new_room(sandbox))

    def shown(key: str) -> Any:
        return json.loads(browser.find_element("tag name", "output").text)[key]

    eventually(browser, lambda: shown("status") == "open")
    browser.execute_script("own.send('Hello')")
    words.let(1)
    said = ["user", "Hello", "sent"]
    eventually(browser, lambda: shown("said") == [said, ["assistant", "Bot here.", "writing"]])
    chat.shows(".bubble em", "BOT HERE.")
    browser.execute_script("own.stop()")
    eventually(browser, lambda: shown("said") == [said, ["assistant", "Bot here.", "stopped"]])
    words.let_all()
    chat.shows(".bubble em", "BOT HERE. YOU SAID: HELLO")
    assert not shown("isWriting")


def test_tool_shows_what_it_was_given_only_if_the_relay_sends_it(
    open_chat: Callable[..., Chat], browser: WebDriver
) -> None:
    open_chat()
    draw = """
        const done = arguments[1];
        const url = "/interactor/static/interactor-chat-";
        const modules = ["tools.js", "texts.js"].map((name) => import(url + name));
        Promise.all(modules).then(([{ makeTool, drawTool }, { TEXTS }]) => {
          done(arguments[0].map((call) => {
            const node = makeTool(call);
            drawTool(node, call, { texts: TEXTS, labelOf: () => undefined });
            return [...node.querySelectorAll("span, dt, pre, dd summary, [role=alert]")]
              .filter((each) => !each.closest("[hidden]")).map((each) => each.textContent);
          }));
        });
    """
    call = {"id": "tc_1", "tool_id": "tool_1", "status": "completed"}
    named = {**call, "tool_name": "get_weather", "arguments": {"city": "Oslo"}, "result": 21}
    decided = {**call, "approval": {"shown": {"order": "o_1"}, "state": "decided"}}
    long = {**call, "approval": {"shown": {"lines": [1], "note": "x" * 300}, "state": "decided"}}
    shown = browser.execute_async_script(draw, [call, named, decided, long])
    late = ["✓", "Tool", "done", "order", "o_1", "This was already decided."]
    folded = [
        "✓",
        "Tool",
        "done",
        "lines",
        "[\n  1\n]",
        "note",
        "x" * 200 + "…",
        "x" * 300,
        "This was already decided.",
    ]
    given = ["Arguments", '{\n  "city": "Oslo"\n}', "Result", "21"]
    assert shown == [["✓", "Tool", "done"], ["✓", "get_weather", "done", *given], late, folded]
