"""What a server that follows the guide sends (guide.yaml), in all the forms that the guide allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import yaml

Path = tuple[str | int, ...]

_SENT = yaml.safe_load((FilePath(__file__).with_suffix(".yaml")).read_text())
META, RESPONSES, STREAM_EVENTS = _SENT["meta"], _SENT["responses"], _SENT["stream_events"]
_ABOUT = {"id": "evt_1", "timestamp?": _SENT["now"], "idempotency_key?": "i", "namespace?": "u"}
WEBHOOK_EVENTS = {event: {**_ABOUT, "event": event, "data": data} for event, data in _SENT["event_data"].items()}


def variants(shape: Any) -> Iterator[tuple[Path, Any]]:
    """Bodies of the shape: complete, minimal, and with each optional part missing once and null once.

    Each comes with that part's path.
    """
    optional = list(_optional(shape))
    yield (), _body(shape, {})
    yield (), _body(shape, {}, least=True)
    for path in optional:
        yield path, _body(shape, {path: ...})
        yield path, _body(shape, {path: None})


def _optional(shape: Any, path: Path = ()) -> Iterator[Path]:
    for key, part in shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ():
        here = (*path, key.removesuffix("?") if isinstance(key, str) else key)
        if isinstance(key, str) and key.endswith("?"):
            yield here
        yield from _optional(part, here)


def _body(shape: Any, changed: dict[Path, Any], path: Path = (), *, least: bool = False) -> Any:
    if isinstance(shape, list):
        return [_body(part, changed, (*path, index), least=least) for index, part in enumerate(shape)]
    if not isinstance(shape, dict):
        return shape
    body = {}
    for key, part in shape.items():
        name = key.removesuffix("?")
        here = (*path, name)
        if changed.get(here) is not ... and not (least and key.endswith("?")):
            body[name] = None if here in changed else _body(part, changed, here, least=least)
    return body
