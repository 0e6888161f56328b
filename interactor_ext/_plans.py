"""Two loops around one plan: a generator decides what is to be done next; here it is done, in either colour."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child

T = TypeVar("T")


class Call(NamedTuple):
    """Call this, wait for what it returns if that can be awaited, and send the result (or throw the error) back.

    What is `shielded` is called and waited for even if the caller is cancelled: it records what has happened. A
    synchronous function of an asynchronous caller runs in `executor`, or in the loop's default one.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    shielded: bool = False
    executor: Executor | None = None


class Collect(NamedTuple):
    """Call this, and send back a list of what iterating over its result gives, be it with `for` or with `async for`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class Join(NamedTuple):
    """Wait for what another thread or task has in hand. The future must be a `promise`, which nobody can cancel."""

    future: Future[Any]


class Pause(NamedTuple):
    seconds: float


def promise() -> Future[Any]:
    """A future for threads and tasks of any loop to wait on: who gives up waiting does not cancel it for the others."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


Step = Call | Collect | Join | Pause
Plan = Generator[Step, Any, T]


def drive(plan: Plan[T]) -> T:
    try:
        step = next(plan)
        while True:
            try:
                result = _perform(step)
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


async def adrive(plan: Plan[T]) -> T:
    """`drive` for a task of asyncio's. If it is cancelled while a step is under way that cannot be stopped (a function
    in a thread, or what is shielded), the plan hears how that ended first, and of the cancellation at its next step.
    """
    require_asyncio()
    cancellation = _Cancellation()
    try:
        step = next(plan)
        while True:
            try:
                result = await _aperform(step, cancellation)
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


def require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigurationError("This needs a running event loop of asyncio; under trio there is none.") from error


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

    async def outlast(self, future: asyncio.Future[T]) -> T:
        """What comes of the future, whoever cancels this task meanwhile."""
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            self._error = self._error or error
            with _no_scope_of_anyio():
                while not future.done():
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([future])
        return future.result()


def _no_scope_of_anyio() -> AbstractContextManager[object]:
    """anyio cancels a task again at every turn of the loop for as long as it stays in a cancelled scope: waiting there
    would keep a core busy.
    """
    anyio: Any = sys.modules.get("anyio")
    scope: AbstractContextManager[object] = nullcontext() if anyio is None else anyio.CancelScope(shield=True)
    return scope


def _perform(step: Step) -> Any:
    match step:
        case Call(function, args):
            result = function(*args)
            return _loop_thread.wait_for(result) if inspect.isawaitable(result) else result
        case Collect(function, args):
            return list(function(*args))
        case Join(future):
            return future.result()
        case Pause(seconds):
            return time.sleep(seconds)


async def _aperform(step: Step, cancellation: _Cancellation) -> Any:
    if not (isinstance(step, Call) and step.shielded):
        cancellation.raise_if_due()
    match step:
        case Call(function, args, shielded, executor):
            if inspect.iscoroutinefunction(function):
                result = function(*args)
            else:
                result = await cancellation.outlast(_in_thread(partial(function, *args), executor))
            if not inspect.isawaitable(result):
                return result
            if shielded:
                return await cancellation.outlast(asyncio.ensure_future(result))
            if cancellation.is_due and inspect.iscoroutine(result):
                result.close()
            cancellation.raise_if_due()
            return await result
        case Collect(function, args):
            return [item async for item in function(*args)]
        case Join(future):
            return await asyncio.wrap_future(future)
        case Pause(seconds):
            return await asyncio.sleep(seconds)


def _in_thread(call: Callable[[], T], executor: Executor | None) -> asyncio.Future[T]:
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

    It outlives the call, so a pool of connections that a function keeps stays usable from one call to the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        after_fork_in_child(self._forget_parent)
        atexit.register(self._stop)

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        if self._thread is threading.current_thread():
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError("A synchronous call in an asynchronous function waits for itself: await its twin there.")
        future = asyncio.run_coroutine_threadsafe(_finish(awaitable), self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="interactor-async-functions", daemon=True
                )
                self._thread.start()
            return self._loop

    def _stop(self) -> None:
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=1)
            if not thread.is_alive():
                loop.close()

    def _forget_parent(self) -> None:
        _inherited.append(self._loop)
        self._lock = threading.Lock()
        self._loop = self._thread = None


async def _finish(awaitable: Awaitable[T]) -> T:
    return await awaitable


# To close the parent's loop in a forked child would take down the selector that both share.
_inherited: list[asyncio.AbstractEventLoop | None] = []
_loop_thread = _LoopThread()
