"""Ports of this machine for servers that need a number, or come back on the same one; and whether it has IPv6."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, suppress
from socket import AF_INET6, create_server

import pytest

# Systems assign the ports above these to outgoing connections and to servers that accept any port, so one that is free
# now may be taken when its server starts.
# Browsers and Node refuse port 10080.
_GIVEN_TO_NOBODY = range(10_081, 32_000)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = secrets.choice(_GIVEN_TO_NOBODY)  # all workers may have the same seed for `random`
            with suppress(OSError):
                stack.enter_context(create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def has_ipv6() -> bool:
    with suppress(OSError), create_server(("::1", 0), family=AF_INET6):
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on the loopback interface")
