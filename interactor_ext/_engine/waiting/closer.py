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
    """Holds what is to be called, dead references of `watches`, or None for the end."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # Objects that the parent has dropped are closed by the parent, not by a forked child.
        vars(self).pop("queue", None)
        # Held here, the references are called back even where they would be garbage together with their owners.
        self.watches: dict[Watch, Close] = {}
        self.is_running = False

    def __getattr__(self, name: str) -> SimpleQueue[Any]:
        """`queue` is made when it is first used. Under `gunicorn -k gevent --preload`, one that was made at import,
        before gevent patches Python, would have the whole process wait.
        """
        if name != "queue":
            raise AttributeError(name)
        # Where `queue` is not imported, gevent has not patched it, and its import would take as long as a call.
        simple_queue = getattr(sys.modules.get("queue"), "SimpleQueue", _queue.SimpleQueue)
        # A single step of C: two threads get the same queue, and a finaliser takes no lock.
        found: SimpleQueue[Any] = vars(self).setdefault("queue", simple_queue())
        return found

    def start(self) -> None:
        if not self.is_running:
            with self._lock, contextlib.suppress(RuntimeError):  # without a thread: the next one to ask tries again
                if not self.is_running:
                    start_thread(partial(self._run, self.queue), "interactor-closer")
                    self.is_running = True

    def _run(self, queue: SimpleQueue[Any]) -> None:
        while (item := queue.get()) is not None:
            close = None
            try:
                # A reference that an interrupt kept out of `watches` cannot even be looked up: TypeError.
                close = self.watches.pop(item, None) if isinstance(item, weakref.ref) else item
                if close is not None:
                    close()
            except Exception:
                logger.debug("A dropped object couldn't be closed.", exc_info=True)
            del item, close  # they may hold the last reference to something large

    def finish(self) -> None:
        """The interpreter ends. What is watched stays open: daemon threads may be using it to the very end."""
        if self.is_running:
            ended = ThreadWaiter()
            self.queue.put(ended.wake)
            self.queue.put(None)
            ended.wait(_SECONDS_AT_EXIT)


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
