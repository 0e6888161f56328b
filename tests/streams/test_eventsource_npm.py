"""The npm package `eventsource` reads `room_stream_url()`, and resumes after a disconnect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from interactor_client.models import MessageComplete
from interactor_ext import AsyncInteractorClient
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import asked, new_room
from tests.support.modes import sync_and_async
from tests.support.node import lines_of
from tests.support.npm import npm_package

PACKAGE = "eventsource@4.1.1"
SCRIPT = """
import { EventSource } from "eventsource";
const source = new EventSource(process.argv[2]);
const say = (value) => console.log(JSON.stringify(value));
source.onopen = () => say("open");
source.onerror = (event) => say(`error ${event.code ?? ""}`);
source.onmessage = (event) => say([event.lastEventId, JSON.parse(event.data)]);
"""
# The namespace must survive the URL.
NAMESPACE = "user 1/ü&b=c"


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    folder = npm_package(request, PACKAGE)
    (folder / "script.js").write_text(SCRIPT)
    return folder


def reading(folder: Path, url: str) -> AbstractContextManager[Callable[[], Any]]:
    return lines_of(["node", "script.js", url], folder)


def url_of(mode: str, sandbox: Sandbox, room: str) -> str:
    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE) as user:
            return user.room_stream_url(room)

    async def main() -> str:
        user: AsyncInteractorClient
        async with sandbox.async_client(namespace=NAMESPACE) as user:
            return await user.room_stream_url(room)

    return asyncio.run(main())


@pytest.mark.full
@sync_and_async
def test_eventsource_npm_reads_a_room_and_resumes_after_a_disconnect(mode: str, folder: Path) -> None:
    with Sandbox().run() as sandbox:
        with sandbox.client(namespace=NAMESPACE) as user:
            bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
            room = user.rooms.create(assistant_id=bot.id).id

        def say(number: int) -> None:
            sandbox.emit(room, {"type": "message.delta", "content": f"word {number} żółw\n"})

        with reading(folder, url_of(mode, sandbox, room)) as next_said:
            assert next_said() == "open"
            for number in range(1, 6):
                say(number)
            received = [next_said() for _ in range(5)]
            sandbox.disconnect_streams()
            assert next_said().startswith("error")
            # Sent while it is disconnected: only a resumption by id can bring these.
            for number in range(6, 9):
                say(number)
            assert next_said() == "open"
            say(9)
            received += [next_said() for _ in range(4)]
        assert received == [
            [str(number), {"type": "message.delta", "content": f"word {number} żółw\n"}] for number in range(1, 10)
        ]
        first, second = asked(sandbox, "stream_room")
        assert "last-event-id" not in first.headers
        assert second.headers["last-event-id"] == "5"


def test_eventsource_npm_reads_a_response(folder: Path) -> None:
    with Sandbox().run() as sandbox:
        room = new_room(sandbox)
        with sandbox.client(namespace="user_1") as user, reading(folder, user.room_stream_url(room)) as next_said:
            assert next_said() == "open"
            answer = user.messages.send(room, content="Hello!")
            events = [next_said()[1]]
            while events[-1]["type"] == "message.delta":
                events.append(next_said()[1])
        assert "".join(event["content"] for event in events[:-1]) == answer.content
        assert MessageComplete.from_dict(events[-1]) == MessageComplete(message=answer)
