"""`with_retry`, for the caller's own functions."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from interactor_client.advised import advised_call
from interactor_ext._engine.arguments import is_generator
from interactor_ext._engine.errors import APIConnectionError, APIStatusError, CircuitOpenError, InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.waiting import require_asyncio

P = ParamSpec("P")
R = TypeVar("R")

_DEFAULT = RetryPolicy()


def with_retry(
    fn: Callable[P, R],
    policy: RetryPolicy = _DEFAULT,
    *,
    max_retries: int | None = None,
    retry_on: type[Exception] | tuple[type[Exception], ...] = (),
) -> Callable[P, R]:
    """`fn` with retries: a function of the same signature, sync or async like `fn`. It isn't called here:
    `with_retry(fn, max_retries=5)()` calls it, and a statement without the second pair of parentheses warns that
    nothing was called. `max_retries` overrides the policy's.

    It is called again, as a whole, when it raises an APIConnectionError, an APIStatusError with one of the policy's
    statuses, a CircuitOpenError (not before the circuit lets a call through), or one of the classes in `retry_on`; the
    policy's own `retry_on` is called first with each InteractorError. The last error is raised unchanged. So only pass
    what may run twice; if it creates something, choose the idempotency key outside of it. The client's calls already
    retry themselves; use this for a function that makes several.
    """
    if not callable(fn):
        kind = "a coroutine" if inspect.iscoroutine(fn) else f"{type(fn).__name__!r}"
        advice = "Pass the function itself, as in with_retry(lambda: client.assistants.get(...))()."
        if inspect.iscoroutine(fn):
            fn.close()  # otherwise Python would warn that it was never awaited
        raise TypeError(f"with_retry needs a function that it can call again, not {kind}. {advice}")
    if is_generator(fn):
        raise TypeError("with_retry can't retry a generator function, whose code runs after the call. Return a list.")
    if not isinstance(policy, RetryPolicy):
        raise TypeError(f"policy must be a RetryPolicy, not {policy!r}. Write with_retry(fn, max_retries=...).")
    kinds = retry_on if isinstance(retry_on, tuple) else (retry_on,)
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        raise TypeError(
            "retry_on must be a subclass of Exception, or a tuple of them. Pass a function to RetryPolicy instead."
        )
    if max_retries is not None:
        policy = replace(policy, max_retries=max_retries)
    caught: tuple[type[Exception], ...] = (InteractorError, *kinds)
    call: Callable[..., Any] = fn
    unused = _Unused(sys._getframe(2))

    def delay_after(error: Exception, attempt: int) -> float:
        return _delay_or_raise(error, attempt, policy, kinds)

    async def go_on_async(awaitable: Awaitable[Any], again: Callable[[], Awaitable[Any]]) -> Any:
        attempt = 1
        while True:
            try:
                return await awaitable
            except caught as error:
                delay = delay_after(error, attempt)
            require_asyncio()
            await asyncio.sleep(delay)
            attempt += 1
            awaitable = again()

    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def again_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            unused.place = None
            return await go_on_async(call(*args, **kwargs), functools.partial(call, *args, **kwargs))

        return cast("Callable[P, R]", again_async)

    @functools.wraps(fn)
    def again(*args: P.args, **kwargs: P.kwargs) -> Any:
        unused.place = None
        attempt = 1
        while True:
            try:
                result = call(*args, **kwargs)
                break
            except caught as error:
                delay = delay_after(error, attempt)
            time.sleep(delay)
            attempt += 1
        if inspect.isawaitable(result):  # a lambda around a coroutine function
            return go_on_async(result, functools.partial(call, *args, **kwargs))
        return result

    return cast("Callable[P, R]", again)


class _Unused:
    """Belongs to a function with retries and is dropped with it. If a statement drops a function that it has just made
    and not called, it was meant to call it.
    """

    def __init__(self, frame: FrameType) -> None:
        self.place: tuple[object, int] | None = _place(frame)

    def __del__(self) -> None:
        frame = sys._getframe().f_back
        if frame is not None and _place(frame) == self.place:
            advice = "with_retry returns a function and calls nothing. Call the function: with_retry(...)()."
            warnings.warn(advice, RuntimeWarning, stacklevel=2)


def _place(frame: FrameType) -> tuple[object, int]:
    return frame.f_code, frame.f_lineno


if not TYPE_CHECKING:
    with_retry = advised_call(with_retry)


def _delay_or_raise(error: Exception, attempt: int, policy: RetryPolicy, kinds: tuple[type[Exception], ...]) -> float:
    """Return the seconds until the next attempt. Raises the error if there is none."""
    wanted = policy.asked_about(error) if isinstance(error, InteractorError) else None
    if wanted is None and isinstance(error, kinds):
        wanted = True
    if isinstance(error, APIStatusError):
        about: dict[str, Any] = {"status": error.status, "retry_after": error.retry_after}
    elif isinstance(error, CircuitOpenError):
        about = {"sent": False, "retry_after": error.retry_after}
    elif isinstance(error, APIConnectionError) or wanted:
        about = {}
    else:
        raise error
    decision = policy.decide(method="GET", attempt=attempt, wanted=wanted, **about)
    if decision.delay is None:
        raise error
    logger.info("retrying in %.3g s, after attempt %d: %s", decision.delay, attempt, decision.reason)
    return decision.delay
