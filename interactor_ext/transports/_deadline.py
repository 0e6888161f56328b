"""How long a sync call waits for the network: until the end of its attempt, whatever it waits for.

httpx's timeouts count from one read to the next, so a server that sends a byte a second holds a call for ever. An async
call is simply cancelled; a sync one sits in `recv`.
"""

from __future__ import annotations

import math
import re
import socket
import time
from contextvars import ContextVar
from functools import partial

import httpcore

from interactor_ext._errors import ConfigurationError
from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads

network_deadline: ContextVar[float] = ContextVar("interactor_network_deadline", default=math.inf)
"""When each wait for the network ends: an instant of `time.monotonic()`. httpcore hands through numbers alone."""


def seconds_left(timeout: float | None, expired: type[Exception]) -> float | None:
    """The timeout of one wait for the network: `timeout`, or what is left until the deadline. Raises `expired`."""
    ends_at = network_deadline.get()
    if ends_at == math.inf:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise expired("no time is left")
    return left if timeout is None else min(timeout, left)


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
