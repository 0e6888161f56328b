"""`user.chat(...)`: complete answers without duplicates, over cut streams and beside other chats."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_client.models import Message, MessageComplete, MessageDelta, UnknownEvent
from interactor_ext import (
    APITimeoutError,
    InteractorClient,
    NotFoundError,
    PermissionDeniedError,
    StreamError,
    ValidationError,
)
from interactor_ext.chat._room_queue import ROOMS
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform import conversation
from tests.support.chaos_proxy import LOST, ChaosProxy
from tests.support.conversations import (
    NAMESPACE,
    Outcome,
    asked,
    chat,
    new_room,
    shorten_pauses,
    sync_and_async,
    under_deadline,
)
from tests.support.waiting import eventually

WORDS = "one two three four five six seven"
ANSWER = f"Bot here. You said: {WORDS}"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_pauses(monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(word_delay=0.01).run() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset()
    return server


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
@pytest.mark.parametrize("chats", [5, pytest.param(20, marks=pytest.mark.full)])
def test_immediate_answer_loses_no_delta(mode: str, chats: int) -> None:
    with Sandbox().run() as sandbox:
        room = new_room(sandbox)
        assert [chat(mode, sandbox, room, WORDS).text for _ in range(chats)] == [ANSWER] * chats


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
@pytest.mark.parametrize(
    "allowed", [0, 19, 500, *(pytest.param(each, marks=pytest.mark.full) for each in (1, 18, 100, 200, 900))]
)
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
    assert outcome.message is not None
    assert outcome.message.content == ANSWER
    assert outcome.types[-1] == "message.complete"
    assert outcome.types.count("message.complete") == 1


@sync_and_async
def test_stream_that_cannot_resume_raises_and_message_finds_the_answer(
    mode: str, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def break_off(event: Any) -> None:
        if event is None:
            sandbox.faults.add("stream_room", status=403, times=None)
            sandbox.disconnect_streams()
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=break_off)
    assert isinstance(outcome.error, PermissionDeniedError)
    # The words are lost, but not the message.
    assert outcome.message is not None
    assert outcome.message.content == ANSWER


@sync_and_async
def test_rest_of_the_text_can_be_read_after_the_stream_failed(
    mode: str, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def text_in_two_parts(user: InteractorClient) -> list[str]:
        with user.chat(room, WORDS) as reply:
            words = reply.text()
            text = next(words)
            sandbox.faults.add("stream_room", status=403, times=None)
            sandbox.disconnect_streams()
            go_on.set()
            try:
                for word in words:
                    text += word
            except PermissionDeniedError:
                pass
            else:
                raise AssertionError("the stream had failed")
            return [text, reply.message().content, "".join(reply.text())]

    async def text_in_two_parts_async() -> list[str]:
        async with sandbox.async_client(namespace=NAMESPACE) as user, user.chat(room, WORDS) as reply:
            words = reply.text()
            text = await anext(words)
            sandbox.faults.add("stream_room", status=403, times=None)
            sandbox.disconnect_streams()
            go_on.set()
            try:
                async for word in words:
                    text += word
            except PermissionDeniedError:
                pass
            else:
                raise AssertionError("the stream had failed")
            return [text, (await reply.message()).content, "".join([word async for word in reply.text()])]

    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE) as user:
            first, whole, rest = text_in_two_parts(user)
    else:
        first, whole, rest = asyncio.run(text_in_two_parts_async())
    assert whole == ANSWER
    assert whole.startswith(first)
    assert rest in ("", whole[len(first) :])


@sync_and_async
def test_error_event_raises_stream_error_and_message_finds_the_answer(
    mode: str, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def fail(event: Any) -> None:
        if event is None:
            sandbox.emit(room, {"type": "error", "error": {"code": "OVERLOADED", "message": "Too busy."}})
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=fail)
    assert isinstance(outcome.error, StreamError)
    assert outcome.error.code == "OVERLOADED"
    assert outcome.message is not None
    assert outcome.message.content == ANSWER


@sync_and_async
def test_room_deleted_during_chat_raises_not_found(mode: str, sandbox: Sandbox, go_on: threading.Event) -> None:
    room = new_room(sandbox)

    def delete(event: Any) -> None:
        if event is None:
            with sandbox.client(namespace=NAMESPACE) as user:
                user.rooms.delete(room)
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=delete)
    assert isinstance(outcome.error, NotFoundError)
    assert outcome.message is None


@sync_and_async
def test_done_event_before_the_answer_is_complete_still_gives_the_answer(
    mode: str, sandbox: Sandbox, go_on: threading.Event
) -> None:
    room = new_room(sandbox)

    def end(event: Any) -> None:
        if event is None:
            sandbox.emit(room, {"type": "done"})
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=end)
    assert outcome.error is None
    assert outcome.text == ANSWER


@sync_and_async
def test_unknown_and_invalid_events_are_tolerated(mode: str, sandbox: Sandbox, go_on: threading.Event) -> None:
    room = new_room(sandbox)

    def say(event: Any) -> None:
        if event is None:
            sandbox.emit(room, {"type": "message.thinking", "content": "hm"})
            sandbox.emit(room, {"type": "message.complete", "message": {"id": 5}})
            go_on.set()

    outcome = chat(mode, sandbox, room, WORDS, during=say)
    assert outcome.error is None
    assert [type(event) for event in outcome.events].count(UnknownEvent) == 1
    assert outcome.text == ANSWER


@sync_and_async
def test_chat_repeated_with_its_idempotency_key_gives_the_same_answer(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)

    def answers() -> list[Message]:
        with sandbox.client(namespace=NAMESPACE) as client:
            user = client.with_options(idempotency_key="chat-1")
            messages = []
            for _ in range(2):
                with user.chat(room, WORDS) as reply:
                    assert "".join(reply.text()) == ANSWER
                    messages.append(reply.message())
            return messages

    async def answers_async() -> list[Message]:
        async with sandbox.async_client(namespace=NAMESPACE) as client:
            user = client.with_options(idempotency_key="chat-1")
            messages = []
            for _ in range(2):
                async with user.chat(room, WORDS) as reply:
                    assert "".join([word async for word in reply.text()]) == ANSWER
                    messages.append(await reply.message())
            return messages

    first, second = answers() if mode == "sync" else asyncio.run(answers_async())
    assert first == second
    with sandbox.client(namespace=NAMESPACE) as user:
        assert len(user.messages.list(room).data) == 2


@sync_and_async
@pytest.mark.usefixtures("go_on")
def test_leaving_the_block_early_closes_the_stream(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE) as user:
            with user.chat(room, WORDS) as reply:
                assert next(reply.text())
                assert sandbox.open_streams == 1
            assert eventually(lambda: sandbox.open_streams == 0)
            with pytest.raises(StreamError, match="left"):
                reply.message()
    else:

        async def main() -> None:
            async with sandbox.async_client(namespace=NAMESPACE) as user:
                async with user.chat(room, WORDS) as reply:
                    async for _ in reply.text():
                        break
                    assert sandbox.open_streams == 1
                assert await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 0)
                with pytest.raises(StreamError, match="left"):
                    await reply.message()

        asyncio.run(main())


async def test_cancelled_task_closes_the_stream(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    async with sandbox.async_client(namespace=NAMESPACE) as user:

        async def follow() -> None:
            async with user.chat(room, WORDS * 100) as reply:
                await reply.message()

        task = asyncio.create_task(follow())
        assert await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 0)


async def test_wait_for_within_the_block_loses_nothing(sandbox: Sandbox, go_on: threading.Event) -> None:
    room = new_room(sandbox)
    async with sandbox.async_client(namespace=NAMESPACE) as user, user.chat(room, WORDS) as reply:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.message(), 0.03)
        go_on.set()
        assert (await reply.message()).content == ANSWER
        assert "".join([word async for word in reply.text()]) == ANSWER


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
def test_close_ends_a_pending_message_call_with_stream_error(mode: str) -> None:
    with Sandbox(word_delay=0.01).run() as sandbox:
        room = new_room(sandbox)
        content = "word " * 2000

        def leave_in_another_thread() -> None:
            with sandbox.client(namespace=NAMESPACE) as user, ThreadPoolExecutor(1) as pool:
                reply = user.chat(room, content).__enter__()
                waiting = pool.submit(reply.message)
                assert eventually(lambda: bool(reply._state.events))
                reply.close()
                with pytest.raises(StreamError, match="left"):
                    waiting.result(60)

        async def leave_in_another_task() -> None:
            async with sandbox.async_client(namespace=NAMESPACE) as user:
                reply = await user.chat(room, content).__aenter__()
                waiting = asyncio.create_task(reply.message())
                assert await asyncio.to_thread(eventually, lambda: bool(reply._state.events))
                await reply.aclose()
                with pytest.raises(StreamError, match="left"):
                    await asyncio.wait_for(waiting, 60)

        if mode == "sync":
            leave_in_another_thread()
        else:
            asyncio.run(leave_in_another_task())
        assert eventually(lambda: sandbox.open_streams == 0)
        assert len(list(asked(sandbox, "stream_room"))) == 1
        assert not [place for place in ROOMS._last if place.id == room]  # type: ignore[attr-defined]


@pytest.mark.parametrize("turns", [0, 1, 3, *(pytest.param(each, marks=pytest.mark.full) for each in (2, 4, 5))])
async def test_second_cancellation_while_closing_releases_the_room(turns: int, sandbox: Sandbox) -> None:
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
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(60), user.chat(room, "again") as reply:
            assert (await reply.message()).content == "Bot here. You said: again"
        assert await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 0)


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
def test_concurrent_chats_in_one_room_get_their_own_answers(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    contents = [f"{number} {WORDS}" for number in range(3)]

    async def main() -> list[tuple[str, Message]]:
        async with sandbox.async_client(namespace=NAMESPACE) as user:

            async def follow(content: str) -> tuple[str, Message]:
                async with user.chat(room, content) as reply:
                    return "".join([word async for word in reply.text()]), await reply.message()

            return await asyncio.gather(*map(follow, contents))

    def follow(user: InteractorClient, content: str) -> tuple[str, Message]:
        with user.chat(room, content) as reply:
            return "".join(reply.text()), reply.message()

    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE) as user, ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(lambda content: follow(user, content), contents))
    else:
        outcomes = asyncio.run(main())
    for content, (text, message) in zip(contents, outcomes, strict=True):
        assert text == message.content == f"Bot here. You said: {content}"


@sync_and_async
def test_nested_chats_in_one_room_do_not_deadlock(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)

    def nested() -> list[str]:
        with sandbox.client(namespace=NAMESPACE) as user, user.chat(room, "A") as a, user.chat(room, "B") as b:
            return [b.message().content, "".join(b.text()), a.message().content, "".join(a.text())]

    async def nested_async() -> list[str]:
        async with (
            sandbox.async_client(namespace=NAMESPACE) as user,
            user.chat(room, "A") as a,
            user.chat(room, "B") as b,
        ):
            second, first = await asyncio.gather(b.message(), a.message())
            return [
                second.content,
                "".join([word async for word in b.text()]),
                first.content,
                "".join([word async for word in a.text()]),
            ]

    answers = nested() if mode == "sync" else asyncio.run(nested_async())
    assert answers == ["Bot here. You said: B"] * 2 + ["Bot here. You said: A"] * 2


@sync_and_async
def test_deadline_limits_the_wait_for_a_chat_of_the_same_thread_or_task(mode: str) -> None:
    """It is read to its end first, and never comes to one."""
    with Sandbox(word_delay=0.1).run() as sandbox:
        room = new_room(sandbox)

        def nested() -> None:
            with sandbox.client(namespace=NAMESPACE) as user, user.chat(room, "word " * 2000):
                user.with_options(deadline=0.05).chat(room, "x").__enter__()

        async def nested_async() -> None:
            async with sandbox.async_client(namespace=NAMESPACE) as user, user.chat(room, "word " * 2000):
                await user.with_options(deadline=0.05).chat(room, "x").__aenter__()

        with pytest.raises(APITimeoutError, match="another chat"):
            nested() if mode == "sync" else asyncio.run(nested_async())
        assert len(list(asked(sandbox, "send_message"))) == 1


@sync_and_async
def test_chat_after_one_that_was_left_early_gets_its_own_answer(mode: str, sandbox: Sandbox) -> None:
    """The rest of the first answer is still on its way, and its deltas name no message."""
    room = new_room(sandbox)

    def leave_and_ask() -> str:
        with sandbox.client(namespace=NAMESPACE) as user:
            with user.chat(room, WORDS) as reply:
                next(reply.text())
            with user.chat(room, "And now?") as reply:
                return "".join(reply.text())

    async def leave_and_ask_async() -> str:
        async with sandbox.async_client(namespace=NAMESPACE) as user:
            async with user.chat(room, WORDS) as reply:
                async for _ in reply.text():
                    break
            async with user.chat(room, "And now?") as reply:
                return "".join([word async for word in reply.text()])

    answer = leave_and_ask() if mode == "sync" else asyncio.run(leave_and_ask_async())
    assert answer == "Bot here. You said: And now?"


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
def test_deadline_limits_the_wait_in_the_room_queue(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    started, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with sandbox.client(namespace=NAMESPACE) as user, user.chat(room, WORDS):
            started.set()
            leave.wait(60)

    with ThreadPoolExecutor(1) as pool:
        occupied = pool.submit(occupy)
        assert started.wait(60)
        with pytest.raises(APITimeoutError, match="another chat"):
            chat(mode, sandbox, room, "x", deadline=0.1)
        leave.set()
        occupied.result()
    assert len(list(asked(sandbox, "send_message"))) == 1


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
