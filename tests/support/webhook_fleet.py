"""Receiver processes that a test feeds with deliveries and kills inside a handler.

Every handler run starts with a report to the parent, and continues when the parent says so, or is killed there. So each
kill hits a handler, and runs, interruptions and completions are counted rather than guessed.
"""

from __future__ import annotations

import heapq
import itertools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from interactor_ext import WebhookStoreError
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier, WebhookWorker, sign
from tests.support.webhook_deliveries import SECRET

NAME = "shop"
RETRY_DELAY = 0.25
PATIENCE = 500.0


class Reporting:
    """A store or queue that tells the parent which completions were the first."""

    def __init__(self, inner: Any, parent: Connection) -> None:
        self._inner, self._parent = inner, parent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def complete(self, key: str, token: str) -> bool:
        first: bool = self._inner.complete(key, token)
        if first:
            self._parent.send(("completed", key.removeprefix(f"{NAME}:")))
        return first


def receive(parent: Connection, open_store: Callable[[], Any], lease: float) -> None:
    """The life of one process: deliveries one at a time, as under a WSGI server."""
    router = WebhookRouter(WebhookVerifier(SECRET), Reporting(open_store(), parent), name=NAME, lease=lease)
    _register(router, parent)
    while (job := parent.recv()) is not None:
        parent.send(("answered", router.handle(*job).status))


def work(parent: Connection, open_queue: Callable[[], Any], lease: float) -> None:
    """The life of a queue's worker process: every job is to empty it. 503 means that nothing more is due, or that the
    queue can't be reached.
    """
    router = WebhookRouter(WebhookVerifier(SECRET), name=NAME, queue=Reporting(open_queue(), parent))
    _register(router, parent)
    worker = WebhookWorker(router, lease=lease)
    while parent.recv() is not None:
        with suppress(WebhookStoreError):
            while worker.run_once():
                pass
        parent.send(("answered", 503))


def _register(router: WebhookRouter, parent: Connection) -> None:
    @router.on("*")
    def handler(event: Any) -> None:
        parent.send(("started", event.idempotency_key))
        assert parent.recv() == "go on"


class Fleet:
    """Processes that each live a `life`, a function of the pipe to the test, `argument` and `lease`."""

    def __init__(
        self, life: Callable[..., None], argument: Any, *, size: int, lease: float, victims: Iterable[str]
    ) -> None:
        self.runs, self.kills, self.completions = Counter[str](), Counter[str](), Counter[str]()
        self.answers = Counter[int]()
        self._life, self._arguments = life, (argument, lease)
        # A victim's first handler run is killed.
        self._victims = set(victims)
        # A fork server has imported what a process needs, so starting another takes no time.
        self._context: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
        if sys.platform != "win32":
            self._context.set_forkserver_preload(["tests.support.webhook_effects", "django.db", "sqlalchemy.orm"])
        self._processes: dict[Connection, Any] = {}
        self._jobs: dict[Connection, Any] = {}
        self._idle: list[Connection] = []
        for _ in range(size):
            self._start()

    def run(self, jobs: Iterable[Any], done: Callable[[], bool]) -> None:
        """Hand out the jobs in order, each again until it gets 200, until `done` says so."""
        order = itertools.count()
        waiting = [(0.0, next(order), job) for job in jobs]
        heapq.heapify(waiting)
        deadline = time.monotonic() + PATIENCE
        while not done() or self._jobs:
            now = time.monotonic()
            assert now < deadline, f"not done: {len(waiting)} jobs wait, statuses {self.answers}"
            while waiting and self._idle and waiting[0][0] <= now:
                self._give(self._idle.pop(), heapq.heappop(waiting)[2])
            for ready in wait(list(self._jobs), timeout=0.05):
                assert isinstance(ready, Connection)
                again = self._listen(ready)
                if again is not None:
                    heapq.heappush(waiting, (time.monotonic() + RETRY_DELAY, next(order), again))

    def close(self) -> None:
        for connection, process in self._processes.items():
            connection.send(None)
            process.join(60)
            assert process.exitcode == 0
            connection.close()

    def _start(self) -> None:
        connection, child = self._context.Pipe()
        process = self._context.Process(target=self._life, args=(child, *self._arguments), daemon=True)
        process.start()
        child.close()
        self._processes[connection] = process
        self._idle.append(connection)

    def _give(self, connection: Connection, job: Any) -> None:
        self._jobs[connection] = job
        # The platform signs each attempt separately.
        connection.send((job, sign(job, SECRET)) if isinstance(job, bytes) else job)

    def _listen(self, connection: Connection) -> Any:
        """Take one report; the job, if it must be repeated."""
        what, value = connection.recv()
        if what == "completed":
            self.completions[value] += 1
        elif what == "started":
            self.runs[value] += 1
            if value in self._victims:
                self._victims.remove(value)
                self.kills[value] += 1
                return self._kill(connection)
            connection.send("go on")
        else:
            self.answers[value] += 1
            job = self._jobs.pop(connection)
            self._idle.append(connection)
            if value != 200:
                return job
        return None

    def _kill(self, connection: Connection) -> Any:
        process = self._processes.pop(connection)
        process.kill()
        process.join()
        connection.close()
        self._start()
        return self._jobs.pop(connection)
