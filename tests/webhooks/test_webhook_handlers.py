"""What a router accepts as a handler, and what it calls it with: `around=`, and the second parameter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from tests.support.webhook_deliveries import delivery
from tests.support.webhook_routers import Handle, async_handle, make, status, sync_handle


def sync_manager(entered: list[str]) -> Callable[[], Any]:
    @contextmanager
    def around() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    return around


def async_manager(entered: list[str]) -> Callable[[], Any]:
    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    return around


@contextmanager
def session() -> Iterator[str]:
    yield "session"


class Shop:
    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def save(self, event: Any, session: Any) -> None:
        self.calls.append(session)

    async def asave(self, event: Any, session: Any, limit: int = 10) -> None:
        self.calls.append(session)

    def wait(self, event: Any, session: Any) -> Any:
        return self.asave(event, session)

    def after_yield(self, event: Any) -> Iterator[None]:
        yield

    async def after_async_yield(self, event: Any) -> AsyncIterator[None]:
        yield

    def with_three(self, event: Any, session: Any, other: Any) -> None: ...


class CallableShop(Shop):
    __call__ = Shop.save


class AsyncCallableShop(Shop):
    __call__ = Shop.asave


class GeneratorShop(Shop):
    __call__ = Shop.after_async_yield


SECOND_PARAMETER: dict[str, Callable[[Shop], Any]] = {
    "method": lambda shop: shop.save,
    "async method": lambda shop: shop.asave,
    "function": lambda shop: lambda event, session: shop.calls.append(session),
    "partial": lambda shop: partial(Shop.save, shop),
    "async partial": lambda shop: partial(shop.asave, limit=2),
    "object": lambda shop: CallableShop(shop.calls),
    "async object": lambda shop: AsyncCallableShop(shop.calls),
    "partial of an async object": lambda shop: partial(AsyncCallableShop(shop.calls), limit=2),
}


@pytest.mark.parametrize("handle", [sync_handle, async_handle])
@pytest.mark.parametrize("is_default", [True, False])
@pytest.mark.parametrize("form", SECOND_PARAMETER)
def test_second_parameter_gets_what_around_yields(handle: Handle, form: str, is_default: bool) -> None:
    calls: list[Any] = []

    @asynccontextmanager
    async def async_session() -> AsyncIterator[str]:
        yield "session"
        calls.append("committed")

    router = make(around=async_session if "async" in form else session)
    handler = SECOND_PARAMETER[form](Shop(calls))
    assert (router.default if is_default else router.on("*"))(handler) is handler
    assert status(handle(router, *delivery())) == (200, "handled")
    assert calls == (["session", "committed"] if "async" in form else ["session"])


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (Shop([]).save, r"not as Shop.save\(event: 'Any', session: 'Any'\).*With around= or once="),
        (Shop([]).with_three, "with only the event"),
        (Shop([]).after_yield, "Shop.after_yield is a generator function"),
        (Shop([]).after_async_yield, "generator function"),
        (partial(Shop.after_yield, Shop([])), "generator function"),
        (GeneratorShop([]), "GeneratorShop is a generator function"),
        (None, "must be a function"),
    ],
)
def test_handler_that_could_only_fail_or_do_nothing_is_refused(handler: Any, problem: str) -> None:
    router = make()
    for register in (router.on("*"), router.default):
        with pytest.raises(ConfigurationError, match=problem):
            register(handler)


def test_parameters_that_fastapi_would_provide_are_refused() -> None:
    fastapi = pytest.importorskip("fastapi", reason="needs FastAPI (pip install fastapi)")
    marker = fastapi.Depends(print)
    with pytest.raises(ConfigurationError, match="FastAPI doesn't call <lambda>"):
        make(around=nullcontext).on("*")(lambda event, session=marker: None)


def test_handler_gets_no_value_of_around_for_a_parameter_with_a_default() -> None:
    calls: list[Any] = []
    with_three: Any = Shop(calls).with_three
    router = make(around=session)
    router.on("*")(lambda event, limit=10: calls.append(limit))
    assert status(router.handle(*delivery())) == (200, "handled")
    assert calls == [10]
    with pytest.raises(ConfigurationError, match="and with the value that around= or once= yields"):
        router.on("*")(with_three)


def test_coroutine_that_would_outlive_its_session_is_an_error_that_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = make(around=session)
    router.on("*")(Shop([]).wait)
    assert status(router.handle(*delivery())) == (500, "handler_failed")
    assert "would run after the context manager has exited" in caplog.text


@pytest.mark.parametrize("handle", [sync_handle, async_handle])
@pytest.mark.parametrize("is_async", [False, True])
def test_handler_that_returns_a_generator_has_failed(handle: Handle, is_async: bool) -> None:
    async def later(event: Any) -> Any:
        return Shop([]).after_yield(event)

    router = make()
    router.on("*")(later if is_async else lambda event: Shop([]).after_yield(event))
    assert status(handle(router, *delivery())) == (500, "handler_failed")


@pytest.mark.parametrize("around", [nullcontext(), Shop([]).after_yield, "session"])
def test_around_that_returns_no_context_manager_is_refused(around: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a function that returns a context manager"):
        make(around=around)


@pytest.mark.parametrize("handle", [sync_handle, async_handle])
@pytest.mark.parametrize("form", ["regular", "async", "regular, of a coroutine", "async, within an async manager"])
def test_each_handler_runs_within_around(handle: Handle, form: str) -> None:
    entered: list[str] = []
    router = make(around=(async_manager if "async manager" in form else sync_manager)(entered))

    def handler(event: Any) -> None:
        entered.append("handler")

    async def async_handler(event: Any) -> None:
        entered.append("handler")

    forms = {"regular": handler, "regular, of a coroutine": lambda event: async_handler(event)}
    router.on("*")(forms.get(form, async_handler))
    assert status(handle(router, *delivery())) == (200, "handled")
    assert entered[-3:] == ["in", "handler", "out"]
    assert len(entered) == 3 or form == "regular, of a coroutine"


def test_error_at_the_end_of_around_is_the_handlers_own() -> None:
    @contextmanager
    def around() -> Iterator[None]:
        yield
        raise LookupError("COMMIT failed")

    router = make(around=around)
    router.on("*")(lambda event: None)
    assert [status(router.handle(*delivery())) for _ in range(2)] == [(500, "handler_failed")] * 2


def test_async_manager_around_a_regular_handler_is_an_error_that_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = make(around=async_manager([]))
    router.on("*")(lambda event: None)
    assert status(router.handle(*delivery())) == (500, "handler_failed")
    assert "Make the function `async def`, or return a regular context manager." in caplog.text
