"""What the generated resource classes call: one view, seen as a sender of operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import httpx

from interactor_client.types import AsyncEventStream, EventStream, ListEnvelope, OnInvalid, OnReconnect, Page, Unset
from interactor_ext._client.http import AsyncViewClient, ViewClient
from interactor_ext._responses._read import read_response

T = TypeVar("T")


class ViewSender:
    """The synchronous view."""

    def __init__(self, http: ViewClient) -> None:
        self.http = http

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(self.http.request(**kwargs), parse)

    def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        from interactor_ext import _pagination as pages

        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(self.http.request(**kwargs), parse, params)

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        per_page: int | Unset,
        prefetch: int,
        on_invalid: OnInvalid | None,
    ) -> Iterator[T]:
        from interactor_ext import _pagination as pages
        from interactor_ext.transports._cancellation import Cancellation

        # Here and not in the generator, which would complain no sooner than it is used.
        first = get_kwargs(1)
        pages.check_paging(first.get("params", {}))
        pages.check_prefetch(prefetch)
        read = pages.read_page if on_invalid is None else pages.read_partial_page

        cancellation = Cancellation()

        def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            if prefetch:
                kwargs["extensions"]["cancellation"] = cancellation
            return read(self.http.request(**kwargs), parse, kwargs.get("params", {}))

        return pages.iterate(fetch, prefetch, on_invalid, cancel=cancellation.set, request=pages.name_of(first))

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> EventStream[Any]:
        import dataclasses

        from interactor_ext.streams._stream import Stream

        return Stream(
            self.http,
            kwargs,
            family,
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            policy=dataclasses.replace(self.http.policy, max_retries=self.http.view.max_retries),
            deadline=self.http.view.ends_at(),
            max_event_size=max(1, self.http.view.config.max_response_size // 4),
        )


class AsyncViewSender:
    """The asynchronous view."""

    def __init__(self, http: AsyncViewClient) -> None:
        self.http = http

    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(await self.http.request(**kwargs), parse)

    async def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], ListEnvelope[T]]) -> Page[T]:
        from interactor_ext import _pagination as pages

        params = kwargs.get("params", {})
        pages.check_paging(params)
        return pages.read_page(await self.http.request(**kwargs), parse, params)

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], ListEnvelope[T]],
        *,
        per_page: int | Unset,
        prefetch: int,
        on_invalid: OnInvalid | None,
    ) -> AsyncIterator[T]:
        from interactor_ext import _pagination as pages

        first = get_kwargs(1)
        pages.check_paging(first.get("params", {}))
        pages.check_prefetch(prefetch)
        read = pages.read_page if on_invalid is None else pages.read_partial_page

        async def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            return read(await self.http.request(**kwargs), parse, kwargs.get("params", {}))

        return pages.aiterate(fetch, prefetch, on_invalid, request=pages.name_of(first))

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> AsyncEventStream[Any]:
        import dataclasses

        from interactor_ext.streams._stream import AsyncStream

        return AsyncStream(
            self.http,
            kwargs,
            family,
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            policy=dataclasses.replace(self.http.policy, max_retries=self.http.view.max_retries),
            deadline=self.http.view.ends_at(),
            max_event_size=max(1, self.http.view.config.max_response_size // 4),
        )
