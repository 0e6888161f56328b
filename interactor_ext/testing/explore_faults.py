"""Injects a schedule's faults into a sandbox, and notes the places that a run reaches.

The sandbox calls this at each request, delivery and tool call. A delivery that others overtake counts as failed for the
outbox, which retries it. Processes that the test starts with `subprocess.Popen` are tracked, killed and started again;
the test's own object is the new process then.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from interactor_ext.sandbox.delivery.deliveries import WAITS
from interactor_ext.sandbox.delivery.posting import Outcome as Answer
from interactor_ext.sandbox.platform.placed import PlacedFaults
from interactor_ext.sandbox.platform.state import cause
from interactor_ext.sandbox.work import run_in_own_thread
from interactor_ext.testing.explore import Key, Place, Places, Schedule, Step

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.sandbox.platform.contract import ContractOperation

# A delivery is held back for at most this many seconds of the sandbox's clock, until others have overtaken it.
HELD = 2.0
OVERTAKEN = ("reordered", "late")
# Namespaces that a test draws at random count as the same one.
DRAWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}")
# Fields that tell records with the same content apart, and records that the API doesn't show or lets expire.
VOLATILE = ("id", "_ids", "_at", "tools", "data_sources")
HIDDEN = {"client", "delivery", "flow", "response", "reply"}
# An event of a stream that has data.
EVENT = re.compile(rb"^data: .*\n\n", re.MULTILINE)


class Placement:
    """One run: its schedule, and the places that it reaches. `places` belongs to the undisturbed run."""

    def __init__(self, schedule: Schedule, places: Places) -> None:
        self.met: list[Place] = []
        self.sandbox: Sandbox | None = None
        self.slow: Counter[str] = Counter()
        """Operations whose next error, on the client's side, is its timeout."""
        self.sent: Counter[str] = Counter()
        """This process's requests in progress, by operation; others come from another process."""
        self.processes: Processes = Processes()
        self.created: Counter[str] = Counter()
        """The platform's records at the end, by their content."""
        self._places = places
        self._faults: dict[Key, str] = dict(schedule)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._requests: dict[str, Place] = {}
        self.posted: dict[tuple[str, str], Place] = {}
        """Deliveries and tool calls, by event and URL."""
        self._delivered: Counter[str] = Counter()
        self._held: dict[str, int] = {}
        """How many deliveries to a URL are still to overtake the held ones."""
        self._posting = 0
        self._is_over = False

    def attach(self, sandbox: Sandbox) -> None:
        """Watch this sandbox from now on."""
        self.sandbox, self._state = sandbox, sandbox._state
        sandbox.faults = self._state.faults = PlacedFaults(self._state, self._meet_request)
        self._post, self._state.outbox.post_to = self._state.outbox.post_to, self._deliver
        faults = set(self._faults.values())
        if not faults.isdisjoint(("failed", "killed")):
            sandbox.delivery.time_scale = 0.0  # redelivered at once, so no test has to advance the clock
        elif not faults.isdisjoint(OVERTAKEN):
            sandbox.delivery.time_scale = HELD / WAITS[0]

    def end(self) -> None:
        """Record the final state. What happens from now on, as the fixtures end, isn't a place."""
        self._is_over = True
        if self.sandbox is None:
            return
        for request in self._state.requests:
            answer, place = request.response, self._requests.get(request.request_id)
            if answer and place:
                place.size = answer.size
                if place.key.kind == "s":
                    place.ends = [event.end() for event in EVENT.finditer(answer.content)][:-1]
        later: Counter[str] = Counter()
        for place in reversed(self.met):
            place.following = later[place.url]
            later[place.url] += place.key.kind == "d"
        for kind, _, namespace, _, public, _ in self.sandbox.snapshot()["records"]:
            kept = {name: value for name, value in json.loads(public).items() if not name.endswith(VOLATILE)}
            if kind not in HIDDEN:
                content = f"{kind} {json.dumps(kept, sort_keys=True)} of namespace {DRAWN.sub('X', namespace)!r}"
                self.created[content] += 1

    def unhandled(self) -> Key | None:
        """Return an event that was acknowledged and isn't handled, although the undisturbed run handled it."""
        handled = {place.key for place in self._places.undisturbed.met if place.is_handled}
        lost = (place.key for place in self.met if place.is_acknowledged and not place.is_handled)
        return next((key for key in lost if key in handled), None)

    @property
    def is_busy(self) -> bool:
        """Whether the sandbox is working, and waiting for it makes sense."""
        return self._posting > 0 or (self.sandbox is not None and len(self._requests) > len(self.sandbox.requests))

    def _meet_request(self, operation: ContractOperation, namespace: str) -> tuple[str, int]:
        place = self._meet("s" if operation.stream else "r", operation.id, namespace)
        self._requests[cause.get()] = place
        fault = place.fault
        if self.sent[operation.id] > 0:
            self.sent[operation.id] -= 1
        elif self.processes.are_alive:
            fault = self._meet("p", operation.id, namespace).fault or fault
        if fault == "killed":
            self.processes.restart()
        self.slow[operation.id] += fault == "slow"
        return fault, self._places.extent(Step(place.key, fault)) if fault else 0

    async def _deliver(self, url: str, body: bytes, *args: Any, **kwargs: Any) -> Answer:
        """Post a delivery or a tool call, with its fault."""

        async def send() -> Answer:
            while True:
                answer = await self._post(url, body, *args, **kwargs)
                is_refused = f"{answer.error}".startswith("ConnectError")
                if not (is_refused and self.processes.were_restarted and self.processes.are_alive):
                    return answer
                await asyncio.sleep(0.01)  # until it is listening again

        event, fault = json.loads(body), ""
        place = self.posted.get((event["id"], url))
        if place is None:
            webhooks = self._state.store.everything("webhook")
            kind = "d" if url in (each.public["url"] for each in webhooks) else "t"
            described = (event["event"], event["namespace"])
            place = self.posted[event["id"], url] = self._meet(kind, *described)
            place.url, fault = url, place.fault
            if kind == "d" and self.processes.are_alive:
                crash = self._meet("p", *described)
                crash.url, fault = url, fault or crash.fault
        if fault in OVERTAKEN:
            self._held[url] = self._delivered[url] + self._places.extent(Step(place.key, fault))
            return Answer(error="the explorer holds it back")
        self._posting += 1
        try:
            answer = await send()
            if fault == "twice" and answer.is_success:
                answer = await send()
            if fault in ("killed", "died"):
                await run_in_own_thread(self.processes.restart)
            if fault in ("lost", "killed", "failed"):
                answer = Answer(500 if fault == "failed" else None, "the explorer dropped the response")
            place.is_acknowledged |= answer.is_success
            return answer
        finally:
            self._posting -= 1
            self._delivered[url] += 1
            if self._delivered[url] >= self._held.get(url, sys.maxsize):
                self.release()

    def release(self) -> None:
        """Let what is held back go: it was overtaken, or the test is over."""
        if self._held:
            self._held.clear()
            self._state.clock.advance(HELD)

    def _meet(self, kind: str, name: str, namespace: str) -> Place:
        namespace = DRAWN.sub("X", namespace)
        self._counts[kind, name, namespace] += 1
        place = Place(Key(kind, name, namespace, self._counts[kind, name, namespace]))
        if not self._is_over:
            self.met.append(place)
            place.fault = self._faults.get(place.key, "")
            shown = {"time": self._state.clock.stamp(), "place": self._places.described(place), "fault": place.fault}
            self._state.schedule.append(shown)
        return place


class Processes:
    """The processes that the test has started since `watch`."""

    def __init__(self) -> None:
        self.were_restarted: bool = False
        self._start = subprocess.Popen.__init__
        self._known: list[tuple[subprocess.Popen[Any], tuple[Any, ...], dict[str, Any]]] = []

    def watch(self) -> None:
        def starting(popen: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
            self._start(popen, *args, **kwargs)
            # A process whose end is awaited isn't a service that would be restarted.
            if sys._getframe(1).f_code is not subprocess.run.__code__:
                self._known.append((popen, args, kwargs))

        subprocess.Popen.__init__ = starting  # type: ignore[method-assign, assignment]

    @property
    def are_alive(self) -> bool:
        return any(popen.poll() is None for popen, _, _ in self._known)

    def restart(self) -> None:
        """Kill those that are alive, and start them again as the same objects."""
        self.were_restarted = True
        for popen, args, kwargs in list(self._known):
            if popen.poll() is None:
                popen.kill()
                popen.wait()
                self._start(popen, *args, **kwargs)
