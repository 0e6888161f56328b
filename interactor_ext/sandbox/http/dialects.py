"""Dialects: where the platform's guide contradicts the contract, the sandbox can follow the guide.

| dialect | what differs |
|---|---|
| `current_page` | the `meta` of pages is `{current_page, per_page, total_count, total_pages}` |
| `whole_objects` | assistants contain their tools and data sources as whole objects, not as ids |
| `enabled` | webhooks have `enabled` instead of `active`; requests may use either |
| `bare_signature` | signatures of webhooks and tool calls are without `sha256=` |
| `deprecation_true` | the header is `Deprecation: true`, not a date |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from interactor_ext.sandbox.storage.records import JsonObject, Store

Dialect = Literal["current_page", "whole_objects", "enabled", "bare_signature", "deprecation_true"]
"""A point where the sandbox follows the platform's guide instead of the contract; see the table in dialects.py."""
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

WHOLE = {"tools": "tool", "data_sources": "data source"}
OF_CURRENT_PAGE = {"page": "current_page", "per_page": "per_page", "total": "total_count", "total_pages": "total_pages"}


def dialects(names: Iterable[Dialect]) -> frozenset[str]:
    """Return the names as a set. Raises ValueError for an unknown one."""
    known = frozenset([names] if isinstance(names, str) else names)
    if unknown := known.difference(DIALECTS):
        raise ValueError(f"unknown dialect {', '.join(sorted(unknown))}: use {', '.join(DIALECTS)}")
    return known


def read_request(dialect: frozenset[str], tag: str, body: Any) -> Any:
    """Return a request's body in the contract's terms."""
    if "enabled" in dialect and tag == "webhooks" and isinstance(body, dict) and "enabled" in body:
        rest = {name: value for name, value in body.items() if name != "enabled"}
        return {"active": body["enabled"], **rest}
    return body


def speak(dialect: frozenset[str], tag: str, namespace: str, result: JsonObject, store: Store) -> JsonObject:
    """Return a success's body in the dialect's terms."""

    def spoken(item: Any) -> Any:
        if tag == "webhooks" and "enabled" in dialect:
            return {"enabled" if name == "active" else name: value for name, value in item.items()}
        if tag == "assistants" and "whole_objects" in dialect:
            return {**item, **{name: _whole(item[name], kind, namespace, store) for name, kind in WHOLE.items()}}
        return item

    data = result["data"]
    result = {**result, "data": [spoken(item) for item in data] if isinstance(data, list) else spoken(data)}
    if "current_page" in dialect and "meta" in result:
        result["meta"] = {theirs: result["meta"][ours] for ours, theirs in OF_CURRENT_PAGE.items()}
    return result


def _whole(ids: list[str], kind: str, namespace: str, store: Store) -> list[JsonObject]:
    return [record.public for each in ids if (record := store.find(kind, namespace, each)) is not None]
