"""Instants that a synchronous call must not outlive, however its bytes trickle in.

httpx's timeouts count from one read to the next, so a server that sends a byte a second holds a call for ever. An
asynchronous call is simply cancelled; a synchronous one sits in `recv`, and each of its reads must be told anew how
much time is left.
"""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

import httpcore
import httpx

from interactor_ext.transports._cancellation import Cancellation
from interactor_ext.transports._interrupts import interrupt_behind

T = TypeVar("T")


class TimeLeft(float):
    """The seconds until an instant of `time.monotonic()`, but no more than `most` for one wait.

    httpx takes it for the float that it was when it was made, and hands it on untouched to the network, which asks
    again.
    """

    instant: float
    most: float
    cancellation: Cancellation | None

    @classmethod
    def until(cls, instant: float, most: float = math.inf, cancellation: Cancellation | None = None) -> TimeLeft:
        left = cls(max(0.0, min(most, instant - time.monotonic())))
        left.instant, left.most, left.cancellation = instant, most, cancellation
        return left

    def now(self, expired: type[Exception]) -> float:
        if self.cancellation is not None:
            self.cancellation.check()
        left = min(self.most, self.instant - time.monotonic())
        if left <= 0:
            raise expired("no time is left")
        return left


def bound_reads(transport: httpx.BaseTransport) -> Network | None:
    """Have a transport of httpx ask how much time is left before it waits for the network.

    httpx offers no setting for the network backend that httpcore takes, so its pool is told directly. With any other
    transport a call is checked between two chunks of the body instead.
    """
    pool: Any = getattr(transport, "_pool", None)
    if isinstance(pool, httpcore.ConnectionPool):
        backend = getattr(pool, "_network_backend", None)
        if isinstance(backend, httpcore.NetworkBackend) and not isinstance(backend, Network):
            # httpcore's own is written in Python, where an interrupt can leave it taken for ever; and not reentrant,
            # so the garbage collector can wait in a thread for what that very thread holds.
            pool._optional_thread_lock = threading.RLock()  # type: ignore[assignment]
            pool._network_backend = network = Network(backend)
            return network
    return None


class Network(httpcore.NetworkBackend):
    """Remembers the socket that was opened last. After the end it lets none open, which httpcore would not know of."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner
        self.opened_last: _Stream | None = None
        self.closed = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            return self._opened(self._connect_to_any(host, port, timeout, local_address, socket_options))
        except Exception as error:
            # Python's "idna" codec makes another exception of one that is raised amid it, and httpcore forgets which.
            if (interrupt := interrupt_behind(error)) is not None:
                raise interrupt from interrupt.__cause__
            raise

    def _connect_to_any(
        self,
        host: str,
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.NetworkStream:
        # A timeout of the socket module is for one address, and a name may have several: the time is shared out.
        seconds = _remaining(timeout, httpcore.ConnectTimeout)
        left = None if seconds is None else TimeLeft.until(time.monotonic() + seconds)
        addresses = _resolve(host, port, seconds)
        while True:
            address = addresses.pop(0)
            share = None if left is None else left.now(httpcore.ConnectTimeout) / (len(addresses) + 1)
            try:
                return self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        return self._opened(self._inner.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)

    def _opened(self, stream: httpcore.NetworkStream) -> _Stream:
        opened = self.opened_last = _Stream(stream)
        if self.closed:  # asked after it is known, so that whoever closes meanwhile sees it, or is seen
            opened.close()
            raise httpcore.ConnectError("the transport was closed meanwhile")
        return opened


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if isinstance(timeout, TimeLeft) and timeout.cancellation is not None:
            left = timeout.now(httpcore.ReadTimeout)
            return timeout.cancellation.cut(self, lambda: self._inner.read(max_bytes, left))
        return self._inner.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # A peer that reads slowly makes one write of much data into many: in pieces, each is told how much time is
        # left.
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            self._inner.write(piece, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # Still the same object: whoever knows it knows the socket that is read, encrypted or not.
        self._inner = self._inner.start_tls(ssl_context, server_hostname, _remaining(timeout, httpcore.ConnectTimeout))
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


_PIECE = 64 * 1024
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.%]*")


def _resolve(host: str, port: int, seconds: float | None) -> list[str]:
    """The addresses of a host. The system's resolver knows no timeout, so where there is one a thread waits for it."""
    if seconds is None or _ADDRESS.fullmatch(host):
        return _look_up(host, port)
    try:
        return in_time(lambda: _look_up(host, port), seconds, "interactor-resolver")
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"no address of {host} in time") from None


def in_time(work: Callable[[], T], seconds: float, name: str) -> T:
    """What `work` returns or raises. TimeoutError where that takes longer; its thread is then left to itself."""
    answer: Future[T] = Future()

    def do() -> None:
        try:
            answer.set_result(work())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=do, name=name, daemon=True).start()
    return answer.result(seconds)


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found)) or [host]


def _remaining(timeout: float | None, expired: type[Exception]) -> float | None:
    return timeout.now(expired) if isinstance(timeout, TimeLeft) else timeout
