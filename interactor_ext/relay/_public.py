"""What of the platform's models a browser gets: documented fields alone, and of those not the namespace."""

from __future__ import annotations

import json
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
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _documented(value: Any) -> Any:
    if isinstance(value, list):
        return [_documented(item) for item in value]
    if not attrs.has(type(value)):
        return value
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    return type(value)(**{name: _documented(each) for name, each in fields.items() if name != _UNDOCUMENTED})
