"""Where requests of tests may go. Nothing but `interactor_ext.testing` sets a guard."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from interactor_ext._engine.network.idle_connections import Origin, origin_of

guard: Callable[[Origin, object], Origin] | None = None
"""Returns where to connect to for requests to an origin, or raises an InteractorError if a test mustn't reach it. The
second argument is the transport before it gets the request, or None if it is ours and about to send.
"""


def guarded_origin(url: httpx.URL, transport: object = None) -> Origin:
    """Asked for each request: one that was allowed in an earlier test may have left its connection."""
    origin = origin_of(url)
    return origin if guard is None else guard(origin, transport)
