"""Network checks of `interactor doctor`: DNS, TCP connection and TLS certificate of a server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.network.pool import origin_of
from interactor_ext._engine.network.proxied import proxy_name
from interactor_ext._engine.network.proxies_and_tls import environment_proxy
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.responses.connection_error import certificate_problem

Status = Literal["ok", "warning", "failed", "skipped"]
_TIMEOUT = 5.0


class Finding(NamedTuple):
    """The result of one check of the doctor."""

    check: str
    status: Status
    detail: str
    advice: str = ""
    """How to fix a warning or failure."""


def reach(name: str, variable: str, url: str) -> Iterator[Finding]:
    """Check DNS, connection and TLS of the server at `url`. Stops at the first failure."""
    parsed = httpx.URL(url)
    host, port = parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80)
    try:
        proxy, variable_of_proxy = environment_proxy(origin_of(parsed))
    except ConfigurationError as error:
        yield Finding("DNS", "failed", str(error), "Fix or unset the variable. NO_PROXY exempts hosts from proxies.")
        return
    if proxy:
        yield Finding("DNS", "skipped", f"the {name} is reached through {proxy_name(proxy, variable_of_proxy)}")
        return
    try:
        connection = socket.create_connection((host, port), timeout=_TIMEOUT)
        address = connection.getpeername()[0]  # fails if the server has already reset the connection
    except socket.gaierror as error:
        advice = f"Check the host in {variable}, and this machine's DNS resolver."
        yield Finding("DNS", "failed", f"the host of the {name}, {host}, can't be resolved: {error.strerror}", advice)
        return
    except OSError as error:
        advice = (
            f"Check the host and port in {variable}. A firewall or a missing proxy setting (HTTPS_PROXY) "
            "looks the same."
        )
        yield Finding("connection", "failed", f"can't connect to {host}:{port}: {error.strerror or error}", advice)
        return
    with connection:
        yield Finding("connection", "ok", f"connected to the {name}, {host}:{port}, at {address}")
        if parsed.scheme == "https":
            yield _tls(connection, host, port, variable)
        else:
            yield Finding("TLS", "skipped", f"{variable} begins with http://, allowed only for local hosts")


def _tls(connection: socket.socket, host: str, port: int, variable: str) -> Finding:
    try:
        with httpx.create_ssl_context().wrap_socket(connection, server_hostname=host) as secured:
            certificate = secured.getpeercert() or {}
            expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
            detail = f"{secured.version()}; the certificate of {host} is valid until {expires.date()}"
    except ssl.SSLCertVerificationError as error:
        problem, advice = certificate_problem(error, variable)
        advice = f"{advice} Don't turn the check off: the secret would go to whoever responds.".lstrip()
        return Finding("TLS", "failed", f"the certificate of {host} was rejected: {problem}", advice)
    except (OSError, ValueError, KeyError) as error:
        reason = clean_text(str(getattr(error, "reason", None) or error))
        advice = f"Check that {host}:{port} uses TLS, and whether {variable} should begin with https."
        return Finding("TLS", "failed", f"no secure connection to {host}:{port}: {reason}", advice)
    return Finding("TLS", "ok", detail)
