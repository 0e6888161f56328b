"""No test reaches the real platform by accident, with credentials that happened to be in the environment.

The guard stands where names become addresses, so it sees every client that asks Python's own resolver: httpx,
requests, aiohttp, urllib, in any thread and any event loop. A resolver of another library's own (uvloop's, aiodns)
passes it by.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HOSTS = frozenset(f"{name}.interactor.com" for name in ("auth", "core", "sandbox-auth", "sandbox-core"))
# A proxy would look the name up itself, out of sight. Python reads the first of them, others know only the second.
NO_PROXY = ("no_proxy", "NO_PROXY")


class PlatformRefused(RuntimeError):
    """A test asked for a host of the real platform. Nothing was sent."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} belongs to the real platform, and a test asked for it. Take the client from the fixture "
            "`interactor_client`, or let `interactor_sandbox` set the environment; a test that is meant to talk to the "
            "platform is marked `live`."
        )
        self.host = host


class PlatformGuard:
    """Refuses the platform's hosts in this process from `up()` until `down()`."""

    def __init__(self) -> None:
        self._is_up = False
        self._lookup: Any = socket.getaddrinfo
        self._environment: dict[str, str | None] = {}

    def up(self) -> None:
        if self._is_up:
            return
        self._is_up = True
        if socket.getaddrinfo != self._look_up:
            self._lookup, socket.getaddrinfo = socket.getaddrinfo, self._look_up
        self._environment = {name: os.environ.get(name) for name in NO_PROXY}
        listed = next(filter(None, self._environment.values()), None)
        for name in NO_PROXY:
            os.environ[name] = ",".join([*([listed] if listed else []), *sorted(HOSTS)])

    def down(self) -> None:
        if not self._is_up:
            return
        self._is_up = False
        # Somebody else may have put a function of theirs in front of this one; then it stays, and lets all pass.
        if socket.getaddrinfo == self._look_up:
            socket.getaddrinfo = self._lookup
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Let everything through for a while."""
        was_up = self._is_up
        self.down()
        try:
            yield
        finally:
            if was_up:
                self.up()

    def _look_up(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if self._is_up and isinstance(name, str) and name.rstrip(".").lower() in HOSTS:
            raise PlatformRefused(name)
        return self._lookup(host, *args, **kwargs)
