"""Places a schedule's faults in a sandbox, and notes the places that a run meets.

The sandbox asks at each request, and hands over each delivery and each call of a tool. Processes that the test starts
with `subprocess.Popen` are known, killed and started again; the test's own object stands for the new process then.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from interactor_ext.sandbox.delivery.posting import Outcome as Answer
from interactor_ext.sandbox.platform.placed import PlacedFaults
from interactor_ext.sandbox.platform.state import cause
from interactor_ext.sandbox.work import run_in_own_thread
from interactor_ext.testing.explore import Key, Place, Schedule, Step

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.sandbox.platform.contract import ContractOperation

# Real seconds: how long a delivery waits for others to overtake it, and any for a process to listen again.
OVERTAKEN, RESTARTED = 2.0, 10.0
# What looks the same to the sandbox.
AS_FOR_SANDBOX = {"slow": "lost", "killed": "lost", "repeated": "cut-after"}
# Namespaces that a test draws by chance are one.
DRAWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}")


class Placement:
    """One run: its schedule, and the places that it meets."""

    def __init__(self, schedule: Schedule) -> None:
        self.met: list[Place] = []
        self.sandbox: Sandbox | None = None
        self.slow: Counter[str] = Counter()
        """Operations whose next error, on the client's side, is its timeout."""
        self.sent: Counter[str] = Counter()
        """Requests of this process that are under way, by operation; others come from another process."""
        self.handled: set[str] = set()
        """Events whose handlers of a WebhookRouter of this process have returned."""
        self.processes: Processes = Processes()
        self._steps: dict[Key, Step] = {step.key: step for step in schedule}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._requests: dict[str, Place] = {}
        self._posted: dict[tuple[str, str], Place] = {}
        self._delivered: Counter[str] = Counter()
        self._posting = 0
        self._held: list[Callable[..., None]] = []
        self._repeats = self._is_over = False

    def attach(self, sandbox: Sandbox) -> None:
        """Watch this sandbox from now on."""
        self.sandbox, state = sandbox, sandbox._state
        sandbox.faults = state.faults = PlacedFaults(state, self._meet_request)
        self._post, state.outbox.post_to = state.outbox.post_to, self._deliver
        subscribe = state.streams.subscribe

        def subscribing(channel_id: str, last_event_id: str, *, stays: bool = False) -> Any:
            if self._repeats and last_event_id.isdecimal() and int(last_event_id) > 0:
                self._repeats, last_event_id = False, str(int(last_event_id) - 1)
            return subscribe(channel_id, last_event_id, stays=stays)

        state.streams.subscribe = subscribing  # type: ignore[method-assign]
        if any(step.fault in ("failed", "killed") for step in self._steps.values()):
            sandbox.delivery.time_scale = 0.0  # delivered again at once, so that no test has to move the clock

    def end(self) -> None:
        """What comes now, as the fixtures end, is no place."""
        self._is_over = True
        assert self.sandbox is not None
        for answer in self.sandbox._state.responses:
            if place := self._requests.get(answer.request_id):
                place.size = answer.size
                if place.key.kind == "s":
                    place.ends = list(_ends_of_events(answer.content))
        for (event_id, _), place in self._posted.items():
            place.is_handled = event_id in self.handled

    @property
    def is_busy(self) -> bool:
        """Whether the sandbox is at work: it is worth waiting for."""
        return self._posting > 0 or (self.sandbox is not None and len(self._requests) > len(self.sandbox.requests))

    def _meet_request(self, operation: ContractOperation, namespace: str) -> tuple[str, int]:
        place, fault, at = self._meet("s" if operation.stream else "r", operation.id, namespace)
        self._requests[cause.get()] = place
        if self.sent[operation.id] > 0:
            self.sent[operation.id] -= 1
        elif self.processes.are_alive:
            fault = self._meet("p", operation.id, namespace)[1] or fault
        if fault == "killed":
            self.processes.restart()
        self.slow[operation.id] += fault == "slow"
        self._repeats = self._repeats or fault == "repeated"
        return AS_FOR_SANDBOX.get(fault, fault), at

    async def _deliver(self, url: str, body: bytes, *args: Any, **kwargs: Any) -> Answer:
        """Post a delivery or a tool call, as its fault has it."""

        async def send() -> Answer:
            if self.processes.were_restarted:
                await _until_it_listens(url)
            return await self._post(url, body, *args, **kwargs)

        event, fault, at = json.loads(body), "", 0
        if (event["id"], url) not in self._posted:
            kind, described = "d" if self._is_webhook(url) else "t", (event["event"], event["namespace"])
            place, fault, at = self._meet(kind, *described)
            place.url = url
            self._posted[event["id"], url] = place
            if kind == "d" and self.processes.are_alive:
                crash = self._meet("p", *described)
                crash[0].url, fault = url, fault or crash[1]
        self._posting += 1
        try:
            if fault in ("reordered", "late"):
                await self._overtaken(url, event["id"], at)
            answer = await send()
            if fault == "twice" and answer.is_success:
                answer = await send()
            if fault in ("killed", "died"):
                await run_in_own_thread(self.processes.restart)
            if fault in ("lost", "killed", "failed"):
                answer = Answer(500 if fault == "failed" else None, "the explorer has lost the answer")
            self._posted[event["id"], url].is_acknowledged |= answer.is_success
            return answer
        finally:
            self._posting -= 1
            self._delivered[url] += 1
            for each in self._held:
                each()

    async def _overtaken(self, url: str, event_id: str, others: int) -> None:
        """Wait until so many others were delivered to this URL, none has come for a while, or the test is over.

        Nobody waits for this delivery before: `wait_for_deliveries` returns, so that the test gets to the others.
        """
        assert self.sandbox is not None
        outbox, wanted, released = self.sandbox._state.outbox, self._delivered[url] + others, asyncio.Event()
        queues = [each for each in outbox._queues.values() if each.webhook.public["url"] == url]
        held = [(queue, each) for queue in queues for each in queue.in_flight if each.public["event"]["id"] == event_id]

        def release(*, is_over: bool = False) -> None:
            if is_over or self._delivered[url] >= wanted:
                for queue, each in held:
                    queue.in_flight.add(each)
                released.set()

        for queue, each in held:
            queue.in_flight.discard(each)
        outbox._finished.set()
        self._held.append(release)
        self._posting -= 1
        with suppress(TimeoutError):
            await asyncio.wait_for(released.wait(), OVERTAKEN)
        release(is_over=True)
        self._held.remove(release)
        self._posting += 1

    def release(self) -> None:
        """Deliver what waits to be overtaken: the test is over."""
        for each in self._held:
            each(is_over=True)

    def _meet(self, kind: str, name: str, namespace: str) -> tuple[Place, str, int]:
        namespace = DRAWN.sub("X", namespace)
        self._counts[kind, name, namespace] += 1
        place = Place(Key(kind, name, namespace, self._counts[kind, name, namespace]))
        if self._is_over:
            return place, "", 0
        self.met.append(place)
        _, place.fault, at = self._steps.get(place.key, (None, "", 0))
        return place, place.fault, at

    def _is_webhook(self, url: str) -> bool:
        assert self.sandbox is not None
        return any(each.public["url"] == url for each in self.sandbox._state.store.everything("webhook"))


class Processes:
    """The processes that the test has started, from `watch` on."""

    def __init__(self) -> None:
        self.were_restarted: bool = False
        self._known: list[tuple[subprocess.Popen[Any], tuple[Any, ...], dict[str, Any]]] = []

    def watch(self) -> None:
        start, brief = subprocess.Popen.__init__, subprocess.run.__code__

        def starting(popen: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
            start(popen, *args, **kwargs)
            # One whose end is waited for is no service that somebody would start again.
            if sys._getframe(1).f_code is not brief:
                self._known.append((popen, args, kwargs))

        subprocess.Popen.__init__ = starting  # type: ignore[method-assign, assignment]

    @property
    def are_alive(self) -> bool:
        return any(popen.poll() is None for popen, _, _ in self._known)

    def restart(self) -> None:
        """Kill and start again those that are alive."""
        self.were_restarted = True
        for popen, args, kwargs in list(self._known):
            if popen.poll() is None:
                popen.kill()
                popen.wait()
                new = subprocess.Popen(*args, **kwargs)  # noqa: S603  # the test's own
                self._known.pop()
                vars(popen).update(vars(new))
                new.returncode = 0  # the test's object has the process now: no warning at the end of this one


def _ends_of_events(content: bytes) -> Iterator[int]:
    """Where the events with data end, without the last `done`."""
    position = 0
    for block in content.split(b"\n\n")[:-1]:
        position += len(block) + 2
        if b"\ndata: " in block:
            yield position


async def _until_it_listens(url: str) -> None:
    parts = urlsplit(url)
    with suppress(TimeoutError):
        async with asyncio.timeout(RESTARTED):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
                    writer.close()
                    return
                await asyncio.sleep(0.01)
