"""The closer thread: closes streams and connections that were dropped without being closed.

The garbage collector runs finalisers in whichever thread it interrupts, at any instant, even while that thread holds
the very lock that closing needs. A finaliser that waits or takes a lock can therefore deadlock a program, and so can a
`GeneratorExit` that the collector raises. Here both only put something into a queue.

    start_closer()              # before the first `yield`: a finaliser must start no thread
    try:
        yield ...
    except GeneratorExit:       # raised by `break`, `close()` or the collector; they can't be told apart
        close_later(close)
        raise
"""

from __future__ import annotations

import _queue
import atexit
import contextlib
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock
from interactor_ext._engine.logs import logger
from interactor_ext._engine.waiting import ThreadWaiter, start_thread

if TYPE_CHECKING:
    from queue import SimpleQueue

Close = Callable[[], object]
Watch = weakref.ref[Any]
_SECONDS_AT_EXIT = 2.0


class _Closer:
    queue: SimpleQueue[Any]
    """Contains what to call, dead references of `watches`, or None for the end."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # Objects that the parent has dropped are closed by the parent, not by a forked child.
        vars(self).pop("queue", None)
        # Kept here because their callbacks must run even if they become garbage together with their owners.
        self.watches: dict[Watch, Close] = {}
        self.is_running = False

    def __getattr__(self, name: str) -> SimpleQueue[Any]:
        """Make `queue` when it is first used. Under `gunicorn -k gevent --preload`, one made at import, before gevent
        patches Python, would make the whole process wait.
        """
        if name != "queue":
            raise AttributeError(name)
        # If the module `queue` isn't imported, gevent hasn't patched it, and importing it would take as long as a call.
        simple_queue = getattr(sys.modules.get("queue"), "SimpleQueue", _queue.SimpleQueue)
        # A single step of C: two threads get the same queue, and a finaliser needs no lock.
        found: SimpleQueue[Any] = vars(self).setdefault("queue", simple_queue())
        return found

    def start(self) -> None:
        if not self.is_running:
            # the system refuses a thread: the next caller tries again
            with self._lock, contextlib.suppress(RuntimeError):
                if not self.is_running:
                    start_thread(partial(self._run, self.queue), "interactor-closer")
                    self.is_running = True

    def _run(self, queue: SimpleQueue[Any]) -> None:
        while (item := queue.get()) is not None:
            close = None
            try:
                # A reference that an interrupt kept out of `watches` can't even be looked up: TypeError.
                close = self.watches.pop(item, None) if isinstance(item, weakref.ref) else item
                if close is not None:
                    close()
            except Exception:
                logger.debug("A dropped object couldn't be closed.", exc_info=True)
            del item, close  # they may be the last reference to something large

    def finish(self) -> None:
        """The interpreter is exiting. Watched objects stay open, because daemon threads may be using them to the very
        end."""
        if self.is_running:
            ended = ThreadWaiter()
            self.queue.put(ended.wake)
            self.queue.put(None)
            ended.wait(_SECONDS_AT_EXIT)


closer = _Closer()
atexit.register(closer.finish)


def start_closer() -> None:
    """Start the closer thread unless it is running. Not for finalisers, because starting a thread waits for it."""
    closer.start()


def close_later(close: Close) -> None:
    """Make the closer thread call `close`. Neither waits nor takes a lock, so a finaliser may call it."""
    # Written in C, and documented as reentrant.
    closer.queue.put(close)


def close_when_dropped(owner: object, close: Close) -> Watch:
    """Make the closer thread call `close` when `owner` is garbage. `close` must not reference `owner`.

    One watch per owner, which must compare by identity. Call `forget` after closing it earlier.
    """
    # A callback written in C: no signal handler can interrupt it, and no exception from a handler is lost in it.
    watch = weakref.ref(owner, closer.queue.put)
    closer.watches[watch] = close
    return watch


def forget(watch: Watch) -> None:
    """Close nothing when this owner is dropped."""
    closer.watches.pop(watch, None)
