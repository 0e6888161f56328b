"""Files, and the bodies of forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from .types import UNSET
from .wire import to_json


@dataclass(frozen=True, slots=True)
class File:
    """A file to send.

    Args:
        content: Bytes, or a file opened in binary mode.
        name: The filename that the server gets.
        media_type: None uses the document's, or else guesses from the name.
    """

    content: bytes | IO[bytes] = field(repr=False)
    name: str = "upload"
    media_type: str | None = None


def multipart(body: Any, media_types: Mapping[str, str]) -> list[tuple[str, Any]]:
    """The parts of a multipart form for httpx: files as files, objects as JSON, and other values as text."""
    parts: list[tuple[str, Any]] = []
    for name, value in ({} if body is UNSET else to_json(body)).items():
        for each in value if isinstance(value, list) else [value]:
            media_type = media_types.get(name)
            if isinstance(each, File):
                known = each.media_type or media_type
                parts.append((name, (each.name, each.content, known) if known else (each.name, each.content)))
            elif isinstance(each, bytes):
                parts.append((name, ("upload", each)))
            elif isinstance(each, dict | list):
                parts.append((name, (None, json.dumps(each), media_type or "application/json")))
            elif each is not None:
                text = each if isinstance(each, str) else json.dumps(each)
                parts.append((name, (None, text, media_type) if media_type else (None, text)))
    return parts


def form(body: Any) -> dict[str, Any]:
    """The fields of an URL-encoded form for httpx: lists repeat their name, and objects are JSON."""
    return {
        name: [_text(each) for each in value] if isinstance(value, list) else _text(value)
        for name, value in ({} if body is UNSET else to_json(body)).items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


__all__ = ["File", "form", "multipart"]
