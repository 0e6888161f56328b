"""Connections, transports and the attempts of a call."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from interactor_ext._engine.lazy import lazy_modules
from interactor_ext._engine.network.pool import Origin, origin_of

# Most calls need no proxy, and meet no host that fails. `resolver` takes, with its threads, 3 of the 34 ms in which a
# client is imported and made, beside httpx; `async_transport` imports asyncio.
lazy_modules(__name__, "async_transport", "circuits", "foreign_stream", "proxied", "resolver")

guard: Callable[[Origin, object], Origin] | None = None
"""Returns where to connect to for requests to an origin, or raises an InteractorError if a test mustn't reach it. The
second argument is the transport before it gets the request, or None if it is ours and about to send. Only
`interactor_ext.testing` sets it.
"""


def guarded_origin(url: httpx.URL, transport: object = None) -> Origin:
    """Asked for each request: one that was allowed in an earlier test may have left its connection."""
    origin = origin_of(url)
    return origin if guard is None else guard(origin, transport)
