"""Runs operations of several calls, sync or async: a generator decides and yields effects, a driver carries them out.

    def greet(user, room_id):                    # the plan, written once
        message = yield Invoke(lambda: user.messages.send(room_id, content="Hello"))
        yield Pause(1.0)
        return message

    run_sync(greet(client, "room_1"))            # client: InteractorClient
    await run_async(greet(client, "room_1"))     # client: AsyncInteractorClient

A driver sends the result of each effect into the generator, or throws in its error. Chats, tools, waits, webhook
handlers and workers are such generators. Transports and streams aren't: for them, the generator would cost more than
what it decides.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, TypeVar

from interactor_ext._engine.errors import APIConnectionError, APITimeoutError, CircuitOpenError, ServerError
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.logs import logger
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.waiting import TaskWaiter, require_asyncio
from interactor_ext._engine.waiting.event_loop import loop_thread, with_timeout
from interactor_ext._engine.waiting.own_errors import contained
from interactor_ext._engine.waiting.threads import DaemonThreads, NoThreadFreeError, timed_out

T = TypeVar("T")

# How much of a time limit a function in a thread keeps once the task that waits for it is cancelled. Less than service
# managers usually give a process to stop.
_GRACE_SECONDS = 20.0
# How long a user's function waits for a free thread.
_THREAD_SECONDS = 10.0
# How long to wait for an open circuit without a deadline, and the minimum wait before the next attempt.
_MAX_OUTAGE = 300.0
_MIN_PAUSE = 0.05
# Replaces a deadline that has passed, because a view accepts no timeout of 0.
_NO_TIME = 1e-6
_LOST_ANSWERS = RetryPolicy(base_delay=0.5)
# Whether the caller is a Django view.
IN_DJANGO: ContextVar[bool] = ContextVar("interactor_in_django", default=False)
_NOT_RENEWED = "A lease couldn't be renewed: another process may take the event when it expires."


class Invoke(NamedTuple):
    """Call a function, and await its result if it is awaitable.

    With `threads`, a regular function runs there: always if the caller is asynchronous, and if there is a `timeout`
    otherwise. A thread can't be stopped, so a task that is cancelled waits for the function to end. The generator gets
    the result first, and the cancellation at its next effect.

    After `timeout` seconds, TimeoutError is thrown in. An awaitable is cancelled; a function in a thread keeps running,
    and the pool replaces that thread.

    If `shielded`, it is called and awaited to its end even in a cancelled task, because it records an outcome.

    `renewal` is called repeatedly while the function runs, and never after it.

    `of_user` marks a function that a user handed to the SDK. What it raises is an Exception, or an interruption of its
    caller (see `contained`). Its time limit starts when it does: in an event loop, NoThreadFreeError is thrown in if no
    thread becomes free for it.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    threads: DaemonThreads | None = None
    timeout: float | None = None
    shielded: bool = False
    renewal: Renewal | None = None
    of_user: bool = False


class Renewal(NamedTuple):
    """Keeps a lease alive: a call to make every so many seconds. Its errors are logged."""

    call: Invoke
    seconds: float


class Join(NamedTuple):
    """Wait until another thread's or task's future is done. Giving up doesn't cancel it.

    At `ends_at`, an instant of `time.monotonic()`, an APITimeoutError that mentions `meanwhile` is thrown in. `renewal`
    works as in `Invoke`.
    """

    future: Future[Any]
    ends_at: float | None
    meanwhile: str
    renewal: Renewal | None = None


class Pause(NamedTuple):
    """Sleep."""

    seconds: float


Effect = Invoke | Join | Pause
Effects = Generator[Effect, Any, T]


def run_sync(effects: Effects[T]) -> T:
    """Carry out the effects in this thread, and return what the generator returns."""
    try:
        effect = next(effects)
        while True:
            try:
                result = _perform(effect)
            except BaseException as error:
                effect = effects.throw(error)
            else:
                effect = effects.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


async def run_async(effects: Effects[T]) -> T:
    """Carry out the effects in this task, and return what the generator returns."""
    require_asyncio()
    cancellation = _Cancellation()
    try:
        effect = next(effects)
        while True:
            try:
                result = await _perform_async(effect, cancellation)
            except BaseException as error:
                effect = effects.throw(error)
            else:
                effect = effects.send(result)
    except StopIteration as done:
        cancellation.raise_if_due()
        value: T = done.value
        return value
    except Exception as error:
        # A caller that catches errors and goes on, as a worker does, must not swallow the cancellation.
        cancellation.raise_if_due(error)
        raise


def _perform(effect: Effect) -> Any:
    match effect:
        case Invoke(renewal=Renewal() as renewal) | Join(renewal=Renewal() as renewal):
            with _renewed(renewal):
                return _perform(effect._replace(renewal=None))
        case Invoke(function, args, threads, timeout, of_user=of_user):
            began, function = time.monotonic(), contained(function) if of_user else function
            if threads is not None and timeout is not None and not inspect.iscoroutinefunction(function):
                result = threads.call(partial(function, *args), timeout)
            else:
                result = function(*args)
            if not inspect.isawaitable(result):
                return result
            bridge = _bridge_of_asgiref() if of_user else None
            left = _remaining(timeout, began)
            return loop_thread.result_of(result, left) if bridge is None else bridge(with_timeout)(result, left)
        case Join(future, ends_at, meanwhile):
            wait([future], seconds_until(ends_at))
            if not future.done():
                raise APITimeoutError(f"The deadline came while {meanwhile}.")
        case Pause(seconds):
            time.sleep(seconds)
    return None


async def _perform_async(effect: Effect, cancellation: _Cancellation) -> Any:
    if not (isinstance(effect, Invoke) and effect.shielded):
        cancellation.raise_if_due()
    match effect:
        case Invoke(renewal=Renewal() as renewal) | Join(renewal=Renewal() as renewal):
            async with _renewed_async(renewal, cancellation):
                return await _perform_async(effect._replace(renewal=None), cancellation)
        case Invoke(function, args, threads, timeout, shielded, of_user=of_user):
            began, function = time.monotonic(), contained(function) if of_user else function
            if threads is None or inspect.iscoroutinefunction(function):
                result = function(*args)
            else:
                begun = promise()
                work = threads.submit(_begin, begun, function, args)
                try:
                    if of_user:
                        await cancellation.wait_for_thread(work, begun)
                        began = time.monotonic()
                    result = await cancellation.outlast(asyncio.wrap_future(work), timeout)
                finally:
                    threads.abandon(work)
            if not inspect.isawaitable(result):
                return result
            if shielded:
                return await cancellation.outlast(asyncio.ensure_future(result), _remaining(timeout, began))
            if cancellation.is_due and inspect.iscoroutine(result):
                result.close()
            cancellation.raise_if_due()
            return await (result if timeout is None else with_timeout(result, _remaining(timeout, began)))
        case Join(future, ends_at, meanwhile):
            waiter = TaskWaiter()
            future.add_done_callback(lambda _: waiter.wake())
            await waiter.wait(seconds_until(ends_at))
            if not future.done():
                raise APITimeoutError(f"The deadline came while {meanwhile}.")
        case Pause(seconds):
            await asyncio.sleep(seconds)
    return None


def _begin(begun: Future[None], function: Callable[..., T], args: tuple[Any, ...]) -> T:
    begun.set_result(None)
    return function(*args)


def _bridge_of_asgiref() -> Any:
    """Return `async_to_sync` in a Django view and in a thread of `sync_to_async`, such as a sync view's under ASGI.

    With it, what a coroutine passes to `sync_to_async` runs in this same thread. Otherwise it would wait forever for
    that thread under ASGI, and wouldn't use the database connection of the request or test in a view.
    """
    asgiref: Any = sys.modules.get("asgiref.sync")
    if asgiref is None:
        return None
    is_in_view = IN_DJANGO.get() and asyncio._get_running_loop() is None  # greenlets of one thread share a running loop
    is_called = is_in_view or getattr(asgiref.SyncToAsync.threadlocal, "main_event_loop", None) is not None
    return asgiref.async_to_sync if is_called else None


@contextmanager
def _renewed(renewal: Renewal) -> Iterator[None]:
    done = threading.Event()

    def renew() -> None:
        while not done.wait(renewal.seconds):
            try:
                _perform(renewal.call)
            except Exception:
                logger.exception(_NOT_RENEWED)

    thread = threading.Thread(target=renew, name="interactor-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        # Otherwise a renewal could run after the outcome and reclaim a released lease.
        thread.join()


@asynccontextmanager
async def _renewed_async(renewal: Renewal, cancellation: _Cancellation) -> AsyncIterator[None]:
    done = asyncio.Event()

    async def renew() -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), renewal.seconds)
                return
            try:
                await _perform_async(renewal.call, _Cancellation())
            except Exception:
                logger.exception(_NOT_RENEWED)

    task = asyncio.get_running_loop().create_task(renew())
    try:
        yield
    finally:
        done.set()
        await cancellation.outlast(task)


class _Cancellation:
    """Holds the cancellation of a task that arrived while nothing could be stopped, until it is raised."""

    def __init__(self) -> None:
        self._error: asyncio.CancelledError | None = None

    @property
    def is_due(self) -> bool:
        return self._error is not None

    def raise_if_due(self, cause: BaseException | None = None) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error from cause

    async def wait_for_thread(self, work: Future[Any], begun: Future[None]) -> None:
        """Return once a thread has started the work. Raises NoThreadFreeError if none becomes free in time."""
        try:
            await asyncio.wait([asyncio.wrap_future(begun)], timeout=_THREAD_SECONDS)
        except asyncio.CancelledError as error:
            if work.cancel():
                raise
            self._error = error
        if work.cancel():
            raise NoThreadFreeError(f"No thread became free for it within {_THREAD_SECONDS:g} s.")

    async def outlast(self, future: asyncio.Future[T], timeout: float | None = None) -> T:
        """Return the future's result, even if this task is cancelled in the meantime.

        Raises TimeoutError if there is no result after `timeout` seconds. Once the task is cancelled, at most a grace
        period of that is left.
        """
        began = time.monotonic()
        try:
            self.raise_if_due()
            await asyncio.wait([future], timeout=timeout)
        except asyncio.CancelledError as error:
            self._error = self._error or error
            if timeout is not None:
                timeout = min(timeout, time.monotonic() - began + _GRACE_SECONDS)
            with _no_scope_of_anyio():
                while not future.done() and (left := _remaining(timeout, began)) != 0:
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([future], timeout=left)
        if not future.done() and timeout is not None:
            future.cancel()
            raise timed_out(timeout)
        return future.result()


def _no_scope_of_anyio() -> AbstractContextManager[object]:
    """anyio cancels a task at every turn of the loop while it stays in a cancelled scope, so waiting there would keep a
    core busy.
    """
    anyio: Any = sys.modules.get("anyio")
    scope: AbstractContextManager[object] = nullcontext() if anyio is None else anyio.CancelScope(shield=True)
    return scope


def open_stream(stream: Any) -> Any:
    return stream.__aenter__() if hasattr(stream, "__aenter__") else stream.__enter__()


def close_stream(stream: Any) -> Any:
    return stream.aclose() if hasattr(stream, "aclose") else stream.close()


def while_open(stream: Any, effects: Effects[T]) -> Effects[T]:
    """Open a stream, sync or async, run the effects and close it, whatever happens."""
    yield Invoke(open_stream, (stream,))
    try:
        result = yield from effects
    except GeneratorExit:  # no driver is left to carry out another effect
        raise
    except BaseException:
        yield Invoke(close_stream, (stream,))
        raise
    yield Invoke(close_stream, (stream,))
    return result


def seconds_until(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())


def promise() -> Future[Any]:
    """Make a future that threads and tasks of any loop can wait on and nobody can cancel."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def despite_open_circuit(user: Any, ends_at: float | None, call: Callable[[Any], Any]) -> Effects[Any]:
    """Return the result of a call that is retried as soon as an open circuit lets it through. `call` gets a view with
    the remaining time.

    Raises the CircuitOpenError at `ends_at`, an instant of `time.monotonic()`, and after a few minutes at the latest.
    """
    longest = time.monotonic() + _MAX_OUTAGE
    gives_up_at = longest if ends_at is None else min(ends_at, longest)
    while True:
        try:
            return (yield Invoke(call, (view_until(user, ends_at),)))
        except CircuitOpenError as error:
            seconds = max(error.retry_after or 0.0, _MIN_PAUSE)
            if time.monotonic() + seconds >= gives_up_at:
                raise
            yield Pause(seconds)


def despite_lost_responses(
    user: Any,
    ends_at: float | None,
    attempt: Callable[..., Effects[T]],
    look: Callable[[], Effects[Any]] | None = None,
) -> Effects[T]:
    """Run effects again if an error leaves open whether they took place; they must be safe to repeat.

    For requests without an idempotency key. Retries as often as the view retries its calls, and not after `ends_at`.
    Each `attempt` gets the result of `look`, whose errors are final, because the client has already retried its
    requests.
    """
    failures = 0
    while True:
        found = () if look is None else ((yield from look()),)
        try:
            return (yield from attempt(*found))
        except (APIConnectionError, ServerError) as error:
            # A request that wasn't sent has already been retried as often as the view allows.
            was_sent = not isinstance(error, APIConnectionError) or error.sent
            if not was_sent or failures >= user._view.max_retries or seconds_until(ends_at) == 0:
                raise
        pause, left = _LOST_ANSWERS.backoff(failures), seconds_until(ends_at)
        yield Pause(pause if left is None else min(pause, left))
        failures += 1


def view_until(user: Any, ends_at: float | None) -> Any:
    """Return the view for one call or stream that must end at an instant of `time.monotonic()`."""
    return user if ends_at is None else user.with_options(deadline=max(ends_at - time.monotonic(), _NO_TIME))


def _remaining(timeout: float | None, began: float) -> float | None:
    """Return what's left of a time limit in seconds, at least 0. `began` is an instant of `time.monotonic()`."""
    return None if timeout is None else max(0.0, timeout - (time.monotonic() - began))
