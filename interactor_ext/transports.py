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

from interactor_ext._engine.lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext._engine.network.async_transport import AsyncTransport
    from interactor_ext._engine.network.sync_transport import Transport

__all__ = ["AsyncTransport", "Transport"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext._engine.network.async_transport": ("AsyncTransport",),
            "interactor_ext._engine.network.sync_transport": ("Transport",),
        },
    )
