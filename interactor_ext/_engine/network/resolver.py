"""Looks up the addresses of a host with a time limit, which the system's resolver doesn't have."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from interactor_ext._engine.waiting import ThreadWaiter
from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads

RESOLVERS = DaemonThreads("interactor-resolver", max_threads=UNBOUNDED)
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.%]*")


class Address(NamedTuple):
    family: int
    sockaddr: Any


def resolve(host: str, port: int, seconds: Callable[[], float]) -> list[Address]:
    """Returns the addresses of a host in the order in which to try them. Raises OSError.

    `seconds` is called before each wait and returns its length, or raises to give up.
    """
    if _ADDRESS.fullmatch(host):
        return _look_up(host, port)
    # Not the result of the Future: an interrupt can leave its lock held.
    outcome: list[list[Address] | OSError] = []
    waiter = ThreadWaiter()

    def look_up() -> None:
        try:
            outcome.append(_look_up(host, port))
        except OSError as error:
            outcome.append(error)
        waiter.wake()

    future = RESOLVERS.submit(look_up)
    try:
        while not outcome:
            waiter.wait(seconds())
    finally:
        if not outcome:
            RESOLVERS.abandon(future)
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def resolve_in_thread(host: str, port: int) -> Future[list[Address]] | list[Address]:
    """`resolve` for callers that mustn't block. It uses other threads than the loop, whose end waits for its own."""
    return _look_up(host, port) if _ADDRESS.fullmatch(host) else RESOLVERS.submit(_look_up, host, port)


def _look_up(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        if (reason := _out_of_files()) is not None:
            raise reason from None
        raise
    except Exception as error:  # from an invalid name, or a replaced `getaddrinfo`
        raise socket.gaierror(socket.EAI_FAIL, str(error)) from error
    if not found:  # `getaddrinfo` has been replaced
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    return interleaved(dict.fromkeys(Address(family, sockaddr) for family, _, _, _, sockaddr in found))


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Alternates the address families, beginning with the system's first choice (RFC 8305, section 4)."""
    by_family: dict[int, list[Address]] = {}
    for address in addresses:
        by_family.setdefault(address.family, []).append(address)
    return [each for each in chain.from_iterable(zip_longest(*by_family.values())) if each is not None]


def _out_of_files() -> OSError | None:
    """The error if the process has too many open files. Resolvers report that in many ways, mDNS as EBUSY."""
    try:
        socket.socket().close()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return error
    return None
