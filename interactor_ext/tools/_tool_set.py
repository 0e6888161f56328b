"""`ToolSet`: registers Python functions as tools of assistants, and runs them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import attrs

from interactor_client.advised import Advised
from interactor_ext._engine.arguments import require_flags
from interactor_ext._engine.effects import (
    Effects,
    Invoke,
    Renewal,
    despite_lost_responses,
    despite_open_circuit,
    view_until,
)
from interactor_ext._engine.errors import ConfigurationError, NotFoundError, ValidationError
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.waiting.around import Around, checked_around
from interactor_ext._interactor import models
from interactor_ext.tools import _ledger
from interactor_ext.tools._approval import (
    ApprovalError,
    WaitingCall,
    everything,
    find_call,
    open_calls,
    record_decision,
    require_open,
    waiting_call,
)
from interactor_ext.tools._calls import PendingCall, ToolRun, error_result, pending_call, submit
from interactor_ext.tools._function import ToolFunction
from interactor_ext.tools._mcp import McpServer, mcp_server
from interactor_ext.tools._once_registry import OnceRegistry

if TYPE_CHECKING:
    import mcp
    import mcp.server

    from interactor_client.api import AsyncResources, Resources
    from interactor_ext.webhooks.stores import _contract

    AnyCall = models.ToolCall | models.ToolCallStart | models.RoomToolCallPendingEvent | models.RoomToolCallPendingData
else:
    _contract = LazyModule("interactor_ext.webhooks.stores._contract")
    mcp = LazyModule("mcp")

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

# Each tenant has its own ids for the same tools, and a process may serve many tenants.
_MAX_REMEMBERED_IDS = 16_384


class ToolSet(Advised, calls=True):
    """A set of tools by name, for any number of tenants, conversations and threads at once, sync and async.

    Each call is run once and its result submitted once, however many callers run it at the same time; this covers one
    process and its latest 4,096 calls. Beyond that the platform refuses a second result.

    With a `ledger`, a store of `interactor_ext.webhooks` that all processes share, it covers all of them, and crashes:
    a call whose process died isn't run again unless its tool is `idempotent`. The model is told that the outcome is
    unknown, an ERROR is logged, and `unknown()` lists the call. Calls that the store forgets after its ttl can run
    again.

    For an exception that isn't a ToolError, the model reads "The tool failed." with an id that is also in the log; with
    `expose_errors`, for development, it reads the exception's text.

    `around` returns a context manager that each function runs in, including those in `approval=`.
    `ToolContext.around` is the value it yields.

    With an asynchronous client, synchronous functions run in worker threads. With a synchronous one, asynchronous
    functions run in an event loop in a background thread.
    """

    def __init__(
        self, *, ledger: _contract.EventStore | None = None, expose_errors: bool = False, around: Around | None = None
    ) -> None:
        checked_around(around)
        require_flags(expose_errors=expose_errors)
        self._around = around
        self._tools: dict[str, ToolFunction] = {}
        self._ledger = None if ledger is None else _ledger.Ledger(ledger)
        self._exposes_errors = expose_errors
        self._decisions: dict[object, _Decision] = {}
        # By platform, because a set may serve several, such as a sandbox and the real one, whose ids may be equal.
        self._names: dict[tuple[str, str], str] = {}
        self._lock = fork_safe_lock()
        self._mcp_servers: list[McpServer] = []
        self._registry: OnceRegistry[models.Message] = OnceRegistry()

    @overload
    def tool(self, function: F) -> F: ...
    @overload
    def tool(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        approval: bool | Callable[[dict[str, Any]], object] = False,
        show: Sequence[str] = (),
        idempotent: bool = False,
    ) -> Callable[[F], F]: ...
    def tool(
        self,
        function: F | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        approval: bool | Callable[[dict[str, Any]], object] = False,
        show: Sequence[str] = (),
        idempotent: bool = False,
    ) -> F | Callable[[F], F]:
        """Add a function, which stays unchanged: `@tools.tool`, or `@tools.tool(name=..., description=...)`.

        Name and description default to the function's name and docstring. In Google's style, its section `Args:`
        describes the parameters, and those on results and errors are left out. `Annotated[str, "..."]` describes a
        parameter as well. A parameter of type `ToolContext` receives the tenant, the room and the call.

        With `approval`, a call only runs after `approve`: True, or a function of the arguments, as in
        `approval=lambda arguments: arguments["amount"] > 100`, which may be a coroutine function. If that function
        fails, a person decides. `show` names the arguments that a browser shows to that person. `idempotent` says that
        running a call again does no harm, as with an API that receives `ToolContext.idempotency_key`.

        Raises:
            TypeError: a parameter has no type hint, or one that JSON can't represent, or can't be passed by its name;
                or there is no description.
            ValueError: the set already has a tool of this name.
        """

        def add(function: F) -> F:
            tool = ToolFunction.of(function, name, description, approval=approval, show=show, idempotent=idempotent)
            if not tool.description.strip():
                stripped = "Python's option -OO removes docstrings. Pass description=, or run Python without it"
                advice = stripped if sys.flags.optimize > 1 else "write a docstring, or pass description="
                raise TypeError(f"the tool {tool.name} has no description: {advice}")
            self._replace({}, {tool.name: tool})
            return function

        return add if function is None else add(function)

    async def add_mcp(self, session: mcp.ClientSession | mcp.Client, prefix: str = "") -> None:
        """Add every tool of an MCP server, and follow changes of its list: await it in the session's event loop.

        The names get the prefix, the JSON Schemas stay unchanged, and the server checks the arguments. The set then
        serves any client, sync or async, in any thread, as long as that loop runs. If the server responds with an
        error, or the server or the loop is gone, the model reads that as the result. After a change, call `register`
        again; the set itself is up to date.

        Raises:
            ConfigurationError: the session is not initialized.
            ValueError: the set has a tool of the same name. Nothing was added.
            APIConnectionError: the tools could not be listed.
        """
        server = McpServer(session, prefix, self._replace)
        await server.start()
        self._mcp_servers.append(server)

    def serve_mcp(self, *, name: str = "interactor", namespace: str | None = None) -> mcp.server.Server:
        """The set as a server of the official MCP SDK, for `stdio_server()` or `.streamable_http_app()`.

        A `ToolContext` has this namespace, no room, and the id of the request. Raises ConfigurationError if a tool
        needs one and there is no namespace, and ImportError without the extra `[mcp]`.
        """
        return mcp_server(self.__iter__, name, namespace, partial(self._tool_run, is_async=True))

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

    # The client decides whether the effects run at once or as a coroutine.

    @overload
    def register(self, user: Resources) -> list[models.Tool]: ...
    @overload
    def register(self, user: AsyncResources) -> Awaitable[list[models.Tool]]: ...
    def register(self, user: Any) -> Any:
        """Create the tools that the tenant lacks, update those that differ, and return all, in the order of the set.

        Tools are identified by name; the tenant's other tools aren't touched. Calling it again changes nothing. With
        an asynchronous client, await it.
        """
        return user._run_effects(self._registration(user))

    @overload
    def run(
        self, user: Resources, tool_call: AnyCall, *, room_id: str | None = None
    ) -> models.Message | WaitingCall: ...
    @overload
    def run(
        self, user: AsyncResources, tool_call: AnyCall, *, room_id: str | None = None
    ) -> Awaitable[models.Message | WaitingCall]: ...
    def run(self, user: Any, tool_call: Any, *, room_id: str | None = None) -> Any:
        """Run the function for one call, submit its result, and return the message that the platform responds with.

        A call that needs approval isn't run, but returned as a `WaitingCall`: notify whoever decides.

        `tool_call` is a `room.tool_call.pending` event or its data, or a call from a message or a stream; the latter
        two don't name their room, so they need `room_id`. An event's own namespace is used. With an asynchronous
        client, await it.

        Raises:
            ValueError: the room is missing, or the event belongs to another tenant than `user`.
            APITimeoutError: the view's deadline has passed. A synchronous function keeps running in its thread.
            InteractorError: the result could not be submitted. Call it again: the function does not run twice.
        """
        view, call = pending_call(user, tool_call, room_id)
        return view._run_effects(self._answer(view, call, view._view.ends_at()))

    @overload
    def pending(self, user: Resources, room_id: str) -> list[WaitingCall]: ...
    @overload
    def pending(self, user: AsyncResources, room_id: str) -> Awaitable[list[WaitingCall]]: ...
    def pending(self, user: Any, room_id: str) -> Any:
        """The calls of a room that wait for approval, oldest first. Lists all messages of the room.

        With an asynchronous client, await it.
        """
        return user._run_effects(self._pending(user, room_id))

    @overload
    def approve(self, user: Resources, call: WaitingCall | str, *, by: str) -> models.Message: ...
    @overload
    def approve(self, user: AsyncResources, call: WaitingCall | str, *, by: str) -> Awaitable[models.Message]: ...
    def approve(self, user: Any, call: WaitingCall | str, *, by: str) -> Any:
        """Run a call that waits for approval, in any process and however late, and submit its result.

        `call` comes from `pending`, `run` or `reply.waiting`, as shown to the person, or is its id, looked up
        in all rooms of the tenant. `by` names the person who decided: the logger `interactor.tools` records it with the
        arguments, and telemetry gets a `ToolDecided`. With several processes, give the set a ledger: otherwise two
        approvals at the same time can run the function twice. With an asynchronous client, await it.

        Raises:
            ApprovalError: there is no such call; it has its result; or its arguments have changed since.
            InteractorError: the result could not be submitted. Call it again: the function does not run twice.
        """
        if not isinstance(by, str) or not by.strip():
            raise ValueError(f"by= must be the name of the person who approves the call, not {by!r}.")
        return user._run_effects(self._decided(user, call, _Decision("approved", by)))

    @overload
    def reject(
        self, user: Resources, call: WaitingCall | str, *, reason: str = ..., by: str | None = None
    ) -> models.Message: ...
    @overload
    def reject(
        self, user: AsyncResources, call: WaitingCall | str, *, reason: str = ..., by: str | None = None
    ) -> Awaitable[models.Message]: ...
    def reject(
        self, user: Any, call: WaitingCall | str, *, reason: str = "It wasn't approved.", by: str | None = None
    ) -> Any:
        """Respond to a call that waits for approval with an error, whose text is `reason`: the model reads it.

        Otherwise like `approve`.
        """
        return user._run_effects(self._decided(user, call, _Decision("rejected", by, reason)))

    @overload
    def resume(self, user: Resources, room_id: str) -> list[models.Message | WaitingCall]: ...
    @overload
    def resume(self, user: AsyncResources, room_id: str) -> Awaitable[list[models.Message | WaitingCall]]: ...
    def resume(self, user: Any, room_id: str) -> Any:
        """Run the calls of a room that have no result, such as calls of a chat whose process has ended.

        Looks at the newest messages (one page), and returns for each call what `run` returns, the oldest first. Waits
        for a call that another process is running. A call started by a process that has ended isn't run again, unless
        its tool is `idempotent`. Calls that the platform posts to a `callback_url` are left out. With an asynchronous
        client, await it.

        Raises:
            ConfigurationError: the set has no ledger, so it can't know which calls another process is running.
        """
        if self._ledger is None:
            raise ConfigurationError(
                "tools.resume needs a ledger, which knows the calls that other processes are running: write "
                "ToolSet(ledger=PostgresEventStore(...)), or pass another store that all processes share."
            )
        return user._run_effects(self._resume(user, room_id))

    def unknown(self) -> list[PendingCall]:
        """The calls with an unknown outcome that this process found: with a ledger, the newest thousand."""
        return [] if self._ledger is None else list(self._ledger.unknown)

    def _with_tool(self, tool: ToolFunction) -> ToolSet:
        """Return a copy with one more tool, which shares everything else with this set."""
        other = copy(self)
        other._tools = {**self._tools, tool.name: tool}
        return other

    def _within(self, around: Around | None) -> ToolSet:
        """Return this set, or, if it lacks an `around`, a copy with this one that shares everything else."""
        if around is None or self._around is not None:
            return self
        other = copy(self)
        other._around = around
        return other

    def _replace(self, old: Iterable[str], new: dict[str, ToolFunction]) -> None:
        """Replace tools in one step, as seen by other threads."""
        with self._lock:
            kept = {name: tool for name, tool in self._tools.items() if name not in old}
            if taken := kept.keys() & new.keys():
                raise ValueError(f"this ToolSet already has a tool {min(taken)!r}")
            self._tools = {**kept, **new}

    def _registration(self, user: Any) -> Effects[list[models.Tool]]:
        ends_at, user = user._view.ends_at(), user._without_key()
        register = partial(self._register, user, ends_at)
        # Tools have no idempotency key, so the list shows whether a lost request took effect.
        return (
            yield from despite_lost_responses(
                user, ends_at, register, lambda: everything(view_until(user, ends_at).tools.iterate(per_page=100))
            )
        )

    def _register(self, user: Any, ends_at: float | None, existing: list[models.Tool]) -> Effects[list[models.Tool]]:
        registered: list[models.Tool] = []
        for tool in self:
            about = {"description": tool.description, "parameters": tool.parameters}
            namesakes = [each for each in existing if each.name == tool.name]
            if not namesakes:
                create = view_until(user, ends_at).tools.create
                try:
                    known: models.Tool = yield Invoke(partial(create, name=tool.name, **about))
                except ValidationError as error:
                    error.add_note(f"The platform refused the tool {tool.name!r} of the ToolSet.")
                    raise
            elif (namesakes[0].description, namesakes[0].parameters) != (tool.description, tool.parameters):
                known = yield Invoke(partial(view_until(user, ends_at).tools.update, namesakes[0].id, **about))
            else:
                known = namesakes[0]
            registered.append(known)
            for each in (known, *namesakes):
                self._remember(user.config.core_api_url, each.id, tool.name)
        return registered

    def _answer(
        self, user: Any, call: PendingCall, ends_at: float | None, *, only_ours: bool = False
    ) -> Effects[models.Message | WaitingCall | None]:
        """Respond to a call. With `only_ours`, return None for a call that the platform posts to a `callback_url`,
        unless its tool is in this set.
        """
        name, has_callback = yield from self._identify(user, call, ends_at)
        if only_ours and has_callback and name not in self:
            return None
        if name in self and (waiting := (yield from waiting_call(self[name], call, self._around))) is not None:
            return waiting
        return (yield from self._run(user, call, name, ends_at))

    def _run(
        self, user: Any, call: PendingCall, name: str, ends_at: float | None, decision: _Decision | None = None
    ) -> Effects[models.Message]:
        """Run the function, or reject the call, and submit the result."""
        tool = self._tools.get(name)
        tool_run = self._tool_run(tool, name, call, is_async=inspect.iscoroutinefunction(user._run_effects))
        run = tool_run.result if decision is None else partial(decision.result, tool_run)
        key = _key(user, call)
        send = partial(submit, user, call, ends_at)
        if self._ledger is None or tool is None:
            return (yield from self._registry.once(key, run, send, ends_at))
        entry = _ledger.LedgerEntry(self._ledger, user, call, name, is_idempotent=tool.idempotent)
        result = partial(entry.result, run)
        return (yield from self._registry.once(key, result, partial(entry.submit, send, ends_at), ends_at))

    def _tool_run(self, tool: ToolFunction | None, name: str, call: PendingCall, *, is_async: bool) -> ToolRun:
        return ToolRun(tool, name, call, is_async, self._exposes_errors, self._around)

    def _pending(self, user: Any, room_id: str) -> Effects[list[WaitingCall]]:
        ends_at = user._view.ends_at()
        waiting = []
        view = view_until(user, ends_at)
        messages = yield from everything(view.messages.iterate(room_id, order="asc", per_page=100))
        for call in open_calls(messages):
            each = PendingCall.of(call, room_id, user._view.namespace)
            waiting.append((yield from self._waiting(user, each, ends_at)))
        return [each for each in waiting if each is not None]

    def _resume(self, user: Any, room_id: str) -> Effects[list[models.Message | WaitingCall]]:
        ends_at = user._view.ends_at()
        newest = yield from despite_open_circuit(user, ends_at, lambda view: view.messages.list(room_id, order="desc"))
        outcomes = []
        for call in open_calls(reversed(newest.data)):
            pending = PendingCall.of(call, room_id, user._view.namespace)
            outcomes.append((yield from self._answer(user, pending, ends_at, only_ours=True)))
        return [each for each in outcomes if each is not None]

    def _waiting(self, user: Any, call: PendingCall, ends_at: float | None) -> Effects[WaitingCall | None]:
        name, _ = yield from self._identify(user, call, ends_at)
        return (yield from waiting_call(self[name], call, self._around)) if name in self else None

    def _decided(self, user: Any, named: WaitingCall | str, decision: _Decision) -> Effects[models.Message]:
        ends_at = user._view.ends_at()
        found, room_id = yield from find_call(view_until(user, ends_at), named)
        call = PendingCall.of(found, room_id, user._view.namespace)
        waiting = require_open(found, (yield from self._waiting(user, call, ends_at)), named)
        key = _key(user, call)
        first = self._decisions.setdefault(key, decision)
        name = clean_text(call.id)
        if first.kind != decision.kind:
            raise ApprovalError(
                f"The call {name} has been {first.kind}, and that hasn't finished. If it failed, do the same again.",
                code="call_finished",
            )
        decision.record = partial(record_decision, user, waiting, decision.kind, decision.by)
        decided = attrs.evolve(call, decided_by=decision.by)
        message = yield from self._run(user, decided, waiting.tool, ends_at, decision)
        self._decisions.pop(key, None)
        if not first.is_taken:
            raise ApprovalError(f"Another process has already decided about the call {name}.", code="call_finished")
        return message

    def _identify(self, user: Any, call: PendingCall, ends_at: float | None) -> Effects[tuple[str, bool]]:
        """Return the name of the called tool, and whether the platform posts its calls to a URL."""
        api_url = user.config.core_api_url
        name = call.tool_name or self._names.get((api_url, call.tool_id or ""))
        if name or call.tool_id is None:
            return name or "(not named)", False
        try:
            tool: models.Tool = yield from despite_open_circuit(
                user, ends_at, lambda view: view.tools.get(call.tool_id)
            )
        except (NotFoundError, ValidationError):  # deleted, or an id that the server refuses
            return call.tool_id, False
        if tool.name in self:
            self._remember(api_url, tool.id, tool.name)
        return tool.name, bool(tool.callback_url)

    def _remember(self, api_url: str, tool_id: str, name: str) -> None:
        with self._lock:
            self._names[api_url, tool_id] = name
            if len(self._names) > _MAX_REMEMBERED_IDS:
                del self._names[next(iter(self._names))]


Tools = ToolSet | Iterable[Callable[..., Any]]


def tool_set(tools: Tools) -> ToolSet:
    """Return a set unchanged, or create one from functions.

    Raises:
        ConfigurationError: it is neither.
        TypeError, ValueError: see `ToolSet.tool`.
    """
    if isinstance(tools, ToolSet):
        return tools
    functions: list[Any] = list(tools) if isinstance(tools, Iterable) and not isinstance(tools, str | bytes) else [None]
    if not all(callable(function) for function in functions):
        raise ConfigurationError(
            "tools= must be a ToolSet, or a list of functions (`tools=[get_weather]`). Ids of tools "
            "belong to the assistant: `user.assistants.create(..., tools=[tool.id for tool in "
            "tool_set.register(user)])`."
        )
    made = ToolSet()
    for function in functions:
        made.tool(function)
    return made


@attrs.define(eq=False)
class _Decision:
    """A person's decision, and the call's result: of the tool if approved, an error if rejected."""

    kind: Literal["approved", "rejected"]
    by: str | None
    reason: str = ""
    record: Callable[[], None] = attrs.field(init=False)
    is_taken: bool = attrs.field(init=False, default=False)
    """Whether this process was the first to decide."""

    def result(self, run: ToolRun, ends_at: float | None, renewal: Renewal | None = None) -> Effects[Any]:
        if not self.is_taken:
            self.record()
            self.is_taken = True
        if self.kind == "approved":
            return (yield from run.result(ends_at, renewal))
        return error_result("rejected", self.reason)


def _key(user: Any, call: PendingCall) -> object:
    return user.config.core_api_url, call.namespace, call.room_id, call.id
