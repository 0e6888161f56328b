"""A page of a list, and its position there."""
# Not with `from __future__ import annotations`: pydantic before 2.5 finds no names in the texts of a generic dataclass.

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
    """None if the server did not say."""
    total_pages: int | None
    has_more: bool | None
    """None if the server did not say. Then the next page shows it, and `iterate` asks for that."""


@dataclass(slots=True)
class Page(Advised, Generic[T]):
    """One page of a list. Iterating yields its items; `iterate` of the resource yields the items of all pages."""

    data: list[T]
    meta: PageMeta

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    if not TYPE_CHECKING:
        __getitem__ = no_item

    def __len__(self) -> int:
        return len(self.data)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object `{data, meta}`."""
        from .wire import to_json  # imported here, for it imports `types`, and that this module

        return {"data": to_json(self.data), "meta": asdict(self.meta)}
