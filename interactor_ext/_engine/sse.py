"""Decodes Server-Sent Events. It knows neither sockets nor JSON."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from interactor_ext._engine.errors import StreamError
from interactor_ext._engine.lazy import adopt

DEFAULT_MAX_EVENT_SIZE = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
# int() refuses longer digit strings. 640 digits is the lowest limit that an interpreter can be given.
_MAX_RETRY_DIGITS = 640


class ServerSentEvent(NamedTuple):
    """One event as the server sent it.

    `event` is "message" if the server named no type. `id` is the last event id at the end of the event: an event
    without its own id has its predecessor's.
    """

    event: str
    data: str
    id: str


# An event, and whether its id is its own or its predecessor's. A NamedTuple would make each event 150 ns slower.
Block = tuple[ServerSentEvent, bool]


class EventTooLargeError(StreamError):
    """An event larger than the decoder's limit."""

    blocks: list[Block]

    @property
    def events(self) -> list[ServerSentEvent]:
        """The events of the same chunk that were complete before it."""
        return [sent for sent, _ in self.blocks]


class SSEDecoder:
    """Decodes the bytes of one connection. A reconnect needs a new decoder with the old one's `last_event_id`.

    `max_event_size` limits the bytes kept for an unfinished event: its `data` lines and the line that is being read. A
    stream that exceeds it raises `EventTooLargeError`, and so does every later call.
    """

    def __init__(self, last_event_id: str = "", max_event_size: int = DEFAULT_MAX_EVENT_SIZE) -> None:
        self.last_event_id: str = last_event_id
        """The Last-Event-ID of a reconnect. Changes when an event ends, not at its `id` line."""
        self.retry_ms: int | None = None
        """The server's `retry` field: the wait before a reconnect in milliseconds. Not bounded here."""
        self._max = max_event_size
        self._too_large = False
        self._at_start = True
        self._after_cr = False
        self._line = bytearray()  # the unfinished line
        self._data: list[bytes] = []  # of the unfinished event, like the next four
        self._size = 0
        self._type = b""
        self._id = last_event_id
        self._own_id = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that end in this chunk. An unfinished event is never returned."""
        return [sent for sent, _ in self.feed_blocks(chunk)]

    def feed_blocks(self, chunk: bytes) -> list[Block]:
        """Like `feed`, but for a reader that must tell an event's own id from an inherited one."""
        if self._too_large:
            self._refuse([])
        if self._at_start:
            chunk = self._without_bom(chunk)
            if self._at_start:  # the bytes kept so far may be a byte order mark, which isn't part of an event
                return []
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        blocks: list[Block] = []
        if cut:
            # A CR ends its line at once; an LF that starts the next chunk then belongs to it.
            self._after_cr = cut == len(chunk) and chunk.endswith(b"\r")
            lines = chunk if cut == len(chunk) else chunk[:cut]
            if self._line:
                lines = bytes(self._line) + lines
                self._line.clear()
            # For bytes, unlike str, splitlines only splits at CR, LF and CRLF.
            self._read(lines.splitlines(), blocks)
            chunk = chunk[cut:]
        self._line += chunk
        if self._size + len(self._line) > self._max:
            self._refuse(blocks)
        return blocks

    def _without_bom(self, chunk: bytes) -> bytes:
        head = bytes(self._line) + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._line[:] = head
            return b""
        self._at_start = False
        self._line.clear()
        return head.removeprefix(_BOM)

    def _read(self, lines: list[bytes], blocks: list[Block]) -> None:
        """Add complete lines to the unfinished event, and the events that they end to `blocks`."""
        data, size, limit = self._data, self._size, self._max
        for line in lines:
            if size + len(line) > limit:
                self._refuse(blocks)
            if line[:6] == b"data: ":
                data.append(line[6:])
                size += len(line) + 1
            elif not line:
                self.last_event_id = self._id
                if data:
                    text = (data[0] if len(data) == 1 else b"\n".join(data)).decode("utf-8", "replace")
                    event = self._type.decode("utf-8", "replace") if self._type else "message"
                    blocks.append((ServerSentEvent(event, text, self._id), self._own_id))
                    self._own_id = False
                    data.clear()
                    size = 0
                self._type = b""
            elif line[:4] == b"id: " and b"\0" not in line:  # the usual form; 4 % less for each event
                self._id = line[4:].decode("utf-8", "replace")
                self._own_id = True
            else:
                field, _, value = line.partition(b":")
                if value[:1] == b" ":
                    value = value[1:]
                if field == b"data":
                    data.append(value)
                    size += len(line) + 1
                elif field == b"id":
                    if b"\0" not in value:
                        self._id = value.decode("utf-8", "replace")
                        self._own_id = True
                elif field == b"event":
                    self._type = value
                elif field == b"retry" and value.isdigit():
                    self.retry_ms = int(value.lstrip(b"0")[:_MAX_RETRY_DIGITS] or b"0")
        self._size = size

    def _refuse(self, blocks: list[Block]) -> NoReturn:
        self._too_large = True
        self._line.clear()
        self._data.clear()
        error = EventTooLargeError(
            f"an event of the stream is larger than {self._max} bytes. If that is expected, raise the "
            "client's max_response_size=, a quarter of which an event can have (max_event_size= of your "
            "own decoder); otherwise send less at a time, for example in a tool's result"
        )
        error.blocks = blocks
        raise error


adopt("interactor_ext.sse", EventTooLargeError, SSEDecoder, ServerSentEvent)
