"""WebhookWorker: takes events from a queue, runs their handlers, retries failures and buries dead letters."""

from __future__ import annotations

import asyncio
import inspect
import secrets
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from interactor_ext._effects import Call, Effects, run_async, run_sync
from interactor_ext._errors import ConfigurationError, WebhookPayloadError
from interactor_ext.logs._logger import webhooks_logger as logger
from interactor_ext.webhooks._settings import above_zero, from_zero_up
from interactor_ext.webhooks._threads import CALLER_THREADS, HANDLER_THREADS, STORE_THREADS
from interactor_ext.webhooks._watch import follow_handlers
from interactor_ext.webhooks.events import parse_event
from interactor_ext.webhooks.queue._contract import EventQueue, QueuedEvent
from interactor_ext.webhooks.router import Handler, HandlerRun, WebhookRouter, handler_timeout_of, record

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

# The platform's own schedule of redelivery: 30 s, 2 min, 10 min, 30 min, 2 h.
PLATFORM_SCHEDULE = (30.0, 120.0, 600.0, 1800.0, 7200.0)
# For how many seconds at least an event is left to other workers, so that this one does not take it again at once.
_LEFT_FOR = 5.0
_MOST_REMEMBERED = 1000


class WebhookWorker:
    """Runs the handlers of `router` for the events in its queue. Start as many as you like, in any process.

    A handler that fails is tried again after each of `retry_delays` seconds in turn; then the event becomes a dead
    letter (`queue.dead_letters()`, `queue.replay(key)`), and so does at once one that does not fit the class that its
    handlers take. An event that the router has no handler for is left to other workers. `lease` is how many seconds the
    handlers of one event have before another worker may take it: a worker that was killed looks the same as one that
    hangs. An attempt cut short that way counts too, so an event that kills its workers is buried in the end.
    `poll_interval` is in seconds.

    `handler_timeout` is after how many seconds the handlers of an event count as failed, however they hang; `lease` if
    not given. For that, synchronous handlers run in threads of their own, and SystemExit of theirs is a failure like
    others. With `math.inf` they run in the caller's thread, without limit.
    """

    def __init__(
        self,
        router: WebhookRouter,
        *,
        lease: float = 300.0,
        handler_timeout: float | None = None,
        retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
        poll_interval: float = 1.0,
    ) -> None:
        if router.queue is None:
            raise ConfigurationError("A webhook worker needs a router that was made with `queue=`.")
        self._router = router
        self._queue: EventQueue = router.queue
        self._lease: float = above_zero(lease, "The lease of a webhook worker")
        timeout = handler_timeout_of(handler_timeout, self._lease)
        self._in_caller = HandlerRun(
            None if timeout is None else CALLER_THREADS, timeout, _only_async if timeout is None else _contained
        )
        self._in_loop = HandlerRun(HANDLER_THREADS, timeout, _only_sync)
        self._retry_delays = tuple(from_zero_up(delay, "Each of retry_delays") for delay in retry_delays)
        self._poll_interval: float = from_zero_up(poll_interval, "poll_interval")
        self._left: set[str] = set()

    def run_once(self) -> bool:
        """Handle the next due event; False if there was none. What a handler raises ends in the queue, not here."""
        return run_sync(self._work(self._in_caller))

    async def arun_once(self) -> bool:
        """`run_once` for an event loop: synchronous handlers and the queue run in threads."""
        return await run_async(self._work(self._in_loop))

    def run(self, stop: threading.Event | None = None) -> None:
        """Handle events until `stop` is set; the one in hand is finished first. Outlives a queue out of reach."""
        stop = stop or threading.Event()
        while not stop.is_set():
            try:
                found = self.run_once()
            except Exception:
                logger.exception("The webhook queue is out of reach; trying again.")
                found = False
            if not found:
                stop.wait(self._poll_interval)

    async def arun(self) -> None:
        """Handle events until cancelled; an asynchronous handler that is cancelled gives its event back."""
        while True:
            try:
                found = await self.arun_once()
            except Exception:
                logger.exception("The webhook queue is out of reach; trying again.")
                found = False
            # Even a queue that is never empty must let the loop, and a cancellation, have their turn.
            await asyncio.sleep(0 if found else self._poll_interval)

    def _work(self, run: HandlerRun) -> Effects[bool]:
        token = secrets.token_hex(16)
        queued: QueuedEvent | None = yield Call(self._queue.take, (token, self._lease), threads=STORE_THREADS)
        if queued is None:
            return False
        if queued.attempt > len(self._retry_delays) + 1:
            yield from record(
                self._queue.bury, queued.key, token, "Every attempt ended without an outcome: its worker died or hung."
            )
            return True
        try:
            event = parse_event(queued.body)
            if stranger := self._stranger(queued.key, event):
                yield from self._leave(queued.key, token, stranger)
                return True
            yield from follow_handlers(self._router.reporter, event, self._router.run_handlers(event, run))
        except Exception as error:
            yield from self._failed(queued, token, error)
        except GeneratorExit:  # nobody is left to carry out another step
            raise
        except BaseException as error:
            yield from self._give_back(queued, token, error)
            raise
        else:
            yield from self._complete(queued.key, token)
        return True

    def _stranger(self, key: str, event: WebhookEvent) -> str | None:
        """What makes an event the business of other workers."""
        prefix = self._router.key_prefix
        if not key.startswith(prefix):
            return f"events that were not queued under the name {prefix[:-1]!r}"
        return None if self._router.has_handlers(event.event) else f"events of the type {event.event[:80]!r}"

    def _leave(self, key: str, token: str, stranger: str) -> Effects[None]:
        if stranger not in self._left and len(self._left) < _MOST_REMEMBERED:
            self._left.add(stranger)
            logger.warning(
                "This worker has no handler for %s: it leaves them in the queue, for a worker that has one.", stranger
            )
        yield from record(self._queue.put_back, key, token, max(self._poll_interval, _LEFT_FOR))

    def _complete(self, key: str, token: str) -> Effects[None]:
        try:
            yield from record(self._queue.complete, key, token)
        except Exception:
            logger.exception("Webhook event %r was handled, but that could not be recorded: it will run again.", key)

    def _give_back(self, queued: QueuedEvent, token: str, error: BaseException) -> Effects[None]:
        reason = f"The worker was stopped: {_told(error)}"
        try:
            if queued.attempt > len(self._retry_delays):
                yield _once(self._queue.bury, queued.key, token, reason)
            else:
                yield _once(self._queue.retry, queued.key, token, 0.0, reason)
        except Exception:
            logger.exception(
                "Webhook event %r stays with the worker that was stopped until its lease runs out.", queued.key
            )

    def _failed(self, queued: QueuedEvent, token: str, error: Exception) -> Effects[None]:
        cause = error.__cause__ if isinstance(error, _HandlerExit) and error.__cause__ is not None else error
        logger.error("A handler of webhook event %r failed (attempt %d).", queued.key, queued.attempt, exc_info=cause)
        reason = _told(cause)
        hopeless = isinstance(error, WebhookPayloadError) or queued.attempt > len(self._retry_delays)
        if hopeless:
            yield from record(self._queue.bury, queued.key, token, reason)
        else:
            yield from record(self._queue.retry, queued.key, token, self._retry_delays[queued.attempt - 1], reason)


class _HandlerExit(Exception):
    """A handler has raised what would end its thread, or an event loop. The cause is that."""


def _contained(handler: Handler) -> Handler:
    """The handler, for a thread that no signal interrupts: whatever is raised there is the handler's own error."""

    async def acall(event: Any) -> None:
        await _contained_awaitable(handler(event))

    def call(event: Any) -> Any:
        try:
            result = handler(event)
        except Exception:
            raise
        except BaseException as error:
            raise _HandlerExit from error
        return _contained_awaitable(result) if inspect.isawaitable(result) else result

    return acall if inspect.iscoroutinefunction(handler) else call


async def _contained_awaitable(awaitable: Awaitable[Any]) -> None:
    try:
        await awaitable
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        raise _HandlerExit from error


def _only_sync(handler: Handler) -> Handler:
    return handler if inspect.iscoroutinefunction(handler) else _contained(handler)


def _only_async(handler: Handler) -> Handler:
    return _contained(handler) if inspect.iscoroutinefunction(handler) else handler


def _once(method: Callable[..., bool], *args: object) -> Call:
    """Recorded whoever cancels the worker meanwhile, and without delay."""
    return Call(method, args, shielded=True, threads=STORE_THREADS)


def _told(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except Exception:  # its __str__ is the handler's author's
        text = type(error).__name__
    # A lone surrogate, as JSON can spell it, fits into no database.
    return text.encode("utf-8", "backslashreplace").decode()
