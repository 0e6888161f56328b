"""The pictures of the documentation: of the pages in a real Chromium, of commands in a terminal, and diagrams.

`make pictures` writes them into docs/pictures/; without INTERACTOR_PICTURES they are made and thrown away.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.text import Text

from interactor_client.models import WorkflowState
from interactor_ext.sandbox import Sandbox
from tests.support import ways
from tests.support.browser import chromium, eventually
from tests.support.chat_driver import Chat
from tests.support.chat_page import ChatPage, refunds
from tests.support.conversations import room_with
from tests.support.inspector_page import Page, origin
from tests.support.npm import npm_package
from tests.support.pages import DOCS, blocks
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

PICTURES = DOCS / "pictures"
DIAGRAMS = sorted(PICTURES.glob("*.mmd"))
LARGEST = 60_000
NAMESPACE = "user_123"
ANSWER = """Order **4711** is on its way:

- packed on Monday
- with the carrier since *this morning*

You can follow it with `track 4711`."""
APPROVAL = {
    "name": "review",
    "type": "halting",
    "presentation": {
        "type": "approval",
        "title": "Refund order 4711?",
        "description": "Ada asks for 49.90 back.",
        "fields": [{"name": "note", "type": "text", "label": "Note"}],
    },
    "transitions": [{"to": "done"}],
}
RENDER = """
const [source, done] = arguments;
mermaid.initialize({
  startOnLoad: false, theme: "neutral", htmlLabels: false, fontFamily: "sans-serif",
  flowchart: { htmlLabels: false, useMaxWidth: false, wrappingWidth: 400 },
  sequence: { useMaxWidth: false, mirrorActors: false, actorMargin: 20, width: 130 },
});
mermaid.render("diagram", source).then(({ svg }) => done(svg), (error) => done(String(error)));
"""
# Without a page's scheme, a picture has a ground of its own.
GROUND = "<style>#diagram { background: #fff; padding: 12px; border-radius: 6px; }</style>"
# Half of a diagram: points for an editor, and the style of each word.
UNNEEDED = re.compile(
    r' data-(points|id|et|edge)="[^"]*"| (font-style|font-weight)="normal"| class="text-inner-tspan"| style=""'
)
# Of a terminal's control sequences: the cursor goes down or up, a line is erased; and what shows nothing here.
MOVES = re.compile(r"(\n|\x1b\[1A|\x1b\[2K)")
INVISIBLE = re.compile(r"\r|\x1b\[\?\d+[hl]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("INTERACTOR_PICTURES")
    return Path(kept) if kept else tmp_path_factory.mktemp("pictures")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        sandbox.replies.add(when="order", say=ANSWER)
        yield sandbox


@pytest.fixture(scope="module")
def window() -> Iterator[WebDriver]:
    with chromium() as window:
        yield window


def take(window: WebDriver, folder: Path, name: str, width: int, height: int) -> None:
    """A picture of the window in either scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1.5 if width < 800 else 1.25, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        window.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        shot = window.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 75})
        keep(folder / f"{name}-{scheme}.webp", base64.b64decode(shot["data"]))


def keep(file: Path, content: bytes) -> None:
    assert len(content) < LARGEST, (file.name, len(content))
    file.write_bytes(content)


@pytest.mark.full
def test_pictures_of_the_chat(window: WebDriver, folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    with sandbox.client(namespace="user_1") as user:
        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
        room = user.rooms.create(assistant_id=bot.id).id
        states = [WorkflowState.from_dict(each) for each in (APPROVAL, {"name": "done", "type": "terminal"})]
        workflow = user.workflows.create(name="Refund", initial_state="review", states=states)
        instance = user.workflow_instances.start(workflow_id=workflow.id).id
        user.messages.send(room, content="Hello!")
    with ChatPage(sandbox.env, tmp_path) as page:
        window.get(f"{page.url}/?room={room}")
        chat = Chat(window)
        chat.shows("[part=status]", "Connected")
        chat.write("Where is my order?")
        eventually(window, lambda: "track 4711" in chat.messages[-1])
        eventually(window, lambda: not chat.streaming)
        take(window, folder, "chat", 760, 620)
        take(window, folder, "chat-phone", 390, 760)
        window.get(f"{page.url}/?instance={instance}")
        chat.shows("#question", "Refund order 4711?")
        take(window, folder, "form", 760, 460)


@pytest.mark.full
def test_picture_of_a_call_that_waits_for_approval(
    window: WebDriver, folder: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.replies.add(when="money back", call=("refund", {"order": "4711", "amount": 250}))
    room = room_with(sandbox, refunds)
    with sandbox.client(namespace="user_1") as user:
        user.messages.send(room, content="The lamp came broken. Can I have my money back?")
    with ChatPage(sandbox.env, tmp_path, "refunds") as page:
        window.get(f"{page.url}/page.css")
        window.add_cookie({"name": "person", "value": "carol"})
        window.get(f"{page.url}/?room={room}")
        chat = Chat(window)
        chat.shows("[part=status]", "Connected")
        chat.run("chat.toolLabels = { refund: 'Refund' }")
        chat.shows("[part=approval-title]", "This needs your approval.")
        take(window, folder, "approval", 760, 580)


@pytest.mark.full
def test_pictures_of_the_inspector_and_the_consent_page(window: WebDriver, folder: Path, sandbox: Sandbox) -> None:
    sandbox.clock.freeze()
    with sandbox.client(namespace=NAMESPACE) as user:
        user.webhooks.create(url="http://127.0.0.1:1/webhooks", events=["room.message.created"])
        bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
        user.messages.send(user.rooms.create(assistant_id=bot.id).id, content="Where is my order?")
        flow = user.credentials.initiate_oauth(
            provider="google", redirect_uri="https://app.test/back", scopes=["calendar.read", "calendar.write"]
        )
    sandbox.wait_for_deliveries()
    attempts = len(sandbox.deliveries)
    sandbox.clock.advance(31)
    eventually(window, lambda: len(sandbox.deliveries) == 2 * attempts)
    inspector = Page(window, origin(sandbox))
    inspector.open("requests")
    inspector.click(f"//*[@id='request-list']//summary[contains(., 'send_message') and contains(., '{NAMESPACE}')]")
    inspector.shows("#request-list details[open]", "Response headers")
    take(window, folder, "inspector", 1000, 640)
    inspector.open("deliveries")
    inspector.click("(//*[@id='delivery-list']//summary)[1]")
    inspector.shows("#delivery-list details[open]", "after 31 s")
    take(window, folder, "delivery", 1000, 640)
    window.get(flow.authorization_url)
    inspector.shows("main", "Connect google?")
    take(window, folder, "consent", 520, 600)


@pytest.mark.full
def test_recordings_of_commands(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    program = next(blocks(DOCS / "index.md"))
    file = tmp_path / "first_call.py"
    file.write_text(program.code)
    command = Terminal({}, "sandbox", "--", sys.executable, str(file), columns=88)
    record(folder, "terminal-sandbox", "interactor sandbox -- python first_call.py", command.finish())
    with sandbox.client(namespace=NAMESPACE) as user:
        for name in ("Sales Bot", "Support Bot"):
            user.assistants.create(name=name, model="gpt-4", system_prompt="You are helpful.")
    talk = Terminal(sandbox.env, "chat", "-n", NAMESPACE, columns=88)
    talk.until("Talk to: ")
    talk.type("2")
    talk.until("you> ")
    talk.type("Where is my order?")
    talk.until("track 4711", "you> ")
    talk.type("/quit")
    record(folder, "terminal-chat", f"interactor chat -n {NAMESPACE}", talk.finish())


@pytest.mark.full
def test_recording_of_an_exploration(folder: Path, tmp_path: Path) -> None:
    files = {block.title: block.code for block in reversed(list(blocks(DOCS / "how-to" / "explore.md"))) if block.title}
    for name in ("booking.py", "test_booking.py"):  # as they are on the page at first
        (tmp_path / name).write_text(files[name])
    pytest_alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p interactor -p no:cacheprovider"}
    failing = f"cd {tmp_path}; {sys.executable} -m pytest -q --no-header test_booking.py || true"
    output = Terminal(pytest_alone, "explore", "--budget=10m", "--", "bash", "-c", failing, columns=96).finish()
    last_shown = re.sub(r"^[^\n]*\r(?=[^\r\n])", "", output, flags=re.MULTILINE)
    record(folder, "terminal-explore", "interactor explore -- pytest -q test_booking.py", last_shown, columns=96)


def record(folder: Path, name: str, command: str, output: str, columns: int = 88) -> None:
    """What the terminal shows in the end, as SVG."""
    lines = [""]
    for part in MOVES.split(INVISIBLE.sub("", output)):
        if part == "\n":
            lines.append("")
        elif part == "\x1b[1A":
            lines.pop()
        elif part == "\x1b[2K":
            lines[-1] = ""
        else:
            lines[-1] += part
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), command))
    console.print(Text.from_ansi("\n".join(lines).rstrip()))
    svg = re.sub(r"@font-face \{.*?\}\n", "", console.export_svg(title="", unique_id=name), flags=re.DOTALL)
    keep(folder / f"{name}.svg", svg.encode())


@pytest.mark.full
def test_diagrams_are_drawn(
    request: pytest.FixtureRequest, window: WebDriver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = npm_package(request, "mermaid@12.3.0")
    window.get("about:blank")
    script = (package / "node_modules" / "mermaid" / "dist" / "mermaid.min.js").read_text()
    window.execute_script(
        "document.head.append(Object.assign(document.createElement('script'), { text: arguments[0] }))", script
    )
    for source in DIAGRAMS:
        svg = window.execute_async_script(RENDER, source.read_text())
        assert svg.startswith("<svg"), svg
        svg = UNNEEDED.sub("", svg)
        keep(folder / f"{source.stem}.svg", f"{svg.replace('</svg>', GROUND + '</svg>')}{digest(source)}\n".encode())


def digest(source: Path) -> str:
    return f"<!-- {hashlib.sha256(source.read_bytes()).hexdigest()[:16]} -->"


@pytest.mark.parametrize("source", DIAGRAMS, ids=lambda source: source.stem)
def test_diagram_is_drawn_from_its_source(source: Path) -> None:
    """Run `make pictures`."""
    assert digest(source) in source.with_suffix(".svg").read_text(encoding="utf-8")


def test_diagrams_of_the_architecture_are_of_this_code() -> None:
    """Run `make pictures`."""
    for file, content in ways.diagrams():
        assert file.read_text(encoding="utf-8") == content
