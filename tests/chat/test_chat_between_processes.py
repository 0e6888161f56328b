"""Several processes chat in one room: each gets the answer to its own message, or an error.

What a process remembers of its rooms it keeps by their URL, so clients that spell it differently know nothing of each
other, as if they were of different processes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from interactor_ext import ToolSet
from interactor_ext.chat import _room_queue
from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY
from tests.support.chaos_proxy import ChaosProxy
from tests.support.conversations import NAMESPACE, Outcome, asked, chat, new_room, room_with, under_deadline, user_of
from tests.support.modes import sync_and_async
from tests.support.waiting import with_enough_time

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

ROUNDS = 5 if NIGHTLY else 1
WORDS = "one two three four five six seven eight"
WORD_DELAY = 0.01


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox(word_delay=WORD_DELAY).run() as sandbox:
        yield sandbox


def elsewhere(sandbox: Sandbox) -> dict[str, str]:
    """The settings of a client in another process."""
    return {"core_api_url": sandbox.core_api_url.replace("127.0.0.1", "localhost")}


def answer_to(content: str) -> str:
    return f"Bot here. You said: {content}"


def is_answer_to(outcome: Outcome, content: str) -> bool:
    return outcome.text == outcome.answer == answer_to(content)


async def leave_early(mode: str, sandbox: Sandbox, room: str, content: str) -> None:
    """Read the first event of an answer and leave the chat."""
    async with user_of(sandbox, mode) as user, user.chat(room, content) as reply:
        await anext(aiter(reply.text()))


@sync_and_async
def test_chat_waits_for_the_answer_to_a_chat_left_in_another_process(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    for number in range(2):
        asyncio.run(leave_early(mode, sandbox, room, f"{number} {WORDS}"))
        content = f"And {number}?"
        outcome = chat(mode, sandbox, room, content, **elsewhere(sandbox))
        assert is_answer_to(outcome, content)
        # Word by word, since nobody else is there.
        assert len(outcome.events) == len(answer_to(content).split()) + 1


@sync_and_async
@pytest.mark.parametrize("messages", [1, 2])
def test_chat_waits_for_the_answers_to_messages_sent_before(mode: str, messages: int, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        for number in range(messages):
            user.messages.send(room, content=f"{number} {WORDS}", stream=True)
    assert is_answer_to(chat(mode, sandbox, room, "TWO"), "TWO")


def test_chat_waits_for_the_answer_to_a_chat_of_a_child_process(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    program = f"""if True:
        from interactor_ext import InteractorClient
        with InteractorClient(
            client_id={sandbox.client_id!r}, client_secret={sandbox.client_secret!r}, namespace={NAMESPACE!r},
            core_api_url={sandbox.core_api_url!r}, account_server_url={sandbox.account_server_url!r},
        ) as user, user.chat({room!r}, {WORDS!r} * 15) as reply:
            next(reply.text())
            print("left", flush=True)
        """
    left = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert left.stdout == "left\n", left.stderr
    assert is_answer_to(chat("sync", sandbox, room, "TWO"), "TWO")


@pytest.fixture
def at_once(sandbox: Sandbox) -> Iterator[list[dict[str, str]]]:
    """The settings of two clients, in two processes, that send their messages when both have found the room quiet."""
    barrier = threading.Barrier(2, timeout=30)

    def wait_for_the_other(request: str, number: int) -> None:
        if request.startswith("POST ") and request.endswith("/messages"):
            barrier.wait()

    with (
        ChaosProxy(sandbox.core_api_url, wait_for_the_other) as one,
        ChaosProxy(sandbox.core_api_url, wait_for_the_other) as other,
    ):
        yield [{"core_api_url": proxy.url} for proxy in (one, other)]


class Tools(ToolSet):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.runs: list[str] = []

        @self.tool
        def look_up(key: str) -> str:
            """Looks something up."""
            self.runs.append(key)
            return f"{key} {name}"


@sync_and_async
def test_simultaneous_messages_run_only_their_own_tool_calls(
    mode: str, sandbox: Sandbox, at_once: list[dict[str, str]]
) -> None:
    """Each process runs the calls of its own message only, and gets its own answer or a StreamError."""
    tools = [Tools("here"), Tools("there")]
    with sandbox.client(namespace=NAMESPACE) as user:
        room = new_room(sandbox, *(tool.id for tool in tools[0].register(user)))
        tools[1].register(user)
    answered = 0
    for number in range(ROUNDS):
        contents = [f'/tool look_up {{"key": "{number} {where}"}}' for where in ("here", "there")]
        with ThreadPoolExecutor(2) as pool:
            here = pool.submit(partial(chat, mode, sandbox, room, contents[0], tools=tools[0], **at_once[0]))
            there = pool.submit(partial(chat, mode, sandbox, room, contents[1], tools=tools[1], **at_once[1]))
            outcomes = [here.result(30), there.result(30)]
        for outcome, where in zip(outcomes, ("here", "there"), strict=True):
            if outcome.message is None:
                assert "ambiguous" in str(outcome.error)
                assert outcome.text == ""
            else:
                answered += 1
                expected = f'Bot here. look_up returned "{number} {where} {where}".'
                assert outcome.text == outcome.message.content == expected
    assert answered == 2 * ROUNDS
    assert tools[0].runs == [f"{number} here" for number in range(ROUNDS)]
    assert tools[1].runs == [f"{number} there" for number in range(ROUNDS)]
    assert len(list(asked(sandbox, "submit_tool_result"))) == 2 * ROUNDS


@sync_and_async
def test_message_of_another_process_is_answered_while_a_tool_runs(mode: str, sandbox: Sandbox) -> None:
    """Its deltas on the shared stream are handed out by its own chat alone."""
    tools = ToolSet()
    started, go_on = threading.Event(), threading.Event()

    @tools.tool
    def wait() -> str:
        """Waits."""
        started.set()
        assert go_on.wait(30)
        return "done"

    room = room_with(sandbox, tools)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(partial(chat, mode, sandbox, room, "/tool wait {}", tools=tools))
        assert started.wait(30)
        between = chat(mode, sandbox, room, WORDS, **elsewhere(sandbox))
        go_on.set()
        outcome = waiting.result(30)
    assert is_answer_to(between, WORDS)
    assert outcome.text == outcome.answer == 'Bot here. wait returned "done".'


@pytest.fixture
def few_looks(short_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a room with a message to answer, for half a minute in real life, and later while its stream has events."""
    monkeypatch.setattr(_room_queue, "_POLL_PAUSES", (0.01,) * 5)
    monkeypatch.setattr(_room_queue, "_LATER_POLL_PAUSE", 0.05)


@pytest.mark.usefixtures("few_looks")
@sync_and_async
def test_chat_waits_while_the_stream_brings_events_of_an_earlier_answer(mode: str, sandbox: Sandbox) -> None:
    def attempt(seconds: float) -> None:
        sandbox.reset()
        room = new_room(sandbox)
        asyncio.run(leave_early(mode, sandbox, room, "word " * int(seconds / WORD_DELAY)))
        assert is_answer_to(chat(mode, sandbox, room, "TWO", **elsewhere(sandbox)), "TWO")
        assert len(list(asked(sandbox, "stream_room"))) > 3

    with_enough_time(attempt, 0.4, 3, 12)


@pytest.mark.usefixtures("few_looks")
@sync_and_async
def test_answer_that_never_comes_holds_up_a_chat_for_a_limited_time(mode: str) -> None:
    with Sandbox(word_delay=3600).run() as sandbox:
        room = new_room(sandbox)
        asyncio.run(leave_early(mode, sandbox, room, WORDS))

        def attempt(deadline: float) -> Outcome:
            return chat(mode, sandbox, room, "TWO", deadline=deadline, **elsewhere(sandbox))

        under_deadline(attempt, lambda: len(list(asked(sandbox, "send_message"))) == 2)


@sync_and_async
def test_pending_tool_call_does_not_block_other_chats(mode: str, sandbox: Sandbox) -> None:
    """Once the result is submitted, its answer is waited for."""
    tools = Tools("here")
    with sandbox.client(namespace=NAMESPACE) as user:
        room = new_room(sandbox, *(tool.id for tool in tools.register(user)))
        user.messages.send(room, content='/tool look_up {"key": "late"}', stream=True)
        assert is_answer_to(chat(mode, sandbox, room, "TWO"), "TWO")
        asking = user.messages.list(room).data[1]
        assert asking.tool_calls
        user.tools.submit_result(room, tool_call_id=asking.tool_calls[0].id, result="late")
    assert is_answer_to(chat(mode, sandbox, room, "THREE"), "THREE")


@sync_and_async
def test_chat_lists_messages_twice(mode: str, sandbox: Sandbox) -> None:
    """docs/how-to/chat.md."""
    assert is_answer_to(chat(mode, sandbox, new_room(sandbox), WORDS), WORDS)
    assert len(list(asked(sandbox, "list_messages"))) == 2


def test_garbage_collected_chat_releases_the_room(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        reply = user.chat(room, WORDS).__enter__()
        assert sandbox.open_streams == 1
        del reply
        with ThreadPoolExecutor(1) as pool:
            assert is_answer_to(pool.submit(chat, "sync", sandbox, room, "TWO").result(30), "TWO")
