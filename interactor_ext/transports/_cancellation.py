"""Cancels sync calls from another thread, as asyncio cancels async ones."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Self, TypeVar

from interactor_ext._waiting import Closing

T = TypeVar("T")


class Cancelled(BaseException):
    """The call was cancelled. Like asyncio.CancelledError no Exception, so that nothing retries the call."""


class Cancellation(Closing):
    """Calls carry it in `request.extensions["cancellation"]`. Once it is set, they make no further attempt, and stop
    waiting.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closing: Closing | None = None
        self._streams: set[Any] = set()

    def within(self, closing: Closing) -> Self:
        """Itself, set as well when the client is closed."""
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
                    # That of the base class: SSLSocket.shutdown would end the encryption while another thread reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def check(self) -> None:
        if self.is_set:
            if self._closing is not None:
                self._closing.check()
            raise Cancelled

    def cut(self, stream: Any, wait: Callable[[], T]) -> T:
        """The result of `wait`, which waits for a network stream. `set` shuts the socket of the stream down."""
        self._streams.add(stream)
        try:
            self.check()  # after it was added, or neither side would see the other
            return wait()
        finally:
            self._streams.discard(stream)
            self.check()
