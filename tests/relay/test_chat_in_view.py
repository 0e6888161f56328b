"""What a person sees of `<interactor-chat>` in a real Chromium while answers stream, the network fails and tabs are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.browser import eventually
from tests.support.chat_driver import LOST, Chat, Words
from tests.support.chat_page import ChatPage
from tests.support.conversations import NAMESPACE, new_room

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
    "```py\n\tif a < b:\n```": "<div><div><span>py</span><button>Copy</button></div><pre><code>\tif a &lt; b:</code></pre></div>",
    "[Shop](https://shop.example/a_(b)) https://x.example/y.": (
        '<p><a href="https://shop.example/a_(b)">Shop</a> <a href="https://x.example/y">https://x.example/y</a>.</p>'
    ),
    "[a](javascript:alert(1)) [b](JaVa\tscript:alert) [c](data:text/html,x) ![d](javascript:x)": "<p>a b c d</p>",
    "<img src=x onerror=alert(1)> <script>alert(1)</script>": (
        "<p>&lt;img src=x onerror=alert(1)&gt; &lt;script&gt;alert(1)&lt;/script&gt;</p>"
    ),
    "snake_case_name 2 * 3 * 4 \\*no\\* **open": "<p>snake_case_name 2 * 3 * 4 *no* **open</p>",
    "[x](<java&#10;script:alert(1)>)": '<p>x</p>',
}
RENDER = """
const done = arguments[1];
import("/interactor/static/interactor-markdown.js").then(({ renderMarkdown }) => {
  const html = arguments[0].map((text) => {
    const box = document.createElement("div");
    box.append(renderMarkdown(text));
    const links = [...box.querySelectorAll("a")];
    if (!links.every((link) => link.rel.includes("noopener") && link.target === "_blank")) return "opener";
    for (const node of box.querySelectorAll("*")) {
      for (const name of node.getAttributeNames()) {
        if (!["href", "start"].includes(name) && node.className !== "end") node.removeAttribute(name);
        else if (!["href", "start", "class"].includes(name)) node.removeAttribute(name);
      }
    }
    return box.innerHTML;
  });
  done(html);
});
"""
HOSTILE = ["[", "](", "**a ", "*a _b ", "`", "``a`", "[a](b", "![[", "> ", "- ", "|-", "~~a", "https://a)", "<a", "# "]
TIMES = """
const done = arguments[1];
import("/interactor/static/interactor-markdown.js").then(({ renderMarkdown }) => {
  const seconds = (text, began = performance.now()) => (renderMarkdown(text), performance.now() - began);
  done(arguments[0].map((part) => Math.max(seconds(part.repeat(20000)), seconds(`${part.repeat(20000)}\\n`.repeat(2)))));
});
"""


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
    chat.streams("Bot\n" + "\n".join(f"{number}. line" for number in range(60)).replace("0. line\n", "line\n")) if False else None
    eventually(chat.browser, lambda: chat.streaming.endswith("line"))
    chat.write("Second")
    chat.shows_messages("First", "Second")
    assert chat.run(IN_VIEW, ".message.user .bubble")
    expected.append(LOST)
    page.kill()
    chat.write("Third")
    chat.shows(".failure span", "Not sent. The server cannot be reached.")
    assert chat.run(IN_VIEW, ".message.user .bubble")
    page.start()
