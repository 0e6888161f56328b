"""`ToolSet`: Python functions as tools of assistants, registered and run."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from interactor_ext._effects import Call, Effects, despite_open_circuit, view_until
from interactor_ext._errors import ConfigurationError, NotFoundError, ValidationError
from interactor_ext._fork import fork_safe_lock
from interactor_ext.tools._calls import PendingCall, ToolRun, pending_call, require_sendable, submit
from interactor_ext.tools._function import ToolFunction
from interactor_ext.tools._mcp import McpServer, mcp_server
from interactor_ext.tools._once_registry import OnceRegistry

if TYPE_CHECKING:
    from mcp import Client, ClientSession
    from mcp.server import Server

    from interactor_client.api import AsyncResources, Resources
    from interactor_client.models import (
        Message,
        RoomToolCallPendingData,
        RoomToolCallPendingEvent,
        Tool,
        ToolCall,
        ToolCallStart,
    )

    AnyCall = ToolCall | ToolCallStart | RoomToolCallPendingEvent | RoomToolCallPendingData

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

# A tenant has ids of its own for the same tools, and a process may serve many tenants.
_REMEMBERED_IDS = 16_384


class ToolSet:
    """A set of tools by name, for any number of tenants, conversations and threads at once, sync and async.

    Each call is run once and its result submitted once, however many callers ask for it at once; that holds within a
    process and for the latest few thousand calls. Beyond that the platform refuses a second result.

    With an asynchronous client, a synchronous function runs in a worker thread. With a synchronous one, an asynchronous
    function runs in an event loop that the process keeps in a thread.
    """

    def __init__(self) -> None:
        self._tools: dict[str, ToolFunction] = {}
        # A set may serve several platforms, a sandbox and the real one say, whose ids may be the same.
        self._names: dict[tuple[str, str], str] = {}
        self._lock = fork_safe_lock()
        self._mcp_servers: list[McpServer] = []
        self._registry: OnceRegistry[Message] = OnceRegistry()

    @overload
    def tool(self, function: F) -> F: ...
    @overload
    def tool(self, *, name: str | None = None, description: str | None = None) -> Callable[[F], F]: ...
    def tool(
        self, function: F | None = None, *, name: str | None = None, description: str | None = None
    ) -> F | Callable[[F], F]:
        """Add a function, which stays as it is: `@tools.tool`, or `@tools.tool(name=..., description=...)`.

        The name is the function's own, and the description its docstring's, without the sections on parameters (those
        describe the parameters), results and errors. `Annotated[str, "..."]` describes a parameter as well. A parameter
        of the type `ToolContext` is given the tenant, the room and the call.

        Raises:
            TypeError: a parameter has no type hint, or one that has no form in JSON, or is `*args` or `**kwargs`.
            ValueError: the set has a tool of this name.
        """

        def add(function: F) -> F:
            tool = ToolFunction.of(function, name, description)
            self._replace({}, {tool.name: tool})
            return function

        return add if function is None else add(function)

    async def add_mcp(self, session: ClientSession | Client, prefix: str = "") -> None:
        """Add every tool of an MCP server, and follow its list: await it in the event loop that the session lives in.

        The names get the prefix, the JSON Schemas stay as they are, and the server checks the arguments. Then the set
        serves any client, sync or async, in any thread, for as long as that loop runs: calls are handed to it. What
        the server answers with an error, and a server or a loop that has gone, become results that the model can
        read. After a change, `register` again; the set itself has followed.

        Raises:
            ConfigurationError: the session is not initialized, or the server's list makes no sense.
            ValueError: the set has a tool of the same name. Nothing was added.
            APIConnectionError: the tools could not be listed.
        """
        server = McpServer(session, prefix, self._replace)
        await server.start()
        self._mcp_servers.append(server)

    def serve_mcp(self, *, name: str = "interactor", namespace: str | None = None) -> Server:
        """The set as a server of the official MCP SDK, for `stdio_server()` or `.streamable_http_app()`.

        A `ToolContext` has this namespace, no room, and the id of the request. Raises ConfigurationError if there is a
        tool that takes one and no namespace, and ImportError without the extra `[mcp]`.
        """
        return mcp_server(self.__iter__, name, namespace)

    def __iter__(self) -> Iterator[ToolFunction]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __getitem__(self, name: str) -> ToolFunction:
        return self._tools[name]

    def __repr__(self) -> str:
        return f"ToolSet({', '.join(self._tools)})"

    # The client decides how the effects are run: at once, or as a coroutine.

    @overload
    def register(self, user: Resources) -> list[Tool]: ...
    @overload
    def register(self, user: AsyncResources) -> Awaitable[list[Tool]]: ...
    def register(self, user: Resources | AsyncResources) -> list[Tool] | Awaitable[list[Tool]]:
        """Create the tools that the tenant lacks, update those that differ, and return all, in the order of the set.

        Tools are identified by name; others of the tenant are left alone. Called again it changes nothing. With an
        asynchronous client, await it.
        """
        client: Any = user
        tools: list[Tool] | Awaitable[list[Tool]] = client._run_effects(self._registration(user))
        return tools

    @overload
    def run(self, user: Resources, tool_call: AnyCall, *, room_id: str | None = None) -> Message: ...
    @overload
    def run(self, user: AsyncResources, tool_call: AnyCall, *, room_id: str | None = None) -> Awaitable[Message]: ...
    def run(
        self, user: Resources | AsyncResources, tool_call: AnyCall, *, room_id: str | None = None
    ) -> Message | Awaitable[Message]:
        """Run the function for one call, submit its result, and return the message that the platform answers with.

        `tool_call` is a `room.tool_call.pending` event or its data, or a call of a message or a stream; the latter two
        do not name their room, so they need `room_id`. An event's own namespace is used. With an asynchronous client,
        await it.

        Raises:
            ValueError: the room is missing, or the event belongs to another tenant than `user`.
            APITimeoutError: the view's deadline has come. A synchronous function that still runs is left to its thread.
            InteractorError: the result could not be submitted. Call it again for that: the function does not run twice.
        """
        view, call = pending_call(user, tool_call, room_id)
        answer: Message | Awaitable[Message] = view._run_effects(self._answer(view, call, view._view.ends_at()))
        return answer

    def _replace(self, old: Iterable[str], new: dict[str, ToolFunction]) -> None:
        """In one step, as other threads see it."""
        with self._lock:
            kept = {name: tool for name, tool in self._tools.items() if name not in old}
            if taken := kept.keys() & new.keys():
                raise ValueError(f"this ToolSet has a tool {min(taken)!r} already")
            self._tools = {**kept, **new}

    def _registration(self, user: Any) -> Effects[list[Tool]]:
        ends_at = user._view.ends_at()
        tools = user.tools.iterate(per_page=100)
        existing: list[Tool] = yield Call(partial(_list_async if isinstance(tools, AsyncIterable) else list, tools))
        registered: list[Tool] = []
        for tool in self:
            about = {"description": tool.description, "parameters": tool.parameters}
            namesakes = [each for each in existing if each.name == tool.name]
            if not namesakes:
                create = view_until(user, ends_at).tools.create
                try:
                    known: Tool = yield Call(partial(create, name=tool.name, **about))
                except ValidationError as error:
                    error.add_note(f"The platform refuses the tool {tool.name!r} of the ToolSet.")
                    raise
            elif (namesakes[0].description, namesakes[0].parameters) != (tool.description, tool.parameters):
                known = yield Call(partial(view_until(user, ends_at).tools.update, namesakes[0].id, **about))
            else:
                known = namesakes[0]
            registered.append(known)
            for each in (known, *namesakes):
                self._remember(user.config.core_api_url, each.id, tool.name)
        return registered

    def _answer(
        self, user: Any, call: PendingCall, ends_at: float | None, *, only_ours: bool = False
    ) -> Effects[Message | None]:
        """None, with `only_ours`, for a call of an unknown tool that the platform posts to a `callback_url`."""
        require_sendable(call)
        name, has_callback = yield from self._identify(user, call, ends_at)
        if only_ours and has_callback and name not in self:
            return None
        run = ToolRun(self._tools.get(name), name, call, is_async=inspect.iscoroutinefunction(user._run_effects))
        key = (user.config.core_api_url, call.namespace, call.room_id, call.id)
        return (yield from self._registry.once(key, run.result, partial(submit, user, call, ends_at), ends_at))

    def _identify(self, user: Any, call: PendingCall, ends_at: float | None) -> Effects[tuple[str, bool]]:
        """The name of the tool that is called, and whether the platform posts its calls to a URL."""
        api_url = user.config.core_api_url
        name = call.tool_name or self._names.get((api_url, call.tool_id))
        if name is not None:
            return name, False

        try:
            tool: Tool = yield from despite_open_circuit(user, ends_at, lambda view: view.tools.get(call.tool_id))
        except (NotFoundError, ValidationError, ValueError):  # deleted; or an id that no server, or no request, takes
            return call.tool_id, False
        if tool.name in self:
            self._remember(api_url, tool.id, tool.name)
        return tool.name, bool(tool.callback_url)

    def _remember(self, api_url: str, tool_id: str, name: str) -> None:
        with self._lock:
            self._names[api_url, tool_id] = name
            if len(self._names) > _REMEMBERED_IDS:
                del self._names[next(iter(self._names))]


Tools = ToolSet | Iterable[Callable[..., Any]]


def tool_set(tools: Tools) -> ToolSet:
    """A set as it is, or one made of functions.

    Raises:
        ConfigurationError: it is neither.
        TypeError, ValueError: see `ToolSet.tool`.
    """
    if isinstance(tools, ToolSet):
        return tools
    functions: list[Any] = list(tools) if isinstance(tools, Iterable) and not isinstance(tools, str | bytes) else [None]
    if not all(callable(function) for function in functions):
        raise ConfigurationError(
            "tools= takes a ToolSet, or a list of functions (`tools=[get_weather]`). The ids of tools belong to the "
            "assistant: `user.assistants.create(..., tools=[tool.id for tool in tool_set.register(user)])`."
        )
    made = ToolSet()
    for function in functions:
        made.tool(function)
    return made


async def _list_async(items: AsyncIterable[T]) -> list[T]:
    return [item async for item in items]
