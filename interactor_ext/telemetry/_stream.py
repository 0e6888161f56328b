"""Tells a telemetry of the connections of one stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import httpx

from interactor_ext._errors import APITimeoutError
from interactor_ext.telemetry._events import Reporter, StreamConnected, StreamDisconnected, StreamKind


class StreamWatch:
    def __init__(self, reporter: Reporter, kind: StreamKind) -> None:
        self._reporter = reporter
        self._kind: StreamKind = kind
        self._reason: Literal["timeout", "error", "client_close", "done"] | None = None

    def connected(self) -> None:
        self._reason = "client_close"  # unless something else is heard of
        self._reporter.record(StreamConnected(self._kind))

    def ends(self, error: Exception | None, *, done: bool = False) -> None:
        """Why the connection is about to be closed: an error, or None where the server ended it."""
        if done:
            self._reason = "done"
        else:
            silent = isinstance(error, httpx.TimeoutException | APITimeoutError | TimeoutError)
            self._reason = "timeout" if silent else "error"

    def disconnected(self) -> Callable[[], None]:
        """The connection is closed, or about to be: returns what tells of it, once."""
        reason, self._reason = self._reason, None

        def tell() -> None:
            if reason is not None:
                self._reporter.record(StreamDisconnected(self._kind, reason))

        return tell
