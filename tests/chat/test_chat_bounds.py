"""What bounds a chat, and what it outlasts: deadlines, tools that do not return, open circuits, results that are too
large, callers that are gone.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext import (
    APITimeoutError,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    InteractorClient,
    PermissionDeniedError,
    ServerError,
    ToolSet,
    _threads,
)
from interactor_ext.chat._room_queue import ROOMS
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import (
    NAMESPACE,
    Outcome,
    asked,
    chat,
    eventually,
    new_room,
    shorten_pauses,
    sync_and_async,
    under_deadline,
)

WORDS = "one two three"
ANSWER = f"Bot here. You said: {WORDS}"
# Far more than any deadline here, and than a busy machine needs.
LONG = 20.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_pauses(monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset()
    return server


def room_with(sandbox: Sandbox, tools: ToolSet) -> str:
    with sandbox.client(namespace=NAMESPACE) as user:
        return new_room(sandbox, *(tool.id for tool in tools.register(user)))


class SlowTools(ToolSet):
    """One tool for each kind of function. They return when they are told to, and count how often they were run."""

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
            await asyncio.sleep(LONG)
            return "done"


@sync_and_async
@pytest.mark.parametrize("calls", ["/tool sleep", "/tool sleep\n/tool sleep", "/tool sleep_async"])
def test_deadline_is_kept_while_tools_run(mode: str, calls: str, sandbox: Sandbox) -> None:
    """Also by `asyncio.run` around it, which would wait for threads of the loop's own."""
    tools = SlowTools()

    def attempt(deadline: float) -> Outcome:
        tools.runs = 0
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
def test_tool_that_returns_after_the_deadline_is_not_run_again(mode: str, sandbox: Sandbox) -> None:
    tools = SlowTools()
    room = ""

    def attempt(deadline: float) -> Outcome:
        nonlocal room
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
def test_run_of_a_tool_keeps_the_deadline(mode: str, name: str, sandbox: Sandbox) -> None:
    """Whoever waits for another's run of the same call as well."""
    tools = SlowTools()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.send(room, content=f"/tool {name}")
        assert asking.tool_calls
        (call,) = asking.tool_calls

        def run(deadline: float) -> None:
            with pytest.raises(APITimeoutError, match="deadline"):
                tools.run(user.with_options(deadline=deadline), call, room_id=room)

        async def run_async(deadline: float) -> None:
            async with sandbox.async_client(namespace=NAMESPACE) as client:
                await client.tools.list()  # a token, and a connection
                with pytest.raises(APITimeoutError, match="deadline"):
                    await tools.run(client.with_options(deadline=deadline), call, room_id=room)

        def attempt(deadline: float) -> None:
            with ThreadPoolExecutor(2) as pool:
                two = [deadline] * 2
                list(pool.map(run, two) if mode == "sync" else pool.map(lambda each: asyncio.run(run_async(each)), two))

        started = time.monotonic()
        under_deadline(attempt, lambda: tools.runs > 0)
        assert time.monotonic() - started < LONG / 2
        tools.go_on.set()
    assert tools.runs in (1, 2)


@sync_and_async
def test_result_is_not_handed_in_again_after_the_deadline(mode: str, sandbox: Sandbox) -> None:
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


async def test_cancelled_task_does_not_wait_for_a_tool_in_a_thread(sandbox: Sandbox) -> None:
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


@pytest.mark.parametrize("is_async", [False, True])
def test_tool_of_an_asynchronous_client_that_no_thread_can_be_had_for(
    is_async: bool, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = ToolSet()

    @tools.tool
    def nothing() -> None:
        """Does nothing."""

    room = room_with(sandbox, tools)

    async def main() -> Any:
        async with sandbox.async_client(namespace=NAMESPACE) as user:
            asking = await user.messages.send(room, content="/tool nothing")
            assert asking.tool_calls

            def refuse(*_: Any) -> None:
                raise RuntimeError("can't start new thread")

            monkeypatch.setattr(_threads, "start_thread", refuse)
            return await tools.run(user, asking.tool_calls[0], room_id=room)

    assert "No thread could be started" in asyncio.run(main()).content


@sync_and_async
def test_open_circuit_is_waited_for_before_the_message_is_sent(mode: str, sandbox: Sandbox) -> None:
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
def test_open_circuit_is_waited_for_while_tools_are_answered(mode: str, operation: str, sandbox: Sandbox) -> None:
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
        mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=tools, circuit_breaker=breaker, max_retries=0
    )
    assert outcome.error is None
    assert outcome.text == "Bot here. add answered 3."


@sync_and_async
def test_open_circuit_is_not_waited_for_beyond_the_deadline(mode: str, sandbox: Sandbox) -> None:
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
def test_result_that_is_too_large_is_told_to_the_model(mode: str, sandbox: Sandbox) -> None:
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
def test_list_of_functions_does_as_well_as_a_set(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    tools.tool(add)
    room = room_with(sandbox, tools)
    functions: Any = [add]
    outcome = chat(mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=functions)
    assert outcome.text == "Bot here. add answered 3."


@sync_and_async
@pytest.mark.parametrize("tools", [[None], ["add"], "add", 5, {"add": 1}], ids=repr)
def test_tools_that_are_none_are_refused_before_anything_is_sent(mode: str, tools: Any, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with pytest.raises(ConfigurationError, match=r"ToolSet.*register"):
        chat(mode, sandbox, room, WORDS, tools=tools)
    assert not list(asked(sandbox, "send_message"))


def words(user: InteractorClient, room: str) -> Iterator[str]:
    """As a web framework is given them."""
    with user.chat(room, "word " * 100) as reply:
        yield from reply.text()


def test_collector_closes_no_chat_itself() -> None:
    """It may come upon one while the same thread holds a lock that closing needs."""
    with Sandbox(word_delay=0.01).run() as sandbox, sandbox.client(namespace=NAMESPACE) as user:
        room = new_room(sandbox)
        cycle: list[Any] = [words(user, room)]
        next(cycle[0])
        cycle.append(cycle)
        is_over = threading.Event()

        def collect() -> None:
            with ROOMS._lock:
                gc.collect()
            is_over.set()

        gc.disable()
        try:
            del cycle
            threading.Thread(target=collect, daemon=True).start()
            assert is_over.wait(30)
        finally:
            gc.enable()
        assert eventually(lambda: sandbox.open_streams == 0)
        assert eventually(lambda: room not in [place.id for place in ROOMS._last])  # type: ignore[attr-defined]


def test_chat_that_is_left_by_a_closed_generator_keeps_nobody_out(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    with sandbox.client(namespace=NAMESPACE) as user:
        for _ in range(3):
            generator = words(user, room)
            next(generator)
            generator.close()
        assert chat("sync", sandbox, room, WORDS).text == ANSWER
    assert eventually(lambda: sandbox.open_streams == 0)
