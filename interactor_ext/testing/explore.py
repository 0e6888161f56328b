"""What `pytest --interactor-explore` decides: places, the faults that fit them, schedules, their order, and the report.

A test runs undisturbed once, and each moment at which something can go wrong is a *place*. A *schedule* has one or two
faults at places; the test runs again for each schedule. Another run recognizes a place by its operation or event, its
namespace, and how many of the same came before. So a fault that changes what follows, or a faster thread, doesn't shift
the other places. Nothing here does I/O.
"""

from __future__ import annotations

import random
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from textwrap import shorten
from typing import Any, NamedTuple

# The kinds of places by their letter, and what each fault does.
KINDS = {"r": "request", "s": "stream", "d": "delivery", "t": "tool call", "p": "process"}
FAULTS = {
    "r": {
        "refused": "the connection is reset before the request has an effect",
        "lost": "the request takes effect, and its response is lost",
        "limited": "429 with Retry-After",
        "unavailable": "503 with Retry-After",
        "slow": "the request takes effect, and its response arrives after the client's timeout",
        "cut": "the request takes effect, and the connection ends in the middle of the response",
        "revoked": "all access tokens are revoked at that moment: 401",
        "expired": "the credential expires at that moment: 409",
    },
    "s": {
        "cut-before": "the stream is cut before its first event",
        "cut-within": "the stream is cut in the middle of an event",
        "cut-after": "the stream is cut after an event",
        "repeated": "the stream is cut after an event, and sends it again when it resumes",
    },
    "d": {
        "twice": "the event is delivered twice",
        "reordered": "the next delivery overtakes it",
        "late": "all that follow overtake it",
        "failed": "the receiver's response counts as a 500, and the event is delivered again",
    },
    "t": {
        "twice": "the tool is called twice",
        "lost": "the tool's response is lost",
    },
    "p": {
        "killed": "the process is killed before its response arrives, and started again",
        "died": "the process is killed once it has acknowledged the event, and started again",
    },
}
# The rows of a table, and the length of the schedules of one cause.
ROWS, WIDTH = 40, 500
_FULL_NAME = re.compile(r"([rsdtp])\.(.+)\.(\d+)(?:@(.+))?")


class Key(NamedTuple):
    """Identifies a place, the same in each run of a test."""

    kind: str
    name: str
    """The operation, or the event's type."""
    namespace: str
    nth: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}.{self.nth}" + (f"@{self.namespace}" if self.namespace else "")


@dataclass
class Place:
    """A place that a run has reached, and what is known about it."""

    key: Key
    size: int = 0
    """The size of the response in bytes."""
    ends: list[int] = field(default_factory=list)
    """Where the events of a stream end, in bytes."""
    following: int = 0
    """For a delivery: how many follow to the same URL."""
    url: str = ""
    is_acknowledged: bool = False
    is_handled: bool = False
    """For a delivery: whether its event was acknowledged, and whether the handlers of a WebhookRouter have returned."""
    fault: str = ""
    """The schedule's fault for it."""

    def steps(self) -> list[Step]:
        """The faults that fit."""
        name = self.key.name
        fitting = {
            "cut": self.size > 1,
            "revoked": name not in ("create_token", "revoke_token"),
            "expired": name == "get_credential_token",
            **dict.fromkeys(("cut-within", "cut-after", "repeated"), bool(self.ends)),
            "reordered": self.following > 0,
            "late": self.following > 1,
            "died": bool(self.url),
        }
        return [Step(self.key, fault) for fault in FAULTS[self.key.kind] if fitting.get(fault, True)]


class Step(NamedTuple):
    """One fault at one place."""

    key: Key
    fault: str


Schedule = tuple[Step, ...]


class Places:
    """The places of the undisturbed run, numbered by kind in the order in which it reached them: `r7`, `d2`."""

    def __init__(self, undisturbed: Run, again: Run) -> None:
        """`again` is a second undisturbed run. Where its order starts to differ, because threads are faster or slower,
        a number would mean another place in the next run, so places have their full names from there on.
        """
        self.undisturbed = undisturbed
        self.met: list[Place] = undisturbed.met
        self.is_steady: bool = Counter(place.key for place in self.met) == Counter(place.key for place in again.met)
        self.numbers: dict[Key, str] = {}
        for kind in FAULTS:
            keys, others = ([place.key for place in run.met if place.key.kind == kind] for run in (undisturbed, again))
            for number, key in enumerate(keys, 1):
                self.numbers[key] = f"{kind}{number}" if keys[:number] == others[:number] else str(key)

    def singles(self) -> list[Schedule]:
        return [(step,) for place in self.met for step in place.steps()]

    def extent(self, step: Step) -> int:
        """After how many bytes to cut a stream (0: before its first event), or how many deliveries overtake this one.

        Known from the undisturbed run: from the same place, or the first one like it.
        """
        alike = [place for place in self.met if place.key[:2] == step.key[:2]]
        place = next((each for each in alike if each.key == step.key), alike[0] if alike else Place(step.key))
        middle = place.ends[(len(place.ends) - 1) // 2] if place.ends else 0
        special = {"reordered": 1, "late": place.following, "cut-before": 0, "cut-within": middle - _LAST_BYTES}
        return special.get(step.fault, middle)

    def text(self, schedule: Schedule) -> str:
        """`r7:lost`; a place that only disturbed runs reach has its full name, as in `r.create_room.2:lost`."""
        return ",".join(f"{self.numbers.get(step.key) or step.key}:{step.fault}" for step in schedule)

    def described(self, place: Place) -> str:
        """Describe a place of any run, as in the timeline."""
        number = self.numbers.get(place.key)
        name = f"{number} {place.key.name}" if number not in (None, str(place.key)) else str(place.key)
        return f"{name} [{place.fault.upper()}]" if place.fault else name

    def parse(self, text: str) -> Schedule:
        """Parse a schedule. Raises ValueError for an unknown place or fault."""
        keys = {name: key for key, number in self.numbers.items() for name in (number, str(key))}
        steps = []
        for each in text.split(","):
            name, _, fault = each.strip().rpartition(":")
            if parts := _FULL_NAME.fullmatch(name):  # perhaps one that only a run with the preceding faults reaches
                kind, operation, nth, namespace = parts.groups("")
                keys.setdefault(name, Key(kind, operation, namespace, int(nth)))
            key = keys.get(name)
            if key is None or fault not in FAULTS[key.kind]:
                meant = get_close_matches(each, map(self.text, self.singles()), 8, 0.0)
                raise ValueError(f"Unknown {each!r}. Did you mean {', '.join(meant)}?")
            steps.append(Step(key, fault))
        return tuple(steps)


# An event doesn't end here: the end of its JSON and an empty line follow.
_LAST_BYTES = 10


def in_order(schedules: Iterable[Schedule], seed: int) -> list[Schedule]:
    """Return the same schedules, the most different ones first: each operation with each fault once, then again."""
    shuffled = sorted(schedules)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  # must be the same in each run
    return sorted(shuffled, key=lambda schedule: sum(step.key.nth for step in schedule))


@dataclass
class Run:
    """How one run ended. `failure` says in one line why it failed, "" if it didn't; `details` is everything that is
    known."""

    schedule: Schedule = ()
    met: list[Place] = field(default_factory=list)
    failure: str = ""
    details: str = ""
    created: Counter[str] = field(default_factory=Counter)
    """The platform's records at the end, by their content."""
    noises: list[str] = field(default_factory=list)
    """Uncaught exceptions in threads and tasks."""
    reports: list[Any] = field(default_factory=list)
    """pytest's reports of an undisturbed run, as it serializes them."""

    @property
    def is_met(self) -> bool:
        """Whether each fault happened; an earlier one may have kept the run from getting there."""
        return sum(bool(place.fault) for place in self.met) >= len(self.schedule)


def pairs(singles: Iterable[Run]) -> list[Schedule]:
    """Return pairs of faults that the test survives one at a time; the second comes later in the run that the first
    disturbed.

    So a failing pair is minimal: neither half of it fails.
    """
    failing = {outcome.schedule[0] for outcome in singles if outcome.failure}
    found: list[Schedule] = []
    for outcome in (each for each in singles if not each.failure and each.is_met):
        disturbed = next(number for number, place in enumerate(outcome.met) if place.fault)
        steps = [step for place in outcome.met[disturbed + 1 :] for step in place.steps()]
        found += [(*outcome.schedule, step) for step in steps if step not in failing]
    return found


def report(test: str, places: Places, outcomes: Sequence[Run], untried: int, budget: float) -> str:
    """Return the report of a test that doesn't survive."""
    order = {step: number for number, (step,) in enumerate(places.singles())}
    failed = sorted(
        (each for each in outcomes if each.failure),
        key=lambda each: (len(each.schedule), [(order.get(step, len(order)), step) for step in each.schedule]),
    )
    unmet = sum(not outcome.failure and not outcome.is_met for outcome in outcomes)
    lines = [f"It fails under {len(failed)} of {len(outcomes)} schedules.", ""]
    if not places.is_steady:
        lines += ["Two undisturbed runs made different requests, so a schedule may not repeat what it has found.", ""]
    for kind in FAULTS:
        lines += _table(kind, places, outcomes)
    if unmet:
        lines += [f"?: {unmet} runs never reached the place of the fault.", ""]
    causes: dict[str, list[str]] = defaultdict(list)
    for outcome in failed:
        causes[outcome.failure].append(places.text(outcome.schedule))
    for failure, schedules in causes.items():
        lines += [shorten(", ".join(schedules), WIDTH, placeholder=" ..."), f"  {failure}"]
    smallest = failed[0]
    lines += ["", f"The smallest failing schedule is {places.text(smallest.schedule)}:"]
    for step in smallest.schedule:
        lines += [f"  {places.text((step,))}  {step.key}: {FAULTS[step.key.kind][step.fault]}"]
    if smallest.met:
        shown = (places.described(place) for place in smallest.met if place.key.kind != "p" or place.fault)
        lines.append(f"  {' -> '.join(shown)}")
    if smallest.details:
        lines += ["", smallest.details.rstrip()]
    lines.append("")
    if untried:
        lines += [f"{untried} schedules not tried: the budget of {budget:g} s is used up.", ""]
    again = shlex.quote(f"--interactor-schedule={places.text(smallest.schedule)}")
    lines += ["Repeat it with:", f"  pytest {shlex.quote(test)} {again}"]
    return "\n".join(lines)


def _table(kind: str, places: Places, outcomes: Iterable[Run]) -> list[str]:
    """The single faults at one kind of places: `.` survived, `FAIL`, `?` never reached; empty doesn't fit."""
    cells: dict[Key, dict[str, str]] = defaultdict(dict)
    for outcome in outcomes:
        (step, *more) = outcome.schedule
        if step.key.kind == kind and not more:
            cells[step.key][step.fault] = "FAIL" if outcome.failure else "." if outcome.is_met else "?"
    faults = [fault for fault in FAULTS[kind] if any(fault in row for row in cells.values())]
    keys = [place.key for place in places.met if place.key in cells]
    shown = keys if len(keys) <= ROWS else [key for key in keys if "FAIL" in cells[key].values()]
    if not faults or not shown:
        return []
    rows = [[KINDS[kind], "", *faults]]
    for key in shown:
        whose = f" ({key.namespace})" if key.namespace else ""
        rows.append([places.numbers[key], f"{key.name}{whose}", *(cells[key].get(each, "") for each in faults)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, *([f"and {len(keys) - len(shown)} more that survive all of them"] * (shown != keys)), ""]
