"""Host and origin checks: no page of another site may use the sandbox (CSRF, DNS rebinding).

A developer's browser reaches the sandbox, and so does every site that is open in it. A browser names the requesting
page in `Origin` and `Sec-Fetch-Site`, and no page can forge those. They do not help against a site whose own name
resolves to this machine (DNS rebinding): to the browser that is one origin. `Host` reveals such a site, because its
name must be registered. It is checked in every call of the API as well, whose client id and secret anybody can guess. A
registered name that the sandbox does have, for example of a tunnel, must be allowed explicitly.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from interactor_ext.sandbox.problems import Problem

# Top-level names that nobody can register: RFC 6761, RFC 6762, and `internal` as ICANN reserved it.
LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".test")
PORT = re.compile(r":\d*\Z")


def check_host(connection: HTTPConnection, allowed: Collection[str]) -> None:
    """Raises Problem 403 if `Host` is a name that another site could have, and not in `allowed`."""
    host = host_name(connection.headers.get("host", ""))
    if not is_local(host) and host not in allowed:
        raise Problem(
            403,
            "The sandbox only responds to an address or a local name. Use 127.0.0.1 instead, or allow "
            "the name with --allow-host NAME or Sandbox(allowed_hosts=[NAME]).",
        )


def host_name(host: str) -> str:
    """A `Host` header without its port, in lower case."""
    return PORT.sub("", host).lower()


def check_origin(request: Request) -> None:
    """Raises Problem 403 for requests of pages of another origin. Programs send no origin, and pass."""
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
    """Host and port of an origin. The scheme is left out: in front of the sandbox there may be a proxy with TLS."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
