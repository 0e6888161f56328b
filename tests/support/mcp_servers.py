"""MCP servers in processes, over stdio and streamable HTTP, and sessions with them in a separate thread.

`python -m tests.support.mcp_servers stdio` and `... http` run the server that the tests call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.support.mcp_servers"]


def server() -> MCPServer:
    server = MCPServer("demo", log_level="CRITICAL")

    @server.tool()
    def add(a: int, b: int) -> str:
        """Adds two numbers."""
        return f"{a} and {b} are {a + b}"

    @server.tool()
    def weather(city: str) -> dict[str, Any]:
        """The weather right now."""
        return {"city": city, "degrees": 3, "wind": None}

    @server.tool(structured_output=False)
    def picture() -> Any:
        """A picture, and what it shows."""
        return ["A dot.", Image(data=b"12345", format="png")]

    @server.tool()
    def die() -> None:
        """Ends the server."""
        os._exit(3)

    @server.tool()
    async def learn(context: Context, name: str) -> str:
        """Adds a tool."""
        server.add_tool(lambda: f"I am {name}", name=name, description="New.")
        await changed(context)
        return "learned"

    @server.tool()
    async def forget(context: Context, name: str) -> str:
        """Removes a tool."""
        server.remove_tool(name)
        await changed(context)
        return "forgotten"

    async def changed(context: Context) -> None:
        await context.session.send_tool_list_changed()  # for clients of the protocol before 2026-07-28
        await context.notify_tools_changed()

    return server


@contextlib.contextmanager
def server_over_http(command: list[str], **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL of a server, and its process, which prints its port when it listens."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"port (\d+)", line):
                yield f"http://127.0.0.1:{found[1]}/mcp", process
                return
        raise AssertionError(f"the server does not listen: {lines}")
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def connected(target: Any, mode: Any = "auto") -> Iterator[tuple[BlockingPortal, Client]]:
    """A session in its own event loop and task, which a dead server may cancel."""
    with start_blocking_portal() as portal:
        session = portal.wrap_async_context_manager(Client(target, mode=mode))
        client = session.__enter__()
        try:
            yield portal, client
        finally:
            # Here the official client raises again that its server has gone.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                session.__exit__(None, None, None)


@contextlib.contextmanager
def demo(transport: str) -> Iterator[Any]:
    """What to connect to."""
    if transport == "stdio":
        yield stdio_client(StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], "stdio"], cwd=str(ROOT)))
    else:
        with server_over_http([*PROGRAM, "http"]) as (url, _):
            yield url


def main() -> None:
    if sys.argv[1] == "stdio":
        server().run("stdio")
    else:
        import socket

        import uvicorn

        listener = socket.create_server(("127.0.0.1", 0))
        print(f"port {listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(server().streamable_http_app(), log_level="critical")).run([listener])


if __name__ == "__main__":
    main()
