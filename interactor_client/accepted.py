"""What the resource classes accept and do beyond their operations, according to `x-accepts`, `x-ensured-by`, `x-wait`
and `x-asks` in the specification. The client around them carries it out; its sender has a method `user` that returns
the client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

from .models import EVENT_MODELS

if TYPE_CHECKING:
    from .types import Unset

T = TypeVar("T")


class ToolSource(Protocol):
    """Tools that can be registered in a namespace, such as a `ToolSet` of `interactor_ext`."""

    def register(self, user: Any, /) -> Any: ...


ToolIds = list[T] | ToolSource
EventTypes = Sequence[T]


def user_of(sender: Any) -> Any:
    """The client, or its view, around a resource."""
    return sender.user()


def tool_ids(tools: ToolIds[str] | Unset | None, sender: object) -> Any:
    """Return the ids of tools, registering them if necessary."""
    return [tool.id for tool in tools.register(user_of(sender))] if is_source(tools) else tools


async def tool_ids_async(tools: ToolIds[str] | Unset | None, sender: object) -> Any:
    return [tool.id for tool in await tools.register(user_of(sender))] if is_source(tools) else tools


def is_source(tools: object) -> TypeGuard[ToolSource]:
    """Whether they must be registered.

    Raises:
        TypeError: there is a function among them, or the definition of one.
    """
    for each in tools if isinstance(tools, list | tuple) else (tools,):
        if callable(each) or isinstance(each, Mapping):
            name = getattr(each, "__name__", "function")
            what = f"the function {name!r}" if callable(each) else "a dict"
            raise TypeError(
                f"tools must be ids of tools, or a ToolSet, not {what}. "
                f"Write tools = ToolSet(); tools.tool({name}), and pass tools=tools, here and to chat(...)."
            )
    return hasattr(tools, "register")


def event_types(events: Iterable[str] | Unset | None) -> Any:
    """Types of events, each once, with patterns replaced by the types they match.

    Raises:
        TypeError: `events` is one string.
        ValueError: A pattern matches none.
    """
    if not events:
        return events
    if isinstance(events, str):
        raise TypeError(f"events must be a list: write [{events!r}]")
    known = [event for event in EVENT_MODELS["WebhookEvent"] if event]  # the others are under ""
    types: dict[str, None] = {}
    for event in events:
        matched = list(filter(pattern_of([event]).fullmatch, known))
        if "*" in event and not matched:
            raise ValueError(f"No event matches {event!r}: there are {', '.join(known)}")
        types |= dict.fromkeys(matched or [event])
    return list(types)


def pattern_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Matches what one of the patterns does, in which `*` matches any characters."""
    return re.compile("|".join(re.escape(each).replace(r"\*", ".*") for each in patterns), re.DOTALL)
