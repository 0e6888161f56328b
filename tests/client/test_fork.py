"""The fork hooks, called in this process: coverage is not measured in the forked children of other tests."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import weakref

import pytest

from interactor_ext._engine import fork
from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker, Permit
from interactor_ext._engine.limits.fair_queue import FairQueue, Place
from interactor_ext._engine.network.per_loop import PerLoop
from interactor_ext._engine.waiting import ThreadWaiter
from tests.support.waiting import collect_garbage


def test_inherited_sockets_are_released_and_their_descriptors_stay_taken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = ours.fileno()
        fork.release_inherited([number, -1])
        assert theirs.recv(1) == b""
        assert os.fstat(number).st_rdev == os.stat(os.devnull).st_rdev
        assert not os.get_inheritable(number)
        ours.detach()
        os.close(number)


def test_release_of_no_sockets_opens_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    fork.release_inherited([])
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_fork_hooks_run_while_their_object_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork, "_hooks", weakref.WeakValueDictionary())
    ran: list[str] = []

    class Holder:
        def renew(self) -> None:
            ran.append("renewed")

    holder = Holder()
    fork.after_fork_in_child(holder.renew)
    fork._run_hooks()
    assert ran == ["renewed"]
    del holder
    collect_garbage()
    assert len(fork._hooks) == 0


def test_lock_is_free_in_a_child_and_forgotten_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork, "_locks", weakref.WeakSet())
    lock = fork.fork_safe_lock()
    holder = threading.Thread(target=lock.acquire)
    holder.start()
    holder.join()
    assert not lock.acquire(blocking=False)
    fork._run_hooks()
    assert lock.acquire(blocking=False)
    lock.release()
    del lock
    collect_garbage()
    assert len(fork._locks) == 0


async def test_child_does_not_touch_connections_of_the_parents_event_loops() -> None:
    closed: list[object] = []
    inherited: list[object] = []

    async def close(value: object) -> None:
        closed.append(value)

    per_loop = PerLoop(object, close, after_fork=inherited.append)
    first = per_loop.get()
    per_loop._forget_parent()
    assert inherited == [first]
    second = per_loop.get()
    assert second is not first
    await per_loop.aclose()
    await asyncio.sleep(0)
    assert set(closed) == {second}


async def test_child_inherits_no_open_circuit_no_queue_and_no_used_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork, "_hooks", weakref.WeakValueDictionary())
    breaker = CircuitBreaker(failures=1, cool_down=60)
    permit = breaker.enter("host")
    assert isinstance(permit, Permit)
    permit.end(failed=True)
    queue = FairQueue()
    place = Place("key", ThreadWaiter())
    assert queue.has_turn(place)
    fork._run_hooks()
    assert isinstance(breaker.enter("host"), Permit)
    assert not queue.is_busy("key")
    queue.leave(place)
