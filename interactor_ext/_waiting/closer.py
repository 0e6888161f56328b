"""The closer thread: closes streams and connections that were dropped without being closed.

The garbage collector runs finalisers in whichever thread it interrupts, at any instant: also while that thread holds
the very lock that closing needs. A finaliser that waits or takes a lock can therefore deadlock a program, and so can a
`GeneratorExit` that the collector raises. Here both only put something into a queue.

    start_closer()              # before the first `yield`: a finaliser must start no thread
    try:
        yield ...
    except GeneratorExit:       # raised by `break`, `close()` or the collector; they cannot be told apart
        close_later(close)
        raise
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from interactor_ext._fork import after_fork_in_child, fork_safe_lock
from interactor_ext.logs import logger

Close = Callable[[], object]
_SECONDS_AT_EXIT = 2.0


class Watch(weakref.ref[Any]):
    """Has something closed when its owner is garbage. `cancel` it after closing earlier."""

    __slots__ = ("_close",)

    _close: Close
    # By identity, and in C: those of a reference are those of its referent.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def cancel(self) -> None:
        closer.watches.discard(self)

    def close(self) -> None:
        if self in closer.watches:
            self.cancel()
            self._close()


class _Closer:
    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # Objects that the parent has dropped are closed by the parent, not by a forked child.
        # Holds what is to be called, weak references whose `close` is to be called, or None for the end.
        self.queue: SimpleQueue[Any] = SimpleQueue()
        # Held here, so that they are called back.
        self.watches: set[Any] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(
                        target=self._run, args=(self.queue,), name="interactor-closer", daemon=True
                    )
                    with contextlib.suppress(RuntimeError):  # no thread can be had now: the next one to ask tries again
                        thread.start()
                        self._thread = thread

    def _run(self, queue: SimpleQueue[Any]) -> None:
        while (item := queue.get()) is not None:
            try:
                getattr(item, "close", item)()
            except Exception:
                logger.debug("A dropped object could not be closed.", exc_info=True)
            del item  # it may hold the last reference to something large

    def finish(self) -> None:
        """The interpreter ends: close what is still watched as well."""
        if self._thread is not None:
            for watch in list(self.watches):
                self.queue.put(watch)
            self.queue.put(None)
            self._thread.join(_SECONDS_AT_EXIT)


closer = _Closer()
atexit.register(closer.finish)


def start_closer() -> None:
    """Start the closer thread, unless it runs. Not for finalisers: to start a thread waits for it."""
    closer.start()


def close_later(close: Close) -> None:
    """Have the closer thread call `close`. Neither waits nor takes a lock, so a finaliser may call it."""
    # Written in C, and reentrant by documentation.
    closer.queue.put(close)


def close_when_dropped(owner: object, close: Close) -> Watch:
    """Have the closer thread call `close`, which must not hold `owner`, when `owner` is garbage; at the latest when the
    interpreter exits.
    """
    # A callback written in C: no signal handler can interrupt it, and what a handler raises cannot be lost in it.
    watch = Watch(owner, closer.queue.put)
    watch._close = close
    closer.watches.add(watch)
    return watch
