"""The transports that the clients use by default, with httpx's own settings for proxies, authorities and client
certificates.

    ctx = ssl.create_default_context(cafile="internal-ca.pem")
    client = InteractorClient(transport=Transport(verify=ctx, cert=("client.pem", "client.key")))
    client = AsyncInteractorClient(transport=AsyncTransport(verify=ctx, proxy="http://proxy.internal:3128"))

You may also pass any other `httpx.BaseTransport` or `httpx.AsyncBaseTransport`. These add to httpx's: proxies of the
environment, fork safety, several event loops (`httpx.AsyncHTTPTransport` works in one), and in `AsyncTransport`
separate limits for calls and streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._lazy import lazy_modules, lazy_names

if TYPE_CHECKING:
    from interactor_ext.transports._async_transport import AsyncTransport
    from interactor_ext.transports._sync_transport import Transport

__all__ = ["AsyncTransport", "Transport"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "._async_transport": ("AsyncTransport",),
            "._sync_transport": ("Transport",),
        },
    )

# Most calls need no proxy, and meet no host that fails. `_resolver` takes, with its threads, 3 of the 34 ms in which a
# client is imported and made, beside httpx; `_async_transport` imports asyncio.
lazy_modules(__name__, "_async_transport", "_circuits", "_foreign_stream", "_proxied", "_resolver")
