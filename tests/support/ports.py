"""Ports of 127.0.0.1 for servers that take theirs by number, or come back on the same one."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, suppress
from socket import create_server

# Systems give the ports above these to outgoing connections, and to servers that take any port: one that is free now
# may be taken when its server starts.
_GIVEN_TO_NOBODY = range(10_000, 32_000)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = secrets.choice(_GIVEN_TO_NOBODY)  # `random` may be seeded alike in all workers
            with suppress(OSError):
                stack.enter_context(create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports


def free_port() -> int:
    (port,) = free_ports(1)
    return port
