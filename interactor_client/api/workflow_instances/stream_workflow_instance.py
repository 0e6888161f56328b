"""Follow an instance as it moves.

Behaves like `rooms.stream`: a sign of life every 30 seconds, dead after 45 seconds of silence, `Last-Event-
ID` to resume, `token` and `namespace` in the query for browsers only.

No function here opens the stream: `workflow_instances.stream` of a client does, which reconnects and resumes.
"""

from __future__ import annotations

from typing import Any

from interactor_client.types import UNSET, Operation, Unset
from interactor_client.wire import header_value, path_segment, query_text

OPERATION = Operation(
    id="stream_workflow_instance",
    tag="workflow_instances",
    method="GET",
    path="/workflow-instances/{instance_id}/stream",
    server="core",
    idempotency_key=False,
    stream=True,
)


def _get_kwargs(
    instance_id: str,
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
        "url": f"/workflow-instances/{path_segment('instance_id', instance_id)}/stream",
        "params": {name: value for name, value in _params.items() if value is not UNSET and value is not None},
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }
