"""Looks up the addresses of a host within a time limit, which the system's resolver does not know."""

from __future__ import annotations

import re
import socket
from functools import partial

import httpcore

from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads

_RESOLVERS = DaemonThreads("interactor-resolver", most=UNBOUNDED)
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.%]*")


def resolve(host: str, port: int, seconds: float | None) -> list[str]:
    """The addresses of a host. Where there is a limit, a thread waits for them."""
    if seconds is None or _ADDRESS.fullmatch(host):
        return _look_up(host, port)
    try:
        return _RESOLVERS.call(partial(_look_up, host, port), seconds)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"couldn't resolve {host} in time") from None


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found)) or [host]
