"""Invalid events, alternative envelopes, shared stores and retries of completions: no genuine event is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable
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
    WebhookRouter,
    WebhookVerifier,
    WebhookWorker,
    sign,
)
from tests.support.webhook_deliveries import DATA, SECRET, body_of, delivery, envelope, timestamp
from tests.support.webhook_routers import status

pytest_plugins = ["tests.support.webhook_fixtures"]

Handle = Callable[..., WebhookAnswer]
DAY = 86_400


def make(store: Any = None, **options: Any) -> WebhookRouter:
    return WebhookRouter(WebhookVerifier(SECRET), store, **{"duplicate_wait": 0, "name": "shop"} | options)


@pytest.fixture(params=["handle", "ahandle"])
def handle(request: pytest.FixtureRequest) -> Handle:
    if request.param == "handle":
        return lambda router, body: router.handle(body, sign(body, SECRET))
    return lambda router, body: asyncio.run(router.ahandle(body, sign(body, SECRET)))


INVALID = body_of(data=DATA["room.message.created"] | {"content": None})


def test_invalid_event_goes_to_wildcard_handlers(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router, got = make(), []
    router.on("*")(got.append)
    assert status(handle(router, INVALID)) == (200, "handled")
    assert status(handle(router, INVALID)) == (200, "duplicate")
    [event] = got
    assert isinstance(event, UnknownWebhookEvent)
    assert isinstance(event, InvalidWebhookEvent)
    assert (event.event, event.data["content"], event.raw) == ("room.message.created", None, INVALID)
    [record] = [each for each in caplog.records if "does not fit its type" in each.message][:1]
    assert "evt_idem_1" in record.message
    assert "RoomMessageCreatedData.content must be a string, not null" in record.message


def test_invalid_event_goes_to_default_handler_without_wildcard_handler(handle: Handle) -> None:
    router, got = make(), []
    router.on("credential.*")(pytest.fail)
    router.default(got.append)
    assert status(handle(router, INVALID)) == (200, "handled")
    assert type(got[0]) is InvalidWebhookEvent


def test_invalid_event_without_any_handler_is_ignored(handle: Handle) -> None:
    router = make()
    router.on("credential.*")(pytest.fail)
    assert status(handle(router, INVALID)) == (200, "ignored")


@pytest.mark.parametrize("pattern", ["room.message.created", "room.*"])
def test_typed_handler_never_gets_invalid_event(handle: Handle, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    router, got, typed = make(), [], []
    router.on(pattern)(typed.append)
    assert status(handle(router, INVALID)) == (500, "handler_failed")
    assert "does not fit the class that its handlers take: RoomMessageCreatedData.content" in caplog.text
    # The handlers of any event have it all the same, at each attempt.
    router.on("*")(got.append)
    for _ in range(2):
        assert status(handle(router, INVALID)) == (500, "handler_failed")
    assert (typed, len(got)) == ([], 2)
    # Once the platform sends what fits:
    assert status(handle(router, body_of())) == (200, "handled")
    assert len(typed) == 1


@pytest.mark.parametrize("run", ["run_once", "arun_once"])
def test_queue_stores_invalid_event_raw_and_replays_it(handle: Handle, queue: SQLiteEventQueue, run: str) -> None:
    router, typed, got = make(queue=queue), [], []
    router.on("room.*")(typed.append)
    router.on("*")(got.append)
    assert status(handle(router, INVALID)) == (200, "accepted")

    def work() -> bool:
        worker = WebhookWorker(router)
        return worker.run_once() if run == "run_once" else asyncio.run(worker.arun_once())

    assert work()
    assert (typed, len(got)) == ([], 1)
    [letter] = queue.dead_letters()
    assert (letter.key, letter.body, letter.attempts) == ("shop:idem_1", INVALID, 1)
    assert "RoomMessageCreatedData.content must be a string, not null" in letter.error
    assert isinstance(letter.event, InvalidWebhookEvent)
    fixed = make(queue=queue)
    fixed.on("*")(got.append)
    assert queue.replay(letter.key)
    assert WebhookWorker(fixed).run_once()
    assert (len(got), queue.dead_letters()) == (2, [])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"x" * 1000, body_of(event=...), body_of(id=..., idempotency_key=...)]
)
def test_queue_stores_genuine_body_without_event_as_dead_letter(
    handle: Handle, queue: SQLiteEventQueue, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    router = make(queue=queue)
    router.on("*")(pytest.fail)
    assert status(handle(router, body)) == (200, "accepted")
    assert status(handle(router, body)) == (200, "duplicate")
    assert WebhookWorker(router).run_once()
    [letter] = queue.dead_letters()
    assert letter.body == body
    assert letter.error.startswith("WebhookPayloadError")
    assert "not understood" in caplog.text
    assert status(handle(make(), body)) == (400, "not_understood")


ODD = {
    "no namespace": envelope("credential.connected", namespace=...),
    "no timestamp": envelope("credential.connected", timestamp=...),
    "milliseconds": envelope("credential.connected", timestamp=round(time.time() * 1000)),
    "leap second": envelope("credential.connected", timestamp="2999-12-31T23:59:60Z"),
    "integer ids": envelope("credential.connected", id=7, idempotency_key=8),
    "newer dialect": {
        "id": "evt_1",
        "type": "credential.connected",
        "created_at": round(time.time()),
        "data": DATA["credential.connected"],
    },
}


@pytest.mark.parametrize("document", ODD.values(), ids=ODD.keys())
def test_alternative_envelope_fields_reach_typed_handlers(handle: Handle, document: dict[str, Any]) -> None:
    router, got = make(), []
    router.on("credential.connected")(lambda event: got.append(event.data.credential_id))
    assert status(handle(router, json.dumps(document).encode())) == (200, "handled")
    assert got == ["cred_1"]


# Replays


@pytest.mark.parametrize("store", ["memory", "sqlite", "queue"])
def test_replay_older_than_store_ttl_returns_400(
    handle: Handle, store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [time.time()]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    options: dict[str, Any] = {"verifier": WebhookVerifier(SECRET, clock=clock), "name": "shop"}
    if store == "queue":
        options["queue"] = SQLiteEventQueue(tmp_path / "queue.db", clock=clock)
    else:
        options["store"] = (
            SQLiteEventStore(tmp_path / "events.db", clock=clock)
            if store == "sqlite"
            else MemoryEventStore(clock=clock)
        )
    router, got = WebhookRouter(**options), []
    router.on("*")(got.append)
    body = body_of(timestamp=timestamp())

    def deliver() -> tuple[int, str]:
        headers = sign(body, SECRET, timestamp=now[0])
        answer = router.handle(body, headers)
        if store == "queue":
            WebhookWorker(router).run_once()
        return status(answer)

    assert deliver()[0] == 200
    now[0] += 6.9 * DAY
    assert deliver() == (200, "duplicate")
    now[0] += 0.2 * DAY
    assert deliver() == (400, "too_old")
    assert len(got) == 1
    assert "7.1 days old" in caplog.text
    for each in options.values():
        if hasattr(each, "close"):
            each.close()


@pytest.mark.parametrize(("ttl", "answer"), [(3 * DAY, "too_old"), (30 * DAY, "handled"), (math.inf, "handled")])
def test_maximum_event_age_equals_store_ttl(handle: Handle, ttl: float, answer: str) -> None:
    router = make(MemoryEventStore(ttl=ttl))
    router.on("*")(lambda event: None)
    assert status(handle(router, body_of(timestamp=timestamp(10 * DAY))))[1] == answer
    # Without a time nothing can be said.
    assert status(handle(router, body_of(key="other", timestamp=...))) == (200, "handled")


def test_event_waiting_in_queue_longer_than_ttl_is_handled(queue: SQLiteEventQueue) -> None:
    router, got = make(queue=queue), []
    router.on("*")(got.append)
    queue.put("shop:k", body_of(timestamp=timestamp(10 * DAY)))
    assert WebhookWorker(router).run_once()
    assert len(got) == 1


# Services that share


def test_services_sharing_a_store_each_handle_the_event(handle: Handle, tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:
        got: dict[str, list[str]] = {"shop": [], "billing": []}
        routers = []
        for name, keys in got.items():
            router = make(store, name=name)
            router.on("*")(lambda event, keys=keys: keys.append(event.idempotency_key))
            routers.append(router)
        for number in range(10):
            for router in routers:
                assert status(handle(router, body_of(key=f"k{number}"))) == (200, "handled")
        # Another process of the same service:
        assert status(handle(routers[0], body_of(key="k0"))) == (200, "duplicate")
    assert [len(keys) for keys in got.values()] == [10, 10]


def test_services_sharing_a_queue_handle_their_own_events(
    handle: Handle, queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks.worker._worker._SKIP_SECONDS", 0.01)
    got: dict[str, list[str]] = {"shop": [], "billing": []}
    workers = []
    for name, keys in got.items():
        router = make(queue=queue, name=name)
        router.on("*")(lambda event, keys=keys: keys.append(event.idempotency_key))
        workers.append(WebhookWorker(router, poll_interval=0))
        for number in range(10):
            assert status(handle(router, body_of(key=f"k{number}"))) == (200, "accepted")
    deadline = time.monotonic() + 60
    while [len(set(keys)) for keys in got.values()] != [10, 10]:
        assert time.monotonic() < deadline
        for worker in workers:
            worker.run_once()
    assert [len(keys) for keys in got.values()] == [10, 10]
    assert "events that were not queued under the name 'shop'" in caplog.text
    assert queue.take("t", 60) is None


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
    with pytest.raises(ConfigurationError, match="name of a webhook router"):
        make(name=name)


# Workers without a handler


def test_worker_without_handler_leaves_event_in_queue_and_warns(
    queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks.worker._worker._SKIP_SECONDS", 0.01)
    old, new, got = make(queue=queue), make(queue=queue), []
    old.on("room.*")(lambda event: got.append(("old", event.event)))
    new.on("*")(lambda event: got.append(("new", event.event)))
    for key in "abc":
        old.handle(*delivery("credential.connected", key))
    old.handle(*delivery("room.message.created", "d"))
    stale, deadline = WebhookWorker(old, retry_delays=(), poll_interval=0), time.monotonic() + 60
    while not got:
        assert time.monotonic() < deadline
        stale.run_once()
    for _ in range(10):
        stale.run_once()
    assert got == [("old", "room.message.created")]
    assert caplog.text.count("no handler for events of the type 'credential.connected'") == 1
    fresh = WebhookWorker(new, retry_delays=())
    while len(got) < 4:
        assert time.monotonic() < deadline
        fresh.run_once()
    assert got[1:] == [("new", "credential.connected")] * 3
    assert queue.dead_letters() == []


async def test_async_worker_without_handler_leaves_event_in_queue(queue: SQLiteEventQueue) -> None:
    router = make(queue=queue)
    router.handle(*delivery())
    assert await WebhookWorker(router).arun_once()
    assert not await WebhookWorker(router).arun_once()
    assert queue.complete("shop:idem_1", "somebody") is True


# The log


def outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    return [
        (record.outcome, record.levelname, record.event_id, record.event_type, record.namespace, record.status_code)  # type: ignore[attr-defined]
        for record in caplog.records
        if hasattr(record, "outcome")
    ]


def test_each_delivery_logs_one_record(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "interactor.webhooks")
    router = make()

    @router.on("room.*")
    def fails(event: Any) -> None:
        if event.idempotency_key == "bad":
            raise LookupError

    for body in (body_of(), body_of(), body_of("credential.connected"), body_of(key="bad"), body_of(event=...)):
        handle(router, body)
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


def test_event_text_cannot_break_a_log_line(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "interactor.webhooks")
    router = make()
    router.on("*")(lambda event: None)
    handle(router, body_of("room\nFAKE", id="evt\nFAKE", namespace="x\nFAKE"))
    assert "\nFAKE" not in "".join(record.getMessage() for record in caplog.records)


# Stores that fail for a moment


class FailsAtFirst:
    """A store or queue whose `complete` fails a number of times."""

    def __init__(self, inner: Any, failures: int) -> None:
        self.inner, self.failures = inner, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def complete(self, key: str, token: str) -> Any:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("for a moment")
        return self.inner.complete(key, token)


def test_store_complete_is_retried_after_failure(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    router, got = make(FailsAtFirst(MemoryEventStore(), 1)), []
    router.on("*")(got.append)
    assert status(handle(router, body_of())) == (200, "handled")
    assert status(handle(router, body_of())) == (200, "duplicate")
    assert len(got) == 1
    assert "Trying again" in caplog.text


@pytest.mark.parametrize("run", ["run_once", "arun_once"])
def test_queue_complete_is_retried_after_failure(queue: SQLiteEventQueue, run: str) -> None:
    router = make(queue=FailsAtFirst(queue, 1))
    router.on("*")(lambda event: None)
    router.handle(*delivery())
    worker = WebhookWorker(router)
    assert worker.run_once() if run == "run_once" else asyncio.run(worker.arun_once())
    assert queue.complete("shop:idem_1", "another") is False


def test_queue_complete_that_keeps_failing_is_logged_and_worker_goes_on(
    queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interactor_ext.webhooks.router._RECORD_RETRY_DELAYS", (0, 0))
    router = make(queue=FailsAtFirst(queue, 3))
    router.on("*")(lambda event: None)
    router.handle(*delivery())
    assert WebhookWorker(router).run_once()
    assert "it will run again" in caplog.text
