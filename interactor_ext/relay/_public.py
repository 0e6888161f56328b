"""What a browser gets: the documented fields of the platform's models, without the namespace; and the modules that show
them.
"""

from __future__ import annotations

import json
import math
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import attrs

FOLDER = Path(__file__).with_name("static")
_NAMES = frozenset(path.name for path in FOLDER.glob("*.js"))
_UNDOCUMENTED = "additional_properties"
_NOT_FOR_BROWSERS = "namespace"


def public_json(model: Any) -> dict[str, Any]:
    """The JSON object of a model."""
    document: dict[str, Any] = _documented(model).to_dict()
    document.pop(_NOT_FOR_BROWSERS, None)
    return document


def dump(document: Any) -> str:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return dump(_finite(document))


def _documented(value: Any) -> Any:
    if isinstance(value, list):
        return [_documented(item) for item in value]
    if not attrs.has(type(value)):
        return value
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return type(value)(**{name: _documented(each) for name, each in fields.items() if name != _UNDOCUMENTED})


def _finite(value: Any) -> Any:
    """With null, as browsers write them, for the numbers that JSON lacks: Python reads 1e999 as infinity."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class StaticFile(NamedTuple):
    body: bytes
    etag: str


@cache
def static_file(name: str) -> StaticFile | None:
    if name not in _NAMES:
        return None
    body = (FOLDER / name).read_bytes()
    return StaticFile(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
