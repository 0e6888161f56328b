"""A process that runs one tool call step by step. A test can kill it at any of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import interactor_ext.tools._ledger as _ledger
from interactor_ext import InteractorClient, ToolContext, ToolSet

STEPS = ["claim", "claimed", "begin", "begun", "act", "acted", "submitted", "done"]
"""The steps of a call. Before `act` there is no effect; `submitted` comes after the platform has the result."""


class _Stepping:
    """A ledger that pauses before and after each step until the parent continues it."""

    def __init__(self, inner: Any, step: Callable[..., None]) -> None:
        self._inner, self._step = inner, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def claim(self, key: str, token: str, lease: float) -> Any:
        self._step("claim", key, token)
        state = self._inner.claim(key, token, lease)
        self._step("claimed")
        return state

    def complete(self, key: str, token: str) -> Any:
        before, after = ("begin", "begun") if key.endswith(":begun") else ("submitted", "done")
        self._step(before)
        is_first = self._inner.complete(key, token)
        self._step(after)
        return is_first


def _run(
    parent: Connection,
    settings: dict[str, Any],
    open_ledger: Callable[[], Any],
    effects: Path,
    call: Any,
    room: str,
    claim_of_the_dead: tuple[str, ...] = (),
) -> None:
    _ledger._POLL_PAUSE = 0.02

    def step(name: str, *claim: str) -> None:
        parent.send((name, claim))
        parent.recv()

    ledger = open_ledger()
    if claim_of_the_dead:
        # As the end of its lease would. A short lease could end before the process is killed.
        ledger.release(*claim_of_the_dead)
    tools = ToolSet(ledger=_Stepping(ledger, step))

    def charge(context: ToolContext) -> str:
        """Charges the customer."""
        step("act")
        with effects.open("a") as file:
            file.write(f"{context.idempotency_key}\n")
        step("acted")
        return "charged"

    tools.tool(charge)
    tools.tool(name="charge_again", idempotent=True)(charge)
    with InteractorClient(**settings) as client:
        tools.run(client, call, room_id=room)
    parent.send([each.id for each in tools.unknown()])


class Runner:
    """A process that runs a call."""

    def __init__(self, *arguments: Any) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_run, args=(theirs, *arguments))
        self._process.start()
        theirs.close()

    def kill_at(self, step: str) -> tuple[str, ...]:
        """Returns its claim."""
        claim: tuple[str, ...] = ()
        while (said := self._connection.recv())[0] != step:
            claim = said[1] or claim
            self._connection.send("go")
        assert self._process.pid is not None
        os.kill(self._process.pid, 9)
        self._end()
        return claim

    def finish(self) -> list[str]:
        """Let it run to its end, and return the ids of the calls whose outcome it doesn't know."""
        while isinstance(said := self._connection.recv(), tuple):
            self._connection.send("go")
        self._end()
        unknown: list[str] = said
        return unknown

    def _end(self) -> None:
        self._process.join()
        self._process.close()
        self._connection.close()
