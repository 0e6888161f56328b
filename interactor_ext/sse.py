"""Decoder of Server-Sent Events: bytes in chunks of any size in, events out, as the WHATWG specifies.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

The decoder knows neither sockets nor JSON. It splits whole chunks with the methods of bytes objects, looks at no byte
twice, and decodes the text of an event once: its time is linear in the number of bytes and lines, whatever the chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names
from interactor_ext._engine.sse import EventTooLargeError, ServerSentEvent, SSEDecoder

__all__ = ["EventTooLargeError", "SSEDecoder", "ServerSentEvent"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})
