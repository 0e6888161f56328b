"""What the relay reads from the platform for browsers: tool names, and the questions of halted workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from interactor_client.models import ToolCall, WorkflowHalted
from interactor_ext._engine.errors import InteractorError, NotFoundError, PermissionDeniedError, ValidationError
from interactor_ext.relay._http import log_failure
from interactor_ext.relay._public import TOOL_NAME, Show, public_json

# A page is waiting for the response.
_SECONDS = 5.0
_MAX_NAMES = 4096


class ToolNames:
    """Tool names by namespace and id: a tool call only contains the id."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str | None] = {}

    async def add(self, namespace: str, view: Any, models: Iterable[Any]) -> None:
        """Add the tool's name to the tool calls of messages and events, where it can be read."""
        calls = [call for model in models for call in _calls_of(model) if TOOL_NAME not in call.additional_properties]
        named = {call.tool_id for call in calls if call.tool_id is not None}
        unknown = {tool_id for tool_id in named if (namespace, tool_id) not in self._names}
        if unknown:
            await asyncio.gather(*(self._look_up(namespace, view, tool_id) for tool_id in unknown))
        for call in calls:
            call.additional_properties[TOOL_NAME] = self._names.get((namespace, call.tool_id or ""))

    async def _look_up(self, namespace: str, view: Any, tool_id: str) -> None:
        name: str | None = None
        try:
            name = (await view.with_options(deadline=_SECONDS).tools.get(tool_id)).name
        except (NotFoundError, PermissionDeniedError, ValidationError, ValueError):
            pass  # deleted, no scope tools:read, or an invalid id
        except InteractorError as error:
            log_failure("A request for a tool's name", error)
            return
        self._names[namespace, tool_id] = name
        if len(self._names) > _MAX_NAMES:
            del self._names[next(iter(self._names))]


def _calls_of(model: Any) -> list[ToolCall]:
    """Return the tool calls of a message or an event."""
    if isinstance(call := getattr(model, "tool_call", None), ToolCall):
        return [call]
    return getattr(getattr(model, "message", model), "tool_calls", None) or []


async def question_of(view: Any, instance_id: str, show: Show) -> dict[str, Any] | None:
    """Return the event with the question of a halted workflow instance; None if it isn't waiting for input."""
    try:
        asked = await view.with_options(deadline=_SECONDS).workflow_instances.question(instance_id)
    except InteractorError as error:
        log_failure("A request for a workflow's question", error)
        return None
    return None if asked is None else public_json(WorkflowHalted(presentation=asked), show)
