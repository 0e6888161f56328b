"""CORS: pages of the origins that the sandbox was told may call the API. Others get no header that would let them.

The client id and the secret of a sandbox can be guessed, so `*` would let every site that is open in the developer's
browser use it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?", re.IGNORECASE)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What a page could not read otherwise.
_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Scope", "Retry-After")
EXPOSED = ("X-Request-Id", *_LIMITS, "Deprecation", "Sunset", "Link")


def origin_name(text: str) -> str:
    """An origin as browsers write it. Raises ValueError for anything else, `*` and `null` included."""
    match = ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"an allowed origin is a scheme, a host and optionally a port, such as http://localhost:3000, not {text!r}"
        )
    scheme, host, port = match[1].lower(), match[2].lower(), match[3] or ""
    return f"{scheme}://{host}{'' if port == DEFAULT_PORTS[scheme] else port}"


def cors(allowed: Collection[str]) -> list[Middleware]:
    """The middleware of an app, for these origins."""
    if not allowed:
        return []
    given = {"allow_origins": allowed, "allow_methods": METHODS, "allow_headers": ["*"], "expose_headers": EXPOSED}
    return [Middleware(CORSMiddleware, **given)]  # type: ignore[arg-type]  # its other parameters are of other types
