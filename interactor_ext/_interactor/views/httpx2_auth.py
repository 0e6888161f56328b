"""A credential's auth for clients of httpx2, whose classes differ from httpx's. Loaded on request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

try:
    import httpx2
except ModuleNotFoundError as error:
    raise ImportError("httpx2_auth() needs httpx2: pip install httpx2") from error


class Httpx2Auth(httpx2.Auth):
    """What `CredentialAuth.httpx2_auth` and its async twin return."""

    def __init__(self, auth: httpx.Auth) -> None:
        # Any: its flows only use what the requests and responses of both have.
        self._auth: Any = auth

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._auth!r})"

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        return self._auth.sync_auth_flow(request)  # type: ignore[no-any-return]

    def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        return self._auth.async_auth_flow(request)  # type: ignore[no-any-return]
