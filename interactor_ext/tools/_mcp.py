"""Adds tools of MCP servers to a ToolSet, and serves a ToolSet over MCP, with the official SDK (extra `[mcp]`)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.effects import run_async
from interactor_ext._engine.errors import APIConnectionError, ConfigurationError
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._interactor import __version__
from interactor_ext.tools._calls import ErrorResult, PendingCall, ToolError, ToolRun
from interactor_ext.tools._function import ToolFunction
from interactor_ext.tools._shapes import Shape, error_text, require

if TYPE_CHECKING:
    import mcp
    import mcp.server
else:
    mcp = LazyModule("mcp")

# How often a call checks whether its session's loop still runs: a loop stops without notice.
_LOOP_CHECK_SECONDS = 1.0
_LISTEN_PAUSE = 2.0

Tools = dict[str, ToolFunction]
Replace = Callable[[Iterable[str], Tools], None]
"""Replaces the tools of these names with new ones. Raises ValueError if another tool has one of the new names."""


class McpServer:
    """A server's tools, called through a session, which belongs to the event loop that awaits `start`."""

    def __init__(self, session: mcp.ClientSession | mcp.Client, prefix: str, replace: Replace) -> None:
        # A `Client` handles the server's requests during a call; its session fetches lists without a cache.
        self._caller = session
        self._session = session.session if isinstance(session, mcp.Client) else session
        self._prefix = prefix
        self._replace = replace
        self._tools: Tools = {}
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()  # in a forked child the loop looks as if it still ran
        self._listing = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        info = self._session.server_info
        self._name = clean_text(info.name) if info is not None else "without a name"

    async def start(self) -> None:
        """List the tools, and follow the server's list from then on."""
        from mcp.client.subscriptions import ListenNotSupportedError, listen

        if self._session.protocol_version is None:
            raise ConfigurationError("The MCP session isn't initialized. Call `await session.initialize()` first.")
        try:
            tools = await self._fetch()
        except Exception as error:
            raise APIConnectionError(
                f"The MCP server {self._name} didn't list its tools: {error_text(error)}"
            ) from error
        self._put(tools)
        self._hear_notifications()
        capabilities = self._session.server_capabilities
        if capabilities and capabilities.tools and capabilities.tools.list_changed:
            self._in_background(self._listen(listen, ListenNotSupportedError))

    def _hear_notifications(self) -> None:
        # Before version 2026-07-28 the protocol reports changes only by notification, and a session only accepts a
        # handler for those when it is created.
        handler = self._session._message_handler

        async def hear(message: Any) -> None:
            if isinstance(message, mcp.types.ToolListChangedNotification):
                self._in_background(self._list_again())
            await handler(message)

        self._session._message_handler = hear

    async def _listen(self, listen: Any, not_supported: type[Exception]) -> None:
        """Follow the stream of changes (since 2026-07-28), which a server may end at any time."""
        while True:
            try:
                async with listen(self._session, tools_list_changed=True) as changes:
                    await self._list_again(is_changed=False)  # it may have changed before
                    async for _ in changes:
                        await self._list_again()
            except not_supported:
                return
            except Exception as error:
                logger.debug("the MCP server %s doesn't report changes: %s", self._name, error_text(error))
            await asyncio.sleep(_LISTEN_PAUSE)
            if not await self._list_again(is_changed=False):
                return

    def _in_background(self, work: Coroutine[Any, Any, object]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _list_again(self, *, is_changed: bool = True) -> bool:
        try:
            async with self._listing:
                self._put(await self._fetch())
                if is_changed:
                    logger.info("the MCP server %s has changed its tools: register them again", self._name)
        except Exception as error:
            # Whoever closed the session doesn't need a warning.
            level = logging.DEBUG if getattr(error, "code", None) == mcp.types.CONNECTION_CLOSED else logging.WARNING
            logger.log(level, "the MCP server %s didn't list its tools again: %s", self._name, error_text(error))
            return False
        return True

    async def _fetch(self) -> Tools:
        tools: Tools = {}
        page = await self._session.list_tools()
        while True:
            tools |= {self._prefix + tool.name: self._tool(self._prefix + tool.name, tool) for tool in page.tools}
            if not page.next_cursor:
                return tools
            page = await self._session.list_tools(params=mcp.types.PaginatedRequestParams(cursor=page.next_cursor))

    def _put(self, tools: Tools) -> None:
        try:
            self._replace(self._tools, tools)
        except ValueError as error:
            raise ValueError(f"{error}: add the tools of the MCP server {self._name} with another prefix=") from None
        self._tools = tools

    def _tool(self, name: str, tool: mcp.types.Tool) -> ToolFunction:
        async def call(arguments: dict[str, Any]) -> Any:
            try:
                result = await self._in_loop(partial(self._caller.call_tool, tool.name, arguments))
            except Exception as error:
                raise ToolError(f"The MCP server {self._name} returned no result.") from error
            return readable(result)

        def read(value: Any, path: str) -> dict[str, Any]:
            return {"arguments": require(dict, "an object", value, path)}  # the server validates them

        shape = Shape(tool.input_schema, "an object", read)
        return ToolFunction(
            name, tool.description or tool.title or "", shape.schema, call, shape, signature(call), None
        )

    async def _in_loop(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine of the session in the session's loop, from any loop, and return its result."""
        if asyncio.get_running_loop() is self._loop:
            return await call()
        gone = RuntimeError("the event loop of its session isn't running anymore")
        if os.getpid() != self._process or not self._loop.is_running():
            raise gone
        work = asyncio.run_coroutine_threadsafe(call(), self._loop)
        result = asyncio.wrap_future(work)
        try:
            while not result.done():
                await asyncio.wait([result], timeout=_LOOP_CHECK_SECONDS)
                if not self._loop.is_running() and not work.done():  # in this order: `result` is set one callback later
                    raise gone
        finally:
            work.cancel()
        if result.cancelled():
            raise gone
        return result.result()


def readable(result: Any) -> Any:
    """Return what the model reads of a CallToolResult. Raises ToolError for an error."""
    parts = [_part(block.model_dump(mode="json", by_alias=True, exclude_none=True)) for block in result.content]
    if result.is_error:
        texts = (part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts)
        raise ToolError("\n".join(texts) or "The tool failed without giving a reason.")
    if "structured_content" in result.model_fields_set and result.structured_content is not None:
        # The text parts repeat the structured content.
        others = [part for part, block in zip(parts, result.content, strict=True) if block.type != "text"]
        structured = result.structured_content
        return {"structured_content": structured, "content": others} if others else structured
    return parts[0] if len(parts) == 1 else parts or None


def _part(block: dict[str, Any]) -> Any:
    """Return text unchanged, and anything else as an object without its bytes, which a model can't read."""
    if block["type"] == "text":
        return block["text"]
    content = block.get("resource", block)
    return {name: "[not shown]" if name in ("data", "blob") else value for name, value in content.items()}


def mcp_server(
    tools: Callable[[], Iterator[ToolFunction]],
    name: str,
    namespace: str | None,
    make_run: Callable[[ToolFunction | None, str, PendingCall], ToolRun],
) -> mcp.server.Server:
    """Return a server of the official SDK for a set of tools, which may change."""
    try:
        from mcp import types
        from mcp.server import Server
    except ImportError as error:
        raise ImportError("ToolSet.serve_mcp needs an extra: pip install 'interactor-sdk[mcp]'") from error

    def served() -> Tools:
        found = {tool.name: tool for tool in tools() if not tool.approval}
        if namespace is None and (asking := [tool.name for tool in found.values() if tool._context]):
            raise ConfigurationError(
                f"The tool {asking[0]} has a ToolContext parameter: pass serve_mcp(namespace=...)."
            )
        return found

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=tool.name, description=tool.description, input_schema=tool.parameters)
                for tool in served().values()
            ]
        )

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        call = PendingCall(str(context.request_id), "", "", params.name, params.arguments or {}, namespace)
        result = await run_async(make_run(served().get(params.name), params.name, call).result())
        is_error = isinstance(result, ErrorResult)
        text = result["error"]["message"] if is_error else result
        return types.CallToolResult(
            content=[
                types.TextContent(
                    type="text", text=text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
                )
            ],
            structured_content=result if isinstance(result, dict) and not is_error else None,
            is_error=is_error,
        )

    served()
    return Server(name, version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)
