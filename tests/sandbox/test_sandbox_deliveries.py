"""Webhook deliveries of the sandbox: recipients, retries, and delivery options."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
import trustme

from interactor_ext.sandbox import Delivery, DeliveryOptions, Sandbox
from interactor_ext.sandbox.delivery import outbox, posting
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.sandbox.test_sandbox_operations import use_agents, use_credentials, use_workflows
from tests.support.sandbox_caller import DOCUMENT, Caller, check_event
from tests.support.scripted_server import RawServer, Receiver, receiving
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]

CATALOGUE = sorted(DOCUMENT["webhooks"])
SECRET = "whsec_test"
WAITS = (30, 120, 600, 1800, 7200)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as (receiver, _):
        yield receiver


def hook(caller: Caller, url: str, *events: str, **fields: Any) -> dict[str, Any]:
    return caller.make("/webhooks", **{"url": url, "events": list(events or CATALOGUE), "secret": SECRET, **fields})


def connect(sandbox: Sandbox, count: int = 1, namespace: str = "user_1") -> None:
    """Publish `count` events `credential.connected`."""
    for _ in range(count):
        sandbox.add_credential("google", namespace=namespace)


def statuses(sandbox: Sandbox) -> list[int | None]:
    return [delivery.status for delivery in sandbox.deliveries]


def only(sandbox: Sandbox) -> Delivery:
    sandbox.wait_for_deliveries(60)
    (delivery,) = sandbox.deliveries
    return delivery


def publish_every_event(sandbox: Sandbox, caller: Caller) -> None:
    use_credentials(sandbox, caller)
    use_agents(sandbox, caller)
    use_workflows(caller)
    for status in ("active", "revoked"):
        lost = sandbox.add_credential("google", namespace="user_1", expires_in=-1, refreshable=False, status=status)
        assert caller.post(f"/credentials/{lost['id']}/refresh").status_code == 409
    stuck = {"name": "stuck", "type": "action", "transitions": [{"to": "stuck", "condition": "never"}]}
    assert caller.start(stuck)["status"] == "failed"


def handled_by_router(sandbox: Sandbox, receiver: Receiver) -> list[Any]:
    """The events that a WebhookRouter handles of all that the receiver got, in the order in which it came."""
    handled: list[Any] = []
    router = WebhookRouter(WebhookVerifier(SECRET, clock=sandbox.clock.now), store=MemoryEventStore())
    router.default(handled.append)
    assert {router.handle(got.body, got.headers).status for got in receiver.got} == {200}
    return handled


def test_every_event_type_is_delivered_signed_and_typed(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    hook(caller, receiver.url)
    publish_every_event(sandbox, caller)
    sandbox.wait_for_deliveries(60)
    handled = handled_by_router(sandbox, receiver)
    assert {event.event for event in handled} == set(CATALOGUE), (
        "`call.state.publish` it in interactor_ext/sandbox/platform/, and have `publish_every_event` here lead to it"
    )
    for event in sandbox.events:
        check_event("WebhookEvent", "event", event)
        assert event["namespace"] == event["data"]["namespace"]
    assert len({event["id"] for event in sandbox.events}) == len(sandbox.events)
    assert "UnknownWebhookEvent" not in {type(event).__name__ for event in handled}
    typed = {event.id: (event.event, event.namespace, event.data.to_dict().keys()) for event in handled}
    assert typed == {each["id"]: (each["event"], "user_1", each["data"].keys()) for each in sandbox.events}
    assert all(event.data.additional_properties == {} for event in handled)
    assert Counter(statuses(sandbox)) == {200: len(sandbox.events)}


def test_delivery_has_documented_headers_and_body(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    webhook = hook(caller, f"{receiver.url}/in?a=1", "credential.connected")
    connect(sandbox, 2)
    sandbox.wait_for_deliveries(60)
    first, second = receiver.got
    assert first.path == "/in?a=1"
    assert first.headers["host"] == receiver.url.removeprefix("http://")
    assert first.headers["content-type"] == "application/json"
    assert re.fullmatch("sha256=[0-9a-f]{64}", first.headers["x-interactor-signature"])
    assert abs(int(first.headers["x-interactor-timestamp"]) - sandbox.clock.now()) < 60
    assert first.headers["x-interactor-event"] == "credential.connected"
    assert first.headers["x-request-id"].startswith("req_") != second.headers["x-request-id"]
    assert sorted(json.loads(first.body)) == ["data", "event", "id", "idempotency_key", "namespace", "timestamp"]
    assert {got.verified(SECRET, sandbox).id for got in receiver.got} == {event["id"] for event in sandbox.events}
    by_request = {got.headers["x-request-id"]: got for got in receiver.got}
    for delivery in sandbox.deliveries:
        assert json.loads(by_request[delivery.request_id].body) == delivery.event
        assert (delivery.webhook_id, delivery.url, delivery.namespace) == (
            webhook["id"],
            f"{receiver.url}/in?a=1",
            "user_1",
        )
        assert (delivery.attempt, delivery.status, delivery.succeeded, delivery.error) == (1, 200, True, None)
        assert (delivery.event_type, delivery.next_attempt_at) == ("credential.connected", None)
        assert 0 < delivery.duration < 60


@pytest.mark.parametrize("failures", [1, 5, 6])
def test_failed_delivery_is_retried_on_schedule(
    sandbox: Sandbox, caller: Caller, receiver: Receiver, failures: int
) -> None:
    hook(caller, receiver.url)
    answers = [500, 404, 301, 503, 400, 500][:failures]
    receiver.answers.extend(answers)
    connect(sandbox)
    for attempt, wait in enumerate(WAITS[:failures], start=1):
        sandbox.wait_for_deliveries(60)
        assert len(receiver.got) == attempt
        sandbox.clock.advance(wait - 20)
        sandbox.wait_for_deliveries(60)
        assert len(receiver.got) == attempt, "too early"
        sandbox.clock.advance(20)
    sandbox.wait_for_deliveries(60)
    assert statuses(sandbox) == [*answers, 200][:6]
    attempts = len(sandbox.deliveries)
    assert [delivery.attempt for delivery in sandbox.deliveries] == list(range(1, attempts + 1))
    assert len({delivery.id for delivery in sandbox.deliveries}) == 1
    assert {got.body for got in receiver.got} == {receiver.got[0].body}
    assert receiver.got[-1].verified(SECRET, sandbox).id == sandbox.events[0]["id"]
    *failed, last = sandbox.deliveries
    assert all(delivery.next_attempt_at > delivery.sent_at for delivery in failed)
    assert last.next_attempt_at is None
    sandbox.clock.advance(100_000)
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == attempts


def test_running_until_idle_jumps_from_attempt_to_attempt(
    sandbox: Sandbox, caller: Caller, receiver: Receiver, control: httpx.Client
) -> None:
    hook(caller, receiver.url, "credential.connected")
    receiver.answers.extend([500] * 12)
    sandbox.clock.freeze()
    for run in (sandbox.run_until_idle, lambda: control.post("/run-until-idle").raise_for_status()):
        began = sandbox.clock.now()
        sandbox.delivery.delay = 7.0
        connect(sandbox)
        run()
        sent = [datetime.fromisoformat(each.sent_at).timestamp() for each in sandbox.deliveries[-6:]]
        assert [round(after - before) for before, after in pairwise(sent)] == list(WAITS)
        assert 0 <= sent[0] - began <= 7.001
        assert sandbox.clock.now() == pytest.approx(sent[-1], abs=0.002)
    assert statuses(sandbox) == [500] * 12


def test_running_until_idle_reaches_expiries_and_syncs(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.clock.freeze()
    began = sandbox.clock.now()
    lost = sandbox.add_credential("google", namespace="user_1", refreshable=False, expires_in=500)
    gone = sandbox.add_credential("slack", namespace="user_1", refreshable=False, expires_in=9000)
    caller.delete(f"/credentials/{gone['id']}")
    source = caller.make("/data-sources", name="Orders", type="url", config={})
    caller.post(f"/data-sources/{source['id']}/sync")
    sandbox.run_until_idle()
    assert sandbox.clock.now() == began + 500
    assert [each["event"] for each in sandbox.events][-1] == "credential.expired"
    assert caller.read(f"/credentials/{lost['id']}")["status"] == "expired"
    assert caller.read(f"/data-sources/{source['id']}")["sync_status"] == "completed"


def test_retry_schedule_follows_time_scale(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    sandbox.delivery.time_scale = 1e-5
    hook(caller, receiver.url)
    receiver.answers.extend([500] * 6)
    began = time.monotonic()
    connect(sandbox)
    receiver.wait(6)
    assert time.monotonic() - began > 0.09
    sandbox.wait_for_deliveries(60)
    assert statuses(sandbox) == [500] * 6


def test_reordered_delivery_is_overtaken_by_the_next(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    sandbox.clock.freeze()
    hook(caller, receiver.url)
    sandbox.delivery.reorder = 1
    connect(sandbox, 2)
    sandbox.wait_for_deliveries(60)
    assert [json.loads(got.body)["id"] for got in receiver.got] == [each["id"] for each in reversed(sandbox.events)]


def test_duplicate_option_sends_a_copy_with_one_attempt(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    hook(caller, receiver.url)
    sandbox.delivery.duplicate = 1
    receiver.answers.extend([500, 500])
    connect(sandbox)
    sandbox.wait_for_deliveries(60)
    one, other = receiver.got
    assert one.body == other.body
    sandbox.clock.advance(7200)
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == 3, "a copy has one attempt"
    assert [delivery.is_duplicate for delivery in sandbox.deliveries].count(True) == 1


def test_delivery_delay_follows_sandbox_clock(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    hook(caller, receiver.url)
    sandbox.delivery.delay = 100_000
    connect(sandbox, 5)
    with pytest.raises(TimeoutError):
        sandbox.wait_for_deliveries(0.1)
    assert len(receiver.got) < 5
    sandbox.clock.advance(100_000)
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == 5


def test_rotated_secret_signs_next_attempts(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    webhook = hook(caller, receiver.url)
    receiver.answers.append(500)
    connect(sandbox)
    sandbox.wait_for_deliveries(60)
    new = caller.make(f"/webhooks/{webhook['id']}/rotate-secret")["secret"]
    sandbox.clock.advance(30)
    sandbox.wait_for_deliveries(60)
    before, after = receiver.got
    assert before.body == after.body
    assert WebhookVerifier(SECRET, tolerance=None).verify(before.body, before.headers)
    assert after.verified(new, sandbox)


def test_events_reach_subscribed_active_webhooks_of_their_namespace(
    sandbox: Sandbox, caller: Caller, another: Callable[..., Caller], receiver: Receiver
) -> None:
    hook(caller, f"{receiver.url}/one")
    hook(caller, f"{receiver.url}/also", "credential.connected")
    hook(caller, f"{receiver.url}/elsewhere", "credential.revoked")
    hook(caller, f"{receiver.url}/off", active=False)
    hook(another("user_2"), f"{receiver.url}/two")
    hook(another(None), f"{receiver.url}/none")
    connect(sandbox)
    connect(sandbox, namespace="user_2")
    connect(sandbox, namespace="")
    sandbox.wait_for_deliveries(60)
    seen = sorted((got.path, got.verified(SECRET, sandbox).namespace) for got in receiver.got)
    assert seen == [("/also", "user_1"), ("/none", ""), ("/one", "user_1"), ("/two", "user_2")]


@pytest.mark.parametrize("way", ["delete", "deactivate"])
def test_deleted_or_inactive_webhook_gets_no_more_deliveries(
    sandbox: Sandbox, caller: Caller, receiver: Receiver, way: str
) -> None:
    webhook = hook(caller, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    receiver.answers.append(500)
    connect(sandbox)
    sandbox.wait_for_deliveries(60)
    if way == "delete":
        assert caller.delete(path).status_code == 204
    else:
        # Off and on again: what it missed it does not get.
        caller.patch(path, json={"active": False})
        connect(sandbox)
        caller.patch(path, json={"active": True})
    sandbox.clock.advance(100_000)
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == 1
    if way == "deactivate":
        connect(sandbox)
        sandbox.wait_for_deliveries(60)
        assert len(receiver.got) == 2


def test_in_flight_delivery_of_deleted_webhook_is_not_retried(
    sandbox: Sandbox, caller: Caller, receiver: Receiver
) -> None:
    webhook = hook(caller, receiver.url)
    receiver.hang()
    receiver.answers.extend([500] * 30)
    connect(sandbox, 20)
    receiver.wait(outbox.MAX_CONCURRENT)
    caller.delete(f"/webhooks/{webhook['id']}")
    receiver.go_on.set()
    eventually(lambda: len(sandbox.deliveries) >= outbox.MAX_CONCURRENT)
    assert {delivery.next_attempt_at for delivery in sandbox.deliveries} == {None}
    sandbox.clock.advance(100_000)
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == outbox.MAX_CONCURRENT


def test_hanging_receiver_does_not_delay_other_webhooks(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    hook(caller, receiver.url)
    receiver.hang()
    with receiving() as (quick, address):
        hook(caller, address)
        connect(sandbox, 40)
        quick.wait(40)
    assert len(receiver.wait(outbox.MAX_CONCURRENT)) == outbox.MAX_CONCURRENT
    assert caller.read("/rooms") == []
    receiver.go_on.set()
    sandbox.wait_for_deliveries(60)
    assert len(receiver.got) == 40


def test_stop_interrupts_deliveries_and_restart_sends_them(receiver: Receiver) -> None:
    sandbox = Sandbox()
    receiver.hang()
    with sandbox.run():
        with Caller(sandbox) as caller:
            hook(caller, receiver.url)
        connect(sandbox, 20)
        receiver.wait(outbox.MAX_CONCURRENT)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 30
    assert list(sandbox.deliveries) == []
    connect(sandbox)
    receiver.go_on.set()
    with sandbox.run():
        sandbox.wait_for_deliveries(60)
    assert Counter(statuses(sandbox)) == {200: 21}
    assert {json.loads(got.body)["id"] for got in receiver.got} == {event["id"] for event in sandbox.events}


def test_delivery_times_out_without_response(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    assert sandbox.delivery.timeout == 30
    sandbox.delivery.timeout = 0.2
    hook(caller, receiver.url)
    receiver.hang()
    connect(sandbox)
    delivery = only(sandbox)
    assert (delivery.status, delivery.error) == (None, "no response within 0.2 s")
    assert delivery.next_attempt_at is not None
    sandbox.delivery.timeout = 30
    receiver.go_on.set()
    sandbox.clock.advance(30)
    sandbox.wait_for_deliveries(60)
    assert statuses(sandbox) == [None, 200]


def test_delivery_that_cannot_be_made_is_a_failed_attempt(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    receiver.answers.append(307)
    receiver.location = f"{receiver.url}/elsewhere"
    with RawServer(lambda connection: connection.send(b"\x00garbage\r\n\r\n")) as garbage, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # so that nobody else takes the port; it does not listen
        for fields, status, error in (
            ({"url": receiver.url}, 307, "None"),
            ({"url": receiver.url, "secret": "   "}, None, "this secret can't sign anything"),
            ({"url": garbage.url}, None, "RemoteProtocolError"),
            ({"url": f"http://127.0.0.1:{closed.getsockname()[1]}/"}, None, "ConnectError"),
            ({"url": "http://nowhere.invalid/"}, None, "gaierror"),
            ({"url": "http://93.184.215.14/"}, None, "is a public address"),
            ({"url": "http://[2606:4700::1111]/"}, None, "is a public address"),
        ):
            webhook = hook(caller, **fields)
            connect(sandbox)
            sandbox.wait_for_deliveries(60)
            delivery = sandbox.deliveries[-1]
            assert (delivery.status, delivery.succeeded) == (status, False), fields
            assert error in str(delivery.error), fields
            caller.delete(f"/webhooks/{webhook['id']}")
    assert [got.path for got in receiver.got] == ["/"]


def test_every_address_of_a_host_name_is_tried(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    address = receiver.url.replace("127.0.0.1", "localhost")
    hook(caller, address)
    connect(sandbox)
    assert only(sandbox).status == 200
    assert receiver.got[0].headers["host"] == address.removeprefix("http://")


def test_tls_certificate_is_verified_for_host_in_url(
    sandbox: Sandbox, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, served, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusting)
    with receiving(served) as (receiver, address):
        named = hook(caller, address)
        connect(sandbox)
        assert "CERTIFICATE_VERIFY_FAILED" in str(only(sandbox).error)
        monkeypatch.setattr(posting, "_tls", lambda: trusting)
        sandbox.clock.advance(30)
        sandbox.wait_for_deliveries(60)
        assert receiver.got[0].verified(SECRET, sandbox)
        caller.delete(f"/webhooks/{named['id']}")
        hook(caller, address.replace("localhost", "127.0.0.1"))
        connect(sandbox)
        sandbox.wait_for_deliveries(60)
        assert statuses(sandbox) == [None, 200, None]
        assert "CERTIFICATE_VERIFY_FAILED" in str(sandbox.deliveries[-1].error)


@pytest.mark.parametrize("closed", [False, True], ids=["a loop for all", "a loop for each call"])
def test_events_between_two_runs_of_a_loop_are_delivered_in_the_next(receiver: Receiver, closed: bool) -> None:
    sandbox = Sandbox()

    async def call(path: str, body: Any = None) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as client:
            (await client.post(f"http://sandbox/_sandbox{path}", json=body)).raise_for_status()

    with contextlib.ExitStack() as stack:
        loop = stack.enter_context(contextlib.closing(asyncio.new_event_loop()))
        fields = {"url": receiver.url, "events": ["credential.connected"]}
        act = {"operation": "create_webhook", "namespace": "user_1", "path": {}, "body": fields}
        loop.run_until_complete(call("/act", act))
        if closed:
            loop.close()
            loop = stack.enter_context(contextlib.closing(asyncio.new_event_loop()))
        connect(sandbox)
        sandbox.add_credential("google", namespace="user_1", refreshable=False)
        loop.run_until_complete(call("/wait-for-deliveries"))
    assert statuses(sandbox) == [200, 200]


def test_restored_deliveries_are_sent_though_the_clock_is_frozen(
    sandbox: Sandbox, caller: Caller, receiver: Receiver
) -> None:
    sandbox.clock.freeze()
    hook(caller, receiver.url)
    receiver.hang()
    connect(sandbox)
    snapshot = sandbox.snapshot()
    receiver.wait(1)
    sandbox.restore(snapshot)
    receiver.go_on.set()
    sandbox.add_credential("google", namespace="user_2", refreshable=False)
    sandbox.wait_for_deliveries(60)
    assert statuses(sandbox) == [200]


def test_delivery_record_masks_secrets(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    hook(caller, receiver.url.replace("http://", "http://user:hush@"), secret="whsec_hush")
    connect(sandbox)
    delivery = only(sandbox)
    assert receiver.got[0].headers["authorization"].startswith("Basic ")
    assert delivery.url == receiver.url.replace("http://", "http://***@")
    assert "hush" not in repr(sandbox.deliveries)
    assert "hush" not in repr(delivery.event)


def test_redeliver_sends_delivery_or_event_again(sandbox: Sandbox, caller: Caller, receiver: Receiver) -> None:
    webhook = hook(caller, receiver.url)
    connect(sandbox)
    delivery = only(sandbox)
    sandbox.redeliver(delivery)
    sandbox.wait_for_deliveries(60)
    with receiving() as (late, address):
        hook(caller, address)
        sandbox.redeliver(delivery.event_id)
        sandbox.wait_for_deliveries(60)
        assert {got.body for got in [*receiver.got, *late.got]} == {receiver.got[0].body}
        assert (len(receiver.got), len(late.got)) == (3, 1)
    for each in caller.read("/webhooks"):
        caller.patch(f"/webhooks/{each['id']}", json={"active": False})
    with pytest.raises(ValueError, match=f"{webhook['id']} was deleted or no longer listens"):
        sandbox.redeliver(delivery)
    with pytest.raises(ValueError, match="no active webhook listens"):
        sandbox.redeliver(delivery.event_id)
    with pytest.raises(ValueError, match="no event 'evt_1'"):
        sandbox.redeliver("evt_1")


@pytest.mark.parametrize(
    ("option", "value"),
    [("duplicate", 1.1), ("reorder", -0.1), ("delay", -1), ("time_scale", float("nan")), ("timeout", -1)],
)
def test_invalid_delivery_options_raise(option: str, value: float) -> None:
    options: Any = DeliveryOptions()
    for attempt in (lambda: DeliveryOptions(**{option: value}), lambda: options.__setattr__(option, value)):
        with pytest.raises(ValueError, match=option):
            attempt()


def test_reset_restores_initial_delivery_options() -> None:
    given = DeliveryOptions(duplicate=0.2)
    sandbox = Sandbox(delivery=given)
    sandbox.delivery.duplicate = 0.9
    assert given.duplicate == 0.2
    sandbox.reset()
    assert sandbox.delivery.duplicate == 0.2
    with pytest.raises(RuntimeError, match="another thread serves"):
        sandbox.wait_for_deliveries(60)
