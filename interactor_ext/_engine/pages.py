"""Pagination: interprets a page's `meta`, requests the next pages, and decides where a list ends."""

from __future__ import annotations

import inspect
import math
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeGuard, TypeVar

import httpx

from interactor_client.types import ListEnvelope, OnInvalid, Page, PageMeta
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.logs import logger
from interactor_ext._engine.responses.read import read_response
from interactor_ext._engine.waiting import require_asyncio
from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads

T = TypeVar("T")
ParseList = Callable[[httpx.Response], ListEnvelope[T]]

_LARGEST_PAGE = 100
_MAX_PREFETCHED = 100
_MAX_FRUITLESS = 100
"""After this many pages in a row with nothing new, a server that announces more isn't believed."""
_MAX_REFUSED = 10
"""After this many pages in a row whose `total` contradicts the walk's place, `total` isn't believed."""
_MAX_REMEMBERED = 10_000
"""Ids that a walk remembers; it forgets the oldest."""
_MAX_ADDED = 100
"""How many items more than the list's first `total` a walk returns before it only goes forward."""
# Bounded by `prefetch`.
_THREADS = DaemonThreads("interactor-pages", max_threads=UNBOUNDED, idle=0.0)


def check_paging(params: Mapping[str, Any]) -> None:
    """Raise ValueError for an invalid `page` or `per_page`; the server chooses those that aren't given."""
    if "page" in params and not _is_whole(params["page"], 1):
        raise ValueError(f"page must be a whole number from 1, not {params['page']!r}")
    if "per_page" in params and not (_is_whole(params["per_page"], 1) and params["per_page"] <= _LARGEST_PAGE):
        raise ValueError(f"per_page must be a whole number from 1 to {_LARGEST_PAGE}, not {params['per_page']!r}")


def check_prefetch(prefetch: object) -> None:
    if not _is_whole(prefetch, 0) or prefetch > _MAX_PREFETCHED:
        raise ValueError(f"prefetch must be a whole number from 0 to {_MAX_PREFETCHED}, not {prefetch!r}")


def read_page(response: httpx.Response, parse: ParseList[T], params: Any) -> Page[T]:
    """Read the page in a response. Raises ResponseValidationError if any of its items is invalid."""
    return page_of(read_response(response, parse), params)


def page_of(envelope: ListEnvelope[T], params: Mapping[str, Any], count: int | None = None) -> Page[T]:
    """Return the page in canonical form. Values missing from `meta` come from the request's `params`. `count` is the
    number of items in the response, if `envelope` doesn't contain all of them.
    """
    meta, count = envelope.meta, len(envelope.data) if count is None else count
    page = _first(meta, ("page", "current_page"), 1) or params.get("page", 1)
    per_page = _first(meta, ("per_page",), 1)
    total = _first(meta, ("total", "total_count"), 0)
    total_pages = _first(meta, ("total_pages",), 1 if count else 0)
    asked = params.get("per_page")
    has_more = getattr(meta, "has_more", None)
    if not isinstance(has_more, bool):  # some servers send it next to `meta`
        has_more = getattr(envelope, "additional_properties", {}).get("has_more")
    if not isinstance(has_more, bool):
        has_more = _has_more(page, per_page, total, total_pages, asked, count)
    return Page(envelope.data, PageMeta(page, per_page or asked or count, total, total_pages, has_more))


def _has_more(
    page: int, per_page: int | None, total: int | None, total_pages: int | None, asked: int | None, count: int
) -> bool | None:
    """Work it out from the rest of `meta` and `asked`, the requested number of items. The server may send fewer."""
    if total_pages is not None:
        return page < total_pages
    if total is not None and per_page is not None:
        return page * per_page < total
    if count < (per_page or 1):
        return False
    most = count if page == 1 else asked
    if total is None or most is None:
        return None
    # With at most `most` items per page, more must follow; if the count is exact, this is the last page.
    return True if page * most < total else False if (page - 1) * most + count == total else None


def _first(meta: object, names: Sequence[str], least: int) -> int | None:
    for name in names:
        value = getattr(meta, name, None)
        if _is_whole(value, least):
            return value
    return None


def _is_whole(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class PageWalk(Generic[T]):
    """Decides which page of a list to request next, which of its items are new, and where the list ends.

    The list may change between two requests, but its order may not: whatever precedes a known item has been returned. A
    page without known items continues the walk, unless items before that place are gone. They may be if `total` has
    changed: then the walk requests the page that ended there again or, if nothing in it is known either, one that is as
    much earlier as the list has shrunk. If `total` is the same, as many items may have been added as removed. So the
    walk requests the first page again before the second. If that shows a change that `total` didn't reveal, it requests
    each page again before the next.
    """

    def __init__(self, request: str = "the list", *, forward: bool = False) -> None:
        """`request` names the list in errors. With `forward`, no page is requested again."""
        self.done = False
        self.next = 1
        """The number of the page to request next."""
        self._request = request
        self._place = 0  # everything up to the end of this page has been returned
        self._furthest = 0
        self._meta = PageMeta(0, 0, None, None, True)  # of that page
        self._held: Page[T] | None = None  # the page after it, while there may be items between the two
        self._refused: int | None = None  # the `total` of the last page that was held
        self._previous: object = None
        self._seen: OrderedDict[object, None] = OrderedDict()
        self._returned = 0
        self._limit = 0 if forward else _MAX_REMEMBERED  # items to return before it only goes forward
        self._size = 0  # of the first page
        self._end: float = math.inf  # the position in the list where it ends, when it only goes forward
        self._fruitless = 0  # pages in a row
        self._rechecks = True  # requests each page again before the next
        self._silent_change = False  # the list changed, and `total` didn't reveal it
        self._changed = False  # the list has, since the previous page
        self._place_is_certain = False  # the last page showed it, and nothing was returned since

    def ahead(self, count: int) -> range:
        """The numbers of the pages to request in advance; none while the list changes."""
        if self.done or self._changed:
            return range(0)
        last = self._place + count
        return range(self._place + 1, min(last, last if self._meta.total_pages is None else self._meta.total_pages) + 1)

    def take(self, page: Page[T]) -> list[T | ResponseValidationError]:
        """Return what is new in the page `next`: the errors of invalid items, and the items.

        Raises:
            ResponseValidationError: too many pages in a row contain nothing new, although each announces more.
        """
        number, entries, new = self.next, _entries(page), []
        if any(isinstance(key, int) for key in entries):
            self._limit = 0
        is_next = self._is_next(page, entries)
        revisited = number <= self._furthest
        if is_next:
            held = self._held
            new = self._accept(page, entries)
            if held is not None and self.next > number and not self.done and self._grown(held) >= 0:
                # It was requested before this page, and nothing was added between the two, so there is nothing between
                # them.
                new += self._accept(held, _entries(held))
        self._fruitless = 0 if new else self._fruitless + (not revisited)
        if self._fruitless >= _MAX_FRUITLESS and not self.done:
            raise ResponseValidationError(
                f"The responses to {self._request} say that there is more, but the last {self._fruitless} "
                f"pages (up to page {number}) contain nothing new. Report it to the platform's support.",
                model="PaginationMeta",
                field="has_more",
                path="meta.has_more",
            )
        return new

    def _is_forward_only(self) -> bool:
        """Items without ids can't be recognised, and a list that is renewed forever must end."""
        return self._returned >= self._limit

    def _grown(self, page: Page[T]) -> int:
        total, before = page.meta.total, self._meta.total
        return 0 if total is None or before is None else total - before

    def _is_next(self, page: Page[T], entries: Mapping[object, object]) -> bool:
        """Whether no item lies between the page and the returned items. If one may, `next` is an earlier page."""
        grown = self._grown(page)
        if self.next == 1 or self._is_forward_only() or any(key in self._seen for key in entries):
            return True
        if self.next <= self._place:
            self._held = None
            self.next = max(1, self.next - max(1, -grown // max(1, page.meta.per_page)))
            return False
        if grown >= 0 if self._place_is_certain else grown == 0 and not self._rechecks:
            return True
        if self._fruitless >= _MAX_REFUSED and page.meta.total == self._refused:
            logger.warning("%s: the total changes with each page, so items may be missed", self._request)
            return True
        self._held, self._refused, self._changed = page, page.meta.total, True
        self.next = self._furthest = self._place
        return False

    def _accept(self, page: Page[T], entries: dict[object, T | ResponseValidationError]) -> list[Any]:
        number, meta, again, grown = self.next, page.meta, self.next <= self._place, self._grown(page)
        if self._place == 0 and self._limit and meta.total is not None:
            self._limit = meta.total + _MAX_ADDED
        repeated = self._is_repeated(page, entries)
        new = {} if repeated else {key: entry for key, entry in entries.items() if key not in self._seen}
        moved = again and bool(entries) and next(reversed(entries)) in new  # items moved up from behind the place
        if again:
            self._silent_change = self._silent_change or (moved and grown >= 0)
            self._rechecks = moved or self._silent_change
        self._held, self._place, self._meta = None, number, meta
        self._furthest = max(self._furthest, number)
        self._place_is_certain = again and not new
        self._changed = moved or (grown != 0 and (again or len(new) == len(entries)))
        past_the_end = not entries and meta.total_pages is not None and number >= meta.total_pages
        self._size = self._size or meta.per_page
        has_more = self._may_have_more(meta, len(entries), len(new), again) if meta.has_more is None else meta.has_more
        self.done = repeated or past_the_end or not has_more or number * meta.per_page >= self._end
        self._end += len(entries) - len(new)
        self._remember(new, meta)
        recheck = moved if again else self._rechecks or self._changed
        self.next = number if recheck and not self._is_forward_only() else number + 1
        return list(new.values())

    def _may_have_more(self, meta: PageMeta, count: int, new: int, again: bool) -> bool:
        """Whether to request another page if the server doesn't say whether there is one."""
        if meta.total is not None and meta.total > self._returned + new:
            return True
        return count >= max(meta.per_page, self._size) and (again or new > 0)

    def _is_repeated(self, page: Page[T], entries: Mapping[object, object]) -> bool:
        data = [key if isinstance(key, str) else entry for key, entry in entries.items()]
        repeated = bool(data) and data == self._previous and self.next > self._furthest and not self._grown(page)
        self._previous = data
        if repeated and page.meta.has_more:
            logger.warning("%s: page %d repeats the one before, so the list ends here", self._request, self.next)
        return repeated

    def _remember(self, new: Collection[object], meta: PageMeta) -> None:
        goes_back = not self._is_forward_only()
        self._returned += len(new)
        if (
            goes_back
            and self._is_forward_only()
            and meta.total is not None
            and self._place * meta.per_page < meta.total
        ):
            self._end = meta.total
        self._seen.update((key, None) for key in new if isinstance(key, str))
        while len(self._seen) > _MAX_REMEMBERED:
            self._seen.popitem(last=False)


def _entries(page: Page[T]) -> dict[object, T | ResponseValidationError]:
    """Return the errors of invalid items, and the items, by their ids or, without an id, by a number."""
    invalid = getattr(page, "invalid", ())
    return {_key(index, entry): entry for index, entry in enumerate([*invalid, *page.data])}


def _key(index: int, entry: object) -> str | int:
    item = entry.item if isinstance(entry, ResponseValidationError) else entry
    name = item.get("id") if isinstance(item, dict) else getattr(item, "id", None)
    if name and isinstance(name, str):
        return name
    return repr(item) if isinstance(entry, ResponseValidationError) else index


def iterate(
    fetch: Callable[[int], Page[T]],
    prefetch: int,
    on_invalid: OnInvalid | None = None,
    walk: PageWalk[T] | None = None,
) -> Iterator[T]:
    """Yield every item of the list once. `fetch` gets a page by its number; up to `prefetch` run ahead, in threads.

    An error comes after the items of the pages before it. If the iteration is left early, the requests that run ahead
    end by themselves within their timeout, and nobody waits for them.
    """

    walk = walk or PageWalk()
    pending: dict[int, Callable[[], Page[T]]] = {}
    process = os.getpid()
    while not walk.done:
        if os.getpid() != process:  # a forked child has no threads that fetch these
            pending, process = {}, os.getpid()
        found = walk.take(pending.pop(walk.next, partial(fetch, walk.next))())
        ahead = walk.ahead(prefetch)
        pending = {number: pending.get(number) or _THREADS.submit(fetch, number).result for number in ahead}
        for each in found:
            if not isinstance(each, ResponseValidationError):
                yield each
            elif on_invalid is not None:
                on_invalid(each)


async def aiterate(
    fetch: Callable[[int], Coroutine[Any, Any, Page[T]]],
    prefetch: int,
    on_invalid: OnInvalid | None = None,
    walk: PageWalk[T] | None = None,
) -> AsyncIterator[T]:
    """`iterate` for coroutines: up to `prefetch` pages run ahead, in tasks cancelled with the iteration."""
    require_asyncio()

    def start(number: int) -> asyncio.Task[Page[T]]:
        return asyncio.get_running_loop().create_task(fetch(number))

    def abandon(tasks: Iterable[asyncio.Task[Page[T]]]) -> None:
        for task in tasks:
            task.add_done_callback(_forget)
            task.cancel()

    walk = walk or PageWalk()
    pending: dict[int, asyncio.Task[Page[T]]] = {}
    try:
        while not walk.done:
            number = walk.next
            found = walk.take(await (pending.pop(number) if number in pending else fetch(number)))
            ahead = walk.ahead(prefetch)
            abandon([pending.pop(number) for number in list(pending) if number not in ahead])
            pending.update((number, start(number)) for number in ahead if number not in pending)
            for each in found:
                if not isinstance(each, ResponseValidationError):
                    yield each
                elif on_invalid is not None and inspect.isawaitable(result := on_invalid(each)):
                    await result
    finally:
        abandon(pending.values())


def _forget(task: asyncio.Task[Page[T]]) -> None:
    if not task.cancelled():
        task.exception()  # retrieved: otherwise asyncio would report it
