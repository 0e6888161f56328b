"""The `api` of a client or view: the generated low-level client, which sends through the view and raises SDK errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import httpx

from interactor_client.client import AuthenticatedClient
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.responses.read import read_response
from interactor_ext._interactor.views.http import AsyncViewClient, ViewClient
from interactor_ext._interactor.views.view import Immutable

T = TypeVar("T")


class _ViewApi(Immutable, AuthenticatedClient):
    """Has no token; the view's auth flow adds it."""

    def __init__(self, http: ViewClient | AsyncViewClient) -> None:
        super().__init__(http.view.config.core_api_url, token="")
        self._http = http

    def __repr__(self) -> str:
        return f"{type(self).__name__}(namespace={self._http.view.namespace!r})"

    def read(self, response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
        return read_response(response, parse)

    def _with(self, **changes: Any) -> NoReturn:
        raise ConfigurationError("views are created with .namespace() and .with_options() of the client")


class ViewApi(_ViewApi):
    """For `sync()` and `sync_detailed()` of the endpoint modules."""

    def __init__(self, http: ViewClient) -> None:
        super().__init__(http)
        self.set_httpx_client(http)

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        raise ConfigurationError(
            "This .api belongs to an InteractorClient: asyncio() needs the .api of an AsyncInteractorClient."
        )


class AsyncViewApi(_ViewApi):
    """For `asyncio()` and `asyncio_detailed()` of the endpoint modules."""

    def __init__(self, http: AsyncViewClient) -> None:
        super().__init__(http)
        self.set_async_httpx_client(http)

    def get_httpx_client(self) -> httpx.Client:
        raise ConfigurationError(
            "This .api belongs to an AsyncInteractorClient: sync() needs the .api of an InteractorClient."
        )
