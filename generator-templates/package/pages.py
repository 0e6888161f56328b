"""A page of a list, and its position there."""
# Without `from __future__ import annotations`: pydantic before 2.5 can't resolve the strings of a generic dataclass.

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .advised import Advised, no_item

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageMeta(Advised):
    """The position of a page in its list, in the same form whichever one the server sent."""

    page: int
    per_page: int
    total: int | None
    """None if the server didn't say."""
    total_pages: int | None
    has_more: bool | None
    """None if the server didn't say. Then the next page shows it, and `iterate` requests that one."""

    if not TYPE_CHECKING:
        __getitem__ = no_item
        __iter__ = None


@dataclass(slots=True)
class Page(Advised, Generic[T]):
    """One page of a list: its items are `data`. `iterate` of the resource yields the items of all pages.

    To iterate over a page that isn't the last, or to take its length, causes a RuntimeWarning.
    """

    data: list[T]
    meta: PageMeta

    def __iter__(self) -> Iterator[T]:
        self._warn_of_more()
        return iter(self.data)

    if not TYPE_CHECKING:
        __getitem__ = no_item

    def __len__(self) -> int:
        self._warn_of_more()
        return len(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(meta={self.meta!r}, data={self.data!r})"

    def _warn_of_more(self) -> None:
        if self.meta.has_more is not False:
            total = "" if self.meta.total is None else f" of {self.meta.total}"
            more = "may be" if self.meta.has_more is None else "are"
            warnings.warn(
                f"This page holds {len(self.data)}{total} items, and there {more} more pages: `iterate` in place of "
                "`list` yields all items, and `.data` is the list of this page.",
                RuntimeWarning,
                stacklevel=3,
            )

    def to_dict(self) -> dict[str, Any]:
        """The JSON object `{data, meta}`."""
        from .wire import to_json  # imported here, for it imports `types`, and that this module

        return {"data": to_json(self.data), "meta": asdict(self.meta)}
