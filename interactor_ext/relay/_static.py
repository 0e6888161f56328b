"""The browser's modules that the relay serves, by name."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("static")
_NAMES = frozenset({"interactor-stream.js", "interactor-react.js", "interactor-chat.js"})


class StaticFile(NamedTuple):
    body: bytes
    etag: str


@cache
def static_file(name: str) -> StaticFile | None:
    if name not in _NAMES:
        return None
    try:
        body = (FOLDER / name).read_bytes()
    except FileNotFoundError:
        return None
    return StaticFile(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
