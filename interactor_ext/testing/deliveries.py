"""WebhookFactory and SignedDelivery: signed webhook deliveries for tests, genuine or forged."""

from __future__ import annotations

import asyncio
import inspect
import json
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from interactor_client.base import components
from interactor_client.models import EVENT_MODELS
from interactor_ext._engine.lazy import httpx
from interactor_ext.webhooks import WebhookAnswer, parse_event, sign

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

# How many seconds the platform waits for a receiver (`Webhook deliveries` in the contract).
ANSWER_TIMEOUT = 30.0
# Only a name, because the application is called in this process. Django allows this host in tests, whatever
# ALLOWED_HOSTS says.
IN_PROCESS = "http://testserver"


@dataclass(frozen=True)
class SignedDelivery:
    """One delivery: a raw body and the headers that go with it.

    Sending the same object twice is a redelivery, with the same idempotency key. `post` and `send` return the
    receiver's response and raise the application's errors.
    """

    body: bytes
    headers: dict[str, str] = field(repr=False)

    @cached_property
    def event(self) -> WebhookEvent:
        """The event, as a receiver's `verify` returns it: an `InvalidWebhookEvent` if it doesn't fit its type.

        Raises WebhookPayloadError if the body contains no event.
        """
        return parse_event(self.body)

    def tampered(self) -> SignedDelivery:
        """A copy with a changed body under the old signature: a receiver must respond with 401."""
        return replace(self, body=self.body + b" ")

    def post(self, url: str) -> WebhookAnswer:
        """Deliver over HTTP to a server, without proxies. Raises httpx.TransportError without a response in 30 s."""
        verify = httpx.create_ssl_context()  # with SSL_CERT_FILE
        with httpx.Client(timeout=ANSWER_TIMEOUT, trust_env=False, verify=verify) as client:
            return _answer(client.post(url, content=self.body, headers=self.headers))

    async def apost(self, url: str) -> WebhookAnswer:
        """Like `post`, but for a server in the caller's own event loop."""
        verify = httpx.create_ssl_context()
        async with httpx.AsyncClient(timeout=ANSWER_TIMEOUT, trust_env=False, verify=verify) as client:
            return _answer(await client.post(url, content=self.body, headers=self.headers))

    def send(self, app: Any, path: str = "/") -> WebhookAnswer:
        """Call a WSGI or ASGI application in this process with the delivery at `path`.

        Raises RuntimeError for an ASGI application if an event loop is running: use `asend` there. The application's
        lifespan isn't started.
        """
        if _is_asgi(app):
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                pass  # The application is called below, otherwise this error would appear in its tracebacks.
            else:
                raise RuntimeError("an event loop is running: use `await delivery.asend(app)`")
            return asyncio.run(self.asend(app, path))
        transport = httpx.WSGITransport(app=app)
        with _open_connections_of_django(), httpx.Client(transport=transport, base_url=IN_PROCESS) as client:
            return _answer(client.post(path, content=self.body, headers=self.headers))

    async def asend(self, app: Any, path: str = "/") -> WebhookAnswer:
        """Like `send`, but for an ASGI application in the running event loop."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=IN_PROCESS) as client:
            return _answer(await client.post(path, content=self.body, headers=self.headers))


class WebhookFactory:
    """Creates deliveries that are signed with `secret`."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __call__(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        *,
        namespace: str | None = "user_123",
        event_id: str | None = None,
        idempotency_key: str | None = None,
        timestamp: float | datetime | None = None,
        secret: str | None = None,
        allow_unknown: bool = False,
    ) -> SignedDelivery:
        """Create a delivery of `event`, as the platform does.

        `data` overrides fields of the contract's example of the event, so it only needs what matters to the test.
        `namespace` None is the default namespace. `event_id` and `idempotency_key` are new each time unless given.
        `timestamp`, Unix seconds or an aware datetime, is when it was sent, now by default: a verifier with a
        `tolerance` refuses an old one. Another `secret` makes a forged one. With `allow_unknown`, the event and the
        fields of its data may be such as a later version of the platform may have; an event that the contract lacks
        only has `data`.

        Raises:
            ValueError: the contract lacks this event, or its data lacks this field.
        """
        if not allow_unknown and (problem := unknown_in(event, data or {})):
            raise ValueError(f"{problem}, or pass allow_unknown=True to test what the platform may add later")
        moment = _moment(timestamp)
        document = {
            "id": event_id or f"evt_{secrets.token_hex(8)}",
            "event": event,
            "timestamp": moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "idempotency_key": idempotency_key or f"idem_{secrets.token_hex(8)}",
            "namespace": namespace,
            "data": {**contract_events().get(event, _UNKNOWN).example, **(data or {})},
        }
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = sign(body, self.secret if secret is None else secret, timestamp=moment, event=event)
        return SignedDelivery(body, {**headers, "X-Request-Id": f"req_{secrets.token_hex(8)}"})

    def __repr__(self) -> str:
        return "WebhookFactory()"


@contextmanager
def _open_connections_of_django() -> Iterator[None]:
    """Keep Django from closing connections when a request starts and ends, even a TestCase's. Its own test client does
    the same.
    """
    if "django.db" not in sys.modules:
        yield
        return
    from django.core.signals import request_finished, request_started
    from django.db import close_old_connections

    connected = [each for each in (request_started, request_finished) if each.disconnect(close_old_connections)]
    try:
        yield
    finally:
        for signal in connected:
            signal.connect(close_old_connections)


def _moment(timestamp: float | datetime | None) -> datetime:
    if timestamp is None:
        return datetime.now(UTC)
    return timestamp if isinstance(timestamp, datetime) else datetime.fromtimestamp(timestamp, UTC)


class ContractEvent(NamedTuple):
    """What the contract says about an event's data: the schemas of its fields, and an example."""

    fields: dict[str, Any]
    example: dict[str, Any]


_UNKNOWN = ContractEvent({}, {})


@cache
def contract_events() -> dict[str, ContractEvent]:
    """The contract's events by type."""
    schemas = components("interactor_client")
    events = {}
    for event, name in EVENT_MODELS["WebhookEvent"].items():
        if event:
            data = schemas[schemas[name]["properties"]["data"]["$ref"].rpartition("/")[2]]
            events[event] = ContractEvent(data["properties"], schemas[name]["examples"][0]["data"])
    return events


def unknown_in(event: str, data: Mapping[str, Any]) -> str | None:
    """Name the first thing in an event or its data that the contract lacks."""
    if event not in contract_events():
        return f"Unknown webhook event {event!r}: {_meant(event, contract_events())}"
    fields = contract_events()[event].fields
    unknown = next((name for name in data if name not in fields), None)
    return None if unknown is None else f"The data of {event} has no field {unknown!r}: {_meant(unknown, fields)}"


def _meant(name: str, known: Iterable[str]) -> str:
    similar = get_close_matches(name, known, n=1)
    return f"write {similar[0]!r}" if similar else f"choose from {', '.join(sorted(known))}"


def _is_asgi(app: Any) -> bool:
    """Whether an application accepts (scope, receive, send) rather than (environ, start_response)."""
    required = [each for each in inspect.signature(app).parameters.values() if each.default is each.empty]
    return len(required) > 2


def _answer(response: httpx.Response) -> WebhookAnswer:
    return WebhookAnswer(response.content, response.status_code, dict(response.headers))
