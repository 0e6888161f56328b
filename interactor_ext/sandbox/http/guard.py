"""Host and origin checks: no page of another site may use the sandbox (CSRF, DNS rebinding).

A developer's browser reaches the sandbox, and so does every site that is open in it. A browser names the page that asks
in `Origin` and `Sec-Fetch-Site`, and no page can forge those. It does not help against a site whose own name is made to
point to this machine (DNS rebinding): to the browser that is one origin. `Host` gives such a site away, because it has
to be a name that somebody can register. It is looked at in every call of the API as well, whose client id and secret
anybody can guess. A name that somebody registered and the sandbox has all the same, as that of a tunnel, must be given.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from interactor_ext.sandbox.http.problems import Problem

# Sent by the page with whatever changes something: another site could send it only after a CORS preflight, which the
# sandbox never grants.
ACTION_HEADER = "x-sandbox-page"

# Endings that nobody can register on the internet: RFC 6761, RFC 6762, and `internal` as ICANN reserved it.
LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".test")
PORT = re.compile(r":\d*\Z")


def check_host(connection: HTTPConnection, allowed: Collection[str]) -> None:
    """Raises Problem 403 if this server was asked for under a name that another site could have, and not `allowed`."""
    host = host_name(connection.headers.get("host", ""))
    if not is_local(host) and host not in allowed:
        raise Problem(
            403,
            "The sandbox answers under an address or a local name only: use 127.0.0.1 instead, or allow the name with "
            "--allow-host NAME or Sandbox(allowed_hosts=[NAME]).",
        )


def host_name(host: str) -> str:
    """As `Host` headers are compared: without a port, in lower case."""
    return PORT.sub("", host).lower()


def check_origin(request: Request) -> None:
    """Raises Problem 403 if a page of another origin asks. What is no browser names no origin, and may."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    ours = origin is None or _authority(origin) == request.headers.get("host", "").lower()
    if not ours or site not in {"same-origin", "none"}:
        raise Problem(403, "Pages of other sites may not use the sandbox.")


def check_action(request: Request, allowed_hosts: Collection[str]) -> None:
    """As both of the others, for what changes something. Raises Problem 403."""
    check_host(request, allowed_hosts)
    check_origin(request)
    if ACTION_HEADER not in request.headers:
        raise Problem(403, f"What changes something needs the header {ACTION_HEADER}, with any value.")


def is_local(host: str) -> bool:
    """Whether a host, without its port, is an address or a name that no site on the internet can have."""
    with suppress(ValueError):
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        return True
    # A name without a dot (`localhost`, a container's name) is no site's: ICANN delegates none.
    return bool(host) and ("." not in host or host.endswith(LOCAL_ENDINGS))


def _authority(origin: str) -> str | None:
    """Host and port of an origin. The scheme is left out: in front of the sandbox there may be a proxy with TLS."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
