"""What telemetry and logs cost a call: nothing to speak of when they are off, and at most a tenth when both are on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext._interactor.views import http as _http
from interactor_ext.telemetry import PrometheusTelemetry
from tests.benchmarks.call_server import serving
from tests.benchmarks.measure import cpu_medians, report

CALLS = 100
WITHOUT, OFF, ON = "without them built in", "telemetry and logs off", "telemetry and logs on"


@contextmanager
def not_built_in() -> Iterator[None]:
    """The client without its log of calls."""
    log_answer = _http.log_answer
    _http.log_answer = lambda *_: None
    try:
        yield
    finally:
        _http.log_answer = log_answer


class Formatted(logging.Handler):
    """Formats each record and drops it: what a disk or a network does with a line is no cost of this SDK's."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


@contextmanager
def logged() -> Iterator[None]:
    logger, handler = logging.getLogger("interactor"), Formatted()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


# The least that a call can be, and a usual one.
SMALLEST, USUAL = "one object", "a page of twenty"


def sync_ratios(settings: dict[str, Any], rounds: int, what: str) -> dict[str, float]:
    with ExitStack() as stack:
        plain = stack.enter_context(InteractorClient(**settings)).namespace("user_1")
        telemetry = PrometheusTelemetry(CollectorRegistry())
        told = stack.enter_context(InteractorClient(**settings, telemetry=telemetry)).namespace("user_1")

        def calls(user: InteractorClient) -> None:
            for _ in range(CALLS):
                user.assistants.get("asst_1") if what == SMALLEST else user.assistants.list()

        medians = cpu_medians(rivals(lambda: calls(plain), lambda: calls(told)), rounds=rounds)
    return report(f"sync call, {what}", medians, calls=CALLS, against=WITHOUT)


def async_ratios(settings: dict[str, Any], rounds: int, what: str) -> dict[str, float]:
    with asyncio.Runner() as runner:
        plain = AsyncInteractorClient(**settings)
        told = AsyncInteractorClient(**settings, telemetry=PrometheusTelemetry(CollectorRegistry()))

        async def calls(client: AsyncInteractorClient) -> None:
            user = client.namespace("user_1")
            for _ in range(CALLS):
                await (user.assistants.get("asst_1") if what == SMALLEST else user.assistants.list())

        on_or_off = rivals(lambda: runner.run(calls(plain)), lambda: runner.run(calls(told)))
        medians = cpu_medians(on_or_off, rounds=rounds)
        for client in (plain, told):
            runner.run(client.aclose())
    return report(f"async call, {what}", medians, calls=CALLS, against=WITHOUT)


def rivals(plain: Callable[[], object], told: Callable[[], object]) -> dict[str, Callable[[], object]]:
    def bare() -> None:
        with not_built_in():
            plain()

    def both() -> None:
        with logged():
            told()

    return {WITHOUT: bare, OFF: plain, ON: both}


def overhead(*, rounds: int = 40) -> list[dict[str, float]]:
    """CPU of a call over that of one without telemetry and logs built in, sync and async."""
    with serving() as url:
        settings = {"client_id": "a", "client_secret": "b", "account_server_url": url, "core_api_url": url}
        return [ratios(settings, rounds, what) for what in (SMALLEST, USUAL) for ratios in (sync_ratios, async_ratios)]


def run() -> None:
    overhead()
