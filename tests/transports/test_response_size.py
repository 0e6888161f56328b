"""max_response_size: bodies that are too large, or decompress to too much, are refused while they are read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import APIConnectionError, ConfigurationError, InteractorClient, NotFoundError, StreamError
from interactor_ext.sandbox import Sandbox
from tests.support.modes import call, sync_and_async
from tests.support.processes import environment_without_coverage
from tests.support.scripted_server import GOOD_BODY, Action, Connection, FaultServer, Request, settings_of

MEGABYTE = 1024 * 1024


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def settings(server: FaultServer, **options: Any) -> dict[str, Any]:
    return settings_of(server.url, **{"timeout": 60, "max_retries": 0, **options})


def response(body: bytes, coding: str = "", status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "content-type: application/json", f"content-length: {len(body)}"]
    if coding:
        lines.append(f"content-encoding: {coding}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(content: bytes) -> Action:
    def act(connection: Connection, request: Request) -> bool:
        connection.send(content)
        return True

    return act


def bomb(megabytes: int) -> bytes:
    """So many zeros, as a few kilobytes."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(MEGABYTE)
    return b"".join([*(packer.compress(zeros) for _ in range(megabytes)), packer.flush()])


@sync_and_async
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_success_beyond_max_response_size_raises_with_advice(server: FaultServer, mode: str, coding: str) -> None:
    server.script = [answer(response(bomb(2) if coding else bytes(2 * MEGABYTE), coding))]
    with pytest.raises(APIConnectionError, match=r"more than 1048576 bytes.*max_response_size=") as caught:
        call(mode, settings(server, max_response_size=MEGABYTE), lambda client: client.assistants.get("a"))
    assert caught.value.sent
    assert len(server.calls()) == 1


@sync_and_async
@pytest.mark.parametrize("coding", ["", "gzip", "br"])
def test_error_beyond_max_response_size_raises_the_error_of_its_status(
    server: FaultServer, mode: str, coding: str
) -> None:
    body = bomb(2) if coding else bytes(2 * MEGABYTE)
    server.script = [answer(response(body, coding, 404))]
    with pytest.raises(NotFoundError):
        call(mode, settings(server, max_response_size=MEGABYTE), lambda client: client.assistants.get("a"))


@sync_and_async
@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "made-up"])
def test_codings_that_were_not_asked_for_are_refused(server: FaultServer, mode: str, coding: str) -> None:
    server.script = [answer(response(b"whatever", coding))]
    with pytest.raises(APIConnectionError, match="which wasn't requested"):
        call(mode, settings(server), lambda client: client.assistants.get("a"))
    assert {request.headers["accept-encoding"] for request in server.seen} == {b"gzip"}


@sync_and_async
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity"])
def test_compressed_responses_within_the_limit_are_decoded(server: FaultServer, mode: str, coding: str) -> None:
    packed = GOOD_BODY if coding == "identity" else gzip.compress(GOOD_BODY)
    server.script = [answer(response(packed, coding))]
    options = settings(server, max_response_size=len(GOOD_BODY))
    assert call(mode, options, lambda client: client.assistants.get("a")).id == "asst_1"


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "64"])
def test_invalid_max_response_size_raises_configuration_error(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_response_size"):
        InteractorClient(client_id="a", client_secret="b", max_response_size=value)


PROGRAM = """
import asyncio, json, sys
from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorError
from interactor_ext.transports import AsyncTransport
kind, settings = sys.argv[1], json.loads(sys.argv[2])
outcomes = []

def sync():
    with InteractorClient(**settings) as client:
        for name in range(6):
            try:
                client.assistants.get(str(name))
            except InteractorError as error:
                outcomes.append(type(error).__name__)
        for name in range(3):
            try:
                with client.rooms.stream(str(name), max_reconnects=0) as stream:
                    list(stream)
            except InteractorError as error:
                outcomes.append(type(error).__name__)

async def main():
    transport = AsyncTransport()
    async with AsyncInteractorClient(**settings, transport=transport) as client:
        for name in range(6):
            try:
                await client.assistants.get(str(name))
            except InteractorError as error:
                outcomes.append(type(error).__name__)
        for name in range(3):
            try:
                async with client.rooms.stream(str(name), max_reconnects=0) as stream:
                    [event async for event in stream]
            except InteractorError as error:
                outcomes.append(type(error).__name__)

sync() if kind == "sync" else asyncio.run(main())
# Not ru_maxrss, which a process takes over from the one that has started it.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(json.dumps([outcomes, peak // 1024]))
"""


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: peak memory is read from /proc")
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_decompression_bombs_take_little_memory(server: FaultServer, kind: str) -> None:
    """Of 256 MB each: successes, errors and streams, in one process of 250 MB at most."""
    # What brotli and zstd would unpack to does not matter: they are refused before they are unpacked.
    bombs = {"gzip": bomb(256), "br": b"\x5b\xff\xff\xff" * 600, "zstd": b"\x28\xb5\x2f\xfd" * 600}
    bodies = [(coding, body, status) for status in (200, 404) for coding, body in bombs.items()]
    server.script = [answer(response(body, coding, status)) for coding, body, status in bodies]
    for coding, body in bombs.items():
        stream = response(body, coding).replace(b"application/json", b"text/event-stream")
        server.script.append(answer(stream))
    command = [sys.executable, "-c", PROGRAM, kind, json.dumps(settings(server))]
    environment = environment_without_coverage()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    outcomes, megabytes = json.loads(run.stdout)
    refused = "APIConnectionError"
    assert outcomes == [*[refused] * 3, *["NotFoundError"] * 3, *["StreamError"] * 3]
    assert megabytes < 250


def test_stream_refuses_an_event_larger_than_a_quarter_of_max_response_size() -> None:
    """docs/how-to/configure.md."""
    with Sandbox().run() as sandbox, sandbox.client(namespace="user_1", max_response_size=40_000) as user:
        room = user.rooms.create(user.assistants.create(name="Bot", model="gpt-4", system_prompt="").id)
        with user.rooms.stream(room.id) as stream:
            completes = (event for event in stream if event.type == "message.complete")
            user.messages.send(room.id, "x" * 5_000)
            next(completes)
            user.messages.send(room.id, "x" * 10_000)
            with pytest.raises(StreamError, match="larger than 10000 bytes"):
                next(completes)
