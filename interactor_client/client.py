"""The low-level client that the endpoint functions call. It is the same for every API."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from copy import copy
from threading import Lock
from typing import Any, Self, TypeVar

import httpx

from .errors import ApiError
from .wire import header_value

T = TypeVar("T")


class Client:
    """Where and how to send requests; the httpx clients are created on first use.

    Args:
        base_url: Base of every path.
        cookies: Sent with every request.
        headers: Sent with every request.
        timeout: Seconds for each of connecting, sending, and waiting for more; None waits forever.
        verify_ssl: The `verify` of httpx.
        follow_redirects: The same as in httpx.
        httpx_args: Further arguments of `httpx.Client` and `httpx.AsyncClient`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | float | None = 30.0,
        verify_ssl: str | bool | ssl.SSLContext = True,
        follow_redirects: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        self._httpx_args: dict[str, Any] = {
            "base_url": base_url,
            "cookies": dict(cookies or {}),
            "headers": _sendable(headers or {}),
            "timeout": timeout,
            "verify": verify_ssl,
            "follow_redirects": follow_redirects,
            **(httpx_args or {}),
        }
        self._client: httpx.Client | None = None
        self._async_client: httpx.AsyncClient | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        # httpx.URL hides a password in its repr; headers, cookies and tokens aren't shown.
        return f"{type(self).__name__}(base_url={httpx.URL(self._httpx_args['base_url'])!r})"

    def read(self, response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
        """Parse a success with `parse`, and raise an error for any other status.

        Raises:
            ApiError: The status isn't 2xx.
            DecodeError: The body does not fit its documentation.
        """
        if not response.is_success:
            raise ApiError(response.status_code, response.headers, response.content)
        return parse(response)

    def with_headers(self, headers: dict[str, str]) -> Self:
        """A copy with these headers added. This client and its httpx clients stay unchanged."""
        return self._with(headers={**self._httpx_args["headers"], **_sendable(headers)})

    def with_cookies(self, cookies: dict[str, str]) -> Self:
        """A copy with these cookies added. This client and its httpx clients stay unchanged."""
        return self._with(cookies={**self._httpx_args["cookies"], **cookies})

    def with_timeout(self, timeout: httpx.Timeout | float | None) -> Self:
        """A copy with this timeout. This client and its httpx clients stay unchanged."""
        return self._with(timeout=timeout)

    def _with(self, **changes: Any) -> Self:
        other = copy(self)
        other._httpx_args = {**self._httpx_args, **changes}
        other._client = other._async_client = None
        other._lock = Lock()
        return other

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Use this client, with its own settings, instead of creating one."""
        self._client = client
        return self

    def get_httpx_client(self) -> httpx.Client:
        """The client of the synchronous functions."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = httpx.Client(**self._httpx_args)
        return self._client

    def __enter__(self) -> Self:
        self.get_httpx_client().__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.get_httpx_client().__exit__(*exc_info)

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Use this client, with its own settings, instead of creating one."""
        self._async_client = async_client
        return self

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """The client of the asynchronous functions. Its pool belongs to the event loop that first uses it."""
        if self._async_client is None:
            with self._lock:
                if self._async_client is None:
                    self._async_client = httpx.AsyncClient(**self._httpx_args)
        return self._async_client

    async def __aenter__(self) -> Self:
        await self.get_async_httpx_client().__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.get_async_httpx_client().__aexit__(*exc_info)


class AuthenticatedClient(Client):
    """A client that sends a token with every request.

    Args:
        base_url: Base of every path.
        token: The secret; never shown in a repr.
        prefix: The scheme before it; "" for none.
        auth_header_name: The header for both.
        **settings: The same as for `Client`.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        prefix: str = "Bearer",
        auth_header_name: str = "Authorization",
        **settings: Any,
    ) -> None:
        super().__init__(base_url, **settings)
        scheme = f"{prefix} ".encode() if prefix else b""
        self._httpx_args["headers"][auth_header_name] = scheme + header_value(auth_header_name, token)


def _sendable(headers: Mapping[str, str]) -> dict[str, bytes]:
    return {name: header_value(name, value) for name, value in headers.items()}


__all__ = ["AuthenticatedClient", "Client"]
