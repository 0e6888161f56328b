"""CORS: pages of the allowed origins may call the API. Pages of other origins get no header that would permit it.

A sandbox's client id and secret can be guessed, so `*` would give access to every site that is open in the developer's
browser.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?", re.IGNORECASE)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Headers that a page couldn't read otherwise.
_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Scope", "Retry-After")
EXPOSED = ("X-Request-Id", *_LIMITS, "Deprecation", "Sunset", "Link")


def origin_name(text: str) -> str:
    """Return an origin as browsers write it. Raises ValueError for anything else, including `*` and `null`."""
    match = ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"an allowed origin is a scheme, a host and optionally a port, such as http://localhost:3000, not {text!r}"
        )
    scheme, host, port = match[1].lower(), match[2].lower(), match[3] or ""
    return f"{scheme}://{host}{'' if port == DEFAULT_PORTS[scheme] else port}"


def cors(allowed: Collection[str]) -> list[Middleware]:
    """Return an app's middleware for these origins."""
    if not allowed:
        return []
    given = {"allow_origins": allowed, "allow_methods": METHODS, "allow_headers": ["*"], "expose_headers": EXPOSED}
    return [Middleware(CORSMiddleware, **given)]  # type: ignore[arg-type]  # its other parameters are of other types
