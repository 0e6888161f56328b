"""Sends the operations of the generated resource classes for one view: single calls, pages, iterators and streams."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from interactor_client.types import AsyncEventStream, EventStream, ListEnvelope, OnInvalid, Page
from interactor_ext._client.http import AsyncViewClient, ViewClient
from interactor_ext._lazy import LazyModule
from interactor_ext._responses._read import read_response
from interactor_ext.transports._cancellation import Cancellation

if TYPE_CHECKING:
    from interactor_ext import _pagination as pages
    from interactor_ext.streams import _stream
else:
    pages = LazyModule("interactor_ext._pagination")
    _stream = LazyModule("interactor_ext.streams._stream")  # imports asyncio and the models of events

T = TypeVar("T")


class ViewSender:
    """What the resource classes of a sync view call."""

    def __init__(self, http: ViewClient) -> None:
        self.http = http

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(self.http.request(**kwargs), parse)

    def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(self.http.request(**kwargs), parse, params)

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        prefetch: int,
        on_invalid: OnInvalid | None,
    ) -> Iterator[T]:
        request = _checked_list_request(get_kwargs(1), prefetch)
        read = pages.read_page if on_invalid is None else pages.read_partial_page
        cancellation = Cancellation()

        def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            if prefetch:
                kwargs["extensions"]["cancellation"] = cancellation
            return read(self.http.request(**kwargs), parse, kwargs.get("params", {}))

        return pages.iterate(fetch, prefetch, on_invalid, cancel=cancellation.set, request=request)

    def stream(self, kwargs: dict[str, Any], family: str, **options: Any) -> EventStream[Any]:
        return _stream.Stream(self.http, kwargs, family, **options, **_stream_settings(self.http))


class AsyncViewSender:
    """What the resource classes of an async view call."""

    def __init__(self, http: AsyncViewClient) -> None:
        self.http = http

    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(await self.http.request(**kwargs), parse)

    async def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(await self.http.request(**kwargs), parse, params)

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        prefetch: int,
        on_invalid: OnInvalid | None,
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
    """The name of a list request. Raises ValueError when `iterate` is called, not when the iterator is first used."""
    pages.check_paging(kwargs.get("params", {}))
    pages.check_prefetch(prefetch)
    return pages.name_of(kwargs)


def _stream_settings(http: ViewClient | AsyncViewClient) -> dict[str, Any]:
    view = http.view
    return {
        "policy": dataclasses.replace(http.context.policy, max_retries=view.max_retries),
        "deadline": view.ends_at(),
        "max_event_size": max(1, view.config.max_response_size // 4),
    }
