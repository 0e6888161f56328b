"""What of the platform's models a browser gets: documented fields alone, and of those not the namespace."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs

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
