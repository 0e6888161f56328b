"""WebhookFactory and SignedDelivery: the deliveries they make, and the ways to send them."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
import trustme

from interactor_client.models import EVENT_MODELS
from interactor_ext import WebhookVerificationError
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import InvalidWebhookEvent, MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.support.sandbox_caller import check_event
from tests.support.scripted_server import receiving

SECRET = "whsec_mine"
EVENTS = sorted(event for event in EVENT_MODELS["WebhookEvent"] if event)


@pytest.fixture
def make() -> WebhookFactory:
    return WebhookFactory(SECRET)


@pytest.fixture
def handled() -> list[Any]:
    return []


@pytest.fixture
def router(handled: list[Any]) -> WebhookRouter:
    router = WebhookRouter(WebhookVerifier(SECRET, tolerance=300), store=MemoryEventStore())
    router.on("*")(handled.append)
    return router


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_type_gives_valid_signed_delivery(make: WebhookFactory, event: str) -> None:
    delivery = make(event)
    read = WebhookVerifier(SECRET).verify(delivery.body, delivery.headers)
    assert read == delivery.event
    assert (read.event, read.namespace) == (event, "user_123")
    check_event("WebhookEvent", "event", json.loads(delivery.body))
    assert delivery.headers["X-Interactor-Event"] == event
    assert delivery.headers["X-Request-Id"].startswith("req_")


def test_given_data_overrides_example_data(make: WebhookFactory) -> None:
    delivery = make("credential.expired", {"credential_id": "cred_7"}, namespace="org_ü")
    data = json.loads(delivery.body)["data"]
    assert data == {"credential_id": "cred_7", "provider": "google"}
    assert delivery.event.namespace == "org_ü"


def test_unknown_event_or_field_is_refused_with_what_is_meant(make: WebhookFactory) -> None:
    with pytest.raises(
        ValueError, match=r"Unknown webhook event 'credential.expire': write 'credential.expired', or pass"
    ):
        make("credential.expire")
    with pytest.raises(ValueError, match=rf"Unknown webhook event 'x': choose from {', '.join(EVENTS)}, or"):
        make("x")
    with pytest.raises(ValueError, match=r"credential.expired has no field 'credentialId': write 'credential_id'"):
        make("credential.expired", {"credentialId": "cred_7"})
    added = make("credential.expired", {"reason": "revoked"}, allow_unknown=True)
    assert json.loads(added.body)["data"]["reason"] == "revoked"
    unknown = make("room.archived", {"room_id": "room_1"}, allow_unknown=True)
    assert json.loads(unknown.body)["data"] == {"room_id": "room_1"}
    assert WebhookVerifier(SECRET).verify(unknown.body, unknown.headers).event == "room.archived"


def test_invalid_data_gives_invalid_webhook_event(make: WebhookFactory, router: WebhookRouter) -> None:
    delivery = make("credential.expired", {"credential_id": None}, namespace=None)
    assert isinstance(delivery.event, InvalidWebhookEvent)
    assert delivery.event.namespace is None
    assert delivery.send(router.wsgi).status == 200


def test_each_delivery_has_new_ids_by_default(make: WebhookFactory) -> None:
    assert make("credential.expired").event.id != make("credential.expired").event.id
    named = make("credential.expired", event_id="evt_1", idempotency_key="key_1").event
    assert (named.id, named.idempotency_key) == ("evt_1", "key_1")


@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_timestamp_is_in_header_and_body(make: WebhookFactory, age: float) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    for delivery in (
        make("credential.expired", timestamp=moment),
        make("credential.expired", timestamp=moment.timestamp()),
    ):
        assert delivery.headers["X-Interactor-Timestamp"] == str(int(moment.timestamp()))
        assert abs(delivery.event.timestamp - moment) < timedelta(milliseconds=1)
    with pytest.raises(ValueError, match="time zone"):
        make("credential.expired", timestamp=moment.replace(tzinfo=None))


def test_tampered_forged_or_stale_delivery_is_refused(make: WebhookFactory, router: WebhookRouter) -> None:
    deliveries = {
        "forged": make("credential.expired", secret="whsec_of_somebody_else"),
        "stale": make("credential.expired", timestamp=time.time() - 3600),
        "tampered": make("credential.expired").tampered(),
    }
    for name, delivery in deliveries.items():
        with pytest.raises(WebhookVerificationError):
            WebhookVerifier(SECRET).verify(delivery.body, delivery.headers)
        assert delivery.send(router.wsgi).status == 401, name


@pytest.mark.parametrize("mode", ["wsgi", "asgi"])
def test_send_calls_wsgi_or_asgi_application(
    make: WebhookFactory, router: WebhookRouter, handled: list[Any], mode: str
) -> None:
    delivery = make("credential.connected")
    answer = delivery.send(getattr(router, mode))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    # A redelivery: the same key again.
    assert delivery.send(getattr(router, mode)).status == 200
    assert handled == [delivery.event]


async def test_asend_runs_application_in_running_loop(
    make: WebhookFactory, router: WebhookRouter, handled: list[Any]
) -> None:
    delivery = make("credential.connected")
    with pytest.raises(RuntimeError, match="asend"):
        delivery.send(router.asgi)
    assert (await delivery.asend(router.asgi)).status == 200
    assert handled == [delivery.event]


def test_send_raises_application_error(make: WebhookFactory) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise KeyError(environ["HTTP_HOST"])

    async def async_app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError(dict(scope["headers"])[b"host"].decode())

    for each in (app, async_app):
        with pytest.raises(KeyError, match="testserver") as raised:  # the host that Django allows in tests
            make("credential.expired").send(each)
        assert raised.value.__context__ is None


def test_post_delivers_to_server(make: WebhookFactory, url: str, handled: list[Any]) -> None:
    delivery = make("credential.connected")
    assert delivery.post(url).status == 200
    assert delivery.tampered().post(url).status == 401
    assert asyncio.run(delivery.apost(url)).status == 200
    assert handled == [delivery.event]
    with pytest.raises(httpx.ConnectError):
        delivery.post("http://127.0.0.1:9/hook")


def test_post_trusts_the_authority_of_ssl_cert_file(
    make: WebhookFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    delivery = make("credential.expired")
    with receiving(tls) as (receiver, url):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            delivery.post(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert delivery.post(url).status == asyncio.run(delivery.apost(url)).status == 200
    assert len(receiver.got) == 2


def test_repr_of_delivery_shows_no_secret(make: WebhookFactory) -> None:
    delivery = make("credential.expired")
    assert SECRET not in repr(make)
    assert delivery.headers["X-Interactor-Signature"] not in repr(delivery)


@pytest.fixture
def url(router: WebhookRouter) -> Iterator[str]:
    """A server around the router."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with make_server("127.0.0.1", 0, router.wsgi, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()
