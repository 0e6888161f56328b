"""PlatformGuard: blocks requests of tests to the real platform, whatever credentials the environment holds.

The guard patches name resolution and TLS, so it covers every client that uses Python's own resolver or TLS, through a
proxy or not: httpx, requests, aiohttp, urllib, in any thread and any event loop. It does not cover libraries with their
own resolver and TLS, nor unencrypted requests to a proxy.
"""

from __future__ import annotations

import functools
import socket
import sys
from collections.abc import Callable
from typing import Any

from interactor_ext.testing.environment import NOWHERE

HOSTS = frozenset(f"{name}.interactor.com" for name in ("auth", "core", "sandbox-auth", "sandbox-core"))

_INHERITED = object()
# What the placeholder of a sandbox resolves to: an address of this machine that nobody else uses.
_STANDS_FOR_SANDBOX = "127.83.68.75"
_NO_SANDBOX = (
    "This client was created with the pytest plugin's placeholder settings, which only work with "
    "its sandbox. Request the fixture `interactor_sandbox` in the test, and don't make calls on "
    "import."
)


class PlatformRefused(RuntimeError):
    """A test requested a host of the real platform. Nothing was sent there."""

    __module__ = "interactor_ext.testing"  # in tracebacks of tests that have not looked it up

    def __init__(self, host: str) -> None:
        super().__init__(
            f"A test tried to reach {host}, which belongs to the real platform. Use the fixture "
            "`interactor_client`, or let `interactor_sandbox` set the environment. Mark the test `live` "
            "if it should reach the platform."
        )
        self.host = host


class PlatformGuard:
    """Blocks the platform's hosts in this process, from `up()` until `down()`."""

    def __init__(self) -> None:
        self.sandbox: tuple[str, int] | None = None
        """Where clients with the settings of the pytest plugin are led."""
        self._is_up = False
        self._patches: list[tuple[Any, str, Any, Any]] = []

    def up(self) -> None:
        """Refuse connections to the platform from now on. Calling it twice does no harm."""
        if self._is_up:
            return
        self._is_up = True
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            self._patch(socket, name, _resolved_host)
        for name in ("connect", "connect_ex"):
            self._patch(socket.socket, name, _connected_host)
        self.watch()

    def watch(self) -> None:
        """Patch TLS if it was imported since then; the guard itself does so at each connection."""
        # Importing it would slow down test runs that do not use it.
        if self._is_up and (ssl := sys.modules.get("ssl")) is not None:
            for name in ("wrap_socket", "wrap_bio"):
                self._patch(getattr(ssl, "SSLContext", None), name, _tls_host)

    def down(self) -> None:
        """Allow connections to the platform again."""
        if not self._is_up:
            return
        self._is_up = False
        while self._patches:
            owner, name, guarded, before = self._patches.pop()
            # Another library may have wrapped this function; then it stays, and lets everything pass.
            if vars(owner).get(name) is not guarded:
                continue
            if before is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    def _led(self, host: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call for this host. The placeholder of a sandbox is the sandbox, if there is one."""
        if host in (NOWHERE, NOWHERE.encode()):
            if self.sandbox is None:
                raise RuntimeError(_NO_SANDBOX)
            args = tuple(_STANDS_FOR_SANDBOX if each is host else each for each in args)
            kwargs = {name: _STANDS_FOR_SANDBOX if value is host else value for name, value in kwargs.items()}
        elif host == _STANDS_FOR_SANDBOX and self.sandbox is not None and isinstance(args[1], tuple):
            args = (args[0], self.sandbox)
        return args, kwargs

    def _patch(self, owner: Any, name: str, host_of: Callable[..., Any]) -> None:
        inner = getattr(owner, name, None)  # a module that is being imported may lack it
        if inner is None or any(each[:2] == (owner, name) for each in self._patches):
            return

        @functools.wraps(inner)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._is_up:
                self.watch()
                asked = host_of(*args, **kwargs)
                args, kwargs = self._led(asked, args, kwargs)
                if (host := _platform_host(asked)) is not None:
                    if name == "wrap_socket":
                        # Callers close the socket only for an OSError.
                        (kwargs["sock"] if "sock" in kwargs else args[1]).close()
                    raise PlatformRefused(host)
            return inner(*args, **kwargs)

        self._patches.append((owner, name, guarded, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, guarded)


def _platform_host(host: Any) -> str | None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
    return name if isinstance(name, str) and name.rstrip(".").lower() in HOSTS else None


def _resolved_host(host: Any = None, *_: Any, **__: Any) -> Any:
    return host


def _connected_host(_: Any, address: Any = None, *__: Any) -> Any:
    return address[0] if isinstance(address, tuple) and address else None


def _tls_host(*args: Any, server_hostname: Any = None, **_: Any) -> Any:
    # Its position differs: wrap_socket(self, sock, ...) and wrap_bio(self, incoming, outgoing, ...).
    return server_hostname or next((each for each in args[3:] if isinstance(each, str | bytes)), None)
