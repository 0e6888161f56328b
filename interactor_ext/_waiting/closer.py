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
Watch = weakref.ref[Any]
_SECONDS_AT_EXIT = 2.0


class _Closer:
    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # Objects that the parent has dropped are closed by the parent, not by a forked child.
        # Holds what is to be called, dead references of `watches`, or None for the end.
        self.queue: SimpleQueue[Any] = SimpleQueue()
        # Held here, the references are called back even where they would be garbage together with their owners.
        self.watches: dict[Watch, Close] = {}
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        if self.thread is None:
            with self._lock:
                if self.thread is None:
                    thread = threading.Thread(
                        target=self._run, args=(self.queue,), name="interactor-closer", daemon=True
                    )
                    with contextlib.suppress(RuntimeError):  # no thread can be had now: the next one to ask tries again
                        thread.start()
                        self.thread = thread

    def _run(self, queue: SimpleQueue[Any]) -> None:
        while (item := queue.get()) is not None:
            close = None
            try:
                # A reference that an interrupt kept out of `watches` cannot even be looked up: TypeError.
                close = self.watches.pop(item, None) if isinstance(item, weakref.ref) else item
                if close is not None:
                    close()
            except Exception:
                logger.debug("A dropped object could not be closed.", exc_info=True)
            del item, close  # they may hold the last reference to something large

    def finish(self) -> None:
        """The interpreter ends. What is watched stays open: daemon threads may be using it to the very end."""
        if self.thread is not None:
            self.queue.put(None)
            self.thread.join(_SECONDS_AT_EXIT)


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
    """Have the closer thread call `close`, which must not hold `owner`, when `owner` is garbage.

    One watch an owner, which must compare by identity; `forget` it after closing earlier.
    """
    # A callback written in C: no signal handler can interrupt it, and what a handler raises cannot be lost in it.
    watch = weakref.ref(owner, closer.queue.put)
    closer.watches[watch] = close
    return watch


def forget(watch: Watch) -> None:
    """Close nothing when its owner is dropped."""
    closer.watches.pop(watch, None)
