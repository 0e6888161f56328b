"""interactor-stream.js and the session of `<interactor-chat>` under Node: their decisions, and real servers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.node import STATIC, command_of, lines_of, run_script, run_tests
from tests.support.scripted_server import Connection, RawServer, refusing_url

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

# It ends by itself if nothing is left running once the stream is closed.
SCRIPT = f"""
import {{ InteractorStream }} from "{(STATIC / "interactor-stream.js").as_uri()}";
const stream = new InteractorStream({{
    reconnectInterval: 1,
    ...JSON.parse(process.argv[2] ?? "{{}}"),
    onEvent: (event) => say(event.content ?? event),
    onError: (error) => say({{ status: error.status ?? null, isFinal: error.isFinal }}),
    onStatus: (status) => say(`<${{status}}>`),
}});
stream.connect(process.argv[1]);
"""


def delta(content: str, event_id: int) -> bytes:
    data = json.dumps({"type": "message.delta", "content": content}, ensure_ascii=False)
    return f"id: {event_id}\ndata: {data}\n\n".encode()


@pytest.mark.parametrize("module", ["stream", "chat-session"])
def test_decisions_of_the_module_with_its_own_clock_and_relay(module: str) -> None:
    run_tests(Path(__file__).with_name(f"{module}.test.mjs"))


def test_stream_survives_split_bytes_lost_connections_and_errors_and_ends_with_204() -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0:
            connection.head()
            for byte in b"\xef\xbb\xbf" + delta("Grüße, ", 1).replace(b"\n", b"\r\n"):
                connection.send(bytes([byte]))
        elif connection.number == 1:
            connection.head(503, "Retry-After: 0")
        elif connection.number == 2:
            connection.head(200, "Content-Length: 1000")
            connection.send(delta("Grüße, ", 1) + delta("Welt", 2))
        else:
            connection.head(204, content_type=None)

    # Node opens a connection in advance at times, and sends no request on it.
    with RawServer(handler) as server, socket.create_connection(server.address):
        said = run_script(SCRIPT, server.url)
    assert [connection.last_event_id for connection in server.connections] == [b"", b"1", b"1", b"2"]
    assert said == [
        *("<connecting>", "<open>", "Grüße, ", "<waiting>"),
        *("<connecting>", "<waiting>", {"status": 503, "isFinal": False}),
        *("<connecting>", "<open>", "Welt", "<waiting>", {"status": None, "isFinal": False}),
        *("<connecting>", "<closed>"),
    ]


def test_stream_whose_server_cannot_be_reached_fails_and_waits() -> None:
    with refusing_url() as url:
        said = run_script(SCRIPT, url, json.dumps({"autoReconnect": False}))
    assert said == ["<connecting>", "<closed>", {"status": None, "isFinal": False}]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_stream_asks_once_when_refused(status: int) -> None:
    with RawServer(lambda connection: connection.head(status)) as server:
        said = run_script(SCRIPT, server.url)
    assert said == ["<connecting>", "<closed>", {"status": status, "isFinal": True}]
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("sent", "on_event"),
    [(delta("Hello", 1), "stream.disconnect()"), (b'data: {"type": "done"}\n\n', "undefined")],
    ids=["disconnect", "done"],
)
def test_end_of_the_stream_closes_the_connection_even_if_the_server_does_not(sent: bytes, on_event: str) -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(sent)
        assert connection.wait_for_client_to_leave()

    with RawServer(handler) as server:
        said = run_script(SCRIPT.replace("say(event.content ?? event)", on_event), server.url)
    assert said == ["<connecting>", "<open>", "<closed>"]


def until_open(next_said: Callable[[], Any]) -> None:
    assert [next_said(), next_said()] == ["<connecting>", "<open>"]


def test_stream_reads_an_answer_from_a_stream_url_of_the_platform(sandbox: Sandbox) -> None:
    with sandbox.client(namespace="user 1/ü&b=c") as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
        room = user.rooms.create(assistant_id=bot.id).id
        with lines_of(command_of(SCRIPT, user.room_stream_url(room))) as next_said:
            until_open(next_said)
            answer = user.messages.send(room, content="Hello!")
            text = ""
            while isinstance(said := next_said(), str):
                text += said
    assert (said["type"], said["message"]["id"], text) == ("message.complete", answer.id, answer.content)


def test_stream_ends_with_the_workflow_instance_and_resumes_before(
    sandbox: Sandbox, new_instance: Callable[[], str]
) -> None:
    instance = new_instance()
    with (
        sandbox.client(namespace="user_1") as user,
        lines_of(command_of(SCRIPT, user.workflow_stream_url(instance))) as next_said,
    ):
        until_open(next_said)
        sandbox.emit(instance, {"type": "message.delta", "content": "one"})
        assert next_said() == "one"
        sandbox.disconnect_streams()
        sandbox.emit(instance, {"type": "message.delta", "content": "two"})
        while (said := next_said()) != "<open>":
            assert said in ("<waiting>", "<connecting>", {"status": None, "isFinal": False})
        assert next_said() == "two"
        user.workflow_instances.submit_input(instance, body={})
        assert next_said() == {"type": "workflow.state_changed", "state": "end", "context": {}}
        assert next_said() == "<closed>"
