"""WebhookRouter(hand_over=) gives genuine deliveries to a task queue; run and arun handle them on its other side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_ext import WebhookBusyError, WebhookPayloadError
from interactor_ext.webhooks import ClaimState, InvalidWebhookEvent, MemoryEventStore, WebhookRouter, sign
from tests.support.webhook_deliveries import SECRET, body_of, delivery
from tests.support.webhook_routers import Failing, Handle, make, status

pytest_plugins = ["tests.support.webhook_fixtures"]

Run = Callable[[WebhookRouter, Any], None]


@pytest.fixture(params=["run", "arun"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "run":
        return lambda router, body: router.run(body)
    return lambda router, body: asyncio.run(router.arun(body))


@pytest.fixture(params=["sync", "async"])
def receiver(request: pytest.FixtureRequest) -> tuple[WebhookRouter, list[bytes]]:
    handed: list[bytes] = []

    async def later(body: bytes) -> None:
        await asyncio.sleep(0)
        handed.append(body)

    return make(hand_over=handed.append if request.param == "sync" else later), handed


def test_genuine_delivery_is_handed_over_as_the_bytes_that_came(
    handle: Handle, receiver: tuple[WebhookRouter, list[bytes]]
) -> None:
    router, handed = receiver
    body, headers = delivery(key="ä")
    for given in (body, bytearray(body), memoryview(body), body.decode()):
        assert status(handle(router, given, headers)) == (200, "accepted")
    assert handed == [body] * 4
    assert {type(each) for each in handed} == {bytes}
    # Without an id, without a handler: what is genuine is not lost.
    odd = [b"{}", b"\xff", body_of("some.new.event")]
    for given in odd:
        assert status(handle(router, given, sign(given, SECRET))) == (200, "accepted")
    assert handed[4:] == odd


def test_delivery_that_is_not_genuine_or_too_old_is_not_handed_over(
    handle: Handle, receiver: tuple[WebhookRouter, list[bytes]]
) -> None:
    router, handed = receiver
    body, headers = delivery()
    assert status(handle(router, body + b" ", headers)) == (401, "not_genuine")
    old = body_of(timestamp="2020-01-01T00:00:00Z")
    assert status(handle(router, old, sign(old, SECRET))) == (400, "too_old")
    assert handed == []


def test_failed_hand_over_is_answered_503_and_logged(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    def fails(body: bytes) -> None:
        raise ConnectionError("amqp://guest:hunter2@broker is out of reach")

    answer = handle(make(hand_over=fails), *delivery())
    assert status(answer) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "30"
    assert b"hunter2" not in answer.body
    assert "couldn't be queued" in caplog.text


def test_async_hand_over_can_use_the_thread_of_a_sync_view_under_asgi() -> None:
    sync_to_async = pytest.importorskip("asgiref.sync", reason="needs asgiref (pip install django)").sync_to_async
    handed: list[bytes] = []

    async def hand_over(body: bytes) -> None:
        await sync_to_async(handed.append)(body)

    router = make(hand_over=hand_over)
    assert status(asyncio.run(sync_to_async(router.handle)(*delivery()))) == (200, "accepted")
    assert len(handed) == 1


def test_handed_over_event_is_handled_once(run: Run) -> None:
    router, got = make(), []
    router.hand_over = lambda body: run(router, body)
    router.on("room.*")(lambda event: got.append(event.idempotency_key))

    @router.on("*")
    async def awaited(event: Any) -> None:
        await asyncio.sleep(0)
        got.append(event.event)

    body, headers = delivery(key="a")
    # Without an event loop around it, for arun is called by asyncio.run here.
    assert status(router.handle(body, headers)) == (200, "accepted")
    run(router, body.decode())
    run(router, body_of(key="b"))
    assert got == ["a", "room.message.created", "b", "room.message.created"]


def test_event_without_handler_is_done_and_not_remembered(run: Run) -> None:
    router, got = make(), []
    run(router, body_of("some.new.event"))
    router.default(got.append)
    run(router, body_of("some.new.event"))
    assert len(got) == 1


def test_failing_handler_raises_its_error_and_runs_again(run: Run) -> None:
    router, runs = make(), []

    @router.on("*")
    def fails_at_first(event: Any) -> None:
        runs.append(event.id)
        if len(runs) == 1:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(router, body_of())
    run(router, body_of())
    run(router, body_of())
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("body", "error"),
    [
        *((body, WebhookPayloadError) for body in (b"", b"{}", b"[]", b"\xff", b'{"event": "room.message.created"}')),
        *((body, TypeError) for body in (None, {"event": "x"}, 5)),
    ],
)
def test_body_that_names_no_event_or_is_parsed_raises(body: Any, error: type[Exception], run: Run) -> None:
    with pytest.raises(error):
        run(make(), body)


def test_event_that_does_not_fit_its_class_raises_payload_error_after_handlers_of_any_event(run: Run) -> None:
    router, typed, got = make(), [], []
    router.on("room.*")(typed.append)
    router.on("*")(got.append)
    with pytest.raises(WebhookPayloadError, match="doesn't fit"):
        run(router, body_of(data={"message_id": 5}))
    assert typed == []
    assert [type(event) for event in got] == [InvalidWebhookEvent]


def test_event_that_is_being_handled_raises_busy_error_until_the_lease_ends(run: Run) -> None:
    now = [0.0]
    store, got = MemoryEventStore(clock=lambda: now[0]), []
    router = make(store, lease=45.0)
    router.on("*")(got.append)
    assert store.claim("idem_1", "a worker that was killed", 45.0) == ClaimState.CLAIMED
    with pytest.raises(WebhookBusyError) as caught:
        run(router, body_of())
    assert (caught.value.retry_after, got) == (45.0, [])
    now[0] = 45.0
    run(router, body_of())
    assert len(got) == 1


def test_store_out_of_reach_raises_busy_error_and_runs_no_handler(run: Run) -> None:
    router, got = make(Failing(MemoryEventStore(), claim=1)), []
    router.on("*")(got.append)
    with pytest.raises(WebhookBusyError, match="unavailable") as caught:
        run(router, body_of())
    assert (caught.value.retry_after, got) == (30.0, [])
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "hunter2" not in str(caught.value)


def test_hanging_handler_of_run_is_given_up_after_handler_timeout(run: Run) -> None:
    router, release = make(handler_timeout=0.05), threading.Event()
    router.on("*")(lambda event: release.wait(60))
    try:
        with pytest.raises(TimeoutError):
            run(router, body_of())
    finally:
        release.set()


def test_runs_are_logged_and_recorded_once_each(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "interactor.webhooks")
    recorded: list[Any] = []
    telemetry = SimpleNamespace(record=recorded.append, sending=lambda request: None)
    router = make(hand_over=lambda body: None, telemetry=telemetry)
    router.on("*")(lambda event: None)
    router.handle(*delivery())
    run(router, body_of())
    run(router, body_of())
    assert [event.status for event in recorded] == ["processed", "duplicate"]
    outcomes = [record.outcome for record in caplog.records if hasattr(record, "outcome")]
    assert outcomes == ["accepted", "handled", "duplicate"]
