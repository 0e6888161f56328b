"""Programs that the tests of `test_storms.py` run in a process of their own: interrupts, and the garbage collector, at
random instants of many short calls.

    python -m tests.support.storms interrupts sync http://127.0.0.1:8000 3000 1
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext._engine.waiting.closer import closer
from tests.support.scripted_server import settings_of

STUCK = 60.0
"""Seconds without a single call that ends, after which the process prints its stacks and exits."""


class Stop(BaseException):
    """Like KeyboardInterrupt: no `except Exception` stops it."""


class SoftTimeLimit(Exception):
    """Like a task queue's."""


class Overdue(TimeoutError):
    """As the recipes for alarms raise it."""


KINDS = (Stop, SoftTimeLimit, Overdue)


class Alarm:
    """Raises in the main thread, at an instant that nobody knows."""

    def __init__(self, seed: int, within: float) -> None:
        self.random = random.Random(seed)
        self._within = within
        self.rung = 0
        self._is_set = False
        signal.signal(signal.SIGALRM, self._ring)

    def _ring(self, *_: object) -> None:
        if self._is_set:
            self._is_set = False
            self.rung += 1
            raise self.random.choice(KINDS)("the alarm has rung")

    def during(self, call: Callable[[], object]) -> None:
        faulthandler.dump_traceback_later(STUCK, exit=True)
        try:
            try:
                self._is_set = True
                signal.setitimer(signal.ITIMER_REAL, self.random.uniform(0.000_01, self._within))
                call()
            finally:
                self._is_set = False
        except KINDS:
            pass
        self._is_set = False


def settings(url: str) -> dict[str, Any]:
    return settings_of(url, timeout=30, max_retries=0)


def seconds_of_a_call(url: str) -> float:
    """The approximate duration of a call, its connection included. With https, it's mostly the TLS handshake."""
    return 0.006 if url.startswith("https") else 0.001_5


def call_or_stream(client: InteractorClient, chance: random.Random) -> None:
    if chance.random() < 0.7:
        client.assistants.get("a")
    else:
        with client.rooms.stream("room") as stream:
            next(stream)


async def call_or_stream_async(client: AsyncInteractorClient, chance: random.Random) -> None:
    if chance.random() < 0.7:
        await client.assistants.get("a")
    else:
        async with client.rooms.stream("room") as stream:
            await anext(stream)


def sockets() -> int:
    """How many sockets this process has open; 0 where the system does not tell."""
    found = 0
    for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


def left_over() -> dict[str, int]:
    """What a closed client must not leave: sockets, and entries of the closer thread, which may take a moment."""
    until = time.monotonic() + STUCK / 2
    while (left := {"sockets": sockets(), "watches": len(closer.watches)}) and any(left.values()):
        if time.monotonic() > until:
            break
        gc.collect()
        time.sleep(0.001)
    return left


@contextlib.contextmanager
def other_threads(work: Callable[[], object], count: int) -> Iterator[list[BaseException]]:
    """Threads that do the same work undisturbed, while the main thread is interrupted. Yields their errors."""
    errors: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            try:
                work()
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        over.set()
        for thread in threads:
            thread.join(STUCK)
            if thread.is_alive():
                errors.append(RuntimeError("a thread is stuck"))


def interrupts_sync(url: str, calls: int, seed: int) -> dict[str, Any]:
    alarm = Alarm(seed, seconds_of_a_call(url))
    client = InteractorClient(**settings(url))

    def call() -> None:
        call_or_stream(client, alarm.random)

    # Python's imports do not survive interrupts: what a call imports when it is first made is there before the storm.
    for _ in range(100):
        call()
    with other_threads(call, 3) as errors:
        for _ in range(calls):
            alarm.during(call)
    faulthandler.dump_traceback_later(STUCK, exit=True)
    client.assistants.get("a")
    stream = client.rooms.stream("room").__enter__()
    del stream  # the closer thread must still close what is dropped
    used = in_use(client._shared.transport._inner)
    client.close()
    return {"errors": [repr(error) for error in errors], "rung": alarm.rung, "used": used}


def interrupts_async(url: str, calls: int, seed: int) -> dict[str, Any]:
    """Ctrl-C, because asyncio turns it into a cancellation. Other exceptions raised inside asyncio's code break it."""
    chance = random.Random(seed)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    # Ignored where a shell started this in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    client = AsyncInteractorClient(**settings(url))
    at_once, rung = 20, 0
    within = seconds_of_a_call(url) * at_once

    async def main() -> None:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.000_01, within))
        try:
            await asyncio.gather(*(call_or_stream_async(client, chance) for _ in range(at_once)))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    asyncio.run(client.get_access_token())  # type: ignore[arg-type]
    for _ in range(calls // at_once):
        faulthandler.dump_traceback_later(STUCK, exit=True)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            rung += 1
    faulthandler.dump_traceback_later(STUCK, exit=True)

    async def end() -> int:
        await client.assistants.get("a")
        connections = client._shared.transport._inner.connections()  # type: ignore[attr-defined]
        await client.aclose()
        return int(connections.open - connections.idle)

    return {"errors": [], "rung": rung, "used": asyncio.run(end())}


def in_use(transport: Any) -> int:
    """How many connections are in use. The closer thread may take a moment."""
    until = time.monotonic() + STUCK / 2
    while (connections := transport.connections()).open > connections.idle and time.monotonic() < until:
        gc.collect()  # httpx ties responses into reference cycles
        time.sleep(0.001)
    return int(connections.open - connections.idle)


class Answer:
    """What a web framework makes of a generator of words: an object that refers to itself, as most of them do."""

    def __init__(self, words: Iterator[object]) -> None:
        self.words = words
        self.itself = self


def collector_sync(url: str, calls: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    client = InteractorClient(**settings(url))

    def words() -> Iterator[object]:
        with client.rooms.stream("room") as stream:
            yield from stream

    def abandon() -> None:
        answer = Answer(words())
        next(answer.words)

    with other_threads(lambda: client.assistants.get("a"), 2) as errors:
        for number in range(calls):
            faulthandler.dump_traceback_later(STUCK, exit=True)
            gc.set_threshold(chance.randint(1, 50))
            if number % 10 == 0:
                abandon()
            client.assistants.get("a")
    gc.set_threshold(700, 10, 10)
    gc.collect()
    used = in_use(client._shared.transport._inner)
    client.close()
    return {"errors": [repr(error) for error in errors], "used": used}


def collector_async(url: str, calls: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)

    async def main() -> int:
        client = AsyncInteractorClient(**settings(url))

        async def words() -> Any:
            async with client.rooms.stream("room") as stream:
                async for word in stream:
                    yield word

        async def abandon() -> None:
            answer = Answer(words())  # type: ignore[arg-type]
            await anext(answer.words)  # type: ignore[call-overload]

        for number in range(calls // 2):
            faulthandler.dump_traceback_later(STUCK, exit=True)
            gc.set_threshold(chance.randint(1, 50))
            if number % 10 == 0:
                await abandon()
            await asyncio.gather(client.assistants.get("a"), client.assistants.get("a"))
        gc.set_threshold(700, 10, 10)
        gc.collect()
        used = await asyncio.to_thread(in_use, client._shared.transport._inner)
        await client.aclose()
        return used

    return {"errors": [], "used": asyncio.run(main())}


STORMS = {
    "interrupts sync": interrupts_sync,
    "interrupts async": interrupts_async,
    "collector sync": collector_sync,
    "collector async": collector_async,
}

if __name__ == "__main__":
    kind, mode, address, count, seed_text = sys.argv[1:]
    outcome = STORMS[f"{kind} {mode}"](address, int(count), int(seed_text))
    outcome |= left_over()
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(outcome))
