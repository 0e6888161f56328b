"""The browser's modules that the relay serves, by name."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("static")
_NAMES = frozenset(path.name for path in FOLDER.glob("*.js"))


class StaticFile(NamedTuple):
    body: bytes
    etag: str


@cache
def static_file(name: str) -> StaticFile | None:
    if name not in _NAMES:
        return None
    body = (FOLDER / name).read_bytes()
    return StaticFile(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
