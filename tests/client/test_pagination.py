"""Pagination: the meaning of `meta`, prefetching, the end of a list, errors."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from interactor_client.models import Assistant, AssistantListResponse
from interactor_client.types import UNSET, Page, PageMeta
from interactor_ext import ResponseValidationError
from interactor_ext._engine.pages import PageWalk, aiterate, iterate, page_of
from interactor_ext.testing import example
from tests.support.modes import Awaited, call, sync_and_async
from tests.support.waiting import PATIENCE

MOST_EMPTY_PAGES = 100
"""In a row, after which a server that announces more is not believed."""
Fetch = Callable[[int], Page[Any]]


def items(*names: str) -> list[Any]:
    return [SimpleNamespace(id=name) for name in names]


def page(data: list[Any], *, has_more: bool = True, total_pages: int | None = None) -> Page[Any]:
    return Page(data, PageMeta(1, len(data), None, total_pages, has_more))


def run(
    mode: str, fetch: Fetch, prefetch: int = 0, take: int | None = None, found: list[Any] | None = None
) -> list[Any]:
    """The ids that iterating gives, at most `take` of them; also in `found`, in case it fails."""

    async def fetch_async(number: int) -> Page[Any]:
        return await asyncio.to_thread(fetch, number)

    async def main() -> list[Any]:
        ids = [] if found is None else found
        iterator: Any = Awaited(iterate(fetch, prefetch)) if mode == "sync" else aiterate(fetch_async, prefetch)
        async for item in iterator:
            ids.append(item.id)
            if len(ids) == take:
                break
        await iterator.aclose()
        return ids

    return asyncio.run(main())


prefetching = pytest.mark.parametrize("prefetch", [0, 1, 3, 100])


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (None, PageMeta(1, 2, None, None, None)),
        ({}, PageMeta(1, 2, None, None, None)),
        ({"page": 2, "per_page": 20, "total": 45, "total_pages": 3, "has_more": True}, PageMeta(2, 20, 45, 3, True)),
        ({"current_page": 2, "per_page": 20, "total_count": 45, "total_pages": 3}, PageMeta(2, 20, 45, 3, True)),
        ({"current_page": 3, "per_page": 20, "total_count": 45, "total_pages": 3}, PageMeta(3, 20, 45, 3, False)),
        ({"page": 1, "per_page": 2, "total": 3}, PageMeta(1, 2, 3, None, True)),
        ({"page": 2, "per_page": 2, "total": 4}, PageMeta(2, 2, 4, None, False)),
        ({"page": 1, "per_page": 2}, PageMeta(1, 2, None, None, None)),
        ({"page": 1, "per_page": 3}, PageMeta(1, 3, None, None, False)),
        ({"page": 1, "has_more": True}, PageMeta(1, 2, None, None, True)),
        ({"page": 0, "per_page": -5, "total": -1, "total_pages": 0}, PageMeta(1, 2, None, None, None)),
        ({"page": None, "per_page": None, "total": None, "has_more": None}, PageMeta(1, 2, None, None, None)),
        ({"has_more": False, "page": 1, "total_pages": 9}, PageMeta(1, 2, None, 9, False)),
        ({"page": 1, "total": 3}, PageMeta(1, 2, 3, None, True)),
        ({"total_count": 2}, PageMeta(1, 2, 2, None, False)),
    ],
)
def test_meta_of_any_form_becomes_page_meta(meta: Any, expected: PageMeta) -> None:
    envelope = AssistantListResponse.from_dict({"data": [], **({} if meta is None else {"meta": meta})})
    envelope.data = items("a", "b")
    assert page_of(envelope, {}).meta == expected


@pytest.mark.parametrize(
    ("data", "meta", "query", "expected"),
    [
        (items("a"), UNSET, {"page": 3, "per_page": 50}, PageMeta(3, 50, None, None, None)),
        (items("a", "b"), {"page": 2, "total": 9}, {"page": 2}, PageMeta(2, 2, 9, None, None)),
        # A server that sends fewer than it was asked for.
        (items("a", "b"), {"total": 5}, {"page": 2, "per_page": 100}, PageMeta(2, 100, 5, None, None)),
        (items("a"), {"page": 2, "total": 3}, {"page": 2, "per_page": 1}, PageMeta(2, 1, 3, None, True)),
        (items("a"), {"page": 2, "total": 3}, {"page": 2, "per_page": 2}, PageMeta(2, 2, 3, None, False)),
        ([], {"page": 1, "per_page": 20, "total": 0, "total_pages": 0}, {}, PageMeta(1, 20, 0, 0, False)),
        # A server that sends a total but no page size may do so beyond the last page.
        ([], {"page": 3, "total": 3}, {"page": 3}, PageMeta(3, 0, 3, None, False)),
        ([], {"page": 3, "total": 3}, {"page": 1, "per_page": 2}, PageMeta(3, 2, 3, None, False)),
        ([], {"page": 1, "per_page": 2, "total": 3}, {"page": 1}, PageMeta(1, 2, 3, None, True)),
    ],
)
def test_what_meta_does_not_say_is_taken_from_the_request(
    data: list[Any], meta: Any, query: dict[str, int], expected: PageMeta
) -> None:
    found = page_of(SimpleNamespace(data=data, meta=SimpleNamespace(**meta) if meta else meta), query)
    assert (found.data, found.meta) == (data, expected)


def test_has_more_beside_an_empty_meta_counts() -> None:
    envelope = AssistantListResponse.from_dict({"data": [], "meta": {}, "has_more": True})
    assert page_of(envelope, {}).meta == PageMeta(1, 0, None, None, True)
    contradicting = AssistantListResponse.from_dict({"data": [], "meta": {"has_more": False}, "has_more": True})
    assert not page_of(contradicting, {}).meta.has_more


@sync_and_async
@prefetching
@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([page(items("a"), has_more=False)], "a", id="has_more is false"),
        pytest.param(
            [page(items("a"), total_pages=2), page(items("b"), total_pages=2, has_more=False)], "ab", id="total_pages"
        ),
        pytest.param(
            [*(page(items(name), total_pages=2) for name in "ab"), page(items("c"), total_pages=2, has_more=False)],
            "abc",
            id="total_pages rounded down",
        ),
        pytest.param(
            [*(page(items(name), total_pages=2) for name in "ab"), page([], total_pages=2)],
            "ab",
            id="has_more is always true",
        ),
        pytest.param([page(items("a")), page([], has_more=False)], "a", id="an empty page at the end"),
        pytest.param([page([], has_more=False)], "", id="nothing at all"),
        pytest.param(
            [page(items("a")), page([]), page([]), page(items("b")), page([]), page(items("c"), has_more=False)],
            "abc",
            id="empty pages in between",
        ),
        pytest.param([page([]), *(page([], total_pages=3) for _ in range(2))], "", id="an empty page by total_pages"),
        pytest.param([page(items("a", "b")), page(items("a", "b"))], "ab", id="the same page again"),
        pytest.param([page(items("a")), page(items("b")), page(items("a"))], "ab", id="an earlier page again"),
    ],
)
def test_iteration_ends_at_the_last_page(mode: str, prefetch: int, pages: list[Page[Any]], expected: str) -> None:
    # Beyond the end the server goes on with its last page for ever.
    assert "".join(run(mode, lambda number: pages[min(number, len(pages)) - 1], prefetch)) == expected


@sync_and_async
@prefetching
def test_too_many_empty_pages_in_a_row_raise_response_validation_error(mode: str, prefetch: int) -> None:
    asked: set[int] = set()

    def fetch(number: int) -> Page[Any]:
        asked.add(number)
        return page(items("a") if number == 1 else [])

    with pytest.raises(
        ResponseValidationError, match=r"the last 100 pages \(up to page 101\) contain nothing"
    ) as caught:
        run(mode, fetch, prefetch)
    assert (caught.value.model, caught.value.field) == ("PaginationMeta", "has_more")
    assert max(asked) <= 1 + MOST_EMPTY_PAGES + prefetch


def test_empty_pages_that_are_not_in_a_row_are_tolerated() -> None:
    pages = [page([]) if number % MOST_EMPTY_PAGES else page(items(str(number))) for number in range(1, 500)]
    pages.append(page(items("last"), has_more=False))
    assert [item.id for item in iterate(lambda number: pages[number - 1], 0)] == ["100", "200", "300", "400", "last"]


def test_repeated_page_ends_the_iteration_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    pages = [page(items("a")), page(items("b"))]
    with caplog.at_level("WARNING", "interactor"):
        assert len(list(iterate(lambda number: pages[min(number, 2) - 1], 0, walk=PageWalk("GET /assistants")))) == 2
    assert [record.getMessage() for record in caplog.records if "page 3 repeats" in record.getMessage()]


def test_equal_pages_of_items_without_ids_end_the_iteration() -> None:
    plain = [page([{"name": "x"}]), page([{"name": "y"}]), page([{"name": "y"}])]
    assert list(iterate(lambda number: plain[min(number, 3) - 1], 0)) == [{"name": "x"}, {"name": "y"}]


@sync_and_async
def test_without_prefetch_pages_are_fetched_when_needed(mode: str) -> None:
    asked: list[int] = []

    def fetch(number: int) -> Page[Any]:
        asked.append(number)
        return page(items(f"{number}a", f"{number}b"))

    assert run(mode, fetch, 0, take=2) == ["1a", "1b"]
    assert asked == [1]
    assert run(mode, fetch, 0, take=3) == ["1a", "1b", "2a"]
    assert asked == [1, 1, 1, 2], "the first page comes again before the second"


@sync_and_async
@pytest.mark.parametrize("prefetch", [1, 4])
def test_prefetch_bounds_the_pages_in_flight(mode: str, prefetch: int) -> None:
    news, running, most, asked = threading.Condition(), 0, 0, set()

    def fetch(number: int) -> Page[Any]:
        nonlocal running, most
        with news:
            running += 1
            most = max(most, running)
            asked.add(number)
            news.notify_all()
            assert number == 1 or news.wait_for(lambda: most >= prefetch, PATIENCE)
            running -= 1
        return page(items(f"{number}"), total_pages=30, has_more=number < 30)

    assert run(mode, fetch, prefetch, take=10) == [f"{number}" for number in range(1, 11)]
    assert prefetch <= most <= prefetch + 1
    assert max(asked) <= 10 + prefetch
    asked.clear()
    assert len(run(mode, fetch, prefetch)) == 30
    assert asked == set(range(1, 31)), "pages beyond the last were asked for"


@sync_and_async
@prefetching
def test_error_of_a_page_is_raised_after_the_items_before_it(mode: str, prefetch: int) -> None:
    def fetch(number: int) -> Page[Any]:
        if number == 3:
            raise LookupError("page 3")
        return page(items(f"{number}"))

    found: list[str] = []
    with pytest.raises(LookupError):
        run(mode, fetch, prefetch, found=found)
    assert found == ["1", "2"]


WHOLE = example(Assistant).to_dict()
SAID = ("page", "per_page", "total", "total_pages", "has_more")
DIALECTS = [set(said) for count in range(len(SAID) + 1) for said in itertools.combinations(SAID, count)]


class Lists:
    """A server with one list, whose `meta` has the fields `said`. None: there is no `meta`."""

    def __init__(self, length: int, said: set[str] | None, size: int = 20, *, beyond: str = "empty") -> None:
        self.names = [f"asst_{number}" for number in range(length)]
        self._said, self._size, self._beyond = said, size, beyond
        self.asked: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token"):
            return httpx.Response(200, json={"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        query = request.url.params
        number, size = int(query["page"]), min(int(query.get("per_page", self._size)), self._size)
        pages = -(-len(self.names) // size)
        self.asked.append(number)
        shown = {"first": 1, "last": min(number, pages), "empty": number}[self._beyond]
        data = [{**WHOLE, "id": name} for name in self.names[(shown - 1) * size : shown * size]]
        about = (number, size, len(self.names), pages, number < pages)
        body = {
            "data": data,
            "meta": {name: value for name, value in zip(SAID, about, strict=True) if name in (self._said or ())},
        }
        if self._said is None:
            del body["meta"]
        return httpx.Response(200, json=body)


@sync_and_async
def test_walk_yields_every_item_once_whatever_meta_says(subtests: pytest.Subtests, mode: str) -> None:
    for said in (None, *DIALECTS):
        with subtests.test(said=said):
            for length, asked, prefetch in itertools.product((0, 19, 20, 45), ({}, {"per_page": 20}), (0, 3)):
                server = Lists(length, said)
                found = walk(mode, server, prefetch=prefetch, **asked)
                assert found == server.names
                pages = -(-length // asked.get("per_page", 20))
                assert max(server.asked) <= max(1, pages) + 1 + prefetch
                # A page may be requested again, which shows whether the list has changed.
                assert len(server.asked) <= 2 * max(1, pages) + 1 + prefetch


@sync_and_async
@pytest.mark.parametrize("beyond", ["first", "last"])
@pytest.mark.parametrize("said", [None, {"total"}, {"page", "per_page"}])
def test_walk_ends_at_a_page_that_repeats(beyond: str, said: set[str] | None, mode: str) -> None:
    server = Lists(20 if beyond == "first" else 40, said, beyond=beyond)
    assert walk(mode, server, per_page=20) == server.names


@sync_and_async
def test_server_that_sends_fewer_than_asked_is_believed_by_its_total(mode: str) -> None:
    server = Lists(45, {"total"}, size=10)
    assert walk(mode, server, per_page=100) == server.names


@pytest.mark.parametrize("length", [1, 20])
def test_page_without_meta_says_that_it_is_unknown_whether_there_is_more(length: int) -> None:
    settings = {"client_id": "c", "client_secret": "s", "transport": httpx.MockTransport(Lists(length, None))}
    assert call("sync", settings, lambda client: client.assistants.list(page=1, per_page=20)).meta.has_more is None


def walk(mode: str, server: Lists, **options: Any) -> list[str]:
    settings = {"client_id": "c", "client_secret": "s", "transport": httpx.MockTransport(server)}
    return [item.id for item in call(mode, settings, lambda client: client.assistants.iterate(**options))]
