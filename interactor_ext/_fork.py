"""Fork safety: locks that are free in a child, state that is reset there, sockets that are released there."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

# Not WeakMethod: one that dies with the interpreter, as those of global objects do, writes a traceback to stderr. The
# keys have ids, so that equal owners are several.
_hooks: weakref.WeakValueDictionary[tuple[int, Callable[[Any], None]], object] = weakref.WeakValueDictionary()
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
# The process whose state it is.
_process = os.getpid()
_noticing = threading.RLock()


def fork_safe_lock() -> threading.RLock:
    """A lock that is free in a forked child, whichever thread of the parent held it.

    Reentrant, for a signal handler and the garbage collector may run anybody's code in the few lines that hold it. And
    a plain one of C: an exception that a signal handler raises within an `__enter__` in Python would leave it taken.
    """
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def after_fork_in_child(method: Callable[[], None]) -> None:
    """Call this bound method in every child forked from now on, for as long as its object lives."""
    bound = cast("MethodType", method)
    _hooks[id(bound.__self__), bound.__func__] = bound.__self__


def notice_fork() -> None:
    """Do in this process what its server kept from Python when it forked: uWSGI runs no hooks of Python.

    To be called before a thread, a connection or a file of the process is used.
    """
    if os.getpid() != _process:
        with _noticing:
            if os.getpid() != _process:
                _run_hooks()


def release_inherited(sockets: list[int]) -> None:
    """Release the parent's connections in a child, without closing them for their peers.

    Closing the descriptors would do as much, but their owners (asyncio transports of a loop that does not run here)
    would close the same numbers again later, when they may belong to another file. So the numbers stay taken.
    """
    if not sockets:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in sockets:
        if descriptor >= 0:
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def _run_hooks() -> None:
    global _process
    for lock in list(_locks):
        lock._at_fork_reinit()
    for (_, method), owner in list(_hooks.items()):
        method(owner)
    _process = os.getpid()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_run_hooks)
