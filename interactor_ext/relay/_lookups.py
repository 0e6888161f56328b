"""What the relay reads at the platform to make it public: the names of tools, and what a halted workflow asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from interactor_client.models import ToolCall, WorkflowHalted
from interactor_ext._errors import InteractorError, NotFoundError, PermissionDeniedError, ValidationError
from interactor_ext.relay._http import log_failure
from interactor_ext.relay._public import TOOL_NAME, Show, public_json

# A page waits for it.
_SECONDS = 5.0
_REMEMBERED_NAMES = 4096


class ToolNames:
    """The names of the tools of all namespaces. A tool call has only the id of its tool."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str | None] = {}

    async def add(self, namespace: str, view: Any, models: Iterable[Any]) -> None:
        """Note in the tool calls of messages and events how their tools are called, where that can be read."""
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
            pass  # deleted; without the scope tools:read; or an id that no server, or no request, takes
        except InteractorError as error:
            log_failure("A request for a tool's name", error)
            return
        self._names[namespace, tool_id] = name
        if len(self._names) > _REMEMBERED_NAMES:
            del self._names[next(iter(self._names))]


def _calls_of(model: Any) -> list[ToolCall]:
    """Of a message or an event."""
    if isinstance(call := getattr(model, "tool_call", None), ToolCall):
        return [call]
    return getattr(getattr(model, "message", model), "tool_calls", None) or []


async def question_of(view: Any, instance_id: str, show: Show) -> dict[str, Any] | None:
    """The event that says what a halted workflow instance asks; None for another one."""
    try:
        asked = await view.with_options(deadline=_SECONDS).workflow_instances.question(instance_id)
    except InteractorError as error:
        log_failure("What a workflow asks", error)
        return None
    return None if asked is None else public_json(WorkflowHalted(presentation=asked), show)
