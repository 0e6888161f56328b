"""Posts a webhook delivery or a tool call: resolves the host, refuses public addresses, reads the response."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from interactor_ext._engine.lazy import httpx
from interactor_ext.sandbox.work import run_in_own_thread

# How many bytes of a response are read; only the status of a webhook's response matters.
MAX_RESPONSE = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status code and the beginning of a response, or the error if there is none."""

    status: int | None = None
    error: str | None = None
    content: bytes = field(default=b"", repr=False)
    # The request's headers.
    sent: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float, public: bool) -> Outcome:
    """Post once. Every failure except a cancellation is returned as an Outcome."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _post(httpx.URL(url), body, headers, public=public)
    except TimeoutError:
        return Outcome(error=f"no response within {timeout_seconds:g} s")
    except Exception as error:
        # Any error that a URL or a receiver causes is a failed attempt, as on the platform.
        return Outcome(error=f"{type(error).__name__}: {error}")


async def _post(url: httpx.URL, body: bytes, headers: Mapping[str, str], *, public: bool) -> Outcome:
    # In a new thread rather than the loop's executor: a hanging name server would delay the server's stop until the
    # lookup gives up.
    found = await run_in_own_thread(lambda: socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
    if not public and any(ipaddress.ip_address(address[0]).is_global for *_, address in found):
        return Outcome(error=f"not sent: {url.host} is a public address (DeliveryOptions.public allows them)")
    # Not in the URL, because httpx logs it.
    auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
    verify = _tls() if url.scheme == "https" else False
    async with (
        httpx.AsyncClient(trust_env=False, verify=verify, timeout=None) as client,  # `post` limits the whole request
        client.stream(
            "POST",
            url.copy_with(username=None, password=None),
            auth=auth,
            content=body,
            headers={**headers, "Connection": "close"},
        ) as response,
    ):
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_RESPONSE:
                break
        return Outcome(response.status_code, content=bytes(content))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Creating one costs more than a delivery.
    return httpx.create_ssl_context(trust_env=False)
