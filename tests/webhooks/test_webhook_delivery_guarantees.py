"""Invalid events, alternative envelopes, shared stores and retries of completions: no genuine event is lost."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import (
    InvalidWebhookEvent,
    MemoryEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    UnknownWebhookEvent,
    WebhookAnswer,
    WebhookEvent,
    WebhookRouter,
    WebhookVerifier,
    WebhookWorker,
    sign,
)
from tests.support.clock import Clock
from tests.support.webhook_deliveries import DATA, SECRET, body_of, delivery, timestamp
from tests.support.webhook_routers import Failing, Handle, status
from tests.support.webhook_routers import make as make_router

pytest_plugins = ["tests.support.webhook_fixtures"]

DAY = 86_400
Deliver = Callable[[WebhookRouter, bytes], WebhookAnswer]
Work = Callable[[WebhookRouter], bool]
make = partial(make_router, name="shop")


@pytest.fixture
def deliver(handle: Handle) -> Deliver:
    """Delivers a body, signed now."""
    return lambda router, body: handle(router, body, sign(body, SECRET))


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[SQLiteEventQueue]:
    with SQLiteEventQueue(tmp_path / "queue.db", clock=clock) as queue:
        yield queue


@pytest.fixture(params=["sync", "async"])
def work(request: pytest.FixtureRequest) -> Work:
    """Has a worker without retries handle one event."""
    if request.param == "sync":
        return lambda router: WebhookWorker(router, retry_delays=()).run_once()
    return lambda router: asyncio.run(WebhookWorker(router, retry_delays=()).arun_once())


INVALID = body_of(data=DATA["room.message.created"] | {"content": 5})


def test_invalid_event_goes_to_wildcard_handlers_or_else_to_the_default_one(
    deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    router, got = make(), []
    router.on("credential.*")(pytest.fail)
    assert status(deliver(router, INVALID)) == (200, "ignored")
    router.default(lambda event: got.append("default"))
    assert status(deliver(router, INVALID)) == (200, "handled")
    assert status(deliver(router, INVALID)) == (200, "duplicate")
    router.on("*")(got.append)
    again = INVALID.replace(b"idem_1", b"idem_2")
    assert status(deliver(router, again)) == (200, "handled")
    default, event = got
    assert default == "default"
    assert isinstance(event, UnknownWebhookEvent)
    assert isinstance(event, InvalidWebhookEvent)
    assert (event.event, event.data["content"], event.raw) == ("room.message.created", 5, again)
    record = next(each for each in caplog.records if "but doesn't fit its type" in each.message)
    assert "evt_idem_1" in record.message
    assert "RoomMessageCreatedData.content must be a string, not an integer" in record.message


@pytest.mark.parametrize("pattern", ["room.message.created", "room.*"])
def test_typed_handler_never_gets_invalid_event(
    deliver: Deliver, pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    router, got, typed = make(), [], []
    router.on(pattern)(typed.append)
    assert status(deliver(router, INVALID)) == (500, "handler_failed")
    assert "doesn't fit the class that its handlers expect: RoomMessageCreatedData.content" in caplog.text
    # The handlers of any event have it all the same, at each attempt.
    router.on("*")(got.append)
    for _ in range(2):
        assert status(deliver(router, INVALID)) == (500, "handler_failed")
    assert (typed, len(got)) == ([], 2)
    # Once the platform sends what fits:
    assert status(deliver(router, body_of())) == (200, "handled")
    assert len(typed) == 1


def test_queue_stores_invalid_event_raw_and_replays_it(queue: SQLiteEventQueue, work: Work) -> None:
    router, typed, got = make(queue=queue), [], []
    router.on("room.*")(typed.append)
    router.on("*")(got.append)
    assert status(router.handle(INVALID, sign(INVALID, SECRET))) == (200, "accepted")
    assert work(router)
    assert (typed, len(got)) == ([], 1)
    [letter] = queue.dead_letters()
    assert (letter.key, letter.body, letter.attempts) == ("shop:idem_1", INVALID, 1)
    assert "RoomMessageCreatedData.content must be a string, not an integer" in letter.error
    assert isinstance(letter.event, InvalidWebhookEvent)
    fixed = make(queue=queue)
    fixed.on("*")(got.append)
    assert queue.replay(letter.key)
    assert work(fixed)
    assert (len(got), queue.dead_letters()) == (2, [])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"x" * 1000, body_of(event=...), body_of(id=..., idempotency_key=...)]
)
def test_queue_stores_genuine_body_without_event_as_dead_letter(
    deliver: Deliver, queue: SQLiteEventQueue, work: Work, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    router = make(queue=queue)
    router.on("*")(pytest.fail)
    assert status(deliver(router, body)) == (200, "accepted")
    assert status(deliver(router, body)) == (200, "duplicate")
    assert work(router)
    [letter] = queue.dead_letters()
    assert letter.body == body
    assert "WebhookPayloadError: " in letter.error
    assert "couldn't be read" in caplog.text
    assert status(deliver(make(), body)) == (400, "not_understood")


# Replays


@pytest.mark.parametrize("kind", ["memory", "sqlite", "queue"])
def test_replay_older_than_store_ttl_returns_400(
    kind: str, clock: Clock, queue: SQLiteEventQueue, tmp_path: Path, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = WebhookVerifier(SECRET, clock=clock)
    with SQLiteEventStore(tmp_path / "events.db", clock=clock) as stored:
        store = {"memory": MemoryEventStore(clock=clock), "sqlite": stored, "queue": None}[kind]
        router, got = WebhookRouter(verifier, store, queue=queue if kind == "queue" else None, name="shop"), []
        router.on("*")(got.append)
        body = body_of(timestamp=timestamp())

        def answer() -> tuple[int, str]:
            answered = router.handle(body, sign(body, SECRET, timestamp=clock.now))
            if kind == "queue":
                work(router)
            return status(answered)

        assert answer()[0] == 200
        clock.now += 6.9 * DAY
        assert answer() == (200, "duplicate")
        clock.now += 0.2 * DAY
        assert answer() == (400, "too_old")
    assert len(got) == 1
    assert "7.1 days old" in caplog.text


@pytest.mark.parametrize(("ttl", "answer"), [(3 * DAY, "too_old"), (30 * DAY, "handled"), (math.inf, "handled")])
def test_maximum_event_age_equals_store_ttl(deliver: Deliver, ttl: float, answer: str) -> None:
    router = make(MemoryEventStore(ttl=ttl))
    router.on("*")(lambda event: None)
    assert status(deliver(router, body_of(timestamp=timestamp(10 * DAY))))[1] == answer
    # Without a time nothing can be said.
    assert status(deliver(router, body_of(key="other", timestamp=...))) == (200, "handled")


LAST_ATTEMPT = 2 * 3600 + 42 * 60 + 30


@pytest.mark.parametrize(
    ("options", "verifier", "age", "answer"),
    [
        ({"store": MemoryEventStore()}, {}, LAST_ATTEMPT, "handled"),
        ({"store": MemoryEventStore(ttl=math.inf)}, {}, 30 * DAY, "handled"),
        ({"queue": "a queue"}, {}, LAST_ATTEMPT, "accepted"),
        ({"hand_over": print, "store": MemoryEventStore()}, {}, LAST_ATTEMPT, "accepted"),
        ({"store": MemoryEventStore(ttl=3600)}, {}, LAST_ATTEMPT, "not_genuine"),
        ({"store": MemoryEventStore()}, {}, -301, "not_genuine"),
        ({"store": MemoryEventStore()}, {"tolerance": 300}, 301, "not_genuine"),
        ({}, {}, 301, "not_genuine"),
        ({"hand_over": print}, {}, 301, "not_genuine"),
        ({}, {}, 299, "handled"),
    ],
)
def test_age_of_the_timestamp_header_is_limited_by_what_remembers_events(
    options: dict[str, Any], verifier: dict[str, Any], age: float, answer: str, clock: Clock, queue: SQLiteEventQueue
) -> None:
    class Own(WebhookVerifier):
        def verify(self, body: Any, headers: Any) -> WebhookEvent:
            return super().verify(body, headers)

    for kind in (WebhookVerifier, Own):
        given = {**options, **({"queue": queue} if "queue" in options else {})}
        router = WebhookRouter(kind(SECRET, clock=clock, **verifier), **given, name="shop")
        router.on("*")(lambda event: None)
        body = body_of(key=f"{kind.__name__} {age}", timestamp=...)
        assert status(router.handle(body, sign(body, SECRET, timestamp=clock.now - age)))[1] == answer


def test_example_of_the_guide_is_refused_for_its_time_only_where_that_matters(deliver: Deliver) -> None:
    example = {"event": "room.message.created", "timestamp": "2024-01-15T10:30:00Z"}
    router = make()
    assert status(deliver(router, body_of(**example))) == (200, "ignored")
    router.on("room.*")(lambda event: None)
    answer = deliver(router, body_of(**example))
    assert status(answer) == (400, "too_old")
    assert b"needs the current time as its `timestamp`" in answer.body


def test_event_waiting_in_queue_longer_than_ttl_is_handled(queue: SQLiteEventQueue, work: Work) -> None:
    router, got = make(queue=queue), []
    router.on("*")(got.append)
    queue.put("shop:k", body_of(timestamp=timestamp(10 * DAY)))
    assert work(router)
    assert len(got) == 1


# Services that share


def test_services_sharing_a_store_each_handle_the_event(deliver: Deliver, tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:
        got: dict[str, list[str]] = {"shop": [], "billing": []}
        routers = []
        for name, keys in got.items():
            router = make(store, name=name)
            router.on("*")(lambda event, keys=keys: keys.append(event.idempotency_key))
            routers.append(router)
        for key in "abc":
            for router in routers:
                assert status(deliver(router, body_of(key=key))) == (200, "handled")
        # Another process of the same service:
        assert status(deliver(routers[0], body_of(key="a"))) == (200, "duplicate")
    assert list(got.values()) == [["a", "b", "c"]] * 2


def test_services_sharing_a_queue_handle_their_own_events(queue: SQLiteEventQueue, work: Work) -> None:
    got: dict[str, list[str]] = {"shop": [], "billing": []}
    routers = [make(queue=queue, name=name) for name in got]
    for router, keys in zip(routers, got.values(), strict=True):
        router.on("*")(lambda event, keys=keys: keys.append(event.idempotency_key))
        for key in "abc":
            assert status(router.handle(*delivery(key=key))) == (200, "accepted")
    for router in reversed(routers):
        assert [work(router) for _ in range(4)] == [True, True, True, False]
    assert list(got.values()) == [["a", "b", "c"]] * 2


def test_shared_store_without_name_warns(tmp_path: Path, queue: SQLiteEventQueue) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:
        for shared in ({"store": store}, {"queue": queue}):
            with pytest.warns(UserWarning, match='Pass name="..."') as caught:
                WebhookRouter(WebhookVerifier(SECRET), **shared)  # type: ignore[arg-type]
            assert caught[0].filename == __file__
    with SQLiteEventStore(":memory:") as alone:
        WebhookRouter(WebhookVerifier(SECRET), alone)
        WebhookRouter(WebhookVerifier(SECRET))


@pytest.mark.parametrize("name", ["", " ", "a:b", "é", "x" * 65, 7, "a\n"])
def test_invalid_router_name_raises_configuration_error(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="name must be"):
        make(name=name)


# Workers without a handler


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_worker_without_handler_leaves_event_in_queue_and_warns(
    queue: SQLiteEventQueue, clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    old, new, got = make(queue=queue), make(queue=queue), []
    old.on("room.*")(lambda event: got.append(("old", event.event)))
    new.on("*")(lambda event: got.append(("new", event.event)))
    for key in "abc":
        old.handle(*delivery("credential.connected", key))
    old.handle(*delivery("room.message.created", "d"))
    stale, fresh = (WebhookWorker(router, retry_delays=()) for router in (old, new))

    def empty_queue(worker: WebhookWorker) -> None:
        clock.now += 10
        while worker.run_once() if mode == "sync" else asyncio.run(worker.arun_once()):
            pass

    for _ in range(3):
        empty_queue(stale)
    assert got == [("old", "room.message.created")]
    assert caplog.text.count("no handler for 'credential.connected'") == 1
    empty_queue(fresh)
    assert got[1:] == [("new", "credential.connected")] * 3
    assert queue.dead_letters() == []


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_event_that_no_worker_takes_is_looked_at_ever_more_rarely_and_becomes_a_dead_letter(
    queue: SQLiteEventQueue, clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    router = make(queue=queue)
    router.on("room.*")(print)
    router.handle(*delivery("credential.connected"))
    worker, taken = WebhookWorker(router), 0
    with asyncio.Runner() as runner:
        for step in [300] * 288 + [7 * 86_400, 0]:  # a day, in steps of five minutes, and a week
            taken += worker.run_once() if mode == "sync" else runner.run(worker.arun_once())
            clock.now += step
    assert taken < 160  # one in ten minutes
    [letter] = queue.dead_letters()
    assert letter.error == "No worker had a handler for 'credential.connected' events."
    assert f"becomes a dead letter. {letter.error}" in caplog.text


# The log


def outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    return [
        (record.outcome, record.levelname, record.event_id, record.event_type, record.namespace, record.status_code)  # type: ignore[attr-defined]
        for record in caplog.records
        if hasattr(record, "outcome")
    ]


def test_each_delivery_logs_one_record(deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "interactor.webhooks")
    router = make()

    @router.on("room.*")
    def fails(event: Any) -> None:
        time.sleep(0.01)
        if event.idempotency_key == "bad":
            raise LookupError

    for body in (body_of(), body_of(), body_of("credential.connected"), body_of(key="bad"), body_of(event=...)):
        deliver(router, body)
    router.handle(body_of(), sign(body_of(), "whsec_wrong"))
    router.handle(b"", {}, method="GET")
    room, credential = "room.message.created", "credential.connected"
    assert outcomes(caplog) == [
        ("handled", "INFO", "evt_idem_1", room, "user_123", 200),
        ("duplicate", "INFO", "evt_idem_1", room, "user_123", 200),
        ("ignored", "INFO", "evt_idem_1", credential, "user_123", 200),
        ("handler_failed", "WARNING", "evt_bad", room, "user_123", 500),
        ("not_understood", "WARNING", None, None, None, 400),
        ("not_genuine", "WARNING", None, None, None, 401),
    ]
    assert "No secret matched" in caplog.text
    [handled] = [record for record in caplog.records if vars(record).get("outcome") == "handled"]
    assert 10 <= vars(handled)["duration_ms"] < 60_000


def test_queued_event_logs_one_record_when_accepted_and_one_when_handled(
    queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interactor.webhooks")
    router, fail = make(queue=queue), [True]

    @router.on("*")
    def fails_once(event: Any) -> None:
        if fail and fail.pop():
            raise LookupError

    router.handle(*delivery())
    worker = WebhookWorker(router, retry_delays=(0,))
    worker.run_once()
    worker.run_once()
    assert [outcome[:3] for outcome in outcomes(caplog)] == [
        ("accepted", "INFO", "evt_idem_1"),
        ("failed", "WARNING", "evt_idem_1"),
        ("handled", "INFO", "evt_idem_1"),
    ]


def test_event_text_cannot_break_a_log_line(deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "interactor.webhooks")
    router = make()
    router.on("*")(lambda event: None)
    deliver(router, body_of("room\nFAKE", id="evt\nFAKE", namespace="x\nFAKE"))
    assert "\nFAKE" not in "".join(record.getMessage() for record in caplog.records)


# Stores that fail for a moment


def test_store_complete_is_retried_after_failure(deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    router, got = make(Failing(MemoryEventStore(), complete=1)), []
    router.on("*")(got.append)
    assert status(deliver(router, body_of())) == (200, "handled")
    assert status(deliver(router, body_of())) == (200, "duplicate")
    assert len(got) == 1
    assert "Trying again" in caplog.text


@pytest.mark.parametrize(("failures", "is_recorded"), [(1, True), (4, False)])
def test_queue_complete_is_retried_after_failure(
    queue: SQLiteEventQueue,
    work: Work,
    failures: int,
    is_recorded: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks._threads._RECORD_RETRY_DELAYS", (0.0,) * 3)
    router = make(queue=Failing(queue, complete=failures))
    router.on("*")(lambda event: None)
    router.handle(*delivery())
    assert work(router)
    assert queue.complete("shop:idem_1", "another") is not is_recorded
    assert ("It will run again" in caplog.text) is not is_recorded
