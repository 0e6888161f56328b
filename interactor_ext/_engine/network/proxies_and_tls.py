"""Checked settings of a connection: TLS contexts, and proxies from the caller or the environment.

httpx reads the environment only if it gets no transport, and the SDK always passes one.
"""

from __future__ import annotations

import functools
import os
import ssl
from urllib.request import getproxies, proxy_bypass

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.network import proxied
from interactor_ext._engine.network.pool import Origin

Proxy = httpx.Proxy | httpx.URL | str
Verify = ssl.SSLContext | str | bool
Certificate = str | tuple[str, str] | tuple[str, str, str]

_PROTOCOLS = ["http/1.1"]
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def chosen_proxy(given: httpx.Proxy | None, origin: Origin, *, trust_env: bool) -> tuple[httpx.Proxy | None, str]:
    """The proxy for an origin, and the name of the setting."""
    return environment_proxy(origin) if given is None and trust_env else (given, "proxy=")


def environment_proxy(origin: Origin) -> tuple[httpx.Proxy | None, str]:
    """The proxy from HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (or the system's settings), and the variable. None if
    NO_PROXY excludes the host, or its name ends in `.localhost`, which means this machine (RFC 6761).

    Raises:
        ConfigurationError: it isn't a proxy's URL.
    """
    scheme, host, port = origin
    proxies = getproxies()
    name = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(name)
    if not proxy or host.endswith(".localhost") or proxy_bypass(host if port is None else f"{host}:{port}"):
        return None, ""
    variable = f"{name.upper()}_PROXY"
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    return proxied.checked_proxy(proxy, f"the environment variable {variable}"), variable


def tls_context(verify: Verify, cert: Certificate | None, *, trust_env: bool) -> ssl.SSLContext:
    """The context for these settings. With the defaults, all transports of a process share one: creating it reads every
    authority's certificate, which takes longer than twenty calls.

    Raises:
        ConfigurationError: a file can't be used.
    """
    # Without a context, which httpx makes of None, requests would go out without TLS.
    if not isinstance(verify, ssl.SSLContext | str | bool) or verify == "":
        raise ConfigurationError(
            f"verify= must be True, False, an ssl.SSLContext, or the path of a file or folder (str), not {verify!r}."
        )
    key_log = os.environ.get("SSLKEYLOGFILE")
    # The variables that httpx reads.
    named = tuple(os.environ.get(name) for name in _VARIABLES) if trust_env else ()
    try:
        if verify is True and cert is None:
            return _default_context(trust_env, (*named, key_log))
        # With a path, `httpx.create_ssl_context` warns and ignores the client certificate.
        if isinstance(verify, str):
            is_folder = os.path.isdir(verify)
            context = ssl.create_default_context(
                capath=verify if is_folder else None, cafile=None if is_folder else verify
            )
        else:
            context = httpx.create_ssl_context(verify=verify, trust_env=trust_env)
        if context is not verify:
            context.set_alpn_protocols(_PROTOCOLS)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
        return context
    except (OSError, ValueError, TypeError) as error:
        variables = [f"{name}={value}" for name, value in zip(_VARIABLES, named, strict=False) if value]
        given = ["cert="] if cert is not None else []
        if isinstance(verify, str):  # a path replaces the variables
            variables, given = [], ["verify=", *given]
        advice = "exist, be readable, and contain certificates in PEM format"
        if key_log and getattr(error, "filename", None) == key_log:
            variables, given, advice = [f"SSLKEYLOGFILE={key_log}"], [], "be writable"
        advice += ". Unset the variable to go on without it" if variables and not given else ""
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"The TLS settings can't be used ({', '.join([*given, *variables]) or 'the defaults of this system'}): "
            f"{reason}. The file must {advice}."
        ) from error


@functools.lru_cache(maxsize=4)
def _default_context(trust_env: bool, named: tuple[str | None, ...]) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=trust_env)
    context.set_alpn_protocols(_PROTOCOLS)
    return context
