"""The recorder: no secret reaches a cassette, and a cassette replays without a server."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from interactor_ext import APIConnectionError, AsyncInteractorClient, InteractorClient, NotFoundError
from interactor_ext._interactor.views import http
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import recorder
from tests.support import patient
from tests.support.modes import sync_and_async
from tests.support.scripted_server import receiving
from tests.support.waiting import eventually, in_time

T = TypeVar("T")
SECRETS = {"client_id": "client_7f3a", "client_secret": "cs_9b2e"}


@pytest.fixture
def sandbox() -> Any:
    with Sandbox(**SECRETS).run() as sandbox:
        yield sandbox


def use(client: InteractorClient, sandbox: Sandbox | None) -> list[str]:
    """Make calls with secrets in requests and responses; returns the secrets."""
    user = client.namespace("user_1")
    flow = user.credentials.initiate_oauth(provider="google", redirect_uri="https://app.example.com/back")
    # Masked on the cassette, so another one will do for the replay.
    code = "code_of_the_replay"
    if sandbox is not None:
        code = httpx.URL(sandbox.decide(str(flow.flow_id))).params["code"]
    credential = user.credentials.complete_oauth(provider="google", code=code, state=str(flow.state))
    token = user.credentials.get_token(credential.id)
    hook = user.webhooks.create(url="https://app.example.com/hook", events=["credential.expired"])
    assert user.assistants.list().data == []
    return [client.get_access_token(), code, token.access_token, str(hook.secret)]


class Tape:
    """Cassettes in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    def text(self, name: str = "walk") -> str:
        return (self.folder / f"{name}.yaml").read_text()

    def record(self, use: Callable[[], T], name: str = "walk", **settings: Any) -> T:
        self._monkeypatch.setenv("INTERACTOR_RECORD", "1")
        try:
            with recorder(self.folder, **settings).use_cassette(name):
                return use()
        finally:
            self._monkeypatch.delenv("INTERACTOR_RECORD")

    def replay(self, use: Callable[[], T], name: str = "walk") -> T:
        """Fails unless everything on the cassette is used."""
        with recorder(self.folder).use_cassette(name) as cassette:
            result = use()
            assert cassette.all_played
        return result


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tape:
    return Tape(tmp_path, monkeypatch)


def walk(sandbox: Sandbox) -> list[str]:
    with sandbox.client() as client:
        return use(client, sandbox)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "filter_headers": [],
            "before_record_request": lambda request: request,
            "before_record_response": lambda response: response,
        },
    ],
    ids=["as it is", "custom filters"],
)
def test_recorded_cassette_contains_no_secret(sandbox: Sandbox, tape: Tape, settings: dict[str, Any]) -> None:
    secrets = tape.record(lambda: walk(sandbox), **settings)
    assert len(set(secrets)) == 4
    assert [secret for secret in [*secrets, *SECRETS.values()] if secret in tape.text()] == []
    assert "MASKED" in tape.text()


# In another run, so that it does not add to what this one has recorded.
RECORDING = """
import sys
import httpx
from interactor_ext.testing import recorder
with recorder(sys.argv[1]).use_cassette("walk"):
    httpx.get(sys.argv[2])
"""


def test_cassette_replays_without_server_and_can_be_recorded_again(sandbox: Sandbox, tape: Tape) -> None:
    def other() -> list[str]:
        with sandbox.client(client_id="other", client_secret="other") as client:
            return use(client, None)

    tape.record(lambda: walk(sandbox))
    asked = len(sandbox.requests)
    assert tape.replay(other) == ["MASKED", "code_of_the_replay", "MASKED", "MASKED"]
    assert len(sandbox.requests) == asked
    subprocess.run(
        [sys.executable, "-c", RECORDING, str(tape.folder), f"{sandbox.core_api_url}/rooms"],
        env={**os.environ, "INTERACTOR_RECORD": "1"},
        check=True,
        timeout=300,
    )
    assert tape.text().count("uri:") == 1


def test_call_not_on_cassette_raises(sandbox: Sandbox, tape: Tape) -> None:
    tape.record(lambda: walk(sandbox))
    asked = len(sandbox.requests)
    with recorder(tape.folder).use_cassette("walk"), sandbox.client(max_retries=0) as client:
        user = client.namespace("user_1")
        wrong = (
            r"walk\.yaml has no unused response for POST http://localhost/api/v1/assistants\. .* INTERACTOR_RECORD=1"
        )
        with pytest.raises(APIConnectionError, match=wrong):
            user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        with pytest.raises(APIConnectionError, match=r"walk\.yaml"):
            user.assistants.list(page=2)
    with pytest.raises(Exception, match=r"There is no cassette .*nothing\.yaml for GET http://localhost/"):
        tape.replay(lambda: patient.get(sandbox.core_api_url), "nothing")
    assert len(sandbox.requests) == asked


@pytest.mark.parametrize(
    ("use", "difference"),
    [
        (
            lambda user: user.assistants.list(per_page=3),
            "uri: http://localhost/api/v1/assistants?per_page=3, recorded is http://localhost/api/v1/assistants?page=2",
        ),
        (
            lambda user: user.assistants.get("asst_2"),
            "uri: http://localhost/api/v1/assistants/asst_2, recorded is http://localhost/api/v1/assistants/asst_1",
        ),
        (
            lambda user: user.assistants.update("asst_1", name="x"),
            'method: PATCH != GET; body: {"name": "x"}, recorded is null',
        ),
        (
            lambda user: user.webhooks.create(url="https://b.example", events=["credential.expired"], secret="s_9b2e"),
            '"url": "https://b.example"}, recorded is {"events": ',
        ),
        (
            lambda user: user.rooms.list(),
            "recorded ones have been used: the test made fewer requests when it was recorded",
        ),
    ],
)
def test_error_says_how_the_nearest_recorded_request_differs(
    use: Any, difference: str, sandbox: Sandbox, tape: Tape
) -> None:
    def record() -> list[str]:
        with sandbox.client() as client:
            user = client.namespace("user_1")
            user.rooms.list()
            user.assistants.list(page=2)
            with pytest.raises(NotFoundError):
                user.assistants.get("asst_1")
            user.webhooks.create(url="https://a.example", events=["credential.expired"], secret="s_9b2e")
        return []

    tape.record(record)
    with recorder(tape.folder).use_cassette("walk"), sandbox.client(max_retries=0) as client:
        user = client.namespace("user_1")
        user.rooms.list()
        with pytest.raises(APIConnectionError) as caught:
            use(user)
    assert difference in str(caught.value)
    assert "s_9b2e" not in str(caught.value)


def test_header_of_the_client_is_left_out(sandbox: Sandbox, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever says something of the client alone would differ on another machine."""
    known = http.headers_of_client
    monkeypatch.setattr(http, "headers_of_client", lambda *of: {**known(*of), "X-Machine": "7"})
    tape.record(lambda: walk(sandbox))
    sent = {name.lower() for each in yaml.safe_load(tape.text())["interactions"] for name in each["request"]["headers"]}
    assert sent == {"accept", "authorization", "content-type", "idempotency-key", "x-namespace"}


def test_cassette_of_another_port_replays(tape: Tape) -> None:
    """Each run of a test has a sandbox at another port, and perhaps a receiver."""

    def use_it(port: int) -> str | None:
        with Sandbox(**SECRETS).run() as sandbox, sandbox.client() as client:
            hook = client.webhooks.create(url=f"http://127.0.0.1:{port}/hook", events=["credential.expired"])
            assert client.webhooks.get(hook.id).id == hook.id
            return hook.id

    recorded = tape.record(lambda: use_it(5001))
    assert tape.replay(lambda: use_it(5002)) == recorded
    assert "uri: http://localhost/api/v1/webhooks\n" in tape.text()


def test_deliveries_of_the_sandbox_are_not_recorded(sandbox: Sandbox, tape: Tape) -> None:
    def use_it() -> None:
        with receiving() as (receiver, url), sandbox.client() as client:
            client.webhooks.create(url=url, events=["room.message.created"])
            bot = client.assistants.create(name="Bot", model="gpt-4", system_prompt="")
            client.messages.send(client.rooms.create(assistant_id=bot.id).id, content="Hello!")
            receiver.wait(2)

    tape.record(use_it)
    paths = re.findall(r"uri: http://localhost(\S+)", tape.text())
    assert [path.rpartition("/")[2] for path in paths] == ["token", "webhooks", "assistants", "rooms", "messages"]


@sync_and_async
def test_chat_is_recorded_and_replayed(sandbox: Sandbox, tape: Tape, mode: str) -> None:
    """A chat's stream has no end of its own; its recording ends with the chat."""
    urls = {"account_server_url": sandbox.account_server_url, "core_api_url": sandbox.core_api_url}
    settings: dict[str, Any] = {**SECRETS, **urls, "namespace": "user_1"}

    def chat() -> str:
        with InteractorClient(**settings) as user, user.chat(room, "one two three") as reply:
            return "".join(reply.text())

    async def chat_async() -> str:
        async with AsyncInteractorClient(**settings) as user, user.chat(room, "one two three") as reply:
            return "".join([word async for word in reply.text()])

    def use_it() -> str:
        return chat() if mode == "sync" else asyncio.run(chat_async())

    with sandbox.client(namespace="user_1") as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        room = user.rooms.create(assistant_id=bot.id).id
    assert in_time(lambda: tape.record(use_it)) == "Bot here. You said: one two three"
    eventually(lambda: sandbox.open_streams == 0)
    assert "message.complete" in tape.text()
    asked = len(sandbox.requests)
    assert in_time(lambda: tape.replay(use_it)) == "Bot here. You said: one two three"
    assert len(sandbox.requests) == asked


def test_body_of_a_request_that_may_be_answered_by_a_stream_is_recorded(sandbox: Sandbox, tape: Tape) -> None:
    """As MCP clients send it."""

    def use_it() -> list[int]:
        headers = {"Accept": "application/json, text/event-stream"}
        return [
            patient.post(f"{sandbox.core_api_url}/rooms", json=body, headers=headers).status_code for body in (1, 2)
        ]

    assert tape.record(use_it) == [401, 401]
    assert tape.replay(use_it) == [401, 401]


def test_two_blocks_on_one_cassette_are_both_recorded(sandbox: Sandbox, tape: Tape) -> None:
    def look(resource: str) -> None:
        with sandbox.client(namespace="user_1") as client:
            assert getattr(client, resource).list().data == []

    for resource in ("tools", "rooms"):
        tape.record(partial(look, resource))
    asked = len(sandbox.requests)
    for resource in ("tools", "rooms"):
        with recorder(tape.folder).use_cassette("walk"):
            look(resource)
    assert len(sandbox.requests) == asked


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("unheard-of", lambda body: body[::-1]),
    ],
)
def test_compressed_body_is_masked(tape: Tape, coding: str, compress: Any) -> None:
    body = compress(b'{"data": {"access_token": "at_1"}}')

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Encoding", coding)])
        return [body]

    with httpx.Client(transport=httpx.WSGITransport(app)) as client:
        tape.record(lambda: client.get("http://server.test/"))
    replayed = tape.replay(lambda: patient.get("http://server.test/"))
    expected = "MASKED" if coding == "unheard-of" else '{"data": {"access_token": "MASKED"}}'
    assert (replayed.text, replayed.headers.get("content-encoding")) == (expected, None)


def test_missing_vcrpy_names_install_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vcr", None)
    with pytest.raises(ModuleNotFoundError, match="pip install vcrpy"):
        recorder(tmp_path)


def test_old_vcrpy_names_the_version_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcr.__version__", "8.2.1")
    with pytest.raises(ImportError, match=r"Cassettes need vcrpy 9 or newer, not 8\.2\.1"):
        recorder(tmp_path)
