"""Host and origin checks: no page of another site may use the sandbox (CSRF, DNS rebinding).

A developer's browser can reach the sandbox, and so can every site that is open in it. A browser names the requesting
page in `Origin` and `Sec-Fetch-Site`, which a page can't forge. They don't help against a site whose own name
resolves to this machine (DNS rebinding), because the browser sees a single origin. `Host` reveals such a site, because
its name must be registered. It is also checked in every API call, because anyone can guess the client id and secret. A
registered name that does belong to the sandbox, such as a tunnel's, must be allowed explicitly.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from interactor_ext.sandbox.problems import Problem

# Top-level names that can't be registered: RFC 6761, RFC 6762, and `internal`, reserved by ICANN.
LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".test")
PORT = re.compile(r":\d*\Z")


def check_host(connection: HTTPConnection, allowed: Collection[str]) -> None:
    """Raises Problem 403 if `Host` is a name that another site could have and isn't in `allowed`."""
    host = host_name(connection.headers.get("host", ""))
    if not is_local(host) and host not in allowed:
        raise Problem(
            403,
            "The sandbox only responds to an address or a local name. Use 127.0.0.1 instead, or allow "
            "the name with --allow-host NAME or Sandbox(allowed_hosts=[NAME]).",
        )


def host_name(host: str) -> str:
    """Return a `Host` header without its port, in lower case."""
    return PORT.sub("", host).lower()


def check_origin(request: Request) -> None:
    """Raises Problem 403 for requests from pages of another origin. Programs send no origin, and pass."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    ours = origin is None or _authority(origin) == request.headers.get("host", "").lower()
    if not ours or site not in {"same-origin", "none"}:
        raise Problem(403, "Pages from other sites can't use the sandbox.")


def is_local(host: str) -> bool:
    """Whether a host, without its port, is an IP address or a name that no internet site can have."""
    with suppress(ValueError):
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        return True
    # A name without a dot (`localhost`, a container's name) belongs to no site: ICANN delegates none.
    return bool(host) and ("." not in host or host.endswith(LOCAL_ENDINGS))


def _authority(origin: str) -> str | None:
    """Return an origin's host and port. The scheme is left out: a TLS proxy may be in front of the sandbox."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
