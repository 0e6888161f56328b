"""The proxy that the environment names for an origin. httpx looks there only when no transport is given, and we always
give one.
"""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import httpx

Origin = tuple[str, str, int | None]


def origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port


def environment_proxy(origin: Origin) -> str | None:
    """The URL from HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (or the system's settings), unless NO_PROXY excludes the
    host.
    """
    scheme, host, port = origin
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host if port is None else f"{host}:{port}"):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
