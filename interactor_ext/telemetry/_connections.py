"""Connection counts of a pool, which a transport reports to the telemetry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Connections(NamedTuple):
    """The numbers of a pool of connections."""

    open: int
    """Used or not."""
    idle: int
    """Those of them that no request uses."""
    waiting: int
    """Requests for which no connection is free."""

    @classmethod
    def sum(cls, pools: Iterable[Connections]) -> Connections:
        """The connections of several pools together."""
        return cls(*map(sum, zip((0, 0, 0), *pools, strict=True)))
