"""What the generated resource classes call: one view, seen as a sender of operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import httpx

from interactor_client.types import AsyncEventStream, EventStream, ListEnvelope, OnReconnect, Page, Unset
from interactor_ext._http import AsyncViewClient, ViewClient
from interactor_ext._responses import read_response

T = TypeVar("T")


class ViewSender:
    """The synchronous view."""

    def __init__(self, http: ViewClient) -> None:
        self.http = http

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(self.http.request(**kwargs), parse)

    def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        from interactor_ext import _pages as pages

        pages.check_paging(kwargs.get("params", {}))
        return pages.page_of(self.send(kwargs, parse), kwargs.get("params", {}))

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        per_page: int | Unset,
        prefetch: int,
    ) -> Iterator[T]:
        from interactor_ext import _pages as pages

        # Here and not in the generator, which would complain no sooner than it is used.
        pages.check_paging(get_kwargs(1).get("params", {}))
        pages.check_prefetch(prefetch)
        return pages.iterate(lambda number: self.page(get_kwargs(number), parse), prefetch)

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> EventStream[Any]:
        import attrs

        from interactor_ext._streams.stream import Stream

        return Stream(
            self.http,
            kwargs,
            family,
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            policy=attrs.evolve(self.http.policy, max_retries=self.http.view.max_retries),
            deadline=self.http.view.ends_at(),
        )


class AsyncViewSender:
    """The asynchronous view."""

    def __init__(self, http: AsyncViewClient) -> None:
        self.http = http

    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(await self.http.request(**kwargs), parse)

    async def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        from interactor_ext import _pages as pages

        pages.check_paging(kwargs.get("params", {}))
        return pages.page_of(await self.send(kwargs, parse), kwargs.get("params", {}))

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        per_page: int | Unset,
        prefetch: int,
    ) -> AsyncIterator[T]:
        from interactor_ext import _pages as pages

        pages.check_paging(get_kwargs(1).get("params", {}))
        pages.check_prefetch(prefetch)
        return pages.aiterate(lambda number: self.page(get_kwargs(number), parse), prefetch)

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> AsyncEventStream[Any]:
        import attrs

        from interactor_ext._streams.stream import AsyncStream

        return AsyncStream(
            self.http,
            kwargs,
            family,
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            policy=attrs.evolve(self.http.policy, max_retries=self.http.view.max_retries),
            deadline=self.http.view.ends_at(),
        )
