"""Proxies: those that the environment names for an origin, and the check that each must pass. httpx looks into the
environment only when no transport is given, and we always give one.
"""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import httpx

from interactor_ext._errors import ConfigurationError

Origin = tuple[str, str, int | None]


def origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port


def environment_proxy(origin: Origin) -> str | None:
    """The URL from HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (or the system's settings), unless NO_PROXY excludes the
    host.

    Raises:
        ConfigurationError: it is no URL of a proxy.
    """
    scheme, host, port = origin
    proxies = getproxies()
    name = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(name)
    if not proxy or proxy_bypass(host if port is None else f"{host}:{port}"):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    checked_proxy(proxy, f"the environment variable {name.upper()}_PROXY")
    return proxy


def checked_proxy(proxy: httpx.Proxy | httpx.URL | str, source: str = "proxy") -> httpx.Proxy:
    """The proxy, if it can be one. `source` says where it was given.

    Raises:
        ConfigurationError: it cannot. The message quotes nothing of it, since any part may belong to a password.
    """
    try:
        checked = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
        problem = _problem(checked.url)
    except (httpx.InvalidURL, ValueError, TypeError):
        checked, problem = None, "it is no URL with the scheme http, https, socks5 or socks5h"
    if checked is None or problem is not None:
        raise ConfigurationError(
            f"{source} cannot be used: {problem}. Write it as http://host:port or http://user:password@host:port, "
            "with the special characters of user name and password percent-encoded (# as %23, / as %2F, @ as %40)."
        )
    return checked


def _problem(url: httpx.URL) -> str | None:
    if not url.host:
        return "it names no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "ports go from 1 to 65535"
    if "@" in f"{url.raw_path!r}{url.fragment}":
        return "its user name or password holds a character that ends them"
    return None
