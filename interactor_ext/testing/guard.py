"""PlatformGuard keeps tests' requests on this machine, whatever credentials and URLs the environment contains."""

from __future__ import annotations

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.network import routes
from interactor_ext._engine.network.async_transport import AsyncTransport
from interactor_ext._engine.network.pool import Origin, origin_of
from interactor_ext._engine.network.sync_transport import Transport
from interactor_ext._interactor.config.checks import is_loopback
from interactor_ext.testing.environment import NOWHERE

# Their requests reach our transports, which check the guard themselves, or reach nobody.
_HARMLESS = (Transport, AsyncTransport, httpx.MockTransport, httpx.ASGITransport, httpx.WSGITransport)
_NO_SANDBOX = (
    "This client was created with the pytest plugin's placeholder settings, which only work with its sandbox. Request "
    "the fixture `interactor_sandbox` in the test, and don't make calls on import or with a transport of your own."
)


class PlatformRefused(ConfigurationError):
    """A test sent a request to a host other than the sandbox's. Nothing was sent there."""

    __module__ = "interactor_ext.testing"  # for tracebacks of tests that haven't looked it up


class PlatformGuard:
    """Refuses requests of the SDK's clients and transports to anything but the sandbox and servers of this machine, in
    this process, from `up()` until `down()`. It patches nothing, so other HTTP clients aren't affected.
    """

    def __init__(self) -> None:
        self._sandbox: Origin | None = None

    @property
    def is_up(self) -> bool:
        """Whether other hosts are refused."""
        return routes.guard == self._lead

    def up(self) -> None:
        """Refuse other hosts from now on. Calling it twice is harmless."""
        routes.guard = self._lead

    def down(self) -> None:
        """Allow all hosts again."""
        if self.is_up:
            routes.guard = None

    def lead_to(self, sandbox_url: str | None) -> None:
        """Lead clients with the pytest plugin's settings to the sandbox there."""
        self._sandbox = None if sandbox_url is None else origin_of(httpx.URL(sandbox_url))

    def _lead(self, origin: Origin, transport: object) -> Origin:
        host, sandbox = origin[1], self._sandbox
        if isinstance(transport, _HARMLESS):
            return origin
        if host == NOWHERE:
            if sandbox is None or transport is not None:
                raise PlatformRefused(_NO_SANDBOX)
            return sandbox
        if not is_loopback(host) and origin != sandbox:
            raise PlatformRefused(
                f"A test tried to reach {host}, which isn't the sandbox. Use the fixture `interactor_client`, or let "
                "`interactor_sandbox` set the environment. Mark the test `live` if it should reach the platform."
            )
        return origin
