"""Bytes that follow the end of an answer. On a connection that serves another call, they would be taken for the answer
to that call, which may be another tenant's.

httpcore asks the kernel whether a connection that waits for its next call has bytes to read, and drops it then. What
was read already, together with the answer, it does not look at: that lies in h11, or below it, in anyio. Neither httpx
nor httpcore has a word for it, so all of it is looked up step by step; where a transport is made of something else,
only what `httpx.Response.extensions` tells can be used.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

# From the stream of a response to the connection that it came on: ours, httpx's and httpcore's names for it.
_STEPS = ("_body", "_httpcore_stream", "_stream", "_connection", "_h11_state")
_WITHOUT_BODY = (204, 304)


class Head(NamedTuple):
    """What a response says before its body. A body that held the response itself would make a reference cycle, and
    with it an interrupted call would keep its connection until the garbage collector runs.
    """

    status_code: int
    headers: httpx.Headers
    extensions: Mapping[str, Any]

    @classmethod
    def of(cls, response: httpx.Response) -> Head:
        return cls(response.status_code, response.headers, response.extensions)


def retire(response: Head, stream: object) -> Any:
    """Before an answer that was read is closed: see that its connection serves no other call, if it must not.

    Returns the network stream, if there is one and the caller has to close it.
    """
    parser = _parser_of(stream)
    if parser is None:
        extensions = response.extensions
        # Over HTTP/2 others share it, and there each byte says which answer it belongs to.
        if _has_impossible_body(response) and extensions.get("http_version") in (b"HTTP/1.1", b"HTTP/1.0"):
            return extensions.get("network_stream")
        return None
    if (
        parser.trailing_data != (b"", False)
        or _has_impossible_body(response)
        or _was_read_ahead(response.extensions.get("network_stream"))
    ):
        # h11's way to say that nothing more can be sent on it; httpcore closes such a connection, in its own time.
        parser.send_failed()
    return None


def retire_stream(response: httpx.Response) -> None:
    """For a stream of events, which lasts for minutes: no call after it is worth the trust."""
    parser = _parser_of(response.stream)
    if parser is not None:
        parser.send_failed()


def _parser_of(stream: Any) -> Any:
    for step in _STEPS:
        stream = getattr(stream, step, stream)
    return stream if hasattr(stream, "trailing_data") else None


def _has_impossible_body(response: Head) -> bool:
    """The body of an answer that can have none is on its way, and is left to the next one to stumble over."""
    if response.status_code not in _WITHOUT_BODY:
        return False
    headers = response.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"


def _was_read_ahead(network: Any) -> bool:
    if network is None:
        return False
    inner = getattr(network, "_stream", None)
    # anyio tells of it as well, but at ten times the cost. A socket of ours, which would wait for the network, is no
    # SSLObject.
    secured = network.get_extra_info("ssl_object") if inner is None else getattr(inner, "_ssl_object", None)
    if isinstance(secured, ssl.SSLObject):
        try:
            secured.read(1)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return True
        else:
            return True
    inner = getattr(inner, "transport_stream", inner)
    return bool(getattr(getattr(inner, "_protocol", None), "read_queue", None))
