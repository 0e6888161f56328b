"""What the pools of both transports are made of. Knows no socket, no clock and no lock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

import httpx

Origin = tuple[str, str, int | None]


def origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port


class Connections(NamedTuple):
    """Numbers of connections in a pool."""

    open: int
    """All connections, used or not."""
    idle: int
    """Connections that no request uses."""
    waiting: int
    """Requests that wait for a connection."""

    @classmethod
    def sum(cls, pools: Iterable[Connections]) -> Connections:
        """The total of several pools."""
        return cls(*map(sum, zip((0, 0, 0), *pools, strict=True)))


class Connection(Protocol):
    """A connection of one of the two pools."""

    origin: Origin
    idle_since: float


C = TypeVar("C", bound=Connection)


class IdleConnections(Generic[C]):
    """The idle connections by origin. The one that was used last is taken first, so that the others expire."""

    def __init__(self) -> None:
        self._by_origin: dict[Origin, deque[C]] = {}  # the one that is idle for the longest time first

    def __len__(self) -> int:
        return sum(map(len, self._by_origin.values()))

    def put(self, connection: C, now: float) -> None:
        connection.idle_since = now
        self._by_origin.setdefault(connection.origin, deque()).append(connection)

    def take(self, origin: Origin) -> C | None:
        """A connection to this origin, if one is idle."""
        idle = self._by_origin.get(origin)
        return idle.pop() if idle else None

    def take_oldest(self, idle_before: float = math.inf) -> C | None:
        """The one that is idle for the longest time, if it has been since before that instant."""
        candidates = (idle[0] for idle in self._by_origin.values() if idle)
        oldest = min(candidates, key=attrgetter("idle_since"), default=None)
        if oldest is None or oldest.idle_since > idle_before:
            return None
        return self._by_origin[oldest.origin].popleft()

    def take_all(self, origin: Origin | None = None, idle_before: float = math.inf) -> list[C]:
        """All of them; or those to one origin that have been idle since that instant or before."""
        if origin is None:
            taken = [connection for idle in self._by_origin.values() for connection in idle]
            self._by_origin.clear()
            return taken
        idle = self._by_origin.get(origin, deque())
        return [idle.popleft() for _ in range(len(idle)) if idle[0].idle_since <= idle_before]
