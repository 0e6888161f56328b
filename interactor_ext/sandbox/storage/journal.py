"""Journal: a bounded list of requests, events or emails that tests read from another thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from interactor_ext._engine.fork import safe_lock
from interactor_ext._engine.redaction import MASK, OAUTH_NAMES, Masker, is_secret_name, mask_text
from interactor_ext.sandbox.storage.strict_json import parse_json

T = TypeVar("T")

# How many bytes of a response's body are kept, and how many of any body are shown.
MAX_SHOWN = 64 * 1024
# How many responses keep their bodies.
RESPONSES = 500
# How many levels of JSON are shown; far more than real data has.
MAX_DEPTH = 64
# An OAuth flow's code, in the callback's body.
CODE = "code"


class Journal(Sequence[T]):
    """The newest `limit` entries, oldest first. Reads work on a copy, so they are safe while the server writes.

    `dropped` counts the entries removed for newer ones.
    """

    def __init__(self, limit: int) -> None:
        self.dropped: int = 0
        self._entries: deque[T] = deque(maxlen=limit)
        self._lock = safe_lock()

    def append(self, entry: T) -> None:
        """Add the newest entry."""
        with self._lock:
            self.dropped += len(self._entries) == self._entries.maxlen
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
            self.dropped = 0

    def snapshot(self) -> list[T]:
        """The current entries, oldest first."""
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


@dataclass(slots=True)
class ResponseRecord:
    """The headers of a response and the first MAX_SHOWN bytes of its body, to which a stream adds."""

    raw_headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    size: int = 0
    content: bytes = field(default=b"", repr=False)

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.content += chunk[: MAX_SHOWN - len(self.content)]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request with its response status. `operation` is None if the contract has no such operation.

    `query_string` is as sent. `fault` is the kind of the applied wire fault, or "". `status` is 0 if it prevented a
    response. `time` is when the request arrived, on the sandbox's clock, in the API's format. `duration` is in real
    seconds, until the response began.
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
    time: str = ""
    duration: float = 0.0
    query_string: bytes = field(default=b"", repr=False)
    response: ResponseRecord | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Lower-case names; secrets are masked."""
        return masked_headers(self.raw_headers)

    @property
    def body(self) -> Any:
        """The JSON body with secrets masked at any depth: values with secret names, and passwords in URLs.

        None if there was no body or it wasn't valid JSON.
        """
        try:
            body = parse_json(self.content.decode())
        except ValueError:
            return None
        return masked(body, CODE)


def masked_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by their lower-case names, with secrets masked."""
    decoded = ((name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in raw)
    return {name: MASK if is_secret_name(name) else masked_text(value) for name, value in decoded}


def masked(value: Any, *secret: str) -> Any:
    """Return JSON with secrets masked; `secret` are additional secret names on the first level."""
    if isinstance(value, dict):
        value = {name: MASK if name in secret else item for name, item in value.items()}
    return Masker(masked_text, max_depth=MAX_DEPTH).clean(value)


def masked_text(text: str) -> str:
    return mask_text(text, in_queries=OAUTH_NAMES)
