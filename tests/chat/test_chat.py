"""`user.chat(...)`: complete answers without duplicates, over cut streams and beside other chats."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from interactor_client.models import MessageComplete, MessageDelta, UnknownEvent
from interactor_ext import APITimeoutError, NotFoundError, PermissionDeniedError, StreamError, ValidationError
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform import conversation
from tests.support import patient
from tests.support.cases import NIGHTLY
from tests.support.chaos_proxy import LOST, ChaosProxy
from tests.support.conversations import NAMESPACE, Outcome, asked, chat, new_room, under_deadline, user_of
from tests.support.modes import at_once, opened, sync_and_async
from tests.support.pages import DOCS, blocks
from tests.support.scripted_server import Connection, RawServer, settings_of
from tests.support.served import UVICORN, Served, needs
from tests.support.waiting import eventually, eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

WORDS = "one two three four five six seven"
ANSWER = f"Bot here. You said: {WORDS}"


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox(word_delay=0.01).run() as sandbox:
        yield sandbox


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, the sandbox gives only the first word of an answer."""
    event = threading.Event()

    async def sleep(seconds: float) -> None:
        while not event.is_set():
            await asyncio.sleep(0.002)
        await asyncio.sleep(seconds)

    monkeypatch.setattr(conversation, "asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))
    yield event
    event.set()


async def text_of(reply: Any) -> str:
    return "".join([word async for word in reply.text()])


@sync_and_async
def test_chat_gives_deltas_and_then_the_complete_message(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    outcome = chat(mode, sandbox, room, WORDS)
    assert outcome.text == ANSWER
    assert outcome.types == ["message.delta"] * len(ANSWER.split()) + ["message.complete"]
    assert all(isinstance(event, MessageDelta) for event in outcome.events[:-1])
    assert outcome.message is not None
    assert outcome.events[-1] == MessageComplete(message=outcome.message)
    with sandbox.client(namespace=NAMESPACE) as user:
        listed = user.messages.list(room).data
    assert [(message.role, message.content) for message in listed] == [("user", WORDS), ("assistant", ANSWER)]
    assert listed[1] == outcome.message
    (sent,) = asked(sandbox, "send_message")
    assert sent.body == {"content": WORDS, "stream": True}
    assert sent.headers["idempotency-key"]
    assert eventually(lambda: sandbox.open_streams == 0)


@sync_and_async
def test_immediate_answer_loses_no_delta(mode: str) -> None:
    with Sandbox().run() as sandbox:
        room = new_room(sandbox)
        assert [chat(mode, sandbox, room, WORDS).text for _ in range(5)] == [ANSWER] * 5


@sync_and_async
def test_lost_response_to_the_message_is_retried_with_the_same_idempotency_key(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)

    def lose_first_answer(request: str, number: int) -> int | None:
        return LOST if request == f"POST /api/v1/rooms/{room}/messages" and number == 0 else None

    with ChaosProxy(sandbox.core_api_url, lose_first_answer) as proxy:
        outcome = chat(mode, sandbox, room, WORDS, core_api_url=proxy.url)
    assert outcome.text == ANSWER
    assert len(proxy.cuts) == 1
    first, second = asked(sandbox, "send_message")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    with sandbox.client(namespace=NAMESPACE) as user:
        assert len(user.messages.list(room).data) == 2


@sync_and_async
@pytest.mark.parametrize("allowed", [0, 1, 18, 19, 100, 200, 500, 900] if NIGHTLY else [0, 19, 500])
def test_cut_stream_is_resumed_and_loses_no_delta(mode: str, allowed: int, sandbox: Sandbox) -> None:
    """Cut before the first event, the stream has no id to resume from, and the server can replay nothing."""
    room = new_room(sandbox)

    def cut(request: str, number: int) -> int | None:
        # Later connections get further, or this would never end.
        return allowed + 200 * number if request.endswith("/stream") and number < 3 else None

    with ChaosProxy(sandbox.core_api_url, cut) as proxy:
        outcome = chat(mode, sandbox, room, WORDS, core_api_url=proxy.url)
        assert proxy.cuts
    assert outcome.error is None
    assert outcome.text == ANSWER
    assert outcome.answer == ANSWER
    assert outcome.types[-1] == "message.complete"
    assert outcome.types.count("message.complete") == 1


def cannot_resume(sandbox: Sandbox, room: str) -> None:
    sandbox.faults.add("stream_room", status=403, times=None)
    sandbox.disconnect_streams()


def says_that_it_failed(sandbox: Sandbox, room: str) -> None:
    sandbox.emit(room, {"type": "error", "error": {"code": "OVERLOADED", "message": "Too busy."}})


def loses_its_room(sandbox: Sandbox, room: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.rooms.delete(room)


@sync_and_async
@pytest.mark.parametrize(
    ("fate", "error", "code", "answer"),
    [
        (cannot_resume, PermissionDeniedError, "FORBIDDEN", ANSWER),
        (says_that_it_failed, StreamError, "OVERLOADED", ANSWER),
        (loses_its_room, NotFoundError, "NOT_FOUND", None),
    ],
)
def test_stream_that_fails_raises_and_message_finds_the_answer(
    mode: str,
    fate: Any,
    error: type[Exception],
    code: str,
    answer: str | None,
    sandbox: Sandbox,
    go_on: threading.Event,
) -> None:
    room = new_room(sandbox)

    def during(event: Any) -> None:
        if event is None:
            fate(sandbox, room)
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=during)
    assert (type(outcome.error), getattr(outcome.error, "code", None)) == (error, code)
    assert outcome.answer == answer  # the words are lost, but not the message


REPORTS: list[tuple[dict[str, Any], str, str, str | None]] = [
    ({"error": "model overloaded"}, "model overloaded", "STREAM_ERROR", None),
    ({"error": {"code": "OVERLOADED", "message": "too much", "request_id": "r_1"}}, "too much", "OVERLOADED", "r_1"),
    ({"code": "X", "message": "flat"}, "flat", "X", None),
    ({}, "reported an error", "STREAM_ERROR", None),
    ({"error": {"details": [{"field": "a", "message": "b"}]}}, "reported an error", "STREAM_ERROR", None),
    ({"error": "bad token Bearer abcdef0123456789\r\nSet-Cookie: x"}, "bad token", "STREAM_ERROR", None),
]


@pytest.mark.parametrize(("report", "message", "code", "request_id"), REPORTS)
def test_error_event_raises_what_it_says_without_secrets(
    report: dict[str, Any], message: str, code: str, request_id: str | None, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def during(event: Any) -> None:
        if event is None:
            sandbox.emit(room, {"type": "error", **report})
            go_on.set()

    error = chat("sync", sandbox, room, WORDS, during=during).error
    assert type(error) is StreamError
    assert message in str(error)
    assert "GET /rooms/{room_id}/stream" in str(error)
    assert (error.code, error.request_id) == (code, request_id)
    assert "abcdef0123456789" not in str(error)
    assert "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@sync_and_async
async def test_rest_of_the_text_can_be_read_after_the_stream_failed(
    mode: str, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user, user.chat(room, WORDS) as reply:
        words = aiter(reply.text())
        first = await anext(words)
        cannot_resume(sandbox, room)
        go_on.set()
        with pytest.raises(PermissionDeniedError):  # noqa: PT012
            async for word in words:
                first += word
        whole, rest = (await reply.message()).content, await text_of(reply)
    assert whole == ANSWER
    assert whole.startswith(first)
    assert rest in ("", whole[len(first) :])


@sync_and_async
@pytest.mark.parametrize(
    ("events", "unknown"),
    [([{"type": "done"}], 0), ([{"type": "message.thinking"}, {"type": "message.complete", "message": {"id": 5}}], 1)],
    ids=["done", "unknown and invalid"],
)
def test_done_unknown_and_invalid_events_do_not_end_the_chat(
    mode: str, events: list[dict[str, Any]], unknown: int, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def say(event: Any) -> None:
        if event is None:
            for each in events:
                sandbox.emit(room, each)
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=say)
    assert (outcome.error, outcome.text) == (None, ANSWER)
    assert [type(event) for event in outcome.events].count(UnknownEvent) == unknown


class OddEnd:
    """A room whose stream is silent after one event for the end of an answer, and whose list shows the answer late."""

    def __init__(self, end: dict[str, Any]) -> None:
        self._end = end
        self._sent = threading.Event()
        self._lists = 0

    def __call__(self, connection: Connection) -> None:
        assert connection.request is not None
        path = urlsplit(connection.request.target).path
        if path.endswith("/stream"):
            connection.head()
            self._sent.wait(60)
            for event in ({"type": "message.delta", "content": "Hi "}, {"type": "message.complete", **self._end}):
                connection.send(f"data: {json.dumps(event)}\n\n".encode())
            connection.wait_for_client_to_leave()
            return
        question = {"id": "msg_1", "role": "user", "content": WORDS, "created_at": "2026-01-01T00:00:00Z"}
        answer = {"id": "msg_2", "role": "assistant", "content": "Hi there", "created_at": "2026-01-01T00:00:01Z"}
        body: dict[str, Any] = {"data": question}
        if path.endswith("/oauth/token"):
            body = {"access_token": "t"}
        elif connection.request.method == "POST":
            self._sent.set()
        else:
            self._lists += self._sent.is_set()
            body["data"] = [answer, question][self._lists < 4 :] if self._lists else []
        connection.head(200, content_type="application/json")
        connection.send(json.dumps(body).encode())


@sync_and_async
@pytest.mark.parametrize(
    "end",
    [{}, {"message": None}, {"message": {"id": 5}}, {"id": "msg_2", "role": "assistant", "content": "Hi there"}],
    ids=["nothing", "null", "odd", "guide"],
)
async def test_end_of_the_answer_is_found_whatever_form_its_event_has(mode: str, end: dict[str, Any]) -> None:
    with RawServer(OddEnd(end)) as server:
        settings = settings_of(server.url, namespace=NAMESPACE, deadline=60)
        async with opened(mode, settings) as user, user.chat("room_1", WORDS) as reply:
            assert await text_of(reply) == "Hi there"
            assert (await reply.message()).id == "msg_2"


@sync_and_async
async def test_chat_repeated_with_its_idempotency_key_gives_the_same_answer(mode: str, sandbox: Sandbox) -> None:
    room, messages = new_room(sandbox), []
    async with user_of(sandbox, mode) as client:
        user = client.with_options(idempotency_key="chat-1")
        for _ in range(2):
            async with user.chat(room, WORDS) as reply:
                assert await text_of(reply) == ANSWER
                messages.append(await reply.message())
    assert messages[0] == messages[1]
    with sandbox.client(namespace=NAMESPACE) as user:
        assert len(user.messages.list(room).data) == 2


@sync_and_async
@pytest.mark.usefixtures("go_on")
async def test_leaving_the_block_early_closes_the_stream(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user:
        async with user.chat(room, WORDS) as reply:
            assert await anext(aiter(reply.text()))
            assert sandbox.open_streams == 1
        await eventually_async(lambda: sandbox.open_streams == 0)
        with pytest.raises(StreamError, match="before the reply was complete"):
            await reply.message()


@pytest.mark.parametrize("source", [aiter, lambda reply: reply.text()], ids=["events", "text"])
async def test_time_limit_on_an_event_does_not_end_the_loop(
    source: Any, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)
    async with user_of(sandbox, "async") as user, user.chat(room, WORDS) as reply:
        events, came, limits = source(reply), list[Any](), 0
        while True:
            if limits == 3:
                go_on.set()
            try:
                came.append(await asyncio.wait_for(anext(events), 0.01))
            except TimeoutError:
                limits += 1
            except StopAsyncIteration:
                break
        words = [
            event if isinstance(event, str) else event.content
            for event in came
            if not isinstance(event, MessageComplete)
        ]
        assert "".join(words) == ANSWER
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_many_short_wait_for_find_the_answer_although_the_stream_breaks(sandbox: Sandbox) -> None:
    """Each is shorter than the wait before a reconnect, and than the pauses between looks at the room."""
    room = new_room(sandbox)
    for is_lost in (False, True):
        async with sandbox.async_client(namespace=NAMESPACE) as user, user.chat(room, WORDS) as reply:
            if is_lost:
                sandbox.faults.add("stream_room", status=403, times=None)
            sandbox.disconnect_streams()
            limits = 0
            while True:
                try:
                    assert (await asyncio.wait_for(reply.message(), 0.02)).content == ANSWER
                    break
                except TimeoutError:
                    limits += 1
                    assert limits < 5000
            assert len(list(asked(sandbox, "stream_room"))) <= 4


@sync_and_async
async def test_close_ends_a_pending_message_call_with_stream_error(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)

    async def wait_for_the_message(reply: Any) -> None:
        with pytest.raises(StreamError, match="before the reply was complete"):
            await reply.message()

    async def leave(reply: Any) -> None:
        # It reads the answer, or is about to.
        await asyncio.sleep(0.05)
        await reply.aclose()

    async with user_of(sandbox, mode) as user, user.chat(room, "word " * 2000) as reply:
        await asyncio.wait_for(at_once(mode, wait_for_the_message(reply), leave(reply)), 60)
        await eventually_async(lambda: sandbox.open_streams == 0)
        assert len(list(asked(sandbox, "stream_room"))) == 1
        # The room is free for others.
        sandbox.reset()
        room = new_room(sandbox)
        async with user.chat(room, WORDS) as reply:
            assert (await reply.message()).content == ANSWER


@pytest.mark.parametrize("turns", [None, *(range(6) if NIGHTLY else (0, 1, 3))])
async def test_cancelled_chat_closes_the_stream_and_releases_the_room(turns: int | None, sandbox: Sandbox) -> None:
    """Also if it is cancelled once more while it closes."""
    room = new_room(sandbox)
    async with sandbox.async_client(namespace=NAMESPACE) as user:
        entered = asyncio.Event()

        async def follow() -> None:
            async with user.chat(room, WORDS) as reply:
                entered.set()
                await asyncio.sleep(10)
                await reply.message()

        task = asyncio.create_task(follow())
        await asyncio.wait_for(entered.wait(), 60)
        task.cancel()
        if turns is not None:
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        async with asyncio.timeout(60), user.chat(room, "again") as reply:
            assert (await reply.message()).content == "Bot here. You said: again"
        await eventually_async(lambda: sandbox.open_streams == 0)


@sync_and_async
def test_deadline_limits_the_wait_for_the_answer_of_an_earlier_chat(mode: str) -> None:
    with Sandbox(word_delay=1).run() as sandbox:
        room = new_room(sandbox)
        with sandbox.client(namespace=NAMESPACE) as user, user.chat(room, "word " * 200):
            pass
        started = time.monotonic()
        with pytest.raises(APITimeoutError):
            chat(mode, sandbox, room, "x", deadline=0.1)
        assert time.monotonic() - started < 30
        assert len(list(asked(sandbox, "send_message"))) == 1


@sync_and_async
async def test_concurrent_chats_in_one_room_get_their_own_answers(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    contents = [f"{number} {WORDS}" for number in range(3)]

    async def follow(user: Any, content: str) -> tuple[str, str]:
        async with user.chat(room, content) as reply:
            return await text_of(reply), (await reply.message()).content

    async with user_of(sandbox, mode) as user:
        outcomes = await at_once(mode, *(follow(user, content) for content in contents))
    assert outcomes == [(f"Bot here. You said: {content}",) * 2 for content in contents]


@sync_and_async
async def test_nested_chats_in_one_room_do_not_deadlock(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user, user.chat(room, "A") as a, user.chat(room, "B") as b:
        for reply, content in ((b, "B"), (a, "A")):
            assert (await reply.message()).content == await text_of(reply) == f"Bot here. You said: {content}"


@sync_and_async
async def test_deadline_limits_the_wait_for_a_chat_of_the_same_thread_or_task(mode: str) -> None:
    """It is read to its end first, and never comes to one."""
    with Sandbox(word_delay=0.1).run() as sandbox:
        room = new_room(sandbox)
        async with user_of(sandbox, mode) as user, user.chat(room, "word " * 2000):
            with pytest.raises(APITimeoutError, match="another chat"):
                await user.with_options(deadline=0.05).chat(room, "x").__aenter__()
        assert len(list(asked(sandbox, "send_message"))) == 1


@sync_and_async
async def test_chat_after_one_that_was_left_early_gets_its_own_answer(mode: str, sandbox: Sandbox) -> None:
    """The rest of the first answer is still on its way, and its deltas name no message."""
    room = new_room(sandbox)
    async with user_of(sandbox, mode) as user:
        async with user.chat(room, WORDS) as reply:
            await anext(aiter(reply.text()))
        async with user.chat(room, "And now?") as reply:
            assert await text_of(reply) == "Bot here. You said: And now?"


async def test_chat_cancelled_in_the_room_queue_is_skipped(sandbox: Sandbox, go_on: threading.Event) -> None:
    room = new_room(sandbox)
    async with sandbox.async_client(namespace=NAMESPACE) as user:

        async def follow(content: str) -> str:
            async with user.chat(room, content) as reply:
                return (await reply.message()).content

        async with user.chat(room, WORDS) as first:
            second, third = asyncio.create_task(follow("second")), asyncio.create_task(follow("third"))
            await anext(aiter(first))
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            fourth = asyncio.create_task(follow("fourth"))
            go_on.set()
            assert (await first.message()).content == ANSWER
        assert (await third, await fourth) == ("Bot here. You said: third", "Bot here. You said: fourth")
    assert [request.body["content"] for request in asked(sandbox, "send_message")] == [WORDS, "third", "fourth"]


@sync_and_async
def test_deadline_limits_the_wait_for_an_answer(mode: str, sandbox: Sandbox) -> None:
    entered: list[bool] = []

    def attempt(deadline: float) -> Outcome:
        def during(_: object) -> None:
            entered.append(True)

        return chat(mode, sandbox, new_room(sandbox), WORDS * 1000, during=during, deadline=deadline)

    outcome = under_deadline(attempt, lambda: bool(entered))
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.message is None


@sync_and_async
def test_rejected_message_raises_on_entering(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with pytest.raises(NotFoundError):
        chat(mode, sandbox, "room_unknown", WORDS)
    with pytest.raises(ValidationError):
        chat(mode, sandbox, room, "")
    assert eventually(lambda: sandbox.open_streams == 0)
    assert chat(mode, sandbox, room, WORDS).text == ANSWER


def test_reply_entered_twice_raises_runtime_error(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        reply = user.chat(room, WORDS)
        with pytest.raises(RuntimeError, match=r"with user\.chat"):
            reply.message()
        with pytest.raises(RuntimeError, match=r"with user\.chat"):
            next(reply.text())
        with reply:
            assert room in repr(reply)
            with pytest.raises(RuntimeError, match="once"):
                reply.__enter__()
            assert reply.message().content == ANSWER
        assert reply.message().content == ANSWER


def test_browser_that_leaves_ends_its_chat_at_once(tmp_path: Path, sandbox: Sandbox, go_on: threading.Event) -> None:
    needs(["fastapi", "uvicorn"])
    (block,) = [block for block in blocks(DOCS / "how-to/chat.md") if block.title == "replies.py"]
    code = block.code.replace("user_123", NAMESPACE)
    # Without a garbage collector: what only that would close stays open.
    (tmp_path / "replies.py").write_text(f"import gc\n\ngc.disable()\n{code}")
    room = new_room(sandbox)
    with closing(Served([*UVICORN, "replies:app"], sandbox.env, tmp_path)) as served:
        served.wait_until_it_answers("/docs")
        url, question = f"{served.origin}/rooms/{room}/answer", {"question": "Hello?"}
        with patient.Client() as browser, browser.stream("GET", url, params=question) as answer:
            texts = answer.iter_text()  # kept: httpx closes the connection when the iterator goes
            assert next(texts)
            assert sandbox.open_streams == 1
        assert eventually(lambda: sandbox.open_streams == 0), served.printed()
    assert served.printed() == ""
