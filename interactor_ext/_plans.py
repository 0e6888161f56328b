"""Two loops around one plan: a generator decides what is to be done next; here it is done, in either colour."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

from interactor_ext._fork import after_fork_in_child

T = TypeVar("T")


class Call(NamedTuple):
    """Call this, wait for what it returns if that can be awaited, and send the result (or throw the error) back."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


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
    try:
        step = next(plan)
        while True:
            try:
                result = await _aperform(step)
            except BaseException as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as done:
        value: T = done.value
        return value


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


async def _aperform(step: Step) -> Any:
    match step:
        case Call(function, args):
            if inspect.iscoroutinefunction(function):
                return await function(*args)
            result = await _in_thread(partial(function, *args))
            return await result if inspect.isawaitable(result) else result
        case Collect(function, args):
            return [item async for item in function(*args)]
        case Join(future):
            return await asyncio.wrap_future(future)
        case Pause(seconds):
            return await asyncio.sleep(seconds)


async def _in_thread(call: Callable[[], T]) -> T:
    """`asyncio.to_thread`, but a cancelled caller still learns how the call ended, and is cancelled after that.

    A thread cannot be stopped: without this, the claim of a function that still runs would be released.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    future = loop.run_in_executor(None, lambda: context.run(_without_stop_iteration, call))
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    task = asyncio.current_task()
    if cancelled and task is not None:
        task.uncancel()
        loop.call_soon(task.cancel)
    return future.result()


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
