"""Lists over several pages: what a page's `meta` means, which page comes next, and when to stop."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar

from interactor_client.types import ListEnvelope, Page, PageMeta

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_LARGEST_PAGE = 100
_MOST_PREFETCHED = 100


def check_paging(params: Mapping[str, Any]) -> None:
    """ValueError for a page or a page size that no server takes; what is not given is the server's to choose."""
    if "page" in params and not _is_whole(params["page"], 1):
        raise ValueError(f"page must be a whole number from 1, not {params['page']!r}")
    if "per_page" in params and not (_is_whole(params["per_page"], 1) and params["per_page"] <= _LARGEST_PAGE):
        raise ValueError(f"per_page must be a whole number from 1 to {_LARGEST_PAGE}, not {params['per_page']!r}")


def check_prefetch(prefetch: object) -> None:
    if not _is_whole(prefetch, 0) or prefetch > _MOST_PREFETCHED:
        raise ValueError(f"prefetch must be a whole number from 0 to {_MOST_PREFETCHED}, not {prefetch!r}")


def page_of(envelope: ListEnvelope[T], params: Mapping[str, Any]) -> Page[T]:
    """The page in canonical form. `params` are those of the request: they say what a server leaves out."""
    meta, count = envelope.meta, len(envelope.data)
    page = _first(meta, ("page", "current_page"), 1) or params.get("page", 1)
    per_page = _first(meta, ("per_page",), 1)
    total = _first(meta, ("total", "total_count"), 0)
    total_pages = _first(meta, ("total_pages",), 1 if count else 0)
    size = per_page or params.get("per_page", count)
    has_more = getattr(meta, "has_more", None)
    if not isinstance(has_more, bool):
        if total_pages is not None:
            has_more = page < total_pages
        elif total is not None:
            has_more = page * size < total
        else:
            # A full page is all the hint there is; if it is the last, an empty one will follow.
            has_more = per_page is not None and count >= per_page
    return Page(envelope.data, PageMeta(page, size, total, total_pages, has_more))


def _first(meta: object, names: Sequence[str], least: int) -> int | None:
    for name in names:
        value = getattr(meta, name, None)
        if _is_whole(value, least):
            return value
    return None


def _is_whole(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class PageWalk(Generic[T]):
    """The way through the pages of a list, for a loop that fetches them."""

    def __init__(self) -> None:
        self.done = False
        self._asked = 0
        self._taken = 0
        self._last: int | None = None
        self._previous: list[T] = []
        self._seen: set[int] = set()

    def to_ask(self, ahead: int) -> range:
        """The numbers of the pages to ask for now, so that `ahead` pages beyond those taken have been asked for."""
        until = self._taken + ahead
        if self._last is not None:
            until = min(until, self._last)
        numbers = range(self._asked + 1, 0 if self.done else until + 1)
        self._asked += len(numbers)
        return numbers

    def take(self, page: Page[T]) -> list[T]:
        """The items of the next page to hand out."""
        self._taken += 1
        self._last = page.meta.total_pages
        if not page.data or self._is_repeated(page.data):
            self.done = True
            return []
        self.done = not page.meta.has_more or (self._last is not None and self._taken >= self._last)
        return page.data

    def _is_repeated(self, data: list[T]) -> bool:
        ids = tuple(getattr(item, "id", None) for item in data)
        if all(isinstance(name, str) for name in ids):
            fingerprint = hash(ids)
            if fingerprint in self._seen:
                return True
            self._seen.add(fingerprint)
            return False
        repeated = data == self._previous
        self._previous = data
        return repeated


def iterate(fetch: Callable[[int], Page[T]], prefetch: int) -> Iterator[T]:
    """Every item of every page, in order. `fetch` gets a page by its number; up to `prefetch` run ahead, in threads.

    An error comes after the items of the pages before it. However the iteration ends, no thread outlives it.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    def start(number: int) -> Future[Page[T]]:
        if prefetch:
            # A context each: one is not entered twice at a time, and tracing finds its span there.
            return threads.submit(contextvars.copy_context().run, fetch, number)
        here: Future[Page[T]] = Future()
        here.set_result(fetch(number))
        return here

    walk: PageWalk[T] = PageWalk()
    pending: deque[Future[Page[T]]] = deque()
    # It starts no thread before something is submitted.
    with ThreadPoolExecutor(max(prefetch, 1), thread_name_prefix="interactor-pages") as threads:
        try:
            while not walk.done:
                pending.extend(map(start, walk.to_ask(1)))
                items = walk.take(pending.popleft().result())
                pending.extend(map(start, walk.to_ask(prefetch)))
                yield from items
        finally:
            for abandoned in pending:
                abandoned.cancel()


async def aiterate(fetch: Callable[[int], Coroutine[Any, Any, Page[T]]], prefetch: int) -> AsyncIterator[T]:
    """`iterate` for coroutines: up to `prefetch` pages run ahead, in tasks, which end with the iteration."""
    import asyncio

    def start(number: int) -> asyncio.Task[Page[T]]:
        return asyncio.get_running_loop().create_task(fetch(number))

    walk: PageWalk[T] = PageWalk()
    pending: deque[asyncio.Task[Page[T]]] = deque()
    try:
        while not walk.done:
            pending.extend(map(start, walk.to_ask(1)))
            items = walk.take(await pending.popleft())
            pending.extend(map(start, walk.to_ask(prefetch)))
            for item in items:
                yield item
    finally:
        for abandoned in pending:
            abandoned.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
