"""What ends a call in any turn of the event loop leaves nothing open: a cancellation, a timeout, or closing.

The server runs in the same loop, so what happens in which turn hardly depends on the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    AsyncInteractorClient,
    ConfigurationError,
    RetryPolicy,
)
from interactor_ext.limits import RateLimiter, Tier, Tiers
from interactor_ext.transports import AsyncTransport
from tests.support.proxy import CONNECTED
from tests.support.scripted_server import ASSISTANT, http, js, settings_of, token_answer
from tests.support.waiting import PATIENCE, eventually, eventually_async
from tests.transports.test_phases import EVENTS, LOOPS, serving, sockets, trusting

DELTA = b'id: %d\ndata: {"type": "message.delta", "content": "x"}\n\n'
SERVING, TRUSTING = serving(), trusting()


class Server:
    """Sends each piece of a response in a turn of its own."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        self.tasks.add(task)
        target = ""
        # RuntimeError from uvloop and TypeError from Python 3.11, after the client has left.
        with contextlib.suppress(OSError, EOFError, RuntimeError, TypeError, asyncio.CancelledError):
            while not target.endswith("/stream"):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = re.search(r"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                method, target, _ = head.split(" ", 2)
                self.requests.append(target)
                pieces = [CONNECTED] if method == "connect" else self._response(target, head)
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
                if method == "connect":
                    await writer.start_tls(SERVING)
                if not pieces:
                    break
        writer.transport.abort()
        self.tasks.discard(task)

    def _response(self, target: str, head: str) -> list[bytes]:
        is_first = self.requests.count(target) == 1
        if target.endswith("/token"):
            return [token_answer("t0ken")]
        if target.endswith("/stream"):
            rest = [DELTA % 2, b"event: done\ndata: {}\n\n"] if "last-event-id" in head else [b"retry: 1\n", DELTA % 1]
            return [EVENTS, *rest]
        if target.endswith("/busy") and is_first:
            return [http(503, "", "Retry-After: 0")]
        if target.endswith("/lost") and is_first:
            return []
        if "?" in target:
            page = int(target.partition("page=")[2][0])
            return [js(200, {"data": [{**ASSISTANT, "id": f"a{page}"}], "meta": {"page": page, "total_pages": 3}})]
        whole = js(200, {"data": ASSISTANT})
        return [whole[:60], whole[60:]]


async def call(user: Any) -> None:
    await user.assistants.get("a")


async def stream(user: Any) -> None:
    async with user.rooms.stream("room") as events:
        assert [event.content async for event in events] == ["x", "x"]


async def pages(user: Any) -> None:
    assert [each.id async for each in user.assistants.iterate(prefetch=2)] == ["a1", "a2", "a3"]


class Situation(NamedTuple):
    work: Callable[[Any], Coroutine[Any, Any, Any]] = call
    others: int = 0
    """How many tasks make the same call as well, and must succeed unless the client is closed."""
    tls: bool = False
    proxy: bool = False
    places: int = 10
    limiter: Callable[[], RateLimiter | None] = lambda: None


SITUATIONS = {
    "call": Situation(),
    "TLS in TLS": Situation(tls=True, proxy=True),
    "place": Situation(others=1, places=1),
    "stream": Situation(stream),
    "TLS": Situation(tls=True),
    "large body": Situation(lambda user: user.assistants.update("a", name="x" * 500_000)),
    "retry": Situation(lambda user: user.assistants.get("busy")),
    "lost connection": Situation(lambda user: user.assistants.get("lost")),
    "rate limit": Situation(limiter=lambda: RateLimiter(Tiers(client=Tier(60_000, 1), tokens=Tier(60_000, 1)))),
    "shared token": Situation(others=2),
    "pages": Situation(pages),
}
CLOSED = (APIConnectionError, ConfigurationError)
ENDS: dict[str, tuple[type[BaseException], ...]] = {
    "cancel twice": (asyncio.CancelledError,),
    "close": CLOSED,
    "cancel": (asyncio.CancelledError,),
    "close the client": CLOSED,
    "cancel and close": (asyncio.CancelledError,),
    "timeout": (APITimeoutError,),
}


def loop_of(kind: str) -> Any:
    base: Any = pytest.importorskip(kind).Loop if kind == "uvloop" else asyncio.SelectorEventLoop

    class Loop(base):  # type: ignore[misc]
        def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
            timer = super().call_at(when, callback, *args, context=context)
            timers.append((when, timer, callback, args))
            return timer

        def time_out(self) -> None:
            for when, timer, callback, args in timers:
                if when > self.time() + PATIENCE and not timer.cancelled():
                    timer.cancel()
                    callback(*args)

    timers: list[Any] = []
    return Loop()


async def ends(situation: Situation, end: str, turn: int) -> bool:
    """End the call in this turn. Returns False if it was over by then."""
    loop: Any = asyncio.get_running_loop()
    errors: list[Any] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=SERVING if situation.tls else None)
    url = f"http{'s' if situation.tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    proxy = url if situation.proxy else None
    transport = AsyncTransport(verify=TRUSTING, trust_env=False, proxy=proxy, max_connections=situation.places)
    client = AsyncInteractorClient(
        **settings_of(url, timeout=5 * PATIENCE),
        transport=transport,
        retry_policy=RetryPolicy(base_delay=0.001),
        rate_limiter=situation.limiter(),
    )
    work = asyncio.create_task(situation.work(client))
    others = [asyncio.create_task(situation.work(client)) for _ in range(situation.others)]
    closing: list[asyncio.Task[None]] = []
    for _ in range(turn + 1):
        await asyncio.sleep(0)
    is_over = work.done()
    if "cancel" in end:
        work.cancel()
    if "close" in end:
        closing.append(asyncio.create_task((transport if end == "close" else client).aclose()))
    if end == "cancel twice":
        loop.call_soon(work.cancel)
    if end == "timeout":
        loop.time_out()
    _, pending = await asyncio.wait([work, *others, *closing], timeout=PATIENCE)
    assert not pending
    error = asyncio.CancelledError() if work.cancelled() else work.exception()
    assert error is None or (not is_over and isinstance(error, ENDS[end]))
    for other in others:
        assert other.exception() is None or (closing and isinstance(other.exception(), CLOSED))
    assert all(task.exception() is None for task in closing)
    if not closing:
        assert (await client.assistants.get("b")).id == "asst_1"
        await eventually_async(lambda: transport.connections().open == transport.connections().idle)
    await client.aclose()
    assert transport.connections() == (0, 0, 0)
    listener.close()
    for task in server.tasks:
        task.cancel()
    await asyncio.gather(*server.tasks)
    assert not errors or situation.proxy  # Python 3.11's server of TLS in TLS makes some
    return not is_over


def rows() -> list[Any]:
    """Most are marked `full`: all of them take half a minute."""
    often = [*itertools.product(["call", "TLS in TLS", "place", "stream"], ["cancel twice", "close"])]
    every = itertools.product(SITUATIONS, ENDS)
    return [pytest.param(*row, marks=() if row in often else pytest.mark.full) for row in every]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(("situation", "end"), rows())
def test_call_that_ends_in_any_turn_leaves_nothing_open(situation: str, end: str, kind: str) -> None:
    before = sockets()
    for turn in itertools.count():
        with asyncio.Runner(loop_factory=lambda: loop_of(kind)) as runner:
            if not runner.run(ends(SITUATIONS[situation], end, turn)):
                break
    eventually(lambda: sockets() <= before, "every socket is closed")
