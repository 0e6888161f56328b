"""Deadlines of sync calls: each read and write gets a timeout of the time that is left.

httpx's timeouts count from one read to the next, so a server that sends a byte a second holds a call for ever. An async
call is simply cancelled; a sync one sits in `recv`.
"""

from __future__ import annotations

import math
import re
import socket
import time
from functools import partial

import httpcore

from interactor_ext._errors import ConfigurationError
from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads
from interactor_ext.transports._cancellation import Cancellation


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


_RESOLVERS = DaemonThreads("interactor-resolver", most=UNBOUNDED)
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.%]*")


def resolve(host: str, port: int, seconds: float | None) -> list[str]:
    """The addresses of a host. The system's resolver knows no timeout, so where there is one a thread waits for it."""
    if seconds is None or _ADDRESS.fullmatch(host):
        return _look_up(host, port)
    try:
        return _RESOLVERS.call(partial(_look_up, host, port), seconds)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"no address of {host} in time") from None
    except ConfigurationError as error:
        no_thread = error.__cause__ or error
    # The RuntimeError of the system, as asyncio's resolver raises it: it becomes an error of this one call. If it were
    # raised in the handler above, its context would be the error whose cause it is.
    raise no_thread


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found)) or [host]
