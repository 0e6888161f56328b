"""Ends synchronous calls that nobody waits for any more. An asynchronous one is cancelled by its task."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Self, TypeVar

from interactor_ext.transports._waiters import Closing

T = TypeVar("T")


class Cancelled(BaseException):
    """The call was cancelled. No Exception, like asyncio's, so that nothing takes it for a failure and tries again."""


class Cancellation(Closing):
    """Calls carry it in `request.extensions["cancellation"]`. Once it is set, they make no attempt any more, and what
    they wait for is cut short.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closing: Closing | None = None
        self._streams: set[Any] = set()

    def within(self, closing: Closing) -> Self:
        """This one, which is set as well when the client is closed."""
        self._closing = closing
        closing._waiters.add(self)
        if closing.is_set:
            self.set()
        return self

    def wake(self) -> None:
        self.set()

    def set(self) -> None:
        super().set()
        if self._closing is not None:
            self._closing._waiters.discard(self)
        for stream in list(self._streams):
            sock = stream.get_extra_info("socket")
            if isinstance(sock, socket.socket):
                with contextlib.suppress(OSError):  # it is closed already
                    # Of the class, for that of an SSLSocket takes the encryption away under whoever reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def check(self) -> None:
        if self.is_set:
            if self._closing is not None:
                self._closing.check()
            raise Cancelled

    def cut(self, stream: Any, wait: Callable[[], T]) -> T:
        """What `wait` gives, which waits for a network stream, unless that is cut meanwhile."""
        self._streams.add(stream)
        try:
            self.check()  # after it was added, or neither side would see the other
            return wait()
        finally:
            self._streams.discard(stream)
            self.check()
