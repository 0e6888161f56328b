"""Deprecated operations: Deprecation, Sunset and Link headers, and 410 after the sunset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interactor_ext.sandbox.clock import http_date
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

    def check(self, now: float) -> None:
        """Raises Problem 410 if the operation is gone."""
        if self.sunset is not None and now >= self.sunset:
            raise Problem(410, f"{self.operation} ended on {http_date(self.sunset).decode()}: see {self.link}")
