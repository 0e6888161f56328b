"""Two loops around one plan: a generator decides what is to be done next; here it is done, sync or async."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from interactor_ext._errors import APITimeoutError, CircuitOpenError, ConfigurationError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._threads import DaemonThreads
from interactor_ext.logs._logger import logger
from interactor_ext.transports._waiters import require_asyncio

T = TypeVar("T")

# What a function in a thread has left, of a time limit, once the task that waits for it is cancelled: less than service
# managers commonly leave a process.
_GRACE_SECONDS = 20.0

# Between looks whether the thread that a caller waits for is still there.
_LOOK_SECONDS = 5.0
# How long an open circuit is waited for where no deadline says, and before it is asked again.
_LONGEST_OUTAGE = 300.0
_SHORTEST_PAUSE = 0.05
# A deadline that is over when it is looked at, for a view takes none of 0.
_NO_TIME = 1e-6
# For a function to end once it is cancelled.
_CANCEL_SECONDS = 2.0


class Call(NamedTuple):
    """Call this, wait for what it returns if that can be awaited, and send the result (or throw the error) back.

    What is `shielded` is called and waited for even if the caller is cancelled: it records what has happened. A
    synchronous function of an asynchronous caller runs in `executor`, or in the loop's default one. One that is
    `detached` runs in a thread of its own that nobody waits for: a caller that is cancelled goes at once, one whose
    `timeout` is over with an APITimeoutError; and the plan hears in that thread, once the function has returned, what
    it gave, and that there will be no other step.

    After `timeout` seconds TimeoutError is thrown in. An awaitable is cancelled; a synchronous function goes on in its
    thread of `executor`, where another takes its place. With both, that of a synchronous caller runs in one as well.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    shielded: bool = False
    executor: DaemonThreads | None = None
    detached: bool = False
    timeout: float | None = None


class Collect(NamedTuple):
    """Call this, and send back a list of what iterating over its result gives, be it with `for` or with `async for`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class Join(NamedTuple):
    """Wait for what another thread or task has in hand. The future must be a `promise`, which nobody can cancel.

    After `timeout` seconds an APITimeoutError is thrown in.
    """

    future: Future[Any]
    timeout: float | None = None


class Pause(NamedTuple):
    seconds: float


def promise() -> Future[Any]:
    """A future for threads and tasks of any loop to wait on: who gives up waiting does not cancel it for the others."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


Step = Call | Collect | Join | Pause
Effects = Generator[Step, Any, T]


def despite_open_circuit(call: Callable[[], Call], ends_at: float | None) -> Effects[Any]:
    """What a call gives, made again as soon as an open circuit lets it through.

    Not beyond `ends_at`, an instant of `time.monotonic()`, nor for longer than some minutes: then it raises the
    CircuitOpenError.
    """
    longest = time.monotonic() + _LONGEST_OUTAGE
    ends_at = longest if ends_at is None else min(ends_at, longest)
    while True:
        try:
            return (yield call())
        except CircuitOpenError as error:
            seconds = max(error.retry_after or 0.0, _SHORTEST_PAUSE)
            if time.monotonic() + seconds >= ends_at:
                raise
            yield Pause(seconds)


def view_until(user: Any, ends_at: float | None) -> Any:
    """The view, for one call or one stream that ends when all of them must: at an instant of `time.monotonic()`."""
    return user if ends_at is None else user.with_options(deadline=max(ends_at - time.monotonic(), _NO_TIME))


def seconds_until(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())


def run_sync(plan: Effects[T]) -> T:
    try:
        step = next(plan)
        while True:
            try:
                result = _perform(step)
            except _LeftBehindError as left:
                raise left.take_leave(plan) from None
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


async def run_async(plan: Effects[T]) -> T:
    """`run_sync` for a task of asyncio. If the task is cancelled during a step that cannot be stopped (a function in a
    thread, or a shielded call), the generator gets the outcome of that step first, and the cancellation at the next.
    """
    require_asyncio()
    cancellation = _Cancellation()
    try:
        step = next(plan)
        while True:
            try:
                result = await _aperform(step, cancellation)
            except _LeftBehindError as left:
                raise left.take_leave(plan) from None
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as done:
        cancellation.raise_if_due()
        value: T = done.value
        return value
    except Exception as error:
        # Whoever catches errors and goes on, as a worker does, must not take a cancelled task for one that may.
        cancellation.raise_if_due(error)
        raise


class _LeftBehindError(BaseException):
    """The caller goes, for this reason, while a detached function runs: in a thread, if there is a future of it."""

    def __init__(self, reason: BaseException, future: Future[Any] | None = None) -> None:
        super().__init__()
        self._reason = reason
        self._future = future

    def take_leave(self, plan: Effects[Any]) -> BaseException:
        if self._future is None:
            plan.close()
        else:
            self._future.add_done_callback(partial(_cancel_late, plan))
        return self._reason


def _cancel_late(plan: Effects[Any], future: Future[Any]) -> None:
    """Tell the plan how its last step ended, and that there will be no other."""
    with suppress(BaseException):
        error = future.exception()
        if error is not None:
            plan.throw(error)
        elif inspect.isawaitable(result := future.result()):
            if inspect.iscoroutine(result):
                result.close()
        else:
            plan.send(result)
        while True:
            plan.throw(asyncio.CancelledError())


class _Cancellation:
    """One that came while nothing could be stopped, until it is raised."""

    def __init__(self) -> None:
        self._error: asyncio.CancelledError | None = None

    @property
    def is_due(self) -> bool:
        return self._error is not None

    def raise_if_due(self, cause: BaseException | None = None) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error from cause

    async def outlast(self, future: asyncio.Future[T], timeout: float | None = None) -> T:
        """What comes of the future, whoever cancels this task meanwhile.

        Raises TimeoutError if nothing has after `timeout` seconds, of which no more than a grace is left to a future
        whose task is cancelled.
        """
        began = time.monotonic()
        try:
            await asyncio.wait([future], timeout=timeout)
        except asyncio.CancelledError as error:
            self._error = self._error or error
            if timeout is not None:
                timeout = min(timeout, time.monotonic() - began + _GRACE_SECONDS)
            with _no_scope_of_anyio():
                while not future.done() and (left := _left(timeout, began)) != 0:
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([future], timeout=left)
        if not future.done() and timeout is not None:
            future.cancel()
            raise _timed_out(timeout)
        return future.result()


def _left(timeout: float | None, began: float) -> float | None:
    return None if timeout is None else max(0.0, timeout - (time.monotonic() - began))


def _timed_out(timeout: float) -> TimeoutError:
    return TimeoutError(f"It did not end within {timeout:.3g} s.")


def _no_scope_of_anyio() -> AbstractContextManager[object]:
    """anyio cancels a task again at every turn of the loop for as long as it stays in a cancelled scope: waiting there
    would keep a core busy.
    """
    anyio: Any = sys.modules.get("anyio")
    scope: AbstractContextManager[object] = nullcontext() if anyio is None else anyio.CancelScope(shield=True)
    return scope


def _perform(step: Step) -> Any:
    match step:
        case Call(function, args, detached=True, timeout=timeout) if timeout is not None:
            return _perform_detached(function, args, timeout)
        case Call(function, args, _, executor, _, timeout):
            if executor is not None and timeout is not None and not inspect.iscoroutinefunction(function):
                return call_in_thread(partial(function, *args), executor, timeout)
            return _finished(partial(function, *args), timeout)
        case Collect(function, args):
            return list(function(*args))
        case Join(future, timeout):
            wait([future], timeout)
            if not future.done():
                raise _too_late("what is asked for was in hand elsewhere")
            return future.result()
        case Pause(seconds):
            return time.sleep(seconds)


def _perform_detached(function: Callable[..., Any], args: tuple[Any, ...], timeout: float) -> Any:
    began = time.monotonic()
    if inspect.iscoroutinefunction(function):
        result = function(*args)
    else:
        future = in_daemon_thread(partial(function, *args), "interactor-tools")
        try:
            wait([future], timeout)
        except BaseException as error:  # KeyboardInterrupt, say
            raise _LeftBehindError(error, future) from None
        if not future.done():
            raise _LeftBehindError(_too_late("a function was running"), future)
        result = future.result()
    if not inspect.isawaitable(result):
        return result
    try:
        return _loop_thread.wait_for(result, _left(timeout, began))
    except TimeoutError:
        if _left(timeout, began) == 0:
            raise _LeftBehindError(_too_late("a function was running")) from None
        raise


def _too_late(meanwhile: str) -> APITimeoutError:
    return APITimeoutError(f"The deadline has come while {meanwhile}.")


def _finished(call: Callable[[], Any], timeout: float | None) -> Any:
    result = call()
    if not inspect.isawaitable(result):
        return result
    return _loop_thread.wait_for(result, timeout)


def call_in_thread(call: Callable[[], Any], executor: DaemonThreads, timeout: float) -> Any:
    """What comes of the call, awaited if it can be. Raises TimeoutError if nothing has after `timeout` seconds."""
    context = contextvars.copy_context()
    future = executor.submit(context.run, _finished, call, timeout)
    try:
        return future.result(timeout)
    except TimeoutError:
        if not future.done():
            raise _timed_out(timeout) from None
        return future.result()  # or the function's own TimeoutError
    finally:
        if not future.done():
            executor.abandon(future)


async def _limited(awaitable: Awaitable[T], timeout: float) -> T:
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise _timed_out(timeout) from None
        raise


async def _aperform(step: Step, cancellation: _Cancellation) -> Any:
    if not (isinstance(step, Call) and step.shielded):
        cancellation.raise_if_due()
    match step:
        case Call(function, args, shielded, executor, detached, timeout):
            began = time.monotonic()
            if inspect.iscoroutinefunction(function):
                result = function(*args)
            elif detached:
                result = await _detached(partial(function, *args), timeout)
            elif executor is not None and timeout is not None:
                result = await _aperform_in_thread(partial(function, *args), executor, timeout, cancellation)
            else:
                result = await cancellation.outlast(_in_thread(partial(function, *args), executor))
            if not inspect.isawaitable(result):
                return result
            if shielded:
                return await cancellation.outlast(asyncio.ensure_future(result))
            if cancellation.is_due and inspect.iscoroutine(result):
                result.close()
            cancellation.raise_if_due()
            left = _left(timeout, began)
            try:
                return await (result if left is None else _limited(result, left))
            except TimeoutError:
                if detached and _left(timeout, began) == 0:
                    raise _LeftBehindError(_too_late("a function was running")) from None
                raise
        case Collect(function, args):
            return [item async for item in function(*args)]
        case Join(future, timeout):
            limit = asyncio.timeout(timeout)
            try:
                async with limit:
                    return await asyncio.wrap_future(future)
            except TimeoutError:
                if limit.expired():
                    raise _too_late("what is asked for was in hand elsewhere") from None
                raise
        case Pause(seconds):
            return await asyncio.sleep(seconds)


async def _detached(call: Callable[[], T], timeout: float | None) -> T:
    future = in_daemon_thread(call, "interactor-tools")
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await asyncio.wrap_future(future)
    except asyncio.CancelledError as error:
        if future.done() and isinstance(future.exception(), asyncio.CancelledError):
            raise  # by the function
        raise _LeftBehindError(error, future) from None
    except TimeoutError:
        if limit.expired():
            raise _LeftBehindError(_too_late("a function was running"), future) from None
        raise


def in_daemon_thread(call: Callable[[], T], name: str) -> Future[T]:
    """The outcome of a call in a thread that holds up neither the end of a loop nor that of the interpreter.

    Raises ConfigurationError where no thread can be had.
    """
    future: Future[T] = promise()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(_without_stop_iteration, call))
        except BaseException as error:
            future.set_exception(error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:
        raise no_thread("run a function") from error
    return future


async def _aperform_in_thread(
    call: Callable[[], Any], executor: DaemonThreads, timeout: float, cancellation: _Cancellation
) -> Any:
    context = contextvars.copy_context()
    work = executor.submit(context.run, _without_stop_iteration, call)
    try:
        return await cancellation.outlast(asyncio.wrap_future(work), timeout)
    finally:
        if not work.done():
            executor.abandon(work)


def _in_thread(call: Callable[[], T], executor: DaemonThreads | None) -> asyncio.Future[T]:
    context = contextvars.copy_context()
    return asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(_without_stop_iteration, call))


def _without_stop_iteration(call: Callable[[], T]) -> T:
    try:
        return call()
    except StopIteration as error:
        # A future refuses to hold a StopIteration, and whoever awaits it would wait for ever.
        raise RuntimeError("The function raised StopIteration.") from error


class _LoopThread:
    """One event loop in a thread of its own, started when a synchronous caller first meets an asynchronous function.

    It outlives the call, so a pool of connections that a function keeps stays usable from one call to the next. Many
    callers share it, so it also outlives what ends other loops: SystemExit or KeyboardInterrupt in a task or a
    callback, and `loop.stop()`.
    """

    def __init__(self) -> None:
        self._start_afresh()
        after_fork_in_child(self._forget_parent)
        atexit.register(self._stop)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def wait_for(self, awaitable: Awaitable[T], timeout: float | None = None) -> T:
        try:
            if self._thread is threading.current_thread():
                raise RuntimeError(
                    "A synchronous call in an asynchronous function waits for itself: await its twin there."
                )
            loop, thread = self._running()
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise
        limited = awaitable if timeout is None else _limited(awaitable, timeout)
        future = asyncio.run_coroutine_threadsafe(_outcome(limited), loop)
        try:
            outcome = _result_of(future, thread, timeout)
        except _LoopBlocked:
            self._replace(loop)
            raise _timed_out(timeout or 0) from None
        except BaseException:
            future.cancel()
            raise
        if outcome.error is not None:
            raise outcome.error
        value: T = outcome.value
        return value

    def _running(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop, self._thread = self._start()
            return self._loop, self._thread

    def _start(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        loop, self._stopping = asyncio.new_event_loop(), threading.Event()
        thread = threading.Thread(
            target=_run_forever, args=(loop, self._stopping), name="interactor-async-functions", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            loop.close()
            raise no_thread("run asynchronous functions") from error
        return loop, thread

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a loop that a function blocks to those who wait in it; the next caller starts another."""
        logger.error("An asynchronous function blocks the event loop that runs it. The next one runs in another.")
        with self._lock:
            if self._loop is loop:
                self._loop = self._thread = None

    def _stop(self) -> None:
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._stopping.set()
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=1)

    def _forget_parent(self) -> None:
        _inherited.append(self._loop)
        self._start_afresh()


def no_thread(purpose: str) -> ConfigurationError:
    return ConfigurationError(
        f"No thread could be started to {purpose}: the process has as many as it may have, or is about to end. "
        "Allow it more threads (`ulimit -u`, or the limit of processes of its container)."
    )


def _run_forever(loop: asyncio.AbstractEventLoop, stopping: threading.Event) -> None:
    while not stopping.is_set() and not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException:
            # Whoever waits for the task that raised it gets it as well.
            logger.exception("An asynchronous function raised an error that ends event loops. This one goes on.")
    loop.close()


class _Outcome(NamedTuple):
    value: Any
    error: BaseException | None = None


async def _outcome(awaitable: Awaitable[Any]) -> _Outcome:
    """What comes of it. An error that ends programs would end the loop as well if it left the task."""
    try:
        return _Outcome(await awaitable)
    except (SystemExit, KeyboardInterrupt) as error:
        return _Outcome(None, error)


class _LoopBlocked(Exception):
    pass


def _result_of(future: Future[_Outcome], thread: threading.Thread, timeout: float | None) -> _Outcome:
    """The result of a future, for as long as there is a thread that may set it.

    A function that is cancelled after `timeout` seconds has a moment to end; a loop that it blocks cancels nothing.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout + _CANCEL_SECONDS
    while True:
        with suppress(TimeoutError):
            return future.result(max(0.0, min(_LOOK_SECONDS, deadline - time.monotonic())))
        if future.done():
            return future.result()
        if not thread.is_alive():
            raise RuntimeError("The thread that ran this asynchronous function has ended.")
        if time.monotonic() >= deadline:
            raise _LoopBlocked


# To close the parent's loop in a forked child would take down the selector that both share.
_inherited: list[asyncio.AbstractEventLoop | None] = []
_loop_thread = _LoopThread()
