"""Limits of a chat: deadlines, tools that hang, open circuits, results that are too large, chats that are dropped."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_client.models import ToolCallStart
from interactor_ext import (
    APITimeoutError,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    InteractorClient,
    PermissionDeniedError,
    ServerError,
    ToolSet,
)
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import NAMESPACE, Outcome, asked, chat, new_room, room_with, under_deadline, user_of
from tests.support.modes import client_of, done, sync_and_async
from tests.support.waiting import collect_garbage, eventually, refuse_threads

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

WORDS = "one two three"
ANSWER = f"Bot here. You said: {WORDS}"
# Far more than all deadlines here together, and than a busy machine needs.
LONG = 120.0


class SlowTools(ToolSet):
    """A synchronous and an asynchronous tool that hang, and the number of their runs."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.runs = 0

        @self.tool
        def sleep() -> str:
            """Waits."""
            self.runs += 1
            self.go_on.wait(LONG)
            return "done"

        @self.tool
        async def sleep_async() -> str:
            """Waits."""
            self.runs += 1
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
            return "done"


@sync_and_async
@pytest.mark.parametrize("calls", ["/tool sleep", "/tool sleep\n/tool sleep", "/tool sleep_async"])
def test_deadline_while_tools_run_raises_timeout(mode: str, calls: str, sandbox: Sandbox) -> None:
    """`asyncio.run` would wait for threads of the loop's default executor."""
    tools = SlowTools()

    def attempt(deadline: float) -> Outcome:
        nonlocal tools
        tools = SlowTools()
        return chat(mode, sandbox, room_with(sandbox, tools), calls, tools=tools, deadline=deadline)

    started = time.monotonic()
    outcome = under_deadline(attempt, lambda: tools.runs == calls.count("/tool"))
    took = time.monotonic() - started
    tools.go_on.set()
    assert took < LONG / 2
    assert isinstance(outcome.error, APITimeoutError)
    assert "deadline" in str(outcome.error)
    assert outcome.message is None


@sync_and_async
def test_tool_that_returns_after_the_deadline_runs_once(mode: str, sandbox: Sandbox) -> None:
    tools, room = SlowTools(), ""

    def attempt(deadline: float) -> Outcome:
        nonlocal tools, room
        tools = SlowTools()
        room = room_with(sandbox, tools)
        return chat(mode, sandbox, room, "/tool sleep", tools=tools, deadline=deadline)

    outcome = under_deadline(attempt, lambda: tools.runs == 1)
    assert isinstance(outcome.error, APITimeoutError)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.list(room).data[1]
        assert asking.tool_calls
        later = threading.Timer(0.05, tools.go_on.set)
        later.start()
        tools.run(user, asking.tool_calls[0], room_id=room)
        later.join()
        assert eventually(lambda: "done" in user.messages.list(room, order="desc").data[0].content)
    assert tools.runs == 1
    assert len(list(asked(sandbox, "submit_tool_result"))) == 1


@sync_and_async
@pytest.mark.parametrize("name", ["sleep", "sleep_async"])
def test_tools_run_raises_timeout_at_the_deadline(mode: str, name: str, sandbox: Sandbox) -> None:
    """A caller that waits for another run of the same call as well."""
    tools = SlowTools()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.send(room, content=f"/tool {name}")
        assert asking.tool_calls
        (call,) = asking.tool_calls

        async def run(deadline: float) -> None:
            async with client_of(mode, sandbox._with_connection({"namespace": NAMESPACE})) as client:
                await done(client.tools.list())  # a token, and a connection
                with pytest.raises(APITimeoutError, match="deadline"):
                    await done(tools.run(client.with_options(deadline=deadline), call, room_id=room))

        def attempt(deadline: float) -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: asyncio.run(run(deadline)), range(2)))

        started = time.monotonic()
        under_deadline(attempt, lambda: tools.runs > 0)
        assert time.monotonic() - started < LONG / 2
        tools.go_on.set()
    assert tools.runs in (1, 2)


@sync_and_async
def test_result_submission_is_not_retried_after_the_deadline(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    tools.tool(add)
    sandbox.faults.add("submit_tool_result", status=503, times=None)

    def attempt(deadline: float) -> Outcome:
        room = room_with(sandbox, tools)
        return chat(mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=tools, deadline=deadline, max_retries=0)

    started = time.monotonic()
    outcome = under_deadline(attempt, lambda: bool(list(asked(sandbox, "submit_tool_result"))))
    assert isinstance(outcome.error, ServerError | APITimeoutError)
    assert time.monotonic() - started < LONG / 2


async def test_cancelled_tools_run_does_not_wait_for_the_thread(sandbox: Sandbox) -> None:
    tools = SlowTools()
    room = await asyncio.to_thread(room_with, sandbox, tools)
    async with sandbox.async_client(namespace=NAMESPACE) as user:
        asking = await user.messages.send(room, content="/tool sleep")
        assert asking.tool_calls
        running = asyncio.ensure_future(tools.run(user, asking.tool_calls[0], room_id=room))
        assert await asyncio.to_thread(eventually, lambda: tools.runs == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, LONG / 2)
        tools.go_on.set()
        # The thread goes on, and what it gave is handed in without another run.
        answer = await asyncio.wait_for(tools.run(user, asking.tool_calls[0], room_id=room), LONG / 2)
        assert "done" in answer.content
    assert tools.runs == 1


def test_tool_without_a_thread_gives_an_error_result(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = ToolSet(expose_errors=True)

    @tools.tool
    def nothing() -> None:
        """Does nothing."""

    room = room_with(sandbox, tools)
    assert eventually(lambda: "interactor-tools" not in {thread.name for thread in threading.enumerate()})

    async def main() -> Any:
        async with sandbox.async_client(namespace=NAMESPACE) as user:
            asking = await user.messages.send(room, content="/tool nothing")
            assert asking.tool_calls

            monkeypatch.setattr("_thread.start_new_thread", refuse_threads)
            return await tools.run(user, asking.tool_calls[0], room_id=room)

    assert "Couldn't start a thread" in asyncio.run(main()).content


@sync_and_async
def test_chat_waits_for_an_open_circuit_before_it_sends(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    breaker = CircuitBreaker(failures=1, cool_down=0.2)
    sandbox.faults.add("list_assistants", status=500, times=1)
    with sandbox.client(namespace=NAMESPACE, circuit_breaker=breaker, max_retries=0) as user:
        with pytest.raises(ServerError):
            user.assistants.list()
        outcome = chat(mode, sandbox, room, WORDS, circuit_breaker=breaker, max_retries=0)
    assert (outcome.error, outcome.text) == (None, ANSWER)


@sync_and_async
@pytest.mark.parametrize("operation", ["submit_tool_result", "list_messages"])
def test_tool_results_wait_for_an_open_circuit(mode: str, operation: str, sandbox: Sandbox) -> None:
    tools = ToolSet()

    @tools.tool
    def add(a: int, b: int) -> int:
        """Adds."""
        sandbox.faults.add(operation, status=500, times=1)
        if operation == "list_messages":
            # The answer to the result is lost, so the list is asked whether it arrived.
            sandbox.faults.add("submit_tool_result", status=503, times=1)
        return a + b

    room = room_with(sandbox, tools)
    breaker = CircuitBreaker(failures=1, cool_down=0.2)
    outcome = chat(
        mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=tools, circuit_breaker=breaker, max_retries=2
    )
    assert outcome.error is None
    assert outcome.text == "Bot here. add returned 3."


@sync_and_async
def test_open_circuit_beyond_the_deadline_raises_at_once(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    breaker = CircuitBreaker(failures=1, cool_down=3600)
    sandbox.faults.add("list_messages", status=500, times=None)
    with sandbox.client(namespace=NAMESPACE, circuit_breaker=breaker, max_retries=0) as user:
        with pytest.raises(ServerError):
            user.messages.list(room)
        started = time.monotonic()
        with pytest.raises(CircuitOpenError):
            chat(mode, sandbox, room, WORDS, circuit_breaker=breaker, max_retries=0, deadline=LONG)
        assert time.monotonic() - started < LONG / 2
    assert not list(asked(sandbox, "send_message"))


@sync_and_async
def test_result_rejected_with_413_becomes_an_error_result(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()

    @tools.tool
    def dump() -> str:
        """Everything there is."""
        return "x" * 10_000

    room = room_with(sandbox, tools)
    sandbox.faults.add("submit_tool_result", status=413, times=1)
    outcome = chat(mode, sandbox, room, "/tool dump", tools=tools)
    assert outcome.error is None
    assert "result_too_large" in outcome.text
    sandbox.faults.add("submit_tool_result", status=413, times=None)
    assert getattr(chat(mode, sandbox, room, "/tool dump", tools=tools).error, "status", None) == 413
    sandbox.faults.clear()
    sandbox.faults.add("submit_tool_result", status=403, times=None)
    assert isinstance(chat(mode, sandbox, room, "/tool dump", tools=tools).error, PermissionDeniedError)


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@sync_and_async
def test_tools_accepts_a_list_of_functions(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    tools.tool(add)
    room = room_with(sandbox, tools)
    functions: Any = [add]
    outcome = chat(mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=functions)
    assert outcome.text == "Bot here. add returned 3."


@sync_and_async
@pytest.mark.parametrize("tools", [[None], ["add"], "add", 5, {"add": 1}], ids=repr)
def test_invalid_tools_raise_configuration_error_before_sending(mode: str, tools: Any, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with pytest.raises(ConfigurationError, match=r"ToolSet.*register"):
        chat(mode, sandbox, room, WORDS, tools=tools)
    assert not list(asked(sandbox, "send_message"))


def words(user: InteractorClient, room: str) -> Iterator[str]:
    """A generator, as web frameworks take it for a streamed response."""
    with user.chat(room, "word " * 100) as reply:
        yield from reply.text()


def test_garbage_collector_closes_a_chat_without_a_deadlock(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        cycle: list[Any] = [words(user, room)]
        next(cycle[0])
        cycle.append(cycle)
        gc.disable()
        try:
            del cycle
            collector = threading.Thread(target=collect_garbage, daemon=True)
            collector.start()
            collector.join(LONG)
            assert not collector.is_alive()
        finally:
            gc.enable()
        assert eventually(lambda: sandbox.open_streams == 0)
        assert chat("sync", sandbox, room, WORDS).text == ANSWER


def line_of(function: Any, text: str) -> tuple[str, int]:
    lines, first = inspect.getsourcelines(function)
    return __file__, first + next(number for number, line in enumerate(lines) if text in line)


@sync_and_async
@pytest.mark.parametrize("read", ["text", "message"])
async def test_tool_that_nobody_runs_is_a_warning_and_then_an_error(mode: str, read: str, sandbox: Sandbox) -> None:
    def follow(user: Any) -> None:
        with user.chat(room, "/tool sleep", tool_timeout=0.2) as reply:
            list(getattr(reply, read)())  # here

    async def follow_async(user: Any) -> None:
        async with user.chat(room, "/tool sleep", tool_timeout=0.2) as reply:
            await (reply.message() if read == "message" else anext(reply.text()))  # here

    use = follow if mode == "sync" else follow_async
    room = room_with(sandbox, SlowTools())
    started = time.monotonic()
    async with client_of(mode, sandbox._with_connection({"namespace": NAMESPACE})) as user:
        with (
            pytest.raises(APITimeoutError, match=r"within 0\.2 s \(tool_timeout=\)\. .* tool calls tc_"),
            pytest.warns(RuntimeWarning) as warned,
        ):
            await done(use(user))
    assert time.monotonic() - started < 25  # a silent stream has a comment every 30 s
    (warning,) = warned
    assert all(part in str(warning.message) for part in ("'sleep'", "tools=", "callback_url", "room.tool_call.pending"))
    assert (warning.filename, warning.lineno) == line_of(use, "# here")


@sync_and_async
async def test_result_of_others_ends_the_time_limit_of_tools(mode: str, sandbox: Sandbox) -> None:
    room = room_with(sandbox, SlowTools())

    async def follow(user: Any) -> None:
        async with user.chat(room, "/tool sleep", tool_timeout=LONG) as reply:
            async for event in reply:
                if isinstance(event, ToolCallStart):
                    await user.tools.submit_result(room, tool_call_id=event.tool_call.id, result="done")
            assert "done" in (await reply.message()).content

    async with user_of(sandbox, mode) as user:
        with pytest.warns(RuntimeWarning, match="'sleep'"):
            await follow(user)


@sync_and_async
async def test_tool_with_a_callback_url_is_no_warning(mode: str, sandbox: Sandbox) -> None:
    with sandbox.client(namespace=NAMESPACE) as other:
        tool = other.tools.create(name="away", description="", parameters={}, callback_url="http://127.0.0.1:9/")
    room = new_room(sandbox, tool.id)
    async with user_of(sandbox, mode) as user, user.chat(room, "/tool away") as reply:
        await reply.message()


@pytest.mark.parametrize("seconds", [0, -1, "5", math.nan])
def test_tool_timeout_is_a_positive_number(seconds: Any, sandbox: Sandbox) -> None:
    with sandbox.client() as user, pytest.raises(ConfigurationError, match="tool_timeout"):
        user.chat("room_1", "Hello", tool_timeout=seconds)
