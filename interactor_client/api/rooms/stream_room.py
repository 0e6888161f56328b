"""Follow the events of a room as they happen.

The connection stays open until one side closes it. The server sends a sign of life every 30 seconds; after
45 seconds of silence the connection is dead. To resume, send `Last-Event-ID`. A backend sends the bearer
header; `token` and `namespace` in the query exist for browsers, whose EventSource cannot set headers.

No function here opens the stream: `rooms.stream` of a client does, which reconnects and resumes.
"""

from __future__ import annotations

from typing import Any

from interactor_client.types import UNSET, Operation, Unset
from interactor_client.wire import header_value, path_segment, query_text

OPERATION = Operation(
    id="stream_room",
    tag="rooms",
    method="GET",
    path="/rooms/{room_id}/stream",
    server="core",
    idempotency_key=False,
    stream=True,
)


def _get_kwargs(
    room_id: str,
    *,
    token: str | Unset = UNSET,
    namespace: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> dict[str, Any]:
    _params: dict[str, Any] = {"token": query_text("token", token), "namespace": query_text("namespace", namespace)}
    _headers: dict[str, str | bytes] = {"Accept": "text/event-stream"}
    if last_event_id is not UNSET and last_event_id is not None:
        _headers["Last-Event-ID"] = header_value("Last-Event-ID", last_event_id)
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "GET",
        "url": f"/rooms/{path_segment('room_id', room_id)}/stream",
        "params": {name: value for name, value in _params.items() if value is not UNSET and value is not None},
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }
