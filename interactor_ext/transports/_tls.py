"""The TLS settings of a transport. To make them reads every authority's certificate, which costs more than twenty
calls.
"""

from __future__ import annotations

import functools
import os
import ssl

import httpx

from interactor_ext._errors import ConfigurationError

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

Verify = ssl.SSLContext | str | bool
Certificate = str | tuple[str, str] | tuple[str, str, str]


def tls_context(verify: Verify, cert: Certificate | None, *, trust_env: bool) -> ssl.SSLContext:
    """httpx's context for these settings. All transports of a process with the default ones share theirs.

    Raises:
        ConfigurationError: a file that they name cannot be used.
    """
    # What httpx looks at.
    named = tuple(os.environ.get(name) for name in _VARIABLES) if trust_env else ()
    try:
        if verify is not True or cert is not None:
            return httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)
        return _default_context(trust_env, named)
    except (OSError, ValueError) as error:
        sources = [f"{name}={value}" for name, value in zip(_VARIABLES, named, strict=False) if value]
        sources += ["verify="] if isinstance(verify, str) else []
        sources += ["cert="] if cert is not None else []
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"The TLS settings cannot be used ({', '.join(sources) or 'the defaults of this system'}): {reason}. "
            "The file must exist, be readable, and hold certificates in PEM format; unset the variable to trust the "
            "authorities that come with certifi."
        ) from error


@functools.lru_cache(maxsize=4)
def _default_context(trust_env: bool, named: tuple[str | None, ...]) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=trust_env)
