"""`interactor mcp`: serves the documentation, the operations and a sandbox to coding assistants, over stdio.

It runs its own sandbox and ignores the INTERACTOR_... variables, so an assistant can't reach an account with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import interactor_ext
from interactor_ext import tools as sdk_tools
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext.cli import description, docs, operations
from interactor_ext.cli.sandbox import inspector_url, sandbox_class

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

_NEWEST = 20


def mcp() -> None:
    """Serve the documentation, the operations and an embedded sandbox to a coding assistant over stdio.

    It never uses your credentials.
    """
    try:
        from mcp.server.stdio import stdio_server
    except ImportError:
        raise ConfigurationError("This command needs an extra: pip install 'interactor-sdk[cli,mcp]'") from None

    async def serve(tools: interactor_ext.ToolSet) -> None:
        server = tools.serve_mcp(name="interactor")
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())

    with sandbox_class()().run() as sandbox, sandbox.client() as client:
        asyncio.run(serve(_tools(sandbox, client)))


@contextmanager
def _readable_errors() -> Iterator[None]:
    """Turn an error into text for the assistant, which reads what is wrong with its call."""
    try:
        yield
    except (InteractorError, ValueError) as error:
        raise sdk_tools.ToolError(str(error)) from None


def _tools(sandbox: Sandbox, client: interactor_ext.InteractorClient) -> interactor_ext.ToolSet:
    tools = interactor_ext.ToolSet()

    @tools.tool
    def search_docs(words: str) -> list[dict[str, Any]]:
        """Search the documentation of the Interactor SDK for Python. Start here: it has code for most tasks.

        Args:
            words: What to search for, such as "verify webhook signature".
        """
        return [found._asdict() for found in docs.search(words)]

    @tools.tool
    def read_docs(page: str) -> str:
        """Read a page of the documentation, as Markdown.

        Args:
            page: Its name from search_docs, such as "how-to/webhooks". "tutorial" is a good start.
        """
        with _readable_errors():
            return docs.text_of(page)

    @tools.tool
    def list_operations() -> list[dict[str, str]]:
        """List the operations of the Interactor API. `create_room` is `client.rooms.create` in the SDK."""
        return [
            {"operation": name, "resource": each.operation.tag, "summary": each.summary}
            for name, each in operations.operations().items()
        ]

    @tools.tool
    def describe_operation(operation: str) -> dict[str, Any]:
        """Get the parameters, the scopes and the JSON Schema of the body of an operation.

        Args:
            operation: Its name from list_operations, such as "create_room".
        """
        with _readable_errors():
            return description.as_json_of(operations.describe(operation))

    @tools.tool
    def call_operation(
        operation: str,
        namespace: str = "user_123",
        parameters: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """Call an operation on the sandbox, a simulation of the platform: nothing real happens.

        Args:
            operation: Its name from list_operations, such as "create_room".
            namespace: The tenant to act for.
            parameters: The path and query parameters.
            body: The JSON body of the request.
        """
        with _readable_errors():
            described = operations.describe(operation)
            if described.operation.stream or described.operation.server != "core":
                raise ConfigurationError(
                    f"{operation} can't be called from here, only from a program that uses the SDK."
                )
            view = client.namespace(namespace) if described.namespaced else client
            return operations.send(view, operations.arguments(described, parameters or {}, body))

    @tools.tool(name="sandbox")
    def look_at_sandbox() -> dict[str, Any]:
        """Get the environment variables for a program that uses the sandbox, and its newest requests and events."""
        return {
            "variables": sandbox.env,
            "inspector": inspector_url(sandbox.core_api_url),
            "requests": [
                {"operation": each.operation, "path": each.path, "namespace": each.namespace, "status": each.status}
                for each in sandbox.requests[-_NEWEST:]
            ],
            "events": sandbox.events[-_NEWEST:],
        }

    @tools.tool
    def reset_sandbox() -> str:
        """Delete all data of the sandbox."""
        sandbox.reset()
        return "The sandbox is empty."

    return tools
