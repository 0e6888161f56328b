"""The diagrams of docs/explanation/architecture.md: five ways, traced in real runs, and the imports between rooms.

`python -m tests.support.ways` writes their sources; `make pictures` also draws them.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from interactor_ext import ToolSet
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.support.pages import DOCS

PICTURES = DOCS / "pictures"
ROOT = f"{DOCS.parent}/"
CODE = ("interactor_ext/", "interactor_client/")
# These are in front of half of all functions and would hide who calls whom.
WRAPPERS = ("interactor_client/advised.py", "interactor_ext/_engine/lazy.py")
ONLY_ON_314 = "_LockOf314.__enter__"
BANDS = {
    "kits": ("cli", "pytest_plugin", "testing", "sandbox"),
    "layer": ("relay", "_clients", "chat", "tools", "webhooks", "telemetry", "doors", "_interactor", "_engine"),
    "generated": ("interactor_client",),
}
BOT: Any = {"name": "Bot", "model": "gpt-4", "system_prompt": "Be brief."}


def diagrams() -> Iterator[tuple[Path, str]]:
    yield PICTURES / "diagram-bands.mmd", bands()
    for way, steps in (*client_ways(), ("delivery", delivery()), ("sandbox", sandbox_request())):
        lanes = dict.fromkeys(["start", *map(lane, steps)])
        ids = {name: f"n{number}" for number, name in enumerate(lanes)}
        lines = ["sequenceDiagram", "    autonumber", *(f"    participant {ids[name]} as {name}" for name in lanes)]
        for place, (caller, function) in steps.items():
            file = place.removeprefix(lane(place)).removeprefix("/")
            lines.append(f"    {ids[lane(caller)]}->>{ids[lane(place)]}: {function}<br>{file}")
        yield PICTURES / f"diagram-way-{way}.mmd", "\n".join([*lines, ""])


def lane(place: str) -> str:
    """The room that a file belongs to. Only two rooms within `_engine` are large enough to be shown."""
    found = re.match("interactor_client|_interactor|_engine(/(network|streams)(?=/))?", place)
    return found[0] if found else place.rpartition("/")[0] or place


def traced(run: Callable[[], object], place_of: Callable[[str], str]) -> dict[str, tuple[str, str]]:
    """Run it twice. Return the places of the second run in this thread: who calls each first, and which function."""
    steps: dict[str, tuple[str, str]] = {}

    def place(frame: FrameType) -> str:
        path = frame.f_code.co_filename.removeprefix(ROOT)
        if not path.startswith(CODE) or path in WRAPPERS or frame.f_code.co_qualname == ONLY_ON_314:
            return ""
        return place_of(path).removeprefix("interactor_ext/")

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (here := place(frame)) and here not in steps:
            caller = frame.f_back
            while caller is not None and place(caller) not in steps:
                caller = caller.f_back
            steps[here] = (place(caller) if caller else "start", frame.f_code.co_qualname.replace(".<locals>", ""))

    run()
    gc.collect()
    gc.disable()  # a finaliser would be a step
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return steps


def client_ways() -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    tools = ToolSet()

    @tools.tool
    def stock(article: str) -> str:
        """How many are left."""
        return f"2 {article}s"

    with Sandbox().run() as sandbox, sandbox.client(namespace="user_1") as user:
        bot = user.assistants.create(**BOT, tools=tools)
        room = user.rooms.create(assistant_id=bot.id)

        def event() -> None:
            with user.rooms.stream(room.id) as stream:
                sandbox.emit(room.id, {"type": "message_delta", "message_id": "msg_1", "content": "Hello"})
                next(iter(stream))

        def chat() -> None:
            with user.chat(room.id, '/tool stock {"article": "lamp"}', tools=tools) as reply:
                list(reply)

        def file_of(path: str) -> str:
            return "" if "/sandbox/" in path else path

        yield "call", traced(lambda: user.assistants.get(bot.id), file_of)
        yield "event", traced(event, file_of)
        # Below the chat and its tools, the way is the same as for calls and events.
        yield (
            "chat",
            traced(chat, lambda path: path if re.match("interactor_ext/(chat|tools)/", path) else folder(path)),
        )


def folder(path: str) -> str:
    return "" if "/sandbox/" in path else re.sub("(/api/.*)?/[^/]+$", "", path)


def delivery() -> dict[str, tuple[str, str]]:
    router = WebhookRouter(WebhookVerifier("whsec_of_the_diagram"), store=MemoryEventStore())
    router.default(lambda event: None)
    create = WebhookFactory("whsec_of_the_diagram")
    deliveries = iter([create("credential.expired"), create("credential.expired")])
    with httpx.Client(transport=httpx.WSGITransport(router.wsgi), base_url="http://shop") as platform:

        def deliver() -> None:
            sent = next(deliveries)
            platform.post("/", content=sent.body, headers=sent.headers).raise_for_status()

        return traced(deliver, str)


def sandbox_request() -> dict[str, tuple[str, str]]:
    sandbox = Sandbox()
    grant = {"grant_type": "client_credentials", "client_id": sandbox.client_id, "client_secret": sandbox.client_secret}

    async def post(path: str, body: dict[str, str], **headers: str) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://platform") as client:
            return (await client.post(path, json=body, headers=headers)).raise_for_status().json()["data"]

    with asyncio.Runner() as loop:
        token = loop.run(post("/auth/api/v1/oauth/token", grant))["access_token"]
        return traced(lambda: loop.run(post("/api/v1/assistants", BOT, authorization=f"Bearer {token}")), str)


def bands() -> str:
    """The rooms, with the imports that don't follow from other imports; those in functions and for types count."""
    rooms = [room for band in BANDS.values() for room in band]

    def room_of(module: str) -> str:
        package, *inner = module.split(".")
        # The package's own names are mostly clients.
        room = package if package == "interactor_client" else inner[0] if inner else "_clients"
        return room if room in rooms else "doors"

    def reached(room: str) -> set[str]:
        return {room}.union(*map(reached, below[room]))

    below: dict[str, set[str]] = {room: set() for room in rooms}
    for path in Path(ROOT, "interactor_ext").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module != "interactor_ext.__init__":
            imported = re.findall(
                r"^ *(?:from|import) (interactor_(?:ext|client)[\w.]*)", path.read_text(), re.MULTILINE
            )
            below[room_of(module)] |= {room_of(name) for name in imported} - {room_of(module)}
    lines = ["flowchart TB"]
    for band, names in BANDS.items():
        lines += [f"    subgraph {band}", *(f"        {name}" for name in names), "    end"]
    for room, found in below.items():
        implied = {deeper for each in found for deeper in reached(each) - {each}}
        lines += [f"    {room} --> {name}" for name in rooms if name in found - implied]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    for file, content in diagrams():
        file.write_text(content, encoding="utf-8")
