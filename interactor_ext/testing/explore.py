"""What `pytest --interactor-explore` decides: places, the faults that fit them, schedules, their order, and the report.

A test is run once undisturbed, and each moment at which something can go wrong is a *place*. A *schedule* is one fault,
or two, at places; the test is run again for each. A place is found again in another run by what it is: the operation or
event, the namespace, and how many of that came before. A fault that changes what follows, or a thread that is faster,
does not shift the others. Nothing here does I/O.
"""

from __future__ import annotations

import random
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple

# The kinds of places by their letter, and for each fault what happens.
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
        "repeated": "the stream is cut after an event, which is sent again when it resumes",
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
# Rows of a table, and schedules of a cause, that are shown.
ROWS, SHOWN = 40, 8
_FULL_NAME = re.compile(rf"([{''.join(FAULTS)}])\.(.+)\.(\d+)(?:@(.+))?")


class Key(NamedTuple):
    """What a place is: the same in each run of a test."""

    kind: str
    name: str
    """The operation, or the type of the event."""
    namespace: str
    nth: int

    @property
    def described(self) -> str:
        return f"{self.name} ({self.namespace})" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}.{self.nth}" + (f"@{self.namespace}" if self.namespace else "")


@dataclass
class Place:
    """A place that a run has met, and what is known of it there."""

    key: Key
    size: int = 0
    """Bytes of the answer."""
    ends: list[int] = field(default_factory=list)
    """Where the events of a stream end, in bytes."""
    url: str = ""
    is_acknowledged: bool = False
    is_handled: bool = False
    """Of a delivery: whether its event was acknowledged, and whether handlers of a WebhookRouter have returned."""
    fault: str = ""
    """What the schedule had for it."""

    def faults(self, following: int) -> Iterator[str]:
        """The faults that fit; `following` deliveries to the same URL come later."""
        name = self.key.name
        fitting = {
            "cut": self.size > 1,
            "revoked": name not in ("create_token", "revoke_token"),
            "expired": name == "get_credential_token",
            "cut-within": bool(self.ends),
            "cut-after": bool(self.ends),
            "repeated": bool(self.ends),
            "reordered": following > 0,
            "late": following > 1,
            "died": bool(self.url),
        }
        return (fault for fault in FAULTS[self.key.kind] if fitting.get(fault, True))


class Step(NamedTuple):
    """One fault at one place. `at` says where in a stream, or how many deliveries overtake it."""

    key: Key
    fault: str
    at: int = 0


Schedule = tuple[Step, ...]


class Places:
    """The places of the undisturbed run, numbered by kind in the order in which it met them: `r7`, `d2`."""

    def __init__(self, met: Sequence[Place], again: Sequence[Place]) -> None:
        """`again` are those of a second undisturbed run. Where their order differs, as threads are faster or slower, a
        number would be another place in the next run: places have their full names then.
        """
        self.met = met
        keys, others = [place.key for place in met], [place.key for place in again]
        self.is_steady: bool = sorted(keys) == sorted(others)
        counts: Counter[str] = Counter()
        self.numbers: dict[Key, str] = {}
        for key in keys:
            counts[key.kind] += 1
            self.numbers[key] = f"{key.kind}{counts[key.kind]}" if keys == others else str(key)

    def steps_of(self, place: Place) -> list[Step]:
        keys = [each.key for each in self.met]
        index = keys.index(place.key) if place.key in keys else len(keys)
        later = [each for each in self.met[index + 1 :] if (each.key.kind, each.url) == ("d", place.url)]
        return [Step(place.key, fault, _at(place, fault, len(later))) for fault in place.faults(len(later))]

    def singles(self) -> list[Schedule]:
        return [(step,) for place in self.met for step in self.steps_of(place)]

    def named(self, step: Step) -> str:
        """`r7:lost`; a place that only disturbed runs meet is named in full, as `r.create_room.2:lost`."""
        return f"{self.numbers.get(step.key) or step.key}:{step.fault}"

    def text(self, schedule: Schedule) -> str:
        return ",".join(map(self.named, schedule))

    def parse(self, text: str) -> Schedule:
        """The schedule of a text. Raises ValueError for one that has an unknown place or fault."""
        return tuple(self._step(each.strip()) for each in text.split(","))

    def _step(self, text: str) -> Step:
        name, _, fault = text.rpartition(":")
        for place in self.met:
            if name in (self.numbers[place.key], str(place.key)):
                steps = {step.fault: step for step in self.steps_of(place)}
                if fault in steps:
                    return steps[fault]
                raise ValueError(f"{name} has no fault {fault!r}, only {', '.join(steps) or 'none'}.")
        # One that only a run with the faults before it meets.
        if known := _FULL_NAME.fullmatch(name):
            kind, operation, nth, namespace = known.groups("")
            if fault in FAULTS[kind]:
                return Step(Key(kind, operation, namespace, int(nth)), fault)
        there = ", ".join(self.numbers.values())
        raise ValueError(f"There is no place {name!r}. The undisturbed run has {there or 'none'}.")


def _at(place: Place, fault: str, following: int) -> int:
    middle = (len(place.ends) + 1) // 2
    if fault == "cut-within":
        begin = place.ends[middle - 2] if middle > 1 else place.ends[0] - _LAST_BYTES
        return (begin + place.ends[middle - 1]) // 2
    if fault in ("cut-after", "repeated"):
        return middle
    return {"reordered": 1, "late": following}.get(fault, 0)


# An event has more: `id`, `data`, and the braces of JSON.
_LAST_BYTES = 20


def in_order(schedules: Iterable[Schedule], seed: int) -> list[Schedule]:
    """The same schedules, the most different first: each operation with each fault once, then again."""
    groups: dict[tuple[tuple[str, str], ...], list[Schedule]] = defaultdict(list)
    for schedule in schedules:
        groups[tuple((step.key.name, step.fault) for step in schedule)].append(schedule)
    chance = random.Random(seed)  # noqa: S311  # has to be the same in each run
    names = sorted(groups)
    chance.shuffle(names)
    for name in names:
        chance.shuffle(groups[name])
    rounds = zip_longest(*(groups[name] for name in names))
    return [schedule for each in rounds for schedule in each if schedule is not None]


@dataclass
class Run:
    """How one run ended: `failure` is why it failed, in one line, "" if it did not, and `details` all that is known."""

    schedule: Schedule = ()
    met: list[Place] = field(default_factory=list)
    failure: str = ""
    details: str = ""
    created: Counter[str] = field(default_factory=Counter)
    """The records of the platform at the end, by their content."""
    noises: list[str] = field(default_factory=list)
    """Exceptions that nobody has caught, in threads and tasks."""
    reports: list[Any] = field(default_factory=list)
    """Those of pytest, as it serializes them, of an undisturbed run."""

    @property
    def is_met(self) -> bool:
        """Whether each fault happened: what came before may have kept the run from getting there."""
        return sum(bool(place.fault) for place in self.met) >= len(self.schedule)


def pairs(places: Places, singles: Iterable[Run]) -> list[Schedule]:
    """Two faults, each of which the test survives by itself; the second later in the run that the first has disturbed.

    So a failing pair is a smallest schedule: neither half of it fails.
    """
    failing = {outcome.schedule[0] for outcome in singles if outcome.failure}
    found: list[Schedule] = []
    for outcome in (each for each in singles if not each.failure and each.is_met):
        disturbed = next(number for number, place in enumerate(outcome.met) if place.fault)
        steps = [step for place in outcome.met[disturbed + 1 :] for step in places.steps_of(place)]
        found += [(*outcome.schedule, step) for step in steps if step not in failing]
    return found


def line_of_time(places: Places, outcome: Run) -> str:
    """The places of a run in the order in which it met them, with its faults."""
    parts = []
    for place in outcome.met:
        if place.key.kind == "p" and not place.fault:
            continue
        number = places.numbers.get(place.key)
        name = f"{number} {place.key.name}" if number not in (None, str(place.key)) else str(place.key)
        parts.append(f"{name} [{place.fault.upper()}]" if place.fault else name)
    return " -> ".join(parts)


def report(test: str, places: Places, outcomes: Sequence[Run], untried: int, budget: float) -> str:
    """The report of a test that does not survive."""
    failed = smallest_first(places, outcomes)
    unmet = sum(not outcome.failure and not outcome.is_met for outcome in outcomes)
    lines = [f"It fails under {len(failed)} of {len(outcomes)} schedules.", ""]
    if not places.is_steady:
        lines += ["Two undisturbed runs made different requests, so a schedule may not repeat what it has found.", ""]
    for kind in FAULTS:
        lines += _table(kind, places, outcomes)
    if unmet:
        lines += [f"?: {unmet} runs never reached the place of the fault.", ""]
    lines += _causes(places, failed)
    smallest = failed[0]
    lines += ["", f"The smallest failing schedule is {places.text(smallest.schedule)}:"]
    lines += [f"  {places.named(step)}  {step.key}: {FAULTS[step.key.kind][step.fault]}" for step in smallest.schedule]
    if smallest.met:
        lines.append(f"  {line_of_time(places, smallest)}")
    if smallest.details:
        lines += ["", smallest.details.rstrip()]
    lines.append("")
    if untried:
        lines += [f"{untried} schedules not tried: the budget of {budget:g} s is used up.", ""]
    again = shlex.quote(f"--interactor-schedule={places.text(smallest.schedule)}")
    lines += ["Repeat it with:", f"  pytest {shlex.quote(test)} {again}"]
    return "\n".join(lines)


def smallest_first(places: Places, outcomes: Iterable[Run]) -> list[Run]:
    """The failed runs, in the order of their places and of faults."""
    keys, order = list(places.numbers), [fault for faults in FAULTS.values() for fault in faults]

    def rank(outcome: Run) -> tuple[int, list[tuple[int, Key, int]]]:
        steps = outcome.schedule
        known = [keys.index(step.key) if step.key in places.numbers else len(keys) for step in steps]
        return len(steps), [(rank, each.key, order.index(each.fault)) for rank, each in zip(known, steps, strict=True)]

    return sorted((outcome for outcome in outcomes if outcome.failure), key=rank)


def _table(kind: str, places: Places, outcomes: Iterable[Run]) -> list[str]:
    """The singles of one kind of places: `.` survived, `FAIL`, `?` never reached; empty doesn't fit."""
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
    rows += [[places.numbers[key], key.described, *(cells[key].get(each, "") for each in faults)] for key in shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, *([f"and {len(keys) - len(shown)} more that survive all of them"] * (shown != keys)), ""]


def _causes(places: Places, failed: Sequence[Run]) -> list[str]:
    """The failures by what they say."""
    causes: dict[str, list[str]] = defaultdict(list)
    for outcome in failed:
        causes[outcome.failure].append(places.text(outcome.schedule))
    lines = []
    for failure, schedules in causes.items():
        more = f" and {len(schedules) - SHOWN} more" if len(schedules) > SHOWN else ""
        lines += [", ".join(schedules[:SHOWN]) + more, f"  {failure}"]
    return lines
