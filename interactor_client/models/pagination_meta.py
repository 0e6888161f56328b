from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_bool, as_int, as_object, names_only, number_in, to_json


@_define(kw_only=True)
class PaginationMeta(_Model):
    """The position of a page in its list. Servers use one of two forms, so every field may be missing: `page`,
    `per_page`, `total`, `total_pages`, `has_more`, or `current_page`, `per_page`, `total_count`, `total_pages`.

    Attributes:
        page: Number of this page, counted from 1.
        per_page: How many items a page has at most.
        total: How many items there are on all pages.
        total_pages: How many pages there are.
        has_more: Whether another page follows.
        current_page: The other form's name for `page`.
        total_count: The other form's name for `total`.
    """

    page: int | Unset = UNSET
    """Number of this page, counted from 1."""
    per_page: int | Unset = UNSET
    """How many items a page has at most."""
    total: int | Unset = UNSET
    """How many items there are on all pages."""
    total_pages: int | Unset = UNSET
    """How many pages there are."""
    has_more: bool | Unset = UNSET
    """Whether another page follows."""
    current_page: int | Unset = UNSET
    """The other form's name for `page`."""
    total_count: int | Unset = UNSET
    """The other form's name for `total`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.page is not UNSET and self.page is not None:
            _json["page"] = self.page
        if self.per_page is not UNSET and self.per_page is not None:
            _json["per_page"] = self.per_page
        if self.total is not UNSET and self.total is not None:
            _json["total"] = self.total
        if self.total_pages is not UNSET and self.total_pages is not None:
            _json["total_pages"] = self.total_pages
        if self.has_more is not UNSET and self.has_more is not None:
            _json["has_more"] = self.has_more
        if self.current_page is not UNSET and self.current_page is not None:
            _json["current_page"] = self.current_page
        if self.total_count is not UNSET and self.total_count is not None:
            _json["total_count"] = self.total_count
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not PaginationMeta:
            return cls._of(PaginationMeta.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("PaginationMeta", src_dict)
        page = _json.pop("page", ABSENT)
        if type(page) is str:
            page = number_in(page)
        if type(page) is not int and page is not UNSET:
            page = UNSET if page is None else as_int("PaginationMeta", "page", page)
        per_page = _json.pop("per_page", ABSENT)
        if type(per_page) is str:
            per_page = number_in(per_page)
        if type(per_page) is not int and per_page is not UNSET:
            per_page = UNSET if per_page is None else as_int("PaginationMeta", "per_page", per_page)
        total = _json.pop("total", ABSENT)
        if type(total) is str:
            total = number_in(total)
        if type(total) is not int and total is not UNSET:
            total = UNSET if total is None else as_int("PaginationMeta", "total", total)
        total_pages = _json.pop("total_pages", ABSENT)
        if type(total_pages) is str:
            total_pages = number_in(total_pages)
        if type(total_pages) is not int and total_pages is not UNSET:
            total_pages = UNSET if total_pages is None else as_int("PaginationMeta", "total_pages", total_pages)
        has_more = _json.pop("has_more", ABSENT)
        if type(has_more) is not bool and has_more is not UNSET:
            has_more = UNSET if has_more is None else as_bool("PaginationMeta", "has_more", has_more)
        current_page = _json.pop("current_page", ABSENT)
        if type(current_page) is str:
            current_page = number_in(current_page)
        if type(current_page) is not int and current_page is not UNSET:
            current_page = UNSET if current_page is None else as_int("PaginationMeta", "current_page", current_page)
        total_count = _json.pop("total_count", ABSENT)
        if type(total_count) is str:
            total_count = number_in(total_count)
        if type(total_count) is not int and total_count is not UNSET:
            total_count = UNSET if total_count is None else as_int("PaginationMeta", "total_count", total_count)
        _self = cls.__new__(cls)
        _self.page = page
        _self.per_page = per_page
        _self.total = total
        _self.total_pages = total_pages
        _self.has_more = has_more
        _self.current_page = current_page
        _self.total_count = total_count
        _self.additional_properties = _json
        return _self
