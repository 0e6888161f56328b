"""Lists that change while they are read: what is there from the first request to the last comes exactly once."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from interactor_client.types import Page, PageMeta
from interactor_ext import ResponseValidationError
from interactor_ext._engine.pages import aiterate, iterate
from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY
from tests.support.modes import Awaited, opened, sync_and_async

prefetching = pytest.mark.parametrize("prefetch", [0, 4])
place = st.sampled_from(["front", "end", "anywhere"])
few = st.integers(1, 6)


class Rows:
    """A list on a server: rows in their order, of which some do not match its filter."""

    def __init__(self, count: int, per_page: int, *, total: bool = True) -> None:
        self.per_page = per_page
        self.requests = 0
        self.rows = list(range(count))
        self.hidden: set[int] = set()
        self.removed: set[int] = set()
        self._made = count
        self._total = total

    def visible(self) -> list[int]:
        return [row for row in self.rows if row not in self.hidden]

    def add(self, where: str, seed: int = 0) -> None:
        index = {"front": 0, "end": len(self.rows)}.get(where, seed % (len(self.rows) + 1))
        self.rows.insert(index, self._made)
        self._made += 1

    def remove(self, row: int, *, hide: bool = False) -> None:
        self.removed.add(row)
        if hide:
            self.hidden.add(row)
        else:
            self.rows.remove(row)

    def page(self, number: int) -> Page[Any]:
        self.requests += 1
        rows, size = self.visible(), self.per_page
        data = [SimpleNamespace(id=f"row_{row}", row=row) for row in rows[(number - 1) * size : number * size]]
        total, pages = (len(rows), -(-len(rows) // size)) if self._total else (None, None)
        return Page(data, PageMeta(number, size, total, pages, number * size < len(rows)))


class Walks(RuleBasedStateMachine):
    """A walk over `Rows` that change between any two requests.

    Pages cannot tell what a removal before the walk's place did if just as many rows were added behind it, so between
    two requests the number of rows differs, or nothing went. With pages ahead the requests are many, and the rows only
    come or only go.
    """

    @initialize(count=st.integers(0, 40), per_page=st.integers(1, 8), prefetch=st.sampled_from([0, 0, 1, 3]))
    def begin(self, count: int, per_page: int, prefetch: int) -> None:
        self.list = Rows(count, per_page)
        self.prefetch = prefetch
        self.there: set[int] | None = None
        self.found: list[int] = []
        self.came = self.went = 0  # since the last request
        self.direction = 0  # of all changes, where pages are requested ahead
        self.queued: list[tuple[int, str, int, int]] = []
        self.first_of_step = True
        self.over = False
        self.loop = asyncio.new_event_loop()
        self.items: Any = aiterate(self._fetch_async, prefetch) if prefetch else iterate(self._fetch, 0)

    def _fetch(self, number: int) -> Page[Any]:
        if self.there is None:
            self.there, self.list.removed = set(self.list.visible()), set()
        elif not self.first_of_step and self.queued:
            self._change(*self.queued.pop(0))
        elif self.came and self.came == self.went:
            self.list.add("front")
        self.came = self.went = 0
        self.first_of_step = False
        return self.list.page(number)

    async def _fetch_async(self, number: int) -> Page[Any]:
        for _ in range(number * 7 % 5):  # pages come in another order than they were requested in
            await asyncio.sleep(0)
        return self._fetch(number)

    def _change(self, sign: int, where: str, count: int, seed: int) -> None:
        if self.prefetch:
            self.direction = sign = self.direction or sign
        for _ in range(count):
            rows = self.list.visible()
            if sign > 0:
                self.came += 1
                if where == "anywhere" and seed % 2 and self.list.hidden:
                    self.list.hidden.discard(sorted(self.list.hidden)[seed % len(self.list.hidden)])
                else:
                    self.list.add(where, seed)
            elif rows:
                self.went += 1
                index = {"front": 0, "end": -1}.get(where, seed % len(rows))
                self.list.remove(rows[index], hide=bool(seed % 3 == 0))

    @rule(sign=st.sampled_from([1, -1]), where=place, count=few, seed=st.integers(0, 99))
    def change(self, sign: int, where: str, count: int, seed: int) -> None:
        """Rows come or go; those that went may come back, as with a status."""
        self._change(sign, where, count, seed)

    @rule(sign=st.sampled_from([1, -1]), where=place, count=few, seed=st.integers(0, 99))
    def change_between_two_requests_of_a_step(self, sign: int, where: str, count: int, seed: int) -> None:
        self.queued.append((sign, where, count, seed))

    @rule(count=st.integers(1, 20))
    def take(self, count: int) -> None:
        for _ in range(count):
            self.first_of_step = True
            item = self.loop.run_until_complete(anext(self.items, None)) if self.prefetch else next(self.items, None)
            self.over = item is None
            if item is None:
                return
            self.found.append(item.row)

    @rule(some=st.booleans())
    def remove_what_was_found(self, some: bool) -> None:
        if not self.came and not (self.prefetch and self.direction > 0):
            self.direction = -1
            for row in self.found[:: 2 if some else 1]:
                if row in self.list.visible():
                    self.went += 1
                    self.list.remove(row)

    def teardown(self) -> None:
        if not hasattr(self, "list"):
            return
        while not self.over:
            self.take(1)
        self.loop.close()
        assert max(Counter(self.found).values(), default=1) == 1
        assert (self.there or set()) - self.list.removed <= set(self.found)
        assert self.list.requests <= 20 * (len(self.found) + len(self.list.rows) + 10)


@pytest.mark.full
def test_what_stays_in_a_list_comes_exactly_once() -> None:
    run_state_machine_as_test(
        Walks,
        settings=settings(
            max_examples=20_000 if NIGHTLY else 500,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def walk(rows: Rows, *, then: Any = None, prefetch: int = 0) -> list[int]:
    """The rows that a walk finds; `then(row)` is called for each."""

    async def fetch(number: int) -> Page[Any]:
        return rows.page(number)

    async def main() -> list[int]:
        found = []
        items = aiterate(fetch, prefetch) if prefetch else Awaited(iterate(rows.page, 0))
        async for item in items:
            found.append(item.row)
            if then is not None:
                then(item.row)
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("total", [True, False], ids=["total", "no total"])
@prefetching
def test_stable_list_costs_one_request_more_than_it_has_pages(prefetch: int, total: bool) -> None:
    for count, requests in ((20, 1), (21, 3), (250, 14)):
        rows = Rows(count, 20, total=total)
        assert walk(rows, prefetch=prefetch) == rows.rows
        assert requests <= rows.requests <= requests + (0 if total or count == 20 else prefetch)


@pytest.mark.parametrize("change", ["front", "end", "remove"])
def test_list_that_changes_once_a_page_costs_up_to_four_requests_a_page(change: str) -> None:
    """docs/how-to/lists.md."""
    rows, found = Rows(400, 20), 0

    def then(row: int) -> None:
        nonlocal found
        found += 1
        if found % 20 == 0 and found <= 400:
            rows.remove(row) if change == "remove" else rows.add(change)

    walk(rows, then=then)
    assert found / 20 < rows.requests <= 4 * found / 20


@prefetching
@pytest.mark.parametrize("where", ["front", "end"])
def test_list_that_grows_by_a_row_for_each_found_ends(prefetch: int, where: str) -> None:
    rows = Rows(250, 20)
    found = walk(rows, then=lambda _: rows.add(where), prefetch=prefetch)
    assert set(range(250)) <= set(found)
    assert len(found) == len(set(found)) <= 3 * (250 + 100)
    assert rows.requests < 130


def test_total_that_is_the_number_of_items_on_the_page_loses_none(caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows(55, 20)

    def fetch(number: int) -> Page[Any]:
        page = rows.page(number)
        return Page(page.data, PageMeta(number, 20, len(page.data), None, page.meta.has_more))

    assert [item.row for item in iterate(fetch, 0)] == rows.rows
    assert rows.requests < 30
    assert "items may be missed" in caplog.text


def test_list_that_grows_faster_than_it_is_read_is_an_error() -> None:
    rows = Rows(100, 20)

    def fetch(number: int) -> Page[Any]:
        if number > 1:
            for _ in range(20):
                rows.add("front")
        return rows.page(number)

    with pytest.raises(ResponseValidationError, match="the last 100 pages"):
        list(iterate(fetch, 0))
    assert rows.requests < 110


@pytest.mark.full
@prefetching
def test_memory_of_a_walk_is_bounded(prefetch: int) -> None:
    """Ids of 10,000 items, and the pages that are requested ahead."""

    class Numbers(Rows):
        def page(self, number: int) -> Page[Any]:
            size, count = self.per_page, 60_000
            rows = range((number - 1) * size, min(number * size, count))
            data = [SimpleNamespace(id=f"row_{row:060}", row=row) for row in rows]
            return Page(data, PageMeta(number, size, count, count // size, number * size < count))

    numbers = Numbers(0, 100)
    seen, peaks = 0, []

    def note(row: int) -> None:
        nonlocal seen
        seen += row
        if row in (20_000, 59_999):
            peaks.append(tracemalloc.get_traced_memory()[1])

    tracemalloc.start()
    try:
        found = 0
        items = iterate(numbers.page, prefetch)
        for item in items:
            found += 1
            note(item.row)
    finally:
        tracemalloc.stop()
    assert (found, seen) == (60_000, sum(range(60_000)))
    assert peaks[1] <= peaks[0] + 500_000 <= 8_000_000


@sync_and_async
@prefetching
async def test_deleting_each_assistant_leaves_none(mode: str, prefetch: int, interactor_sandbox: Sandbox) -> None:
    async with opened(mode, interactor_sandbox._with_connection({"namespace": "user_1"})) as user:
        for number in range(60):
            await user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="")
        deleted = 0
        async for assistant in user.assistants.iterate(per_page=10, prefetch=prefetch):
            await user.assistants.delete(assistant.id)
            deleted += 1
        assert (deleted, (await user.assistants.list()).data) == (60, [])


@sync_and_async
@prefetching
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_messages_that_arrive_meanwhile_repeat_none(
    mode: str, prefetch: int, order: str, interactor_sandbox: Sandbox
) -> None:
    async with opened(mode, interactor_sandbox._with_connection({"namespace": "user_1"})) as user:
        bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        room = await user.rooms.create(assistant_id=bot.id)
        for number in range(12):
            await user.messages.send(room.id, content=f"{number}", role="system")
        before = [each.id for each in (await user.messages.list(room.id, order=order)).data]
        found = []
        async for message in user.messages.iterate(room.id, order=order, per_page=3, prefetch=prefetch):
            found.append(message.id)
            if len(found) % 2 and len(found) < 20:
                await user.messages.send(room.id, content="more", role="system")
        assert [each for each in found if each in before] == before
        assert len(set(found)) == len(found)
