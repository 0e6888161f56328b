"""Every way to make a request, with the sync and the async client: a table for tests that apply to all of them.

It is found by introspection, so it includes new methods, or `test_table_has_every_public_method_of_the_clients` fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple, get_type_hints

from interactor_client.models import ToolCall, WorkflowState
from interactor_ext import AsyncInteractorClient, ToolSet
from tests.support.contract import operations

DEADLINE = 0.5
"""In seconds. Only for rows that have their own deadline."""

# The clients' own methods, besides the resources.
SEND = {
    *("chat", "credential_auth", "get_access_token", "health", "jwks", "request", "revoke_token", "room_stream_url"),
    *("wait_for_oauth", "wait_for_workflow", "workflow_stream_url"),
}
SEND_NOTHING = {
    *("api", "close", "config", "for_event", "is_authenticated", "is_closed", "namespace"),
    *("rate_limit", "with_options"),
}
RESOURCES = {operation.tag for operation in operations()}
ARGUMENTS: dict[str, Any] = {"events": ["x"], "states": [WorkflowState(name="a", type="terminal")], "body": {}}


class Row(NamedTuple):
    name: str
    use: Callable[[Any], Any]
    """What the row does with a view; with an async client's view it returns an awaitable."""
    returns: bool = False
    """Whether the method returns a failure instead of raising it."""

    def __repr__(self) -> str:
        return self.name


def public(cls: Any) -> set[str]:
    # Without those that only advise.
    return {name for name in dir(cls) if not name.startswith("_") and hasattr(cls, name)}


def arguments(function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """An argument for each parameter without a default."""
    args, kwargs = [], {}
    for name, parameter in list(inspect.signature(function).parameters.items()):
        if parameter.default is not parameter.empty or name in ("self", "client"):
            continue
        value = ARGUMENTS.get(name, [] if "list[" in str(parameter.annotation) else "x")
        if parameter.kind is parameter.KEYWORD_ONLY:
            kwargs[name] = value
        else:
            args.append(value)
    return args, kwargs


def take_first(iterator: Any) -> Any:
    return anext(iterator) if hasattr(iterator, "__anext__") else next(iterator)


def enter(manager: Any) -> Any:
    if hasattr(manager, "__enter__"):
        with manager:
            return None

    async def enter_async() -> None:
        async with manager:
            pass

    return enter_async()


def revoke_token(user: Any) -> Any:
    token = user.get_access_token()
    if not inspect.isawaitable(token):
        return user.revoke_token()

    async def then() -> Any:
        await token
        return await user.revoke_token()

    return then()


def of_resource(tag: str, name: str, how: Callable[[Any], Any] = lambda result: result, **more: Any) -> Row:
    def use(user: Any) -> Any:
        method = getattr(getattr(user, tag), name)
        args, kwargs = arguments(method)
        return how(method(*args, **kwargs, **more))

    return Row(f"{tag}.{name}" + "".join(f" {key}={value}" for key, value in more.items()), use)


def of_endpoint(tag: str, operation_id: str, suffix: str, **more: Any) -> Row:
    module = import_module(f"interactor_client.api.{tag}.{operation_id}")

    def use(user: Any) -> Any:
        function = getattr(module, ("asyncio" if isinstance(user, AsyncInteractorClient) else "sync") + suffix)
        args, kwargs = arguments(function)
        if "body" in kwargs:
            # Whatever the schema says, nothing is validated before it is sent.
            hint = get_type_hints(function, vars(module))["body"]
            kwargs["body"] = kwargs["body"] if hint == dict[str, Any] else hint(**arguments(hint.__init__)[1])
        return function(*args, **kwargs, **more, client=user.api)

    return Row(f"api.{tag}.{operation_id}{suffix or ' '}", use)


def tool_set() -> ToolSet:
    tools = ToolSet()

    @tools.tool
    def look_up() -> str:
        """Look up."""
        return "found"

    return tools


CALL = ToolCall(id="tc_1", tool_id="tool_1", arguments={}, status="pending")


def rows() -> Iterator[Row]:
    for tag in sorted(RESOURCES):
        cls = getattr(import_module(f"interactor_client.api.{tag}"), "".join(map(str.capitalize, tag.split("_"))))
        for name in sorted(public(cls)):
            if name.startswith("iterate"):
                yield of_resource(tag, name, take_first)
                yield of_resource(tag, name, take_first, prefetch=3)
            elif name.startswith("stream"):
                yield of_resource(tag, name, enter)
            elif name == "wait":
                yield Row(f"{tag}.wait", lambda user: user.workflow_instances.wait("wfi_1", timeout=None))
            else:
                yield of_resource(tag, name)
    yield of_resource("assistants", "create", tools=tool_set())
    for operation_id, tag in operations():
        if not operation_id.startswith("stream_"):
            yield of_endpoint(tag, operation_id, "")
            yield of_endpoint(tag, operation_id, "_detailed")
    yield Row("get_access_token", lambda user: user.get_access_token())
    yield Row("jwks", lambda user: user.jwks())
    yield Row("revoke_token", revoke_token)
    yield Row("room_stream_url", lambda user: user.room_stream_url("room_1"))
    yield Row("workflow_stream_url", lambda user: user.workflow_stream_url("wfi_1"))
    yield Row("credential_auth", lambda user: user.credential_auth("cred_1").headers("https://api.example.com"))
    yield Row("health", lambda user: user.health(), returns=True)
    yield Row("request", lambda user: user.request("GET", "/things/th_1"))
    yield Row("request POST", lambda user: user.request("POST", "/things", params={"dry": True}, json={"name": "x"}))
    yield Row("chat", lambda user: enter(user.chat("room_1", "Hello!")))
    yield Row("chat tools=", lambda user: enter(user.chat("room_2", "Hello!", tools=tool_set())))
    yield Row("wait_for_workflow", lambda user: user.wait_for_workflow("wfi_1", timeout=None))
    yield Row("wait_for_workflow timeout=", lambda user: user.wait_for_workflow("wfi_1", timeout=DEADLINE))
    yield Row("wait_for_oauth", lambda user: user.wait_for_oauth("flow_1", timeout=None))
    yield Row("wait_for_oauth timeout=", lambda user: user.wait_for_oauth("flow_1", timeout=DEADLINE))
    yield Row("ToolSet.register", lambda user: tool_set().register(user))
    yield Row("ToolSet.run", lambda user: tool_set().run(user, CALL, room_id="room_1"))


ROWS = list(rows())
# These send nothing but a token request, if they need one.
NEED_A_TOKEN = {"get_access_token", "room_stream_url", "workflow_stream_url"}
OF_THE_ACCOUNT = ("oauth.", "api.oauth.", "jwks", "revoke_token")
ON_THE_ACCOUNT_SERVER = {row.name for row in ROWS if row.name.startswith(OF_THE_ACCOUNT)}
