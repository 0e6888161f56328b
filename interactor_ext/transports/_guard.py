"""Where requests of tests may go. Nothing but `interactor_ext.testing` sets a guard."""

from __future__ import annotations

from typing import Protocol

import httpx

from interactor_ext.transports._idle_connections import Origin, origin_of


class Guard(Protocol):
    def lead(self, origin: Origin) -> Origin:
        """The origin to connect to for requests to this one. Raises an InteractorError if a test mustn't reach it."""
        ...

    def check(self, transport: object, url: httpx.URL) -> None:
        """Raises an InteractorError if a test mustn't send to this URL by a transport that may not be ours."""
        ...


guard: Guard | None = None


def guarded_origin(url: httpx.URL) -> Origin:
    """Asked for each request: one that was allowed in an earlier test may have left its connection."""
    origin = origin_of(url)
    return origin if guard is None else guard.lead(origin)
