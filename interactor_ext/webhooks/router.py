"""WebhookRouter: verifies a delivery, deduplicates it, runs its handlers and builds the response."""

from __future__ import annotations

import math
import secrets
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, overload

from interactor_client.accepted import event_types
from interactor_client.advised import Advised
from interactor_ext._engine.arguments import (
    above_zero,
    at_least,
    is_async,
    kind_of,
    require_function,
    require_methods,
)
from interactor_ext._engine.effects import Effects, Invoke, Renewal, run_async, run_sync
from interactor_ext._engine.errors import (
    ConfigurationError,
    WebhookBusyError,
    WebhookPayloadError,
    WebhookVerificationError,
)
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.telemetry_events import Reporter, Telemetry
from interactor_ext._engine.waiting.around import Around, checked_around, surrounded
from interactor_ext._engine.waiting.own_errors import cause_of
from interactor_ext._engine.waiting.threads import DaemonThreads, NoThreadFreeError, OutOfTimeError
from interactor_ext._interactor import models
from interactor_ext.webhooks import _transactions, answers
from interactor_ext.webhooks._handlers import (
    RUNNING,
    Handler,
    Once,
    OnceDecorator,
    Registration,
    RolledBack,
    similar_event_type,
    types_of,
)
from interactor_ext.webhooks._headers import Headers
from interactor_ext.webhooks._names import OVERDUE_SECONDS, prefix_of, warn_of_twins, warn_of_unserved
from interactor_ext.webhooks._threads import CALLER_THREADS, StoreCalls, handler_threads
from interactor_ext.webhooks._watch import DeliveryWatch
from interactor_ext.webhooks.answers import WebhookAnswer
from interactor_ext.webhooks.asgi import ASGIReceiver
from interactor_ext.webhooks.aws_lambda import answer_event
from interactor_ext.webhooks.events import Body, parse_event, raw_body, validation_error_of
from interactor_ext.webhooks.queue._contract import EventSink
from interactor_ext.webhooks.signature import REMEMBERED
from interactor_ext.webhooks.stores._contract import ADVICE, ClaimState, EventStore, body_key, store_key
from interactor_ext.webhooks.stores._memory import MemoryEventStore
from interactor_ext.webhooks.wsgi import WSGIReceiver

if TYPE_CHECKING:
    import fastapi as fastapi_package
    import flask as flask_package
else:
    fastapi_package = LazyModule("fastapi")
    flask_package = LazyModule("flask")

HandOver = Callable[[bytes], Any]
H = TypeVar("H", bound=Handler)
S = TypeVar("S")

_ADVICE_ON_QUEUES = (
    " Write queue=SQLiteEventQueue(path) or PostgresEventQueue(dsn), or with a task queue pass a function that accepts "
    "deliveries as hand_over."
)

# After the store was unreachable, or too many handlers ran at once.
_RETRY_SECONDS = 30.0


class Verifier(Protocol):
    def verify(self, body: Body, headers: Headers) -> models.WebhookEvent: ...


class HandlerRun(NamedTuple):
    """How handlers run: in which thread pool (None means the caller's thread), and with which timeout."""

    threads: DaemonThreads | None
    timeout: float | None


class WebhookRouter(Advised, calls=True):
    """Verifies deliveries, runs the handlers of each event once, and responds.

    `store` remembers handled events (by default in memory) and stops replays, because a signature does not cover the
    timestamp. With `queue` instead, an event is stored and acknowledged at once, and a `WebhookWorker` runs the
    handlers. With either, a delivery may be as old as they remember events, unless the verifier's `tolerance` is set.

    With `hand_over`, your own task queue does the work: the function, sync or async, receives the body of each genuine
    delivery. The response is 200 when it returns, and 503 if it raises. In the task, `run(body)` or `arun(body)` runs
    the handlers, and drops duplicates with the help of `store`; the receiver stores nothing.

    `name` is the name of your service. Events are remembered under it, so services that share a store or a queue don't
    mistake each other's events for duplicates. Under another name every event is new: see `interactor webhooks rename`.

    `lease` is how many seconds after a process dies another may handle the event it was handling; it is renewed while
    handlers run. The platform waits 30 s for a response. After `handler_timeout` seconds the handlers of an event count
    as failed, even if they hang; the default is `lease`, and `math.inf` means no limit. `handle` runs synchronous
    handlers in its caller's thread and can't stop them there; with `handler_timeout`, they run in another.

    `around` returns a context manager that each handler runs in: Flask's `app.app_context`, a transaction, a check of
    pooled connections. An async one is for `async def` handlers. A handler's second parameter receives what it yields.
    An exception on its exit, such as a failed COMMIT, counts as the handler's own, and the event isn't recorded as
    handled.

    `max_body` is in bytes. `telemetry` (see `interactor_ext.telemetry`) records each delivery.

    Responses: 200 handled, duplicate, or no handler; 400 no event in the body, or older than the store remembers (it
    may be a replay); 401 not genuine; 405 not POST; 411 no Content-Length under a WSGI server that needs one; 413 too
    large; 500 a handler failed, or the event does not fit the class that its handlers expect (the next attempt may
    succeed); 503 the store is unreachable, the event is being handled, or no thread is free for its handlers.
    With `queue`, a genuine delivery gets 200 as soon as it is stored, whatever its event.
    """

    def __init__(
        self,
        verifier: Verifier,
        store: EventStore | None = None,
        *,
        queue: EventSink | None = None,
        hand_over: HandOver | None = None,
        name: str | None = None,
        lease: float = 60.0,
        handler_timeout: float | None = None,
        around: Around | None = None,
        max_body: int = 1 << 20,
        telemetry: Telemetry | None = None,
    ) -> None:
        if isinstance(verifier, type) or not callable(getattr(verifier, "verify", None)):
            given = "the secret" if isinstance(verifier, str | bytes) else kind_of(verifier)
            raise ConfigurationError(f"A webhook router needs a verifier, not {given}: write WebhookVerifier(secret).")
        if store is not None:
            advice = ADVICE.format("store")
            require_methods("store", store, "claim", "complete", "release", is_awaited=True, advice=advice)
        if queue is not None:
            require_methods("queue", queue, "put", is_awaited=True, advice=_ADVICE_ON_QUEUES)
        require_function(hand_over, "hand_over=")
        if store is not None and queue is not None:
            raise ConfigurationError("A queue remembers events itself. Give the router a store or a queue, not both.")
        if hand_over is not None and queue is not None:
            raise ConfigurationError("Give the router `queue` or `hand_over`, not both.")
        self.key_prefix: str = prefix_of(name)
        self._verifier = verifier
        self.store: EventStore = MemoryEventStore() if store is None else store
        self.queue = queue
        self.hand_over = hand_over
        self.store_calls: StoreCalls = StoreCalls(
            in_memory=queue is None and hand_over is None and isinstance(self.store, MemoryEventStore)
        )
        shared = queue or self.store
        if name is None and getattr(shared, "is_shared", False):
            warnings.warn(
                "This webhook router has no name, and another service may use the same "
                f"{type(shared).__name__}. Each would then treat events handled by the other as duplicates. "
                'Pass name="...", the same in every process of this service. `interactor webhooks rename` then moves '
                "the events that are already there.",
                stacklevel=3,
            )
        memory = store if queue is None else queue
        # The default store doesn't justify accepting old deliveries: it is lost when the process ends.
        self._remembered = None if memory is None else _memory_of(memory)
        warn_of_twins(self, shared, getattr(verifier, "_keys", None))
        self.lease: float = above_zero(lease, "The lease of a webhook router")
        self.handler_timeout = handler_timeout
        checked_around(around)
        self.around = around
        self._around_put: Around | None = None
        timeout = handler_timeout_of(handler_timeout, self.lease)
        self._in_caller = HandlerRun(None if handler_timeout is None else CALLER_THREADS, timeout)
        self._loop_threads = handler_threads()
        self._in_loop = HandlerRun(self._loop_threads, timeout)
        self.max_body: int = at_least(0, max_body, "max_body")
        self.reporter: Reporter | None = None if telemetry is None else Reporter(telemetry)
        self._registrations: list[Registration] = []
        self._default: Registration | None = None

    @overload
    def on(self, *patterns: str) -> Callable[[H], H]: ...
    @overload
    def on(self, *patterns: str, once: Once[S]) -> OnceDecorator[S]: ...
    def on(self, *patterns: str, once: Once[Any] | None = None) -> Any:
        """Register a handler (`def` or `async def`) for event types; `*` matches any characters.

            Session = async_sessionmaker(create_async_engine(url))

            @router.on("credential.expired", once=Session)
            async def save(event: CredentialExpiredEvent, session: AsyncSession) -> None:
                session.add(Reminder(event.data.credential_id))

        With `once`, the handler runs in a transaction that also records the event, so its writes happen exactly once,
        wherever a process dies. `once` is a sessionmaker or an engine of SQLAlchemy, or a function that returns a
        context manager that commits at its end, such as Django's `transaction.atomic` and `pool.connection` of psycopg.
        For databases and their table see `claim_in`. The record is kept for this handler under its name: once renamed,
        it runs again for events that are redelivered.

        A handler's second parameter without a default receives the session or connection that `once` yields, or else
        what the router's `around` yields. Other signatures, FastAPI's `Depends` and generator functions raise a
        ConfigurationError.

        Every matching handler runs, in the order of registration, under one claim: if one fails, all run again at the
        next attempt. A pattern that looks like a misspelt event type causes a UserWarning, and so does a handler whose
        parameter has the class of another event.

        An event that does not fit the class of its type goes, as `InvalidWebhookEvent`, only to the handlers of `"*"`,
        or to the default handler if there are none. If it has other handlers too, it counts as failed afterwards.
        """
        if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            meant = ", ".join(map(repr, types_of(patterns) or ["room.*"]))
            raise ConfigurationError(
                "A webhook handler needs an event type, such as 'credential.connected' or 'room.*': "
                f"write @router.on({meant}) above it."
            )
        for each in patterns:
            if similar := similar_event_type(each):
                warnings.warn(f"Unknown event {each!r}. Did you mean {similar!r}?", stacklevel=3)

        def register(handler: H) -> H:
            registration = Registration.of(handler, patterns, self.around, once)
            registration.require_own_name(each for each in self._registrations if once or each.once)
            self._registrations.append(registration)
            return handler

        return register

    def default(self, handler: H) -> H:
        """Register the handler of events that no other handles. Without one they get 200 and are dropped."""
        if self._default is not None:
            raise ConfigurationError("This router already has a default handler.")
        self._default = Registration.of(handler, ("*",), self.around)
        return handler

    def handle(self, body: Body, headers: Headers, *, method: str = "POST") -> WebhookAnswer:
        """Handle one delivery. Asynchronous handlers run on an event loop in a thread of this process."""
        return run_sync(self._deliver(body, headers, method, self._in_caller))

    async def ahandle(self, body: Body, headers: Headers, *, method: str = "POST") -> WebhookAnswer:
        """Handle one delivery. Synchronous handlers run in threads of their own and do not block the event loop.

        A cancelled caller waits until such a handler has ended (at most 20 s), because a thread cannot be stopped and
        a handled event must be recorded. Needs asyncio: under trio it raises ConfigurationError.
        """
        return await run_async(self._deliver(body, headers, method, self._in_loop))

    def run(self, body: Body) -> None:
        """Run the handlers of an event that `hand_over` received, unless the store has it as handled.

        The signature isn't verified, because the receiver has done so: anyone who can write to your task queue can run
        your handlers. Returns when the event is done: handled now or before, or without a handler here. Otherwise it
        raises, so the task queue tries again: WebhookBusyError if no handler ran, a handler's own error, or
        WebhookPayloadError if no retry can help: the body names no event, or it does not fit the class that its
        handlers expect. Asynchronous handlers run on an event loop in a thread of this process.
        """
        run_sync(self._run(body, self._in_caller))

    async def arun(self, body: Body) -> None:
        """`run` for an event loop: synchronous handlers and the store run in threads of their own."""
        await run_async(self._run(body, self._in_loop))

    def claim_in(self, event: models.WebhookEvent, connection: Any) -> bool:
        """Claim an event in the transaction that a handler writes in: True, or False if it was handled before.

            @router.on("room.message.created")
            def save(event: RoomMessageCreatedEvent) -> None:
                with psycopg.connect(DSN) as connection:
                    if router.claim_in(event, connection):
                        connection.execute("INSERT INTO answers VALUES (%s)", (event.data.content,))

        The claim is committed together with the handler's writes, or not at all, so the effect happens once wherever a
        process dies. `router.on(..., once=)` is shorter. `connection` is a psycopg, sqlite3 or Django connection, or a
        SQLAlchemy session or connection. The database is PostgreSQL or SQLite and has the table
        `interactor_webhook_claims`, created by `PostgresEventStore.create`, `SQLiteEventStore` or
        `interactor webhooks schema`. Each handler of an event has a claim of its own, under its name.

        Raises ConfigurationError where each statement is committed on its own, and the errors of the connection.
        """
        return _transactions.claim(connection, self._claim_key(event))

    async def aclaim_in(self, event: models.WebhookEvent, connection: Any) -> bool:
        """`claim_in` for a psycopg `AsyncConnection`, or a SQLAlchemy `AsyncSession` or `AsyncConnection`."""
        return await _transactions.aclaim(connection, self._claim_key(event))

    def _claim_key(self, event: models.WebhookEvent) -> str:
        key, running = self._key(event), RUNNING.get()
        if running is None:
            return key
        running.require_own_name(self._registrations)
        return running.claim_key(key)

    def _key(self, event: models.WebhookEvent) -> str:
        return self.key_prefix + store_key(event.idempotency_key)

    @cached_property
    def asgi(self) -> ASGIReceiver:
        """Return an ASGI application that handles deliveries at any path."""
        return ASGIReceiver(self)

    @cached_property
    def wsgi(self) -> WSGIReceiver:
        """Return a WSGI application that handles deliveries at any path."""
        return WSGIReceiver(self)

    def fastapi(self) -> fastapi_package.APIRouter:
        """Return a FastAPI router with one route, whose OpenAPI description contains the schemas of all events.

            app.include_router(router.fastapi(), prefix="/webhooks/interactor")

        Raises ImportError without FastAPI.
        """
        from interactor_ext.webhooks._fastapi import api_router

        return api_router(self.asgi)

    def flask(self, path: str) -> flask_package.Blueprint:
        """Return a Flask blueprint with one route.

            app.register_blueprint(router.flask("/webhooks/interactor"))

        Works even if a `before_request` hook has read the body. Raises ImportError without Flask.
        """
        from interactor_ext.webhooks._flask import blueprint

        return blueprint(self, path)

    def lambda_handler(self, event: dict[str, Any], context: object = None) -> dict[str, Any]:
        """The handler of an AWS Lambda function behind API Gateway (REST and HTTP APIs), an Application Load Balancer
        or a function URL.

            lambda_handler = router.lambda_handler

        A load balancer's health check gets 200. Raises ConfigurationError for events of other triggers.
        """
        return answer_event(self, event)

    def check(self) -> None:
        """Check, when an application starts, what would otherwise fail at the first delivery: that the store or queue
        and the databases of `once` accept what a delivery writes (it is rolled back), and that events have handlers
        unless a task queue runs them. `acheck` also tries `once` of async handlers, in the event loop that will use it.

        Raises a ConfigurationError that names everything wrong. Warns of queued events under other names that no worker
        handles, as after a change of `name`.
        """
        run_sync(self._check(each for each in self._registrations if not is_async(each.handler)))

    async def acheck(self) -> None:
        """`check` for an event loop."""
        await run_async(self._check(self._registrations))

    def _check(self, tried: Iterable[Registration]) -> Effects[None]:
        problems: list[str] = []
        cause: Exception | None = None
        if self._default is None and not self._registrations and self.queue is None and self.hand_over is None:
            problems.append("It has no handlers: import the module with its handlers first.")
        trials = [("Its store", self._check_store()) if self.queue is None else ("Its queue", self._check_queue())]
        trials += [(f"The once= of {each.name}", self._rehearse(each)) for each in tried if each.once is not None]
        for what, trial in trials:
            try:
                yield from trial
            except Exception as error:
                problems.append(f"{what} can't be used: {error}")
                cause = error
        if problems:
            raise ConfigurationError(f"This webhook router isn't ready. {' '.join(problems)}") from cause

    def _check_store(self) -> Effects[None]:
        key, token = self._key_of_check(), secrets.token_hex(16)
        yield self.store_calls.call(self.store.claim, key, token, 1.0)
        yield self.store_calls.call(self.store.release, key, token)

    def _check_queue(self) -> Effects[None]:
        if callable(check := getattr(self.queue, "check", None)):
            yield self.store_calls.call(check)
        if self.key_prefix and callable(overdue := getattr(self.queue, "overdue", None)):
            warn_of_unserved((yield self.store_calls.call(overdue, OVERDUE_SECONDS)), self.key_prefix)

    def _rehearse(self, registration: Registration) -> Effects[None]:
        with suppress(RolledBack):
            yield self.store_calls.call(registration.rehearsed().within(self.around, self._key_of_check()), None)

    def _key_of_check(self) -> str:
        return f"{self.key_prefix}check:{secrets.token_hex(8)}"

    @property
    def events(self) -> list[models.KnownWebhookEventType]:
        """The event types that have a handler, for `webhooks.create(events=router.events, ...)`."""
        patterns = [pattern for each in self._registrations for pattern in each.patterns]
        types: list[models.KnownWebhookEventType] = event_types(patterns if self._default is None else ["*", *patterns])
        return types

    def has_handlers(self, kind: str) -> bool:
        """Whether an event of this type would run a handler."""
        return self._default is not None or any(each.pattern.fullmatch(kind) for each in self._registrations)

    def run_handlers(self, event: models.WebhookEvent, run: HandlerRun, renewal: Renewal) -> Effects[None]:
        """Run the matching handlers. Raises WebhookPayloadError at the end if the event doesn't fit their class."""
        matching = [each for each in self._registrations if each.pattern.fullmatch(event.event)]
        problem = validation_error_of(event)
        chosen = [each for each in matching if each.takes_any_event or problem is None]
        if not chosen and self._default is not None:
            chosen = [self._default]
        outer, left = RUNNING.get(), run.timeout
        try:
            for each in chosen:
                RUNNING.set(each)
                handler, begun = each.within(self.around, self._key(event)), [time.monotonic()]
                if not is_async(handler):
                    handler = partial(_in_thread, begun, handler)
                yield from _run_handler(
                    each.name,
                    Invoke(handler, (event,), threads=run.threads, timeout=left, renewal=renewal, of_user=True),
                )
                left = None if left is None else max(0.0, left - (time.monotonic() - begun[-1]))
        finally:
            RUNNING.set(outer)
        if problem is not None and not all(each.takes_any_event for each in matching):
            raise WebhookPayloadError(f"It doesn't fit the class that its handlers expect: {problem}.")

    def health(self) -> WebhookAnswer:
        """Return the response to a readiness or liveness probe: 503 when so many handlers hang that no thread is left.

        `router.asgi` and `router.wsgi` respond with it to GET at any path that ends in `/healthz`. `left_behind` in the
        JSON counts the handlers that did not end within `handler_timeout` and still keep a thread.
        """
        left_behind = CALLER_THREADS.abandoned + self._loop_threads.abandoned
        return answers.health(left_behind, exhausted=self._loop_threads.is_exhausted)  # callers use their own threads

    def refuse_unread(self, answer: WebhookAnswer) -> WebhookAnswer:
        """Log and return the response to a delivery whose body wasn't read to its end."""
        DeliveryWatch(self.reporter).answered(answer)
        return answer

    def _deliver(self, body: Body, headers: Headers, method: str, run: HandlerRun) -> Effects[WebhookAnswer]:
        watch = DeliveryWatch(self.reporter)
        with watch.errors():
            answer = yield from self._take(body, headers, method, run, watch)
        if method == "POST":
            watch.answered(answer)
        return answer

    def _take(
        self, body: Body, headers: Headers, method: str, run: HandlerRun, watch: DeliveryWatch
    ) -> Effects[WebhookAnswer]:
        if method != "POST":
            return answers.wrong_method()
        raw = raw_body(body)
        if len(raw) > self.max_body:
            return answers.too_large(self.max_body)
        try:
            event = self._verified(raw, headers)
        except WebhookVerificationError as error:
            return answers.refused(401, "not_genuine", str(error))
        except WebhookPayloadError as error:
            return (yield from self._accept_unreadable(raw, error))
        watch.event = event
        if (problem := validation_error_of(event)) is not None:
            logger.error(
                "Webhook event %r is genuine but doesn't fit its type, %r: %s.", event.id, event.event, problem
            )
        # Only the worker knows whether a handler exists: the receiver may not have imported the handlers.
        is_for_others = self.queue is not None or self.hand_over is not None
        if (is_for_others or self.has_handlers(event.event)) and (age := self._age_beyond_memory(event)):
            return answers.too_old(age)
        if is_for_others:
            return (yield from self._accept(store_key(event.idempotency_key), raw))
        answer, _ = yield from self._handle_once(event, run)
        return answer

    def _verified(self, raw: bytes, headers: Headers) -> models.WebhookEvent:
        token = REMEMBERED.set(self._remembered)
        try:
            return self._verifier.verify(raw, headers)
        finally:
            REMEMBERED.reset(token)

    def _run(self, body: Body, run: HandlerRun) -> Effects[None]:
        event = parse_event(body)
        watch = DeliveryWatch(self.reporter, event)
        with watch.errors():
            answer, error = yield from self._handle_once(event, run)
        watch.answered(answer)
        if error is not None:
            raise error

    def _accept_unreadable(self, body: bytes, error: WebhookPayloadError) -> Effects[WebhookAnswer]:
        """Handle a genuine delivery without event type or id. A queue stores it, and a worker buries it."""
        logger.error("A genuine webhook delivery couldn't be read: %s", error)
        if self.queue is None and self.hand_over is None:
            return answers.refused(400, "not_understood", str(error))
        return (yield from self._accept(body_key(body), body))

    def _age_beyond_memory(self, event: models.WebhookEvent) -> float | None:
        """Return the event's age in seconds if the store may have forgotten its key by now, else None.

        Unlike the header's time, this time is signed, so a replay can't wait until its key is forgotten.
        """
        if event.timestamp is None:
            return None
        clock: Callable[[], float] = getattr(self._verifier, "clock", time.time)
        age = clock() - event.timestamp.timestamp()
        return age if age > _memory_of(self.queue or self.store) else None

    def _accept(self, key: str, body: bytes) -> Effects[WebhookAnswer]:
        put: Any = self.hand_over if self.queue is None else self.queue.put
        arguments = (body,) if self.queue is None else (self.key_prefix + key, body)
        within = self._around_put
        try:
            call = self.store_calls.call(put if within is None else surrounded(put, within), *arguments)
            runs_handlers = getattr(put, "runs_handlers", False)  # in its caller's thread
            is_new = yield call._replace(of_user=True, timeout=None if runs_handlers else call.timeout)
        except Exception:
            logger.exception("Webhook event %r couldn't be queued.", key)
            return answers.store_down()
        return answers.handled("accepted" if is_new or self.queue is None else "duplicate")

    def _handle_once(
        self, event: models.WebhookEvent, run: HandlerRun
    ) -> Effects[tuple[WebhookAnswer, Exception | None]]:
        """Run the handlers under a claim. Return the response, and the error if the event isn't done."""
        if not self.has_handlers(event.event):
            return answers.handled("ignored"), None
        key, token = self._key(event), secrets.token_hex(16)
        try:
            state = yield self.store_calls.call(self.store.claim, key, token, self.lease)
        except Exception as error:
            logger.exception("Webhook event %r couldn't be claimed.", event.id)
            busy = WebhookBusyError(
                "The store of webhook events is unavailable. No handler ran.", retry_after=_RETRY_SECONDS
            )
            busy.__cause__ = error
            return answers.store_down(), busy
        except GeneratorExit:
            raise
        except BaseException:
            # The interruption may have come after the claim.
            yield from self._release(key, token)
            raise
        if state == ClaimState.COMPLETED:
            return answers.handled("duplicate"), None
        if state == ClaimState.IN_PROGRESS:
            return answers.in_progress(), WebhookBusyError(
                "Another process is handling this webhook event, or died while it did. No handler ran here.",
                retry_after=self.lease,
            )
        try:
            yield from self.run_handlers(event, run, self.store_calls.renewal(self.store.claim, key, token, self.lease))
        except WebhookBusyError as error:
            logger.warning("Webhook event %r (%r) can't be handled now: %s", event.id, event.event, error)
            yield from self._release(key, token)
            return answers.busy(), error
        except Exception as error:
            logger.error("A handler of webhook event %r (%r) failed.", event.id, event.event, exc_info=cause_of(error))
            yield from self._release(key, token)
            return answers.handler_failed(), error
        except GeneratorExit:  # no driver is left to run another effect
            raise
        except BaseException:
            yield from self._release(key, token)
            raise
        try:
            yield from self.store_calls.record(self.store.complete, key, token)
        except Exception:
            # Still 200: the handlers ran, and a retry would run them again.
            logger.exception("Webhook event %r was handled, but this couldn't be recorded.", event.id)
        return answers.handled("handled"), None

    def _release(self, key: str, token: str) -> Effects[None]:
        try:
            yield self.store_calls.call(self.store.release, key, token, shielded=True)
        except Exception:
            logger.exception("The claim of webhook event %r remains until its lease expires.", key)


def _memory_of(store: EventStore | EventSink) -> float:
    """Return how many seconds it remembers handled events."""
    ttl: float | None = getattr(store, "ttl", None)
    return math.inf if ttl is None else ttl


def handler_timeout_of(given: float | None, lease: float) -> float | None:
    """Return the timeout in seconds, or None for no limit."""
    if given is None:
        return lease
    return None if above_zero(given, "handler_timeout", endless=True) == math.inf else given


def _run_handler(name: str, call: Invoke) -> Effects[None]:
    try:
        yield call
    except NoThreadFreeError as error:
        raise WebhookBusyError(
            f"The handlers of this router are using all their threads. {error}", retry_after=_RETRY_SECONDS
        ) from None
    except OutOfTimeError:
        raise TimeoutError(f"The handler {name} didn't end within {call.timeout:.3g} s.") from None


def _in_thread(begun: list[float], handler: Callable[[Any], Any], event: models.WebhookEvent) -> Any:
    """Start the timeout only once a thread is free for the call."""
    begun.append(time.monotonic())
    return handler(event)
