"""Deprecated operations: Deprecation, Sunset and Link headers, and 410 after the sunset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from interactor_ext.sandbox.clock import Clock, http_date, unix_seconds
from interactor_ext.sandbox.problems import Problem

LINK = "https://docs.interactor.com/migration/v1-to-v2"


@dataclass(frozen=True, slots=True)
class Deprecated:
    """The deprecation of one operation. Times are Unix seconds; `link` is the URL of its documentation."""

    operation: str
    at: float
    sunset: float | None
    link: str

    def headers(self, *, is_date: bool) -> Iterator[tuple[bytes, bytes]]:
        # RFC 9745 section 2: a structured date, `@` followed by an integer. Its drafts had `true`.
        yield b"deprecation", b"@%d" % self.at if is_date else b"true"
        if self.sunset is not None:
            yield b"sunset", http_date(self.sunset)
        yield b"link", f'<{self.link}>; rel="deprecation"'.encode()


class Deprecations:
    """The deprecated operations. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deprecated: dict[str, Deprecated] = {}

    def add(
        self, operation: str, at: float | datetime | None, sunset: float | datetime | None, link: str | None
    ) -> Deprecated:
        """Add or replace the deprecation of an operation. Raises ValueError for times that aren't Unix seconds."""
        since = self._clock.now() if at is None else unix_seconds("at", at)
        until = None if sunset is None else unix_seconds("sunset", sunset)
        deprecated = Deprecated(operation, since, until, link or LINK)
        self._deprecated[operation] = deprecated
        return deprecated

    def of(self, operation: str) -> Deprecated | None:
        return self._deprecated.get(operation)

    def check(self, operation: str) -> None:
        """Raises Problem 410 for an operation that is gone."""
        deprecated = self._deprecated.get(operation)
        if deprecated is None or deprecated.sunset is None or self._clock.now() < deprecated.sunset:
            return
        raise Problem(410, f"{operation} ended on {http_date(deprecated.sunset).decode()}: see {deprecated.link}")

    def snapshot(self) -> list[Deprecated]:
        return list(self._deprecated.values())

    def clear(self) -> None:
        self._deprecated.clear()
