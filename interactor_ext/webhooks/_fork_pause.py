"""Objects that pause while the process forks."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

_pauses: weakref.WeakKeyDictionary[object, tuple[Callable[[Any], None], Callable[[Any], None]]] = (
    weakref.WeakKeyDictionary()
)
# One fork at a time: two threads that pause the same objects in another order would wait for each other.
_forking = threading.Lock()
_paused: list[tuple[object, Callable[[Any], None]]] = []


def pause_while_forking(pause: Callable[[], None], resume: Callable[[], None]) -> None:
    """Call the bound method `pause` before every fork, for as long as its object lives, and `resume` after it, in the
    parent alone. `pause` may wait for other threads of this process.
    """
    pausing, resuming = cast("MethodType", pause), cast("MethodType", resume)
    _pauses[pausing.__self__] = (pausing.__func__, resuming.__func__)


def _pause_all() -> None:
    _forking.acquire()
    for owner, (pause, resume) in list(_pauses.items()):
        pause(owner)
        _paused.append((owner, resume))


def _resume_all() -> None:
    try:
        while _paused:
            owner, resume = _paused.pop()
            resume(owner)
    finally:
        _forking.release()


def _forget_fork() -> None:
    """In the child: the lock is new, for a thread of the parent holds it, and nothing resumes."""
    global _forking
    _forking = threading.Lock()
    _paused.clear()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_forget_fork)
