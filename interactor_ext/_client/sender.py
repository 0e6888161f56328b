"""What the resource classes of a view call, and its `api`: the low-level client for the endpoint functions."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import httpx

from interactor_client.client import AuthenticatedClient
from interactor_client.types import AsyncEventStream, EventStream, OnInvalid, Page
from interactor_ext._client.http import AsyncViewClient, ViewClient
from interactor_ext._client.view import Immutable
from interactor_ext._errors import ConfigurationError
from interactor_ext._lazy import LazyModule
from interactor_ext._responses._read import read_response

if TYPE_CHECKING:
    from interactor_ext import _pagination as pages
    from interactor_ext._config import _misnamed as misnamed
    from interactor_ext.streams import _stream
else:
    # Most programs use no lists or no streams, and a stream imports asyncio and the models of its events.
    pages = LazyModule("interactor_ext._pagination")
    _stream = LazyModule("interactor_ext.streams._stream")
    misnamed = LazyModule("interactor_ext._config._misnamed")

T = TypeVar("T")
KwargsOf = Callable[[int], dict[str, Any]]


class _Sender:
    """What the senders of sync and async views have in common."""

    def unknown_keyword(self, method: Callable[..., Any], given: Mapping[str, object]) -> TypeError:
        return misnamed.unknown_keyword(method, given)


class ViewSender(_Sender):
    """What the resource classes of a sync view call."""

    def __init__(self, http: ViewClient) -> None:
        self.http = http

    def __repr__(self) -> str:
        return self.http.view.describe()  # around which a resource puts its name

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(self.http.request(**kwargs), parse)

    def page(self, kwargs: dict[str, Any], parse: pages.ParseList[T]) -> Page[T]:
        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(self.http.request(**kwargs), parse, params)

    def iterate(
        self, get_kwargs: KwargsOf, parse: pages.ParseList[T], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> Iterator[T]:
        request = _checked_list_request(get_kwargs(1), prefetch)
        read = pages.read_page if on_invalid is None else pages.read_partial_page

        def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            return read(self.http.request(**kwargs), parse, kwargs.get("params", {}))

        return pages.iterate(fetch, prefetch, on_invalid, request=request)

    def stream(self, kwargs: dict[str, Any], family: str, **options: Any) -> EventStream[Any]:
        return _stream.Stream(self.http, kwargs, family, **options, **_stream_settings(self.http))


class AsyncViewSender(_Sender):
    """What the resource classes of an async view call."""

    def __init__(self, http: AsyncViewClient) -> None:
        self.http = http

    def __repr__(self) -> str:
        return self.http.view.describe()

    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(await self.http.request(**kwargs), parse)

    async def page(self, kwargs: dict[str, Any], parse: pages.ParseList[T]) -> Page[T]:
        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(await self.http.request(**kwargs), parse, params)

    def iterate(
        self, get_kwargs: KwargsOf, parse: pages.ParseList[T], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> AsyncIterator[T]:
        request = _checked_list_request(get_kwargs(1), prefetch)
        read = pages.read_page if on_invalid is None else pages.read_partial_page

        async def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            return read(await self.http.request(**kwargs), parse, kwargs.get("params", {}))

        return pages.aiterate(fetch, prefetch, on_invalid, request=request)

    def stream(self, kwargs: dict[str, Any], family: str, **options: Any) -> AsyncEventStream[Any]:
        return _stream.AsyncStream(self.http, kwargs, family, **options, **_stream_settings(self.http))


def _checked_list_request(kwargs: dict[str, Any], prefetch: int) -> str:
    """The name of a list request, such as `GET /assistants`.

    Raises ValueError when `iterate` is called, not when the iterator is first used.
    """
    pages.check_paging(kwargs.get("params", {}))
    pages.check_prefetch(prefetch)
    operation = kwargs["extensions"]["operation"]
    return f"{operation.method} {operation.path}"


def _stream_settings(http: ViewClient | AsyncViewClient) -> dict[str, Any]:
    view = http.view
    return {
        "policy": dataclasses.replace(http.context.policy, max_retries=view.max_retries),
        "deadline": view.ends_at(),
        "max_event_size": max(1, view.config.max_response_size // 4),
    }


class _ViewApi(Immutable, AuthenticatedClient):
    """Has no token: the auth flow of the view adds it."""

    def __init__(self, http: ViewClient | AsyncViewClient) -> None:
        super().__init__(http.view.config.core_api_url, token="")
        self._http = http

    def __repr__(self) -> str:
        return f"{type(self).__name__}(namespace={self._http.view.namespace!r})"

    def read(self, response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
        return read_response(response, parse)

    def _with(self, **changes: Any) -> NoReturn:
        raise ConfigurationError("views are made with .namespace() and .with_options() of the client")


class ViewApi(_ViewApi):
    """For `sync()` and `sync_detailed()` of the endpoint modules."""

    def __init__(self, http: ViewClient) -> None:
        super().__init__(http)
        self.set_httpx_client(http)

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        raise ConfigurationError("this .api is an InteractorClient's: asyncio() takes that of an AsyncInteractorClient")


class AsyncViewApi(_ViewApi):
    """For `asyncio()` and `asyncio_detailed()` of the endpoint modules."""

    def __init__(self, http: AsyncViewClient) -> None:
        super().__init__(http)
        self.set_async_httpx_client(http)

    def get_httpx_client(self) -> httpx.Client:
        raise ConfigurationError("this .api is an AsyncInteractorClient's: sync() takes that of an InteractorClient")
