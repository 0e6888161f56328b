"""Tools of MCP servers in a ToolSet (`add_mcp`), and a ToolSet as an MCP server (`serve_mcp`)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client, ClientSession, MCPError, StdioServerParameters, stdio_client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.shared.memory import create_client_server_memory_streams

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    ToolContext,
    ToolSet,
    ValidationError,
    __version__,
)
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import NAMESPACE, chat, room_with, under_deadline
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.mcp_servers import ROOT, connected, demo, server_over_http
from tests.support.modes import sync_and_async
from tests.support.npm import npm_package
from tests.support.ports import free_port
from tests.support.tool_runs import run as run_tool
from tests.support.waiting import eventually, eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

GONE = "returned no result."
PICTURE = {"type": "image", "data": "[not shown]", "mimeType": "image/png"}
EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"


def combinations(names: str, quick: list[tuple[str, ...]], *values: tuple[str, ...]) -> pytest.MarkDecorator:
    """All of them, each of which starts a process; only the `quick` ones on every change."""
    rows = itertools.product(*values)
    return pytest.mark.parametrize(
        names, [pytest.param(*row, marks=() if row in quick else pytest.mark.full) for row in rows]
    )


MODES, TRANSPORTS = ("sync", "async"), ("stdio", "http")
# Those before 2026-07-28, and since.
PROTOCOLS = ("legacy", "auto")


def run(tools: ToolSet, name: str, arguments: Any = None) -> Any:
    """The result of a call, for a synchronous caller."""
    return run_tool(tools[name], {} if arguments is None else arguments)


def text_of(tool: str, result: Any) -> str:
    return f"{tool} returned {json.dumps(result, ensure_ascii=False)}."


@combinations("mode, transport", [("sync", "stdio"), ("async", "http")], MODES, TRANSPORTS)
def test_assistant_calls_tools_of_a_server(mode: str, transport: str, sandbox: Sandbox) -> None:
    tools = ToolSet()

    @tools.tool
    def local() -> str:
        """One of our own."""
        return "here"

    with demo(transport) as target, connected(target) as (portal, client):
        portal.call(tools.add_mcp, client, "demo_")
        room = room_with(sandbox, tools)
        outcome = chat(
            mode,
            sandbox,
            room,
            '/tool demo_add {"a": 1, "b": 2}\n/tool demo_weather {"city": "Oslo"}\n/then\n/tool demo_picture {}\n'
            '/then\n/tool demo_add {"a": "x"}\n/then\n/tool local {}',
            tools=tools,
        )
    assert outcome.error is None
    assert text_of("demo_add", {"result": "1 and 2 are 3"}) in outcome.text
    assert text_of("demo_weather", {"city": "Oslo", "degrees": 3, "wind": None}) in outcome.text
    assert text_of("demo_picture", ["A dot.", PICTURE]) in outcome.text
    assert '"type": "tool_failed"' in outcome.text
    assert "Input should be a valid integer" in outcome.text
    assert outcome.text.endswith(text_of("local", "here"))


@combinations("mode, transport", [], MODES, TRANSPORTS)
def test_assistant_calls_tools_of_the_everything_server(
    mode: str, transport: str, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    folder = npm_package(request, EVERYTHING)
    program = [
        shutil.which("node") or "node",
        str(folder / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"),
    ]
    tools = ToolSet()
    with contextlib.ExitStack() as stack:
        if transport == "stdio":
            target: Any = stdio_client(StdioServerParameters(command=program[0], args=[*program[1:], "stdio"]))
        else:
            server = server_over_http([*program, "streamableHttp"], PORT=str(free_port()))
            target = stack.enter_context(server)[0]
        portal, client = stack.enter_context(connected(target))
        portal.call(tools.add_mcp, client)
        assert len(tools) >= 10
        assert tools["get-sum"].parameters["required"] == ["a", "b"]
        room = room_with(sandbox, tools)
        outcome = chat(
            mode,
            sandbox,
            room,
            '/tool get-sum {"a": 1, "b": 2}\n/tool get-structured-content {"location": "Chicago"}\n/then\n'
            '/tool get-resource-reference {"resourceType": "Blob"}\n/then\n/tool get-tiny-image {}\n'
            "/then\n/tool echo {}",
            tools=tools,
        )
    assert outcome.error is None
    assert text_of("get-sum", "The sum of 1 and 2 is 3.") in outcome.text
    assert '"temperature": ' in outcome.text
    assert '"blob": "[not shown]"' in outcome.text
    assert json.dumps(PICTURE) in outcome.text
    assert "Invalid arguments for tool echo" in outcome.text


@pytest.mark.full
@combinations("transport, protocol", [("stdio", "legacy"), ("http", "auto")], TRANSPORTS, PROTOCOLS)
def test_set_follows_the_list_of_a_server(transport: str, protocol: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    with demo(transport) as target, connected(target, protocol) as (portal, client):
        portal.call(tools.add_mcp, client, "demo_")
        room = room_with(sandbox, tools)

        chat("sync", sandbox, room, '/tool demo_learn {"name": "fly"}', tools=tools)
        eventually(lambda: "demo_fly" in tools)
        with sandbox.client(namespace=NAMESPACE) as user:
            ids = [tool.id for tool in tools.register(user)]
            user.assistants.update(user.rooms.get(room).assistant_id, tools=ids)
        assert chat("sync", sandbox, room, "/tool demo_fly {}", tools=tools).text.endswith(
            text_of("demo_fly", "I am fly")
        )
        # The call that comes next may be faster than the change; then the server says so.
        forget = '/tool demo_forget {"name": "fly"}\n/then\n/tool demo_fly {}'
        assert chat("sync", sandbox, room, forget, tools=tools).text.count('"error": ') == 1
        eventually(lambda: "demo_fly" not in tools)
        missing = {"error": {"type": "unknown_tool", "message": "There is no tool demo_fly here."}}
        assert chat("sync", sandbox, room, "/tool demo_fly {}", tools=tools).text.endswith(text_of("demo_fly", missing))


@pytest.mark.full
@combinations(
    "mode, transport, protocol", [("sync", "stdio", "auto"), ("async", "http", "legacy")], MODES, TRANSPORTS, PROTOCOLS
)
def test_server_that_dies_gives_an_error_and_the_chat_goes_on(
    mode: str, transport: str, protocol: str, sandbox: Sandbox
) -> None:
    tools = ToolSet()
    with demo(transport) as target, connected(target, protocol) as (portal, client):
        portal.call(tools.add_mcp, client)
        room = room_with(sandbox, tools)
        outcome = chat(mode, sandbox, room, '/tool die {}\n/then\n/tool add {"a": 1, "b": 2}', tools=tools)
        assert outcome.error is None
        died, after = outcome.text.split(" add returned ")
        for answer in (died, after):
            assert '"type": "tool_failed", "message": "The MCP server demo returned no result."' in answer
        assert outcome.text == outcome.answer


async def test_chat_in_the_loop_of_the_session(sandbox: Sandbox) -> None:
    tools = ToolSet()
    with demo("stdio") as target:
        async with target as streams, ClientSession(*streams) as session:
            await session.initialize()
            await tools.add_mcp(session)
            room = await asyncio.to_thread(room_with, sandbox, tools)
            async with (
                sandbox.async_client(namespace=NAMESPACE) as user,
                user.chat(room, '/tool add {"a": 1, "b": 2}\n/then\n/tool die {}', tools=tools) as reply,
            ):
                text = (await reply.message()).content
    assert text_of("add", {"result": "1 and 2 are 3"}) in text
    assert text.endswith(
        text_of("die", {"error": {"type": "tool_failed", "message": "The MCP server demo returned no result."}})
    )


@sync_and_async
def test_deadline_holds_while_a_server_works(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    Hanging.started, Hanging.ended = asyncio.Event(), threading.Event()
    with connected(lowlevel([["hang", "echo"]])) as (portal, client):
        portal.call(tools.add_mcp, client)
        room = room_with(sandbox, tools)
        outcome = under_deadline(
            lambda deadline: chat_under_deadline(mode, sandbox, room, tools, deadline), Hanging.started.is_set
        )
        assert isinstance(outcome, APITimeoutError)
        # The server is told, and the session is free for others.
        assert Hanging.ended.wait(60)
        assert run(tools, "echo", {"a": 1}) == '{"a": 1}'


def chat_under_deadline(mode: str, sandbox: Sandbox, room: str, tools: ToolSet, deadline: float) -> Any:
    return chat(mode, sandbox, room, "/tool hang {}", tools=tools, deadline=deadline).error


def test_result_of_a_session_whose_event_loop_has_ended_is_an_error() -> None:
    tools = ToolSet()
    with connected(lowlevel([["a"]])) as (portal, client):
        portal.call(tools.add_mcp, client)
    assert run(tools, "a", {}) == {"error": {"type": "tool_failed", "message": f"The MCP server paged {GONE}"}}


@needs_fork
@in_threads
def test_call_in_a_forked_child_where_no_event_loop_runs_is_an_error() -> None:
    tools = ToolSet()
    with connected(lowlevel([["a"]])) as (portal, client):
        portal.call(tools.add_mcp, client)
        assert ended_well(in_child(lambda: signal.alarm(30) == 0 and GONE in run(tools, "a", {})["error"]["message"]))


def test_call_ends_when_the_event_loop_of_its_session_ends_meanwhile() -> None:
    tools = ToolSet()
    results: list[Any] = []

    async def main() -> None:
        async with Client(lowlevel(pages=[["hang"]])) as client:
            await tools.add_mcp(client)
            thread.start()
            await started.wait()

    started = Hanging.started = asyncio.Event()
    Hanging.ended = threading.Event()
    thread = threading.Thread(target=lambda: results.append(run(tools, "hang", {"event": 1})))
    asyncio.run(main())
    thread.join(60)
    assert results[0]["error"]["type"] == "tool_failed"
    assert results[0]["error"]["message"] == "The MCP server paged returned no result."


class Hanging:
    started: asyncio.Event
    ended: threading.Event


def lowlevel(pages: list[list[str]], *, result: types.CallToolResult | None = None) -> Server:
    """A server whose list has pages, and whose tools give this result, or their arguments."""
    cursors = [str(number) for number in range(1, len(pages))]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        number = 0 if params is None or params.cursor is None else cursors.index(params.cursor) + 1
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, title=f"The {name}", input_schema={"type": "object"}) for name in pages[number]
            ],
            next_cursor=cursors[number] if number < len(cursors) else "",  # as some servers end their list
        )

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name == "hang":
            Hanging.started.set()
            try:
                await asyncio.Event().wait()
            finally:
                Hanging.ended.set()
        arguments = types.TextContent(type="text", text=json.dumps(params.arguments))
        return result or types.CallToolResult(content=[arguments])

    return Server("paged", on_list_tools=list_tools, on_call_tool=call_tool)


async def test_all_pages_of_a_list_are_read() -> None:
    tools = ToolSet()
    async with Client(lowlevel([["a", "b"], [], ["c"]])) as client:
        await tools.add_mcp(client)
        assert [tool.name for tool in tools] == ["a", "b", "c"]
        assert (tools["c"].description, tools["c"].parameters) == ("The c", {"type": "object"})
        assert await asyncio.to_thread(run, tools, "c", {"x": [1]}) == '{"x": [1]}'
        for wrong in ("x", [], 5):
            refused = await asyncio.to_thread(run, tools, "c", wrong)
            assert refused["error"]["type"] == "invalid_arguments"


def odd_list() -> Server:
    server = lowlevel([["a"]])

    async def list_tools(context: Any, params: Any) -> dict[str, Any]:
        return {"tools": 5}

    server.add_request_handler("tools/list", types.PaginatedRequestParams, list_tools)
    return server


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (lambda: Server("empty"), "MCP server empty didn't list its tools: Method not found"),
        (odd_list, "The MCP server paged didn't list its tools"),
    ],
    ids=["lists none", "no list"],
)
async def test_list_that_cannot_be_read_is_an_error_and_adds_nothing(server: Callable[[], Server], words: str) -> None:
    tools = ToolSet()
    async with Client(server()) as client:
        with pytest.raises(APIConnectionError, match=words):
            await tools.add_mcp(client)
    assert len(tools) == 0


async def test_name_that_is_taken_is_an_error_and_adds_nothing() -> None:
    tools = ToolSet()

    @tools.tool
    def b() -> None:
        """B."""

    async with Client(lowlevel([["a", "b"]])) as client:
        with pytest.raises(
            ValueError, match="already has a tool 'b': add the tools of the MCP server paged with another prefix="
        ):
            await tools.add_mcp(client)
        assert [tool.name for tool in tools] == ["b"]
        await tools.add_mcp(client, "other_")
    assert [tool.name for tool in tools] == ["b", "other_a", "other_b"]


def test_name_that_the_platform_refuses_is_told_at_register(sandbox: Sandbox) -> None:
    tools = ToolSet()

    async def add() -> None:
        async with Client(lowlevel([["odd name"]])) as client:
            await tools.add_mcp(client)

    asyncio.run(add())
    sandbox.faults.add("create_tool", status=422)
    with sandbox.client(namespace=NAMESPACE) as user, pytest.raises(ValidationError) as caught:
        tools.register(user)
    assert caught.value.__notes__ == ["The platform refused the tool 'odd name' of the ToolSet."]


async def test_session_that_is_not_initialized_is_an_error() -> None:
    async with create_client_server_memory_streams() as (streams, _), ClientSession(*streams) as session:
        with pytest.raises(ConfigurationError, match=r"await session.initialize\(\)"):
            await ToolSet().add_mcp(session)


async def test_change_whose_tools_are_taken_leaves_the_set_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    tools = ToolSet()
    pages = [["a"]]
    async with Client(lowlevel(pages), mode="legacy") as client:
        await tools.add_mcp(client)

        @tools.tool
        def b() -> None:
            """B."""

        pages[0] = ["a", "b"]
        await client.session._message_handler(types.ToolListChangedNotification())
        await eventually_async(lambda: "didn't list its tools again" in caplog.text)
        assert sorted(tool.name for tool in tools) == ["a", "b"]
        assert tools["b"].function is b


async def test_stream_of_changes_that_a_server_ends_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext.tools._mcp._LISTEN_PAUSE", 0.01)
    tools = ToolSet()
    pages = [["a"]]
    server = lowlevel(pages)
    times = 0

    async def listen(context: Any, params: Any) -> types.SubscriptionsListenResult:
        nonlocal times
        times += 1
        return types.SubscriptionsListenResult(_meta={"io.modelcontextprotocol/subscriptionId": context.request_id})

    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, listen)
    async with Client(server) as client:
        await tools.add_mcp(client)
        await eventually_async(lambda: times >= 2)
        pages[0] = ["a", "b"]
        await eventually_async(lambda: "b" in tools)


IMAGE = types.ImageContent(type="image", data="MTIzNDU=", mime_type="image/png")
LINK = types.ResourceLink(type="resource_link", uri="file:///a.txt", name="a.txt")
TEXT_RESOURCE = types.EmbeddedResource(
    type="resource", resource=types.TextResourceContents(uri="file:///a.txt", text="A", mime_type="text/plain")
)
BLOB_RESOURCE = types.EmbeddedResource(
    type="resource", resource=types.BlobResourceContents(uri="file:///a.bin", blob="MTIz")
)
LINK_SHOWN = {"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt"}


async def result_of(result: types.CallToolResult) -> Any:
    tools = ToolSet()
    async with Client(lowlevel([["a"]], result=result)) as client:
        await tools.add_mcp(client)
        return await asyncio.to_thread(run, tools, "a")


def text(value: str) -> types.TextContent:
    return types.TextContent(type="text", text=value)


@pytest.mark.parametrize(
    ("content", "structured", "expected"),
    [
        ([], {}, None),
        ([text("a")], {}, "a"),
        ([text("a"), text("b")], {}, ["a", "b"]),
        ([text('{"a":null}')], {"structured_content": {"a": None}}, {"a": None}),
        ([LINK], {"structured_content": {"a": 1}}, {"structured_content": {"a": 1}, "content": [LINK_SHOWN]}),
        ([IMAGE], {}, PICTURE),
        (
            [types.AudioContent(type="audio", data="MTIz", mime_type="audio/wav")],
            {},
            {"type": "audio", "data": "[not shown]", "mimeType": "audio/wav"},
        ),
        ([LINK], {}, LINK_SHOWN),
        ([TEXT_RESOURCE], {}, {"uri": "file:///a.txt", "text": "A", "mimeType": "text/plain"}),
        ([BLOB_RESOURCE], {}, {"uri": "file:///a.bin", "blob": "[not shown]"}),
    ],
    ids=str,
)
async def test_result_of_a_server_is_made_readable(
    content: list[Any], structured: dict[str, Any], expected: Any
) -> None:
    assert await result_of(types.CallToolResult(content=content, **structured)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([text("No."), text("Never.")], "No. Never."),
        ([LINK], json.dumps({"name": "a.txt", "uri": "file:///a.txt", "type": "resource_link"})),
        ([], "The tool failed without giving a reason."),
    ],
    ids=str,
)
async def test_error_of_a_server_is_the_message_of_the_result(content: list[Any], message: str) -> None:
    refused = await result_of(types.CallToolResult(content=content, is_error=True))
    assert refused == {"error": {"type": "tool_failed", "message": message}}


def shop() -> ToolSet:
    tools = ToolSet()

    @tools.tool
    def price(article: str, pieces: int = 1) -> dict[str, Any]:
        """The price.

        Args:
            article: Its number.
        """
        return {"article": article, "cents": 250 * pieces}

    @tools.tool
    async def fail() -> None:
        """Fails."""
        raise RuntimeError("the database is away")

    return tools


@pytest.mark.full
def test_set_is_served_over_streamable_http() -> None:
    program = (
        "import socket, uvicorn; from tests.tools.test_mcp import shop; "
        "listener = socket.create_server(('127.0.0.1', 0)); print('port', listener.getsockname()[1], flush=True); "
        "app = shop().serve_mcp().streamable_http_app(); "
        "uvicorn.Server(uvicorn.Config(app, log_level='critical')).run([listener])"
    )
    with server_over_http([sys.executable, "-c", program]) as (url, _):
        for mode in ("auto", "legacy"):
            asyncio.run(use_shop(Client(url, mode=mode)))  # type: ignore[arg-type]
        asyncio.run(use_shop_by_a_session(url))


@pytest.mark.full
def test_set_is_served_over_stdio() -> None:
    program = (
        "import asyncio; from mcp.server.stdio import stdio_server; from tests.tools.test_mcp import shop\n"
        "async def main():\n"
        "    server = shop().serve_mcp(name='shop')\n"
        "    async with stdio_server() as (reads, writes):\n"
        "        await server.run(reads, writes, server.create_initialization_options())\n"
        "asyncio.run(main())"
    )
    target = stdio_client(StdioServerParameters(command=sys.executable, args=["-c", program], cwd=str(ROOT)))
    asyncio.run(use_shop(Client(target)))


async def use_shop(client: Client) -> None:
    async with client:
        tool = (await client.list_tools()).tools[0]
        assert (tool.name, tool.description) == ("price", "The price.")
        assert tool.input_schema == shop()["price"].parameters
        bought = await client.call_tool("price", {"article": "a", "pieces": 2})
        assert (bought.is_error, bought.structured_content) == (False, {"article": "a", "cents": 500})
        assert json.loads(bought.content[0].text) == {"article": "a", "cents": 500}  # type: ignore[union-attr]
        for name, arguments, message in [
            ("price", {"pieces": "2"}, "article: is missing; pieces: must be an integer, not a string"),
            ("fail", {}, "The tool failed."),
            ("nothing", {}, "There is no tool nothing here."),
        ]:
            refused = await client.call_tool(name, arguments)
            assert refused.is_error
            assert message in refused.content[0].text  # type: ignore[union-attr]


async def use_shop_by_a_session(url: str) -> None:
    async with streamable_http_client(url) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        assert [tool.name for tool in (await session.list_tools()).tools] == ["price", "fail"]


async def test_served_set_has_what_is_added_later_and_gives_the_namespace() -> None:
    tools = ToolSet()
    server = tools.serve_mcp(namespace="acme")

    @tools.tool
    def who(context: ToolContext) -> list[Any]:
        """Who."""
        return [context.namespace, context.room_id, bool(context.tool_call_id)]

    @tools.tool(approval=True)
    def pay() -> None:
        """Waits for a person, whom an MCP client can't ask."""

    async with Client(server) as client:
        assert client.server_info is not None
        assert client.server_info.version == __version__
        assert [tool.name for tool in (await client.list_tools()).tools] == ["who"]
        result = await client.call_tool("who", {})
        assert json.loads(result.content[0].text) == ["acme", "", True]  # type: ignore[union-attr]


async def test_only_the_result_of_a_tool_that_succeeds_is_structured() -> None:
    async with Client(shop().serve_mcp()) as client:
        result = await client.call_tool("price", {"article": "a"})
        assert (result.is_error, result.structured_content) == (False, {"article": "a", "cents": 250})
        result = await client.call_tool("fail", {})
        assert (result.is_error, result.structured_content) == (True, None)


async def test_set_whose_tools_take_a_context_is_not_served_without_a_namespace() -> None:
    tools = ToolSet()
    server = tools.serve_mcp()

    @tools.tool
    def who(context: ToolContext) -> str | None:
        """Who."""
        return context.namespace

    with pytest.raises(
        ConfigurationError, match=r"The tool who has a ToolContext parameter: pass serve_mcp\(namespace="
    ):
        tools.serve_mcp()
    async with Client(server) as client:
        with pytest.raises(MCPError):
            await client.call_tool("who", {})
