"""From a delivery to a handler that ran once, and to the answer that the platform gets."""

from __future__ import annotations

import logging
import re
import secrets
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from interactor_client.models import EVENT_MODELS
from interactor_ext._errors import ConfigurationError, WebhookPayloadError, WebhookVerificationError
from interactor_ext._plans import Call, Pause, Plan, adrive, drive
from interactor_ext._telemetry.events import Reporter
from interactor_ext.webhooks import answers
from interactor_ext.webhooks._headers import Headers
from interactor_ext.webhooks._settings import above_zero, from_zero_up
from interactor_ext.webhooks._threads import STORE_THREADS
from interactor_ext.webhooks._watch import DeliveryWatch
from interactor_ext.webhooks.answers import WebhookAnswer
from interactor_ext.webhooks.asgi import ASGIReceiver
from interactor_ext.webhooks.events import Body, raw_body
from interactor_ext.webhooks.memory import MemoryEventStore
from interactor_ext.webhooks.queues import EventQueue
from interactor_ext.webhooks.stores import ClaimState, EventStore, store_key
from interactor_ext.webhooks.wsgi import WSGIReceiver

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent
    from interactor_ext._telemetry.events import Telemetry

logger = logging.getLogger("interactor.webhooks")

Handler = Callable[[Any], Any]
H = TypeVar("H", bound=Handler)

_POLL_SECONDS = 0.1


class Verifier(Protocol):
    def verify(self, body: Body, headers: Headers) -> WebhookEvent: ...


class WebhookRouter:
    """Verifies deliveries, hands each event to its handlers once, and answers.

    `store` remembers what was handled (this process's memory if not given) and is what stops replays, since a
    signature does not cover the timestamp. With `queue` in its place an event is stored and answered at once, and a
    `WebhookWorker` runs the handlers.

    `lease` is how many seconds a handler has before a copy of the event may be handled by someone else: its process
    may have died. The platform waits 30 s for an answer. `max_body` is in bytes. A copy that arrives while the event
    is being handled waits up to `duplicate_wait` seconds for the outcome. `telemetry` (see `interactor_ext.telemetry`)
    is told of each delivery.

    Answers: 200 handled, duplicate, or nobody's concern; 400 not understood; 401 not genuine; 405; 411 a body whose end
    a WSGI server does not mark; 413; 500 a handler failed (the event is free for the next attempt); 503 the store is
    out of reach, or the event is being handled.
    """

    def __init__(
        self,
        verifier: Verifier,
        store: EventStore | None = None,
        *,
        queue: EventQueue | None = None,
        lease: float = 60.0,
        max_body: int = 1 << 20,
        duplicate_wait: float = 2.0,
        telemetry: Telemetry | None = None,
    ) -> None:
        if store is not None and queue is not None:
            raise ConfigurationError(
                "A queue remembers events by itself: give the router a store or a queue, not both."
            )
        self._verifier = verifier
        self._store = MemoryEventStore() if store is None else store
        self.queue = queue
        self._lease: float = above_zero(lease, "The lease of a webhook router")
        self.max_body: int = from_zero_up(max_body, "max_body")
        self._duplicate_wait: float = from_zero_up(duplicate_wait, "duplicate_wait")
        self.reporter = None if telemetry is None else Reporter(telemetry)
        self._handlers: list[tuple[re.Pattern[str], Handler]] = []
        self._default: Handler | None = None

    def on(self, *patterns: str) -> Callable[[H], H]:
        """Register a handler (`def` or `async def`, of one event) for event types; `*` stands for any characters.

        Every handler that matches runs, in the order of registration, under one claim: if one fails, all of them run
        again at the next attempt. A UserWarning says so where a pattern looks like a misspelt event type.
        """
        if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            raise ConfigurationError(
                "A webhook handler needs an event type, such as 'credential.connected' or 'room.*': "
                "write @router.on('room.*') above it."
            )
        for each in patterns:
            if meant := _perhaps_meant(each):
                warnings.warn(f"no event is called {each!r}: is {meant!r} meant?", stacklevel=2)
        pattern = re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns), re.DOTALL)

        def register(handler: H) -> H:
            self._handlers.append((pattern, handler))
            return handler

        return register

    def default(self, handler: H) -> H:
        """Register the handler of events that no other matches. Without one they are answered 200 and dropped."""
        if self._default is not None:
            raise ConfigurationError("This router has a default handler already.")
        self._default = handler
        return handler

    def handle(self, body: Body, headers: Headers, *, method: str = "POST") -> WebhookAnswer:
        """Take one delivery. Asynchronous handlers run on an event loop that this process keeps in a thread."""
        return drive(self._deliver(body, headers, method))

    async def ahandle(self, body: Body, headers: Headers, *, method: str = "POST") -> WebhookAnswer:
        """Take one delivery. Synchronous handlers run in the loop's default executor, and hold up nobody.

        A caller that is cancelled meanwhile hears of it once such a handler has ended, for a thread cannot be stopped,
        and an event that was handled is recorded as such. Needs asyncio: under trio it raises ConfigurationError.
        """
        return await adrive(self._deliver(body, headers, method))

    @cached_property
    def asgi(self) -> ASGIReceiver:
        """An ASGI application that takes deliveries at whatever path it is put."""
        return ASGIReceiver(self)

    @cached_property
    def wsgi(self) -> WSGIReceiver:
        """A WSGI application that takes deliveries at whatever path it is put."""
        return WSGIReceiver(self)

    def run_handlers(self, event: WebhookEvent) -> Plan[None]:
        for handler in self._handlers_for(event.event):
            yield Call(handler, (event,))

    def _handlers_for(self, kind: str) -> list[Handler]:
        matching = [handler for pattern, handler in self._handlers if pattern.fullmatch(kind)]
        return matching or ([self._default] if self._default is not None else [])

    def refuse_unread(self, answer: WebhookAnswer) -> WebhookAnswer:
        """The answer to a delivery whose body a receiver has not read to its end, once telemetry has heard of it."""
        if self.reporter is not None:
            DeliveryWatch(self.reporter).answered(answer)
        return answer

    def _deliver(self, body: Body, headers: Headers, method: str) -> Plan[WebhookAnswer]:
        if self.reporter is None or method != "POST":
            return self._take(body, headers, method)
        watch = DeliveryWatch(self.reporter)
        return watch.follow(self._take(body, headers, method, watch))

    def _take(
        self, body: Body, headers: Headers, method: str, watch: DeliveryWatch | None = None
    ) -> Plan[WebhookAnswer]:
        if method != "POST":
            return answers.wrong_method()
        if _size(body) > self.max_body:
            return answers.too_large(self.max_body)
        try:
            event = self._verifier.verify(body, headers)
        except WebhookVerificationError as error:
            logger.warning("Refused a webhook delivery: %s", error)
            return answers.refused(401, "not_genuine", str(error))
        except WebhookPayloadError as error:
            logger.error("A genuine webhook delivery was not understood: %s", error)
            return answers.refused(400, "not_understood", str(error))
        if watch is not None:
            watch.event = event.event
        if self.queue is not None:
            # Whether anybody handles it is for the worker to say: the receiver may not have imported the handlers.
            return (yield from self._accept(event, raw_body(body), self.queue))
        if not self._handlers_for(event.event):
            return answers.handled("ignored")
        return (yield from self._handle_once(event))

    def _accept(self, event: WebhookEvent, body: bytes, queue: EventQueue) -> Plan[WebhookAnswer]:
        try:
            added = yield Call(queue.put, (store_key(event.idempotency_key), body), executor=STORE_THREADS)
        except Exception:
            logger.exception("Webhook event %r could not be queued.", event.id)
            return answers.store_down()
        return answers.handled("accepted" if added else "duplicate")

    def _handle_once(self, event: WebhookEvent) -> Plan[WebhookAnswer]:
        key, token = store_key(event.idempotency_key), secrets.token_hex(16)
        try:
            state = yield from self._claim(key, token)
        except Exception:
            logger.exception("Webhook event %r could not be claimed.", event.id)
            return answers.store_down()
        except GeneratorExit:
            raise
        except BaseException:
            # Whether it was claimed before the interruption is not known.
            yield from self._release(key, token)
            raise
        if state == ClaimState.COMPLETED:
            return answers.handled("duplicate")
        if state == ClaimState.IN_PROGRESS:
            return answers.in_progress()
        try:
            yield from self.run_handlers(event)
        except Exception:
            logger.exception("A handler of webhook event %r (%r) failed.", event.id, event.event)
            yield from self._release(key, token)
            return answers.handler_failed()
        except GeneratorExit:  # nobody is left to carry out another step
            raise
        except BaseException:
            yield from self._release(key, token)
            raise
        try:
            yield Call(self._store.complete, (key, token), shielded=True, executor=STORE_THREADS)
        except Exception:
            # Still 200: the handlers ran, and asking for another attempt would run them again for certain.
            logger.exception("Webhook event %r was handled, but that could not be recorded.", event.id)
        return answers.handled("handled")

    def _claim(self, key: str, token: str) -> Plan[ClaimState]:
        patience = self._duplicate_wait
        while True:
            state: ClaimState = yield Call(self._store.claim, (key, token, self._lease), executor=STORE_THREADS)
            if state != ClaimState.IN_PROGRESS or patience <= 0:
                return state
            patience -= _POLL_SECONDS
            yield Pause(_POLL_SECONDS)

    def _release(self, key: str, token: str) -> Plan[None]:
        try:
            yield Call(self._store.release, (key, token), shielded=True, executor=STORE_THREADS)
        except Exception:
            logger.exception("The claim of webhook event %r stays until its lease runs out.", key)


def _size(body: Body) -> int:
    """In bytes, which a text has no fewer of than characters."""
    if isinstance(body, str):
        return len(body) if body.isascii() else len(body.encode("utf-8", "surrogatepass"))
    return body.nbytes if isinstance(body, memoryview) else len(raw_body(body))


def _perhaps_meant(pattern: str) -> str | None:
    """The event type that a pattern misspells. One that resembles none may be newer than this SDK."""
    if "*" in pattern or pattern in EVENT_MODELS["WebhookEvent"]:
        return None
    return next(iter(get_close_matches(pattern, EVENT_MODELS["WebhookEvent"], n=1, cutoff=0.85)), None)
