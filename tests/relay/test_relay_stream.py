"""The relay's event streams: shared, resumed, ended, and bounded."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from interactor_client.models import WorkflowState
from interactor_ext import AsyncInteractorClient, ConfigurationError, InteractorClient
from interactor_ext.relay import Relay, Show
from interactor_ext.relay._event_ids import EventIds, Position
from interactor_ext.relay._hub import Hubs, Source
from interactor_ext.relay._reader import HubOptions, Reader
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import Page, RelayServer, cookie_for, text_of
from tests.support.scripted_server import Connection, FaultServer, RawServer, Request, settings_of
from tests.support.virtual_time import run_in_virtual_time
from tests.support.waiting import PATIENCE, eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]
Emit = Callable[..., None]


def deltas(emit: Emit, room: str, *pieces: str) -> None:
    for piece in pieces:
        emit(room, "message.delta", content=piece)


def complete(emit: Emit, room: str, content: str) -> None:
    message = {"id": "msg_1", "room_id": room, "role": "assistant", "content": content, "created_at": "2026-01-01"}
    emit(room, "message.complete", message=message)


def test_message_is_answered_word_by_word_on_the_stream(relay: RelayServer, new_room: NewRoom) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as stream:
        assert stream.status == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert page.say(room, "Hello!").json()["data"]["content"] == "Hello!"
        events = stream.until("message.complete")
    assert len(events) > 3
    assert text_of(events) == events[-1]["message"]["content"] == "Bot here. You said: Hello!"
    assert len({event["id"] for event in events}) == len(events)
    assert b"event:" not in stream.received


def test_only_documented_events_and_fields_are_passed_on(
    start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    relay = start_relay(show=Show(tool_arguments=True))
    room = new_room()
    call = {"id": "tc_1", "tool_id": "tool_1", "status": "pending", "arguments": {"x": 1.5}}
    with relay.page() as page, page.room_events(room) as stream:
        emit(room, "message.delta", content="Hi", trace="secret", namespace="user_1")
        emit(room, "tool_call.start", tool_call={**call, "internal": "no"})
        emit(room, "room.archived", reason="unknown to the contract")
        deltas(emit, room, "end")
        first, start, last = (stream.next() for _ in range(3))
    assert set(first) == {"id", "type", "content"}
    assert start["tool_call"] == call
    assert last["content"] == "end"


@pytest.mark.parametrize(
    ("sent", "public"),
    [
        (
            {"type": "message.complete", "message": {"id": 5, "role": "assistant", "content": "Hi", "trace": "secret"}},
            {"type": "message.complete", "message": {"id": 5, "role": "assistant", "content": "Hi"}},
        ),
        ({"type": "message.complete", "message": "secret"}, {"type": "message.complete", "message": None}),
        ({"type": "message.complete", "message": {"id": 5, "role": "tool"}}, None),
        ({"type": "message.complete", "id": 5, "role": "assistant", "content": "Hi"}, {"type": "message.complete"}),
        (
            {"type": "message.complete", "id": "msg_1", "role": "assistant", "content": "Hi", "trace": "secret"},
            {"type": "message.complete", "message": {"id": "msg_1", "role": "assistant", "content": "Hi"}},
        ),
        ({"type": "message.complete", "id": "msg_1", "role": "system", "content": "secret"}, None),
        (
            {"type": "message.complete", "id": "msg_1", "role": None, "content": "Hi"},
            {"type": "message.complete", "message": {"id": "msg_1", "role": None, "content": "Hi"}},
        ),
        (
            {"type": "tool_call.complete", "id": "tc_1", "result": "secret"},
            {"type": "tool_call.complete", "tool_call": {"id": "tc_1"}},
        ),
        ({"type": "workflow.halted"}, {"type": "workflow.halted"}),
        (
            {"type": "tool_call.start", "tool_call": {"id": 7, "status": "pending", "arguments": {"a": "secret"}}},
            {"type": "tool_call.start", "tool_call": {"id": 7, "status": "pending"}},
        ),
        ({"type": "workflow.halted", "presentation": 5}, {"type": "workflow.halted", "presentation": None}),
        ({"type": "workflow.state_changed", "context": {"a": 1}}, {"type": "workflow.state_changed", "context": {}}),
    ],
)
def test_event_that_fits_its_model_badly_or_not_is_passed_on_as_it_came_without_private_fields(
    relay: RelayServer, new_room: NewRoom, emit: Emit, sent: dict[str, Any], public: dict[str, Any] | None
) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as stream:
        emit(room, sent["type"], **{name: value for name, value in sent.items() if name != "type"})
        deltas(emit, room, "next")
        events = stream.until("message.delta")
    got = [{key: value for key, value in event.items() if key != "id"} for event in events[:-1]]
    assert got == ([] if public is None else [public])


def test_incomplete_end_of_an_answer_is_still_its_end(relay: RelayServer, new_room: NewRoom, emit: Emit) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as first:
        deltas(emit, room, "old")
        emit(room, "message.complete", message={"id": 5})
        deltas(emit, room, "new ")
        first.until("message.complete")
        first.next()
        with page.room_events(room) as second:
            deltas(emit, room, "answer")
            assert second.contents(2) == ["new ", "answer"]


def test_readers_of_a_room_share_one_stream_of_the_platform(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with (
        relay.page() as page,
        page.room_events(room) as one,
        page.room_events(room) as two,
        page.room_events(room) as three,
    ):
        assert sandbox.open_streams == 1
        deltas(emit, room, "Hi")
        first, *others = (stream.next() for stream in (one, two, three))
        assert first["content"] == "Hi"
        assert others == [first, first]


def test_reader_in_the_middle_of_an_answer_gets_it_from_its_beginning(
    relay: RelayServer, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as first:
        deltas(emit, room, "old")
        complete(emit, room, "old")
        deltas(emit, room, "One ", "two ")
        seen = [first.next() for _ in range(4)][-1]
        with page.room_events(room) as second:
            deltas(emit, room, "three")
            complete(emit, room, "One two three")
            events = second.until("message.complete")
    assert text_of(events) == "One two three"
    assert events[0]["id"] == seen["id"]


def test_reader_that_comes_back_gets_what_it_missed_and_nothing_twice(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with relay.page() as page:
        with page.room_events(room) as stream:
            deltas(emit, room, "1", "2")
            first, second = stream.next(), stream.next()
        deltas(emit, room, "3", "4")
        with page.room_events(room, second["id"]) as stream:
            assert stream.contents(2) == ["3", "4"]
            deltas(emit, room, "5")
            assert stream.contents(1) == ["5"]
        # As an EventSource of the page would be told to begin, which can send no header.
        with page.events(f"/rooms/{room}/stream?last_event_id={first['id']}") as stream:
            assert stream.contents(4) == ["2", "3", "4", "5"]
        assert sandbox.open_streams == 1


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_ids_are_good_after_a_restart_of_the_relay(
    start_relay: StartRelay, sandbox: Sandbox, new_room: NewRoom, emit: Emit, seen: int
) -> None:
    """A reader learns where to resume before its first event."""
    room = new_room()
    before = start_relay()
    deltas(emit, room, "long ago")
    with before.page() as page, page.room_events(room) as stream:
        last_event_id = stream.until_id()
        deltas(emit, room, "1", "2")
        for _ in range(seen):
            last_event_id = stream.next()["id"]
        before.stop()
    eventually(lambda: sandbox.open_streams == 0)
    deltas(emit, room, "3")
    with start_relay().page() as page, page.room_events(room, last_event_id) as stream:
        deltas(emit, room, "4")
        assert stream.contents(4 - seen) == ["1", "2", "3", "4"][seen:]


def test_reader_moves_between_workers_by_its_id(
    start_relay: StartRelay, sandbox: Sandbox, new_room: NewRoom, emit: Emit
) -> None:
    """The other worker has a stream of the room already, which has not seen the reader's last event."""
    room = new_room()
    here, there = start_relay(grace=PATIENCE), start_relay()
    with here.page() as page, page.room_events(room) as stream:
        deltas(emit, room, "1", "2")
        seen = stream.next()
    with there.page() as other, other.room_events(room) as live:
        deltas(emit, room, "3")
        live.next()
        with other.room_events(room, seen["id"]) as moved:
            assert moved.contents(2) == ["2", "3"]
            deltas(emit, room, "4")
            assert moved.next() == live.next()
            with other.room_events(room, seen["id"]) as next_to_it:
                assert next_to_it.contents(3) == ["2", "3", "4"]
                # One of the first worker, and two of the other: one for who was there, one for who came from elsewhere.
                assert sandbox.open_streams == 3


@pytest.mark.parametrize(
    "forge",
    [
        lambda own, other: other,
        lambda own, other: own[:-4] + "AAAA",
        lambda own, other: "1",
        lambda own, other: "ä" * 9,
        lambda own, other: own * 400,
    ],
    ids=["of another room", "changed", "of the platform", "no ASCII", "too long"],
)
def test_forged_id_starts_from_now(
    relay: RelayServer, new_room: NewRoom, emit: Emit, forge: Callable[[str, str], str]
) -> None:
    room, other = new_room(), new_room()
    with relay.page() as page:
        ids = []
        for each in (room, other):
            with page.room_events(each) as stream:
                deltas(emit, each, "1", "2")
                complete(emit, each, "12")
                ids.append(stream.until("message.complete")[0]["id"])
        with page.events(f"/rooms/{room}/stream?last_event_id={forge(*ids)}") as stream:
            deltas(emit, room, "3")
            assert stream.contents(1) == ["3"]


def test_stream_of_a_finished_workflow_ends_with_done_and_its_reconnect_gets_204(
    sandbox: Sandbox, relay: RelayServer, backend: InteractorClient, new_instance: Callable[[], str]
) -> None:
    instance = new_instance()
    path = f"/workflow-instances/{instance}/stream"
    with relay.page() as page:
        with page.events(path) as stream:
            backend.namespace("user_1").workflow_instances.submit_input(instance, body={"ok": True})
            events = list(stream)
        assert [event["type"] for event in events][-2:] == ["workflow.state_changed", "done"]
        assert b"event: done\n" in stream.received
        sent = len(sandbox.requests)
        with page.events(path, stream.last_event_id) as again:
            assert (again.status, again.response.read()) == (204, b"")
        assert len(sandbox.requests) == sent


def test_stream_that_the_platform_says_is_over_gets_204(start_relay: StartRelay) -> None:
    with (
        RawServer(lambda connection: connection.head(204, content_type=None)) as platform,
        start_relay(client={"core_api_url": platform.url}).page() as page,
        page.room_events("room_1") as stream,
    ):
        assert stream.status == 204


def test_stream_of_a_halted_workflow_begins_with_its_question(relay: RelayServer, backend: InteractorClient) -> None:
    question = {"type": "approval", "title": "Approve the order?", "config": {"total": 600}}
    states = [
        {"name": "review", "type": "halting", "presentation": question, "transitions": [{"to": "wait"}]},
        {"name": "wait", "type": "halting", "transitions": [{"to": "done", "event": "go_on"}]},
        {"name": "done", "type": "terminal"},
    ]
    user = backend.namespace("user_1")
    made = [WorkflowState.from_dict(each) for each in states]
    workflow = user.workflows.create(name="Order", initial_state="review", states=made)
    instance = user.workflow_instances.start(workflow_id=workflow.id).id

    def asked() -> Any:
        with relay.page() as page, page.events(f"/workflow-instances/{instance}/stream") as stream:
            first = stream.next()
            return first["type"], first["presentation"]

    assert asked() == ("workflow.halted", question)
    user.workflow_instances.submit_input(instance, body={})
    assert asked() == ("workflow.halted", {"type": "form"})
    # Of a workflow that was deleted the question is not known any more.
    user.workflows.delete(workflow.id)
    assert asked() == ("workflow.halted", {"type": "form"})


def test_halted_event_without_its_question_gets_it_from_the_workflow(
    sandbox: Sandbox, relay: RelayServer, new_instance: Callable[[], str]
) -> None:
    instance = new_instance()
    with relay.page() as page, page.events(f"/workflow-instances/{instance}/stream") as stream:
        asked = stream.next()
        sandbox.emit(instance, {"type": "workflow.halted", "presentation": None})
        again = stream.next()
    assert asked["presentation"]
    assert (again["type"], again["presentation"]) == (asked["type"], asked["presentation"])


def test_error_event_has_fixed_words_and_the_stream_goes_on(relay: RelayServer, new_room: NewRoom, emit: Emit) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as stream:
        deltas(emit, room, "Hi")
        emit(room, "error", error={"code": "MODEL_DOWN", "message": "host 10.0.0.7 is down"})
        deltas(emit, room, "Ho")
        events = [stream.next() for _ in range(3)]
        # A reader who comes now isn't sent the answer that broke off.
        with page.room_events(room) as another:
            deltas(emit, room, "Hu")
            assert another.contents(2) == ["Ho", "Hu"]
    assert [event.get("content") or event.get("error") for event in events] == [
        "Hi", "The platform reported an error.", "Ho",
    ]  # fmt: skip
    assert b"10.0.0.7" not in stream.received
    assert b"MODEL_DOWN" not in stream.received


def test_stream_that_cannot_be_resumed_ends_with_an_error_of_fixed_words(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as stream:
        deltas(emit, room, "Hi")
        stream.next()
        sandbox.faults.add("stream_room", status=403, message="internal words", times=None)
        sandbox.disconnect_streams()
        assert [event["error"] for event in stream] == ["The stream was interrupted."]
    sandbox.faults.clear()
    with relay.page() as page, page.room_events(room, stream.last_event_id) as again:
        deltas(emit, room, "Ho")
        assert again.contents(1) == ["Ho"]


def test_platform_that_breaks_off_is_connected_again_unnoticed(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with start_relay().page() as page, page.room_events(room) as stream:
        deltas(emit, room, "1")
        stream.next()
        sandbox.disconnect_streams()
        deltas(emit, room, "2")
        assert stream.contents(1) == ["2"]


@pytest.mark.parametrize(("status", "answered"), [(403, 404), (404, 404), (401, 502), (422, 422)])
def test_stream_that_cannot_be_opened_is_answered_by_a_status(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom, status: int, answered: int
) -> None:
    sandbox.faults.add("stream_room", status=status, message="internal words", times=3)
    with relay.page() as page, page.room_events(new_room()) as stream:
        assert stream.status == answered
        assert b"internal words" not in stream.response.read()


def test_silent_stream_has_heartbeats(start_relay: StartRelay, new_room: NewRoom) -> None:
    with start_relay(heartbeat=0.01).page() as page, page.room_events(new_room()) as stream:
        while stream.received.count(b": heartbeat\n\n") < 3:
            assert stream.read()


def test_upstream_closes_some_time_after_the_last_reader_left(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom
) -> None:
    room = new_room()
    with start_relay(grace=0.05).page() as page:
        with page.room_events(room):
            assert sandbox.open_streams == 1
        eventually(lambda: sandbox.open_streams == 0)
        assert is_open(page, room)


def test_event_id_is_read_again_however_long_the_platforms_is() -> None:
    ids = EventIds("s3cret", "room_1")
    for position in (Position("7" * length, length) for length in range(9)):
        assert ids.decode(ids.encode(position)) == position


class Upstream:
    """A stream of the platform: events with their ids, then silence, or `error`. `ended` gets the time of its end."""

    is_over = False
    resume_id = last_event_id = ""

    def __init__(self, *events: tuple[str, str]) -> None:
        self._events = list(events)
        self.error: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> None:
        pass

    async def next_or_gap(self) -> str:
        if not self._events:
            await self.error
        self.last_event_id, text = self._events.pop(0)
        return text

    async def aclose(self) -> None:
        self.ended.set_result(asyncio.get_running_loop().time())


def joining(
    streams: dict[str, Upstream], *, is_closed: bool = False
) -> Callable[[Position | None], Awaitable[Reader | None]]:
    """Joins a hub, whose streams are these, by the Last-Event-ID that they are opened with."""

    async def publish(text: str) -> dict[str, Any]:
        return {"type": "message.delta", "content": text}

    hubs = Hubs(HubOptions(grace=10, heartbeat=60, max_queued_bytes=1000, max_readers=20, drain=0))
    source, ids = Source(streams.__getitem__, publish, lambda: is_closed), EventIds("s3cret")
    return lambda resume: hubs.join(("user_1", "room_1"), source, ids, resume)


def test_grace_period_begins_anew_when_the_last_of_several_readers_has_left() -> None:
    async def main() -> float:
        stream = Upstream()
        join = joining({"": stream})
        for pause in (6, 6, 0):
            reader = await join(None)
            assert reader is not None
            await reader.aclose()
            await asyncio.sleep(pause)
        return await stream.ended

    assert run_in_virtual_time(main()) == pytest.approx(22)


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize(("is_closed", "logged"), [(False, ["ERROR"]), (True, [])])
def test_end_of_a_stream_whose_client_was_closed_is_no_error(
    caplog: pytest.LogCaptureFixture, is_read: bool, is_closed: bool, logged: list[str]
) -> None:
    async def main() -> None:
        stream = Upstream()
        reader = await joining({"": stream}, is_closed=is_closed)(None)
        assert reader is not None
        if not is_read:
            await reader.aclose()
        stream.error.set_exception(ConfigurationError("The client is closed."))
        await stream.ended

    run_in_virtual_time(main())
    assert [record.levelname for record in caplog.records if record.name == "interactor.relay"] == logged


def test_reader_from_elsewhere_gets_each_event_once_of_several_with_one_id_and_what_came_meanwhile() -> None:
    async def main() -> bytes:
        join = joining(
            {
                "": Upstream(("e2", "third"), ("e3", "fourth")),
                "e1": Upstream(("e1", "first"), ("e1", "second"), ("e2", "third"), ("e3", "fourth")),
            }
        )
        await join(None)
        await asyncio.sleep(1)
        reader, got = await join(Position("e1", 1)), b""
        assert reader is not None
        for _ in range(5):  # heartbeats at last
            got += await reader.next() or b""
        return got

    assert re.findall(b'"content":"(.*?)"', run_in_virtual_time(main())) == [b"second", b"third", b"fourth"]


def test_reader_with_an_id_but_no_number_joins_the_stream_that_has_the_event() -> None:
    async def main() -> bytes | None:
        join = joining({"": Upstream(("e1", "first"), ("e1", "second"), ("e2", "third"))})
        await join(None)
        await asyncio.sleep(1)
        reader = await join(Position("e1", 0))
        return None if reader is None else await reader.next()

    assert re.findall(b'"content":"(.*?)"', run_in_virtual_time(main()) or b"") == [b"third"]


def test_reader_who_missed_more_than_is_kept_gets_a_stream_of_the_platform_that_begins_there() -> None:
    async def main() -> bytes | None:
        many = [(f"e{number}", f"event {number}") for number in range(1, 1003)]
        join = joining({"": Upstream(*many), "e1": Upstream(("e2", "event 2, again"))})
        await join(None)
        await asyncio.sleep(1)
        reader = await join(Position("e1", 1))
        assert reader is not None
        await asyncio.sleep(0.5)
        return await reader.next()

    assert re.findall(b'"content":"(.*?)"', run_in_virtual_time(main()) or b"") == [b"event 2, again"]


def test_wsgi_stream_dropped_by_the_collector_in_the_thread_of_its_event_loop_is_closed() -> None:
    has_left = threading.Event()

    def respond(connection: Connection, request: Request) -> bool:
        connection.head()
        connection.wait_for_client_to_leave()
        has_left.set()
        return False

    users = iter(["user_1"])

    async def authorize(scope: Any) -> str | None:  # runs in that thread
        gc.collect()
        return next(users, None)

    def call() -> Any:
        return relay.wsgi({"REQUEST_METHOD": "GET", "PATH_INFO": "/rooms/room_1/stream"}, lambda *_: None)

    with FaultServer([respond]) as server:
        relay = Relay(AsyncInteractorClient(**settings_of(server.url)), authorize=authorize, grace=0)
        cycle = [call()]
        cycle.append(cycle)
        gc.disable()
        try:
            del cycle
            call()
        finally:
            gc.enable()
        assert has_left.wait(PATIENCE)


def test_event_larger_than_what_may_be_queued_reaches_its_reader(
    start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    with start_relay(max_queued=100).page() as page, page.room_events(room) as stream:
        for piece in ("a" * 1000, "b" * 1000):
            deltas(emit, room, piece)
            assert stream.contents(1) == [piece]


def test_reader_that_takes_nothing_is_disconnected_and_costs_the_others_nothing(
    start_relay: StartRelay, new_room: NewRoom, emit: Emit
) -> None:
    room = new_room()
    # One reader more has no place until the lazy one has lost its own.
    relay = start_relay(max_queued=400_000, streams_per_namespace=2)
    with socket.socket() as lazy, relay.page() as page, page.room_events(room) as stream:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", relay.port))
        head = f"GET /interactor/rooms/{room}/stream HTTP/1.1\r\nHost: x\r\nCookie: {cookie_for('user_1')}\r\n\r\n"
        lazy.sendall(head.encode())
        # Asked before the lazy one has its place, `is_open` would take that place itself.
        assert lazy.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        assert not is_open(page, room)

        def is_disconnected() -> bool:
            deltas(emit, room, "x" * 100_000)
            assert stream.contents(1) == ["x" * 100_000]
            return is_open(page, room)

        eventually(is_disconnected)
        deltas(emit, room, "end")
        assert stream.contents(1) == ["end"]


def test_more_streams_than_a_namespace_may_have_get_429(start_relay: StartRelay, new_room: NewRoom) -> None:
    room = new_room()
    with start_relay(streams_per_namespace=2).page() as page:
        with page.room_events(room), page.room_events(room), page.room_events(room) as third:
            assert third.status == 429
            assert int(third.response.headers["retry-after"]) >= 1
        eventually(lambda: is_open(page, room))


def is_open(page: Page, room: str) -> bool:
    with page.room_events(room) as stream:
        return stream.status == 200


def test_closed_relay_answers_503_and_keeps_no_stream_open(
    sandbox: Sandbox, relay: RelayServer, new_room: NewRoom
) -> None:
    room = new_room()
    with relay.page() as page, page.room_events(room) as stream:
        relay.close_relay()
        assert list(stream) == []
        eventually(lambda: sandbox.open_streams == 0)
        answer = page.get(f"/rooms/{room}/stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
