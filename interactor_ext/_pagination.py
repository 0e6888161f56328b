"""Pagination: interprets the `meta` of a page, requests the next pages, and decides where a list ends."""

from __future__ import annotations

import inspect
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_client.types import ListEnvelope, OnInvalid, Page, PageMeta
from interactor_ext._errors import ConfigurationError, ResponseValidationError
from interactor_ext._lazy import LazyModule
from interactor_ext._responses._read import read_response, validation_error
from interactor_ext._waiting import require_asyncio
from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads
from interactor_ext.logs import logger

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = LazyModule("asyncio")

T = TypeVar("T")
ParseList = Callable[[httpx.Response], ListEnvelope[T]]

_LARGEST_PAGE = 100
_MOST_PREFETCHED = 100
MOST_EMPTY_PAGES = 100
"""In a row, after which a server that announces more is not believed."""
# Seconds for cancelled requests to end; what they do in a thread, such as reading a token store, cannot be cancelled.
_GRACE = 1.0
# Their number is bounded by `prefetch`.
_THREADS = DaemonThreads("interactor-pages", most=UNBOUNDED, idle=0.0)


def check_paging(params: Mapping[str, Any]) -> None:
    """Raises ValueError for an invalid `page` or `per_page`; the server chooses what is not given."""
    if "page" in params and not _is_whole(params["page"], 1):
        raise ValueError(f"page must be a whole number from 1, not {params['page']!r}")
    if "per_page" in params and not (_is_whole(params["per_page"], 1) and params["per_page"] <= _LARGEST_PAGE):
        raise ValueError(f"per_page must be a whole number from 1 to {_LARGEST_PAGE}, not {params['per_page']!r}")


def check_prefetch(prefetch: object) -> None:
    if not _is_whole(prefetch, 0) or prefetch > _MOST_PREFETCHED:
        raise ValueError(f"prefetch must be a whole number from 0 to {_MOST_PREFETCHED}, not {prefetch!r}")


@dataclass(slots=True)
class PartialPage(Page[T]):
    """A page without the items that are invalid for their model."""

    invalid: list[ResponseValidationError] = field(default_factory=list)


def read_page(response: httpx.Response, parse: ParseList[T], params: Any) -> Page[T]:
    """The page in a response. Raises ResponseValidationError if any of its items is invalid."""
    return page_of(read_response(response, parse), params)


def read_partial_page(response: httpx.Response, parse: ParseList[T], params: Any) -> Page[T]:
    """The page in a response, with an error in place of each item that is invalid."""
    try:
        return read_page(response, parse, params)
    except ResponseValidationError as error:
        if not error.path.startswith("data["):
            raise
    body = json.loads(response.content)
    items, invalid = body["data"], []
    envelope = read_response(response, lambda _: parse(_with_data(body, [])))
    for index, item in enumerate(items):
        try:
            envelope.data.extend(parse(_with_data(body, [item])).data)
        except DecodeError as error:
            error.path, error.field = (
                re.sub(r"^data\[0\]", f"data[{index}]", place) for place in (error.path, error.field)
            )
            invalid.append(validation_error(response, error, item=item))
    page = page_of(envelope, params, count=len(items))
    return PartialPage(page.data, page.meta, invalid)


def _with_data(body: dict[str, Any], data: list[Any]) -> httpx.Response:
    return httpx.Response(200, content=json.dumps({**body, "data": data}))


def page_of(envelope: ListEnvelope[T], params: Mapping[str, Any], count: int | None = None) -> Page[T]:
    """The page in canonical form. What `meta` leaves out is taken from `params`, those of the request. `count` is the
    number of items in the response, where not all of them are in `envelope`.
    """
    meta, count = envelope.meta, len(envelope.data) if count is None else count
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
            # A size of 0 is that of an empty page whose server sends no size.
            has_more = size > 0 and page * size < total
        else:
            # Nothing but a full page hints at more; if it is the last, an empty one follows.
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
    """Decides which pages of a list to request next, and where it ends."""

    def __init__(self, request: str = "the list") -> None:
        """`request` names the list in errors."""
        self.done = False
        self._request = request
        self._requested = 0
        self._taken = 0
        self._empty = 0  # in a row
        self._last: int | None = None
        self._previous: list[T] = []
        self._seen: set[int] = set()

    def to_request(self, ahead: int) -> range:
        """The numbers of the pages to request now, so that `ahead` pages beyond those taken have been requested."""
        until = self._taken + ahead
        if self._last is not None:
            until = min(until, self._last)
        numbers = range(self._requested + 1, 0 if self.done else until + 1)
        self._requested += len(numbers)
        return numbers

    def take(self, page: Page[T]) -> list[T]:
        """The items of the next page to hand out.

        Raises:
            ResponseValidationError: too many pages in a row are empty, though each announces more.
        """
        self._taken += 1
        self._last = page.meta.total_pages
        self.done = not page.meta.has_more or (self._last is not None and self._taken >= self._last)
        if not page.data:
            self._count_empty(page)
        elif self._is_repeated(page.data):
            if not self.done:
                logger.warning("%s: page %d repeats an earlier one, so the list ends here", self._request, self._taken)
            self.done = True
            return []
        else:
            self._empty = 0
        return page.data

    def _count_empty(self, page: Page[T]) -> None:
        self._empty = 0 if isinstance(page, PartialPage) and page.invalid else self._empty + 1
        if self._empty >= MOST_EMPTY_PAGES and not self.done:
            raise ResponseValidationError(
                f"The responses to {self._request} contradict themselves: each says that more follows, but the last "
                f"{self._empty} pages (up to page {self._taken}) are empty. Report it to the platform's support.",
                model="PaginationMeta",
                field="has_more",
                path="meta.has_more",
            )

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


def iterate(
    fetch: Callable[[int], Page[T]],
    prefetch: int,
    on_invalid: OnInvalid | None = None,
    *,
    request: str = "the list",
) -> Iterator[T]:
    """Every item of every page, in order. `fetch` gets a page by its number; up to `prefetch` run ahead, in threads.

    An error comes after the items of the pages before it. If the iteration is left early, the requests that run ahead
    end by themselves, within their timeout, and nobody waits for them.
    """

    def start(number: int) -> Callable[[], Page[T]]:
        if prefetch:
            with suppress(ConfigurationError):  # no thread can be had: it is fetched when its turn comes
                return _THREADS.submit(fetch, number).result
        return partial(fetch, number)

    walk: PageWalk[T] = PageWalk(request)
    pending: deque[Callable[[], Page[T]]] = deque()
    while not walk.done:
        pending.extend(map(start, walk.to_request(1)))
        page = pending.popleft()()
        items = walk.take(page)
        pending.extend(map(start, walk.to_request(prefetch)))
        for error in _invalid(page):
            if on_invalid is not None:
                on_invalid(error)
        yield from items


async def aiterate(
    fetch: Callable[[int], Coroutine[Any, Any, Page[T]]],
    prefetch: int,
    on_invalid: OnInvalid | None = None,
    *,
    request: str = "the list",
) -> AsyncIterator[T]:
    """`iterate` for coroutines: up to `prefetch` pages run ahead, in tasks, which are cancelled with the iteration."""
    require_asyncio()

    def start(number: int) -> asyncio.Task[Page[T]]:
        return asyncio.get_running_loop().create_task(fetch(number))

    walk: PageWalk[T] = PageWalk(request)
    pending: deque[asyncio.Task[Page[T]]] = deque()
    try:
        while not walk.done:
            pending.extend(map(start, walk.to_request(1)))
            page = await pending.popleft()
            items = walk.take(page)
            pending.extend(map(start, walk.to_request(prefetch)))
            for error in _invalid(page):
                result = None if on_invalid is None else on_invalid(error)
                if inspect.isawaitable(result):
                    await result
            for item in items:
                yield item
    finally:
        for abandoned in pending:
            abandoned.add_done_callback(_forget)
            abandoned.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_GRACE)


def _forget(task: asyncio.Task[Page[T]]) -> None:
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it


def _invalid(page: Page[T]) -> Sequence[ResponseValidationError]:
    return page.invalid if isinstance(page, PartialPage) else ()
