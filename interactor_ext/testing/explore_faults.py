"""Places a schedule's faults in a sandbox, and notes the places that a run meets.

The sandbox asks `PlacedFaults` at each request, and hands each delivery and each call of a tool to `Placement`.
Processes that the test starts with `subprocess.Popen` are known, killed and started again; the test's own object
stands for the new process then.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from interactor_ext.sandbox.delivery.posting import Outcome as Answer
from interactor_ext.sandbox.platform import credentials
from interactor_ext.sandbox.platform.faults import Fault, Faults
from interactor_ext.sandbox.platform.state import cause
from interactor_ext.sandbox.problems import Problem
from interactor_ext.sandbox.work import run_in_own_thread
from interactor_ext.testing.explore import Key, Place, Schedule, Step

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.sandbox.platform.contract import ContractOperation
    from interactor_ext.sandbox.storage.records import JsonObject

# Seconds that a Retry-After asks for.
RETRY_AFTER = "1"
# Real seconds: how long a delivery waits for others to overtake it, and any for a process to listen again.
OVERTAKEN, RESTARTED = 0.3, 10.0
WIRE_FAULTS: dict[str, JsonObject] = {
    "refused": {"kind": "reset"},
    "lost": {"kind": "reset_after"},
    "slow": {"kind": "reset_after"},
    "killed": {"kind": "reset_after"},
    "cut": {"kind": "truncated"},
}
# Faults after which the platform delivers once more: at once, so that no test has to move the clock.
REDELIVERED = {"failed", "killed"}


class Placement:
    """One run: its schedule, and the places that it meets."""

    def __init__(self, schedule: Schedule, *, by_namespace: bool = True) -> None:
        self._by_namespace = by_namespace
        self.met: list[Place] = []
        self.sandbox: Sandbox | None = None
        self.slow: Counter[str] = Counter()
        """Operations whose next error, on the client's side, is its timeout."""
        self.sent: Counter[str] = Counter()
        """Requests of this process that are under way, by operation; others come from another process."""
        self.handled: set[str] = set()
        """Events whose handlers of a WebhookRouter of this process have returned."""
        self._steps: dict[Key, Step] = {step.key: step for step in schedule}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._requests: dict[str, Place] = {}
        self._posted: dict[tuple[str, str], Place] = {}
        self._delivered: Counter[str] = Counter()
        self._progress = asyncio.Condition()
        self._posting = 0
        self._processes: list[tuple[subprocess.Popen[Any], tuple[Any, ...], dict[str, Any]]] = []
        self._has_restarted = False
        self._repeats = False
        self._is_over = False

    def attach(self, sandbox: Sandbox) -> None:
        """Watch this sandbox from now on."""
        self.sandbox = sandbox
        state = sandbox._state
        sandbox.faults = state.faults = PlacedFaults(sandbox.faults, self)
        self._post = state.outbox.post_to
        state.outbox.post_to = self.post
        subscribe = state.streams.subscribe

        def subscribing(channel_id: str, last_event_id: str, *, stays: bool = False) -> Any:
            if self._repeats and last_event_id.isdecimal() and int(last_event_id) > 0:
                self._repeats, last_event_id = False, str(int(last_event_id) - 1)
            return subscribe(channel_id, last_event_id, stays=stays)

        state.streams.subscribe = subscribing  # type: ignore[method-assign]
        if any(step.fault in REDELIVERED for step in self._steps.values()):
            sandbox.delivery.time_scale = 0.0

    def end(self) -> None:
        """What comes now, as the fixtures end, is no place."""
        self._is_over = True
        assert self.sandbox is not None
        answers = {each.request_id: each for each in self.sandbox._state.responses}
        for record in self.sandbox.requests:
            if place := self._requests.get(record.request_id):
                place.status = record.status
                if answer := answers.get(record.request_id):
                    place.size = answer.size
                    if place.key.kind == "s":
                        place.ends = list(_ends_of_events(answer.content))
        for (event_id, _), place in self._posted.items():
            place.is_handled = event_id in self.handled

    @property
    def is_busy(self) -> bool:
        """Whether the sandbox is at work: it is worth waiting for."""
        if self.sandbox is None:
            return False
        return self._posting > 0 or len(self._requests) > len(self.sandbox.requests)

    def meet_request(self, operation: ContractOperation, namespace: str) -> tuple[Place, str]:
        """The place of a request that has arrived, and the fault for it."""
        place, fault = self._meet("s" if operation.stream else "r", operation.id, namespace)
        place.is_open = operation.open
        self._requests[cause.get()] = place
        self.sent[operation.id] -= 1
        if self.sent[operation.id] < 0:
            self.sent[operation.id] = 0
            is_foreign = self._alive() and not operation.stream
        else:
            is_foreign = False
        if is_foreign:
            _, crash = self._meet("p", operation.id, namespace)
            fault = fault or crash
        if fault == "killed":
            self._restart()
        if fault == "slow":
            self.slow[operation.id] += 1
        if fault == "repeated":
            self._repeats = True
        return place, fault

    def step_of(self, place: Place) -> Step:
        return self._steps[place.key]

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float, public: bool
    ) -> Answer:
        """Post a delivery or a tool call, as its fault has it."""

        async def send() -> Answer:
            if self._has_restarted:
                await _until_it_listens(url)
            return await self._post(url, body, headers, timeout_seconds=timeout_seconds, public=public)

        event = json.loads(body)
        is_first = (event["id"], url) not in self._posted
        fault, place = "", None
        if is_first:
            kind = "d" if self._is_webhook(url) else "t"
            place, fault = self._meet(kind, event["event"], event["namespace"])
            place.url = url
            self._posted[event["id"], url] = place
            if kind == "d" and self._alive():
                process, crash = self._meet("p", event["event"], event["namespace"])
                process.url, fault = url, fault or crash
        self._posting += 1
        try:
            if place is not None and fault in ("reordered", "late"):
                await self._overtaken(url, self.step_of(place).at)
            answer = await send()
            if fault == "twice" and answer.is_success:
                answer = await send()
            if fault in ("killed", "died"):
                await run_in_own_thread(self._restart)
            if fault in ("lost", "killed"):
                answer = Answer(error=f"the answer was lost: {fault} by the explorer")
            if fault == "failed":
                answer = Answer(500)
            self._posted[event["id"], url].is_acknowledged |= answer.is_success
            return answer
        finally:
            self._posting -= 1
            async with self._progress:
                self._delivered[url] += 1
                self._progress.notify_all()

    async def _overtaken(self, url: str, others: int) -> None:
        """Wait until so many others were delivered to this URL, or none comes."""
        wanted = self._delivered[url] + others
        async with self._progress:
            with suppress(TimeoutError):
                while self._delivered[url] < wanted:
                    await asyncio.wait_for(self._progress.wait(), OVERTAKEN)

    def _meet(self, kind: str, name: str, namespace: str) -> tuple[Place, str]:
        namespace = namespace if self._by_namespace else ""
        self._counts[kind, name, namespace] += 1
        place = Place(Key(kind, name, namespace, self._counts[kind, name, namespace]))
        if self._is_over:
            return place, ""
        self.met.append(place)
        if step := self._steps.get(place.key):
            place.fault = step.fault
        return place, place.fault

    def _is_webhook(self, url: str) -> bool:
        assert self.sandbox is not None
        return any(each.public["url"] == url for each in self.sandbox._state.store.everything("webhook"))

    @contextmanager
    def knowing_processes(self) -> Iterator[None]:
        """Know the processes that are started within the block."""
        start = subprocess.Popen.__init__
        brief = subprocess.run.__code__

        def starting(popen: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
            start(popen, *args, **kwargs)
            # One whose end is waited for is no service that somebody would start again.
            if sys._getframe(1).f_code is not brief:
                self._processes.append((popen, args, kwargs))

        subprocess.Popen.__init__ = starting  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            subprocess.Popen.__init__ = start  # type: ignore[method-assign]

    def _alive(self) -> bool:
        return any(popen.poll() is None for popen, _, _ in self._processes)

    def _restart(self) -> None:
        processes, self._processes = self._processes, []
        self._has_restarted = True
        for popen, args, kwargs in processes:
            if popen.poll() is None:
                popen.kill()
                popen.wait()
                vars(popen).update(vars(subprocess.Popen(*args, **kwargs)))  # noqa: S603  # the test's own
                self._processes.pop()
            self._processes.append((popen, args, kwargs))


class PlacedFaults(Faults):
    """The faults of a test, and before them those of the schedule."""

    def __init__(self, own: Faults, placement: Placement) -> None:
        super().__init__(own._operations)
        self._faults = own.snapshot()
        self._scratch = Faults(own._operations)
        self._placement = placement

    def take(self, operation: ContractOperation, namespace: str, *, in_handler: bool) -> Fault | None:
        placed = None if in_handler else self._placed(operation, namespace)
        return placed or super().take(operation, namespace, in_handler=in_handler)

    def _placed(self, operation: ContractOperation, namespace: str) -> Fault | None:
        place, fault = self._placement.meet_request(operation, namespace)
        assert self._placement.sandbox is not None
        state = self._placement.sandbox._state
        wire = WIRE_FAULTS.get(fault)
        if place.key.kind == "s" and fault:
            at = self._placement.step_of(place).at
            wire = {"kind": "dropped_stream", "after_bytes" if fault == "cut-within" else "after_events": at}
        if wire is not None:
            made = self._scratch.add(operation.id, **wire)
            self._scratch.clear()
            return made
        match fault:
            case "limited":
                raise Problem(429, "Placed here by the explorer.", headers={"retry-after": RETRY_AFTER})
            case "unavailable":
                raise Problem(503, "Placed here by the explorer.", headers={"retry-after": RETRY_AFTER})
            case "revoked":
                state.accounts.revoke_all()
            case "expired":
                for credential in list(state.store.all("credential", namespace)):
                    if credential.public["status"] == "active":
                        credentials.expire(state, credential.id)
        return None


def _ends_of_events(content: bytes) -> Iterator[int]:
    """Where the events with data end, without the last `done`."""
    position = 0
    for block in content.split(b"\n\n")[:-1]:
        position += len(block) + 2
        if b"\ndata: " in block:
            yield position


async def _until_it_listens(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with suppress(TimeoutError):
        async with asyncio.timeout(RESTARTED):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(parts.hostname, port)
                    writer.close()
                    return
                await asyncio.sleep(0.01)


Post = Callable[..., Any]
