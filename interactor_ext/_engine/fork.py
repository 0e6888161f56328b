"""Locks that are safe to fork, and what a forked child resets or releases."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

# Not WeakMethod: when a global object dies with the interpreter, its WeakMethods write a traceback to stderr. The ids
# in the keys keep equal owners apart.
_hooks: weakref.WeakValueDictionary[tuple[int, Callable[[Any], None]], object] = weakref.WeakValueDictionary()
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
# The process that this state belongs to.
_process = os.getpid()


class _LockOf314(_thread.RLock):  # type: ignore[misc]
    """A lock that `with` always releases in Python 3.14, too.

    That version handles signals after calling an `__enter__` written in C, before the block starts, so a handler's
    exception skips the `__exit__` (github.com/python/cpython/issues/148874, fixed in 3.15). It handles none after
    reading a property or when a Python function returns. So `__enter__` must call nothing.
    """

    _taken = property(_thread.RLock.acquire)

    def __enter__(self) -> bool:  # type: ignore[override]
        taken: bool = self._taken
        return taken


_TYPE_OF_314 = _thread.RLock if sys.version_info[:2] == (3, 14) else None


def safe_lock() -> threading.RLock:
    """Make a lock that is free after `with`, whenever a signal handler raises.

    That doesn't hold for `acquire`, nor for locks written in Python, such as threading.Condition. It is reentrant,
    because a signal handler or the garbage collector may run any code within the few lines that hold it.
    """
    lock = threading.RLock()
    return _LockOf314() if type(lock) is _TYPE_OF_314 else lock  # gevent has its own type


_noticing = safe_lock()


def fork_safe_lock() -> threading.RLock:
    """Make a `safe_lock` that is free in a forked child, whichever thread of the parent held it."""
    lock = safe_lock()
    _locks.add(lock)
    return lock


def after_fork_in_child(method: Callable[[], None]) -> None:
    """Call this bound method in every child forked from now on, for as long as its object lives."""
    bound = cast("MethodType", method)
    _hooks[id(bound.__self__), bound.__func__] = bound.__self__


def notice_fork() -> None:
    """Reset this process if its server forked without telling Python: uWSGI doesn't run Python's hooks.

    Call it before using a thread, connection or file of the process. From Python 3.13 on, such a child may crash all
    the same, if a thread of its parent waited for a lock: the interpreter's own table of them needs the hooks.
    """
    if os.getpid() != _process:
        with _noticing:
            if os.getpid() != _process:
                _run_hooks()


def release_inherited(sockets: list[int]) -> None:
    """Release the parent's connections in a child, without closing them for their peers.

    Closing the descriptors would do as much, but their owners (asyncio transports of a loop that doesn't run here)
    would close the same numbers again later, when they may belong to another file. So the numbers stay in use.
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


if hasattr(os, "register_at_fork"):  # Windows doesn't fork
    os.register_at_fork(after_in_child=_run_hooks)
