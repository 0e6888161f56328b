"""What happened, kept for a while: lists that the server writes and a test reads from another thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from .strict_json import parse_json

T = TypeVar("T")

SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
SECRET_FIELDS = {"client_secret", "secret", "token", "code"}
MASK = "***"


class Journal(Sequence[T]):
    """The newest `limit` entries, oldest first. Reading works on a copy, so it is safe while the server writes."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[T] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def append(self, entry: T) -> None:
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def snapshot(self) -> list[T]:
        with self._lock:
            return list(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter(self.snapshot())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.snapshot()[index]

    def __repr__(self) -> str:
        return f"Journal({self.snapshot()!r})"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as it was asked and answered. `operation` is None where the contract has no such call.

    `fault` is the kind of the fault that it met on the wire, or "". `status` is 0 where it kept an answer from coming
    about.
    """

    method: str
    path: str
    operation: str | None
    client_id: str
    namespace: str
    status: int
    request_id: str
    raw_headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    content: bytes = field(repr=False)
    fault: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Lower-case names; what authenticates is masked."""
        decoded = ((name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in self.raw_headers)
        return {name: MASK if name in SECRET_HEADERS else value for name, value in decoded}

    @property
    def body(self) -> Any:
        """The JSON body with its secrets masked; None where there was none or it was refused as no JSON."""
        try:
            body = parse_json(self.content.decode())
        except ValueError:
            return None
        if not isinstance(body, dict):
            return body
        return {name: MASK if name in SECRET_FIELDS else value for name, value in body.items()}
