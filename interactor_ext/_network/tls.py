"""The TLS settings of a transport. To make them reads every authority's certificate, which costs more than twenty
calls.
"""

from __future__ import annotations

import functools
import os
import ssl

import httpx

Verify = ssl.SSLContext | str | bool
Certificate = str | tuple[str, str] | tuple[str, str, str]


def tls_context(verify: Verify, cert: Certificate | None, *, trust_env: bool) -> ssl.SSLContext:
    """httpx's context for these settings. All transports of a process with the default ones share theirs."""
    if verify is not True or cert is not None:
        return httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)
    # What httpx looks at.
    named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")) if trust_env else ()
    return _default_context(trust_env, named)


@functools.lru_cache(maxsize=4)
def _default_context(trust_env: bool, named: tuple[str | None, ...]) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=trust_env)
