"""PlatformGuard: blocks requests of tests to the real platform, whatever credentials the environment holds.

The guard stands where names become addresses, where httpx asks a proxy for a host, and where TLS begins, so it sees
every client that uses Python's own resolver or Python's own TLS, through a proxy or not: httpx, requests, aiohttp,
urllib, in any thread and any event loop. A library that has a resolver and a TLS of its own passes it by, and so does
what is sent to a proxy in the clear by another client than httpx.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

HOSTS = frozenset(f"{name}.interactor.com" for name in ("auth", "core", "sandbox-auth", "sandbox-core"))
# Python reads the first of them, others know only the second.
NO_PROXY = ("no_proxy", "NO_PROXY")

_INHERITED = object()


class PlatformRefused(RuntimeError):
    """A test asked for a host of the real platform. None of its requests was sent."""

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
        self._placed: list[tuple[Any, str, Any, Any]] = []
        self._environment: dict[str, str | None] = {}

    def up(self) -> None:
        if self._is_up:
            return
        self._is_up = True
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            self._place(socket, name, _looked_up)
        for name in ("connect", "connect_ex"):
            self._place(socket.socket, name, _connected_to)
        self.watch()
        self._environment = {name: os.environ.get(name) for name in NO_PROXY}
        # Ends at the resolver, with nothing asked of the proxy.
        os.environ.update(past_proxies(HOSTS))

    def watch(self) -> None:
        """Guard the libraries that were imported since, too; the guard does so itself at each connection."""
        # To import them would cost every test run that does without them.
        if self._is_up and (ssl := sys.modules.get("ssl")) is not None:
            for name in ("wrap_socket", "wrap_bio"):
                self._place(getattr(ssl, "SSLContext", None), name, _secured_for)
        # httpx loads it no sooner than it needs it, which is too late here.
        if self._is_up and ("httpx" in sys.modules or "httpcore" in sys.modules):
            import httpcore

            for name in ("HTTPProxy", "SOCKSProxy", "AsyncHTTPProxy", "AsyncSOCKSProxy"):
                self._place(getattr(httpcore, name, None), "create_connection", _asked_of_a_proxy)

    def down(self) -> None:
        if not self._is_up:
            return
        self._is_up = False
        while self._placed:
            owner, name, guarded, before = self._placed.pop()
            # Somebody else may have put a function of theirs in front of this one; then it stays, and lets all pass.
            if vars(owner).get(name) is not guarded:
                continue
            if before is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
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

    def _place(self, owner: Any, name: str, host_of: Callable[..., Any]) -> None:
        inner = getattr(owner, name, None)  # a module that is still being imported has not everything yet
        if inner is None or any(each[:2] == (owner, name) for each in self._placed):
            return

        @functools.wraps(inner)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._is_up:
                self.watch()
                if (host := _platform_host(host_of(*args, **kwargs))) is not None:
                    if name == "wrap_socket":
                        # Nobody else would: who expects an OSError here closes for no other.
                        (kwargs["sock"] if "sock" in kwargs else args[1]).close()
                    raise PlatformRefused(host)
            return inner(*args, **kwargs)

        self._placed.append((owner, name, guarded, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, guarded)


def past_proxies(hosts: Iterable[str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that keep hosts from the proxies that the environment names."""
    environment = os.environ if environment is None else environment
    listed = next(filter(None, (environment.get(name) for name in NO_PROXY)), None)
    return dict.fromkeys(NO_PROXY, ",".join([*([listed] if listed else []), *sorted(hosts)]))


def _platform_host(host: Any) -> str | None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
    if not isinstance(name, str):
        return None
    plain = name
    if not name.isascii():
        # The resolver reads full-width letters and dots as plain ones.
        try:
            plain = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return name if plain.rstrip(".").lower() in HOSTS else None


def _looked_up(host: Any = None, *_: Any, **__: Any) -> Any:
    return host


def _connected_to(_: Any, address: Any = None, *__: Any) -> Any:
    return address[0] if isinstance(address, tuple) and address else None


def _secured_for(*args: Any, server_hostname: Any = None, **_: Any) -> Any:
    # The place of the argument differs: wrap_socket(self, sock, ...) and wrap_bio(self, incoming, outgoing, ...).
    return server_hostname or next((each for each in args[3:] if isinstance(each, str | bytes)), None)


def _asked_of_a_proxy(_: Any, origin: Any = None, **__: Any) -> Any:
    return getattr(origin, "host", None)
