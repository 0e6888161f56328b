"""CORS: pages of the origins that the sandbox was told may call the API. Others get no header that would let them.

The client id and the secret of a sandbox can be guessed, so `*` would let every site that is open in the developer's
browser use it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

RawHeaders = list[tuple[bytes, bytes]]

ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?", re.IGNORECASE)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
METHODS = b"GET, POST, PUT, PATCH, DELETE"
# What a page could not read otherwise.
EXPOSED = (
    b"X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Scope, Retry-After, "
    b"Deprecation, Sunset, Link"
)
# Seconds for which a browser remembers a preflight.
MAX_AGE = b"600"


def origin_name(text: str) -> str:
    """An origin as browsers write it. Raises ValueError for anything else, `*` and `null` included."""
    match = ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"an allowed origin is a scheme, a host and optionally a port, such as http://localhost:3000, not {text!r}"
        )
    scheme, host, port = match[1].lower(), match[2].lower(), match[3] or ""
    return f"{scheme}://{host}{'' if port == DEFAULT_PORTS[scheme] else port}"


def is_preflight(scope: Scope, allowed: Collection[str]) -> bool:
    """Whether a browser asks before a call that a page of an allowed origin wants to make."""
    sent = Headers(scope=scope)
    asks = scope["method"] == "OPTIONS" and sent.get("access-control-request-method")
    return bool(asks) and sent.get("origin", "") in allowed


def cors_headers(scope: Scope, allowed: Collection[str]) -> RawHeaders:
    """The headers of a response, whatever its status, by the origin that its request names."""
    if not allowed:
        return []
    sent, headers = Headers(scope=scope), [(b"vary", b"Origin")]
    origin = sent.get("origin", "")
    if origin not in allowed:
        return headers
    headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
    if not is_preflight(scope, allowed):
        return [*headers, (b"access-control-expose-headers", EXPOSED)]
    if wanted := sent.get("access-control-request-headers"):
        headers.append((b"access-control-allow-headers", wanted.encode("latin-1")))
    return [*headers, (b"access-control-allow-methods", METHODS), (b"access-control-max-age", MAX_AGE)]
