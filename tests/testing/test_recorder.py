"""The recorder: no secret reaches a cassette, and a cassette replays without a server."""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import APIConnectionError, AsyncInteractorClient, InteractorClient
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import recorder, recording
from interactor_ext.transports import AiohttpTransport
from tests.support.delivery_receiver import receiving
from tests.support.waiting import eventually

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


def settings_of(sandbox: Sandbox) -> Any:
    return {"account_server_url": sandbox.account_server_url, "core_api_url": sandbox.core_api_url}


def record(sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> list[str]:
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with recorder(folder, **settings).use_cassette("walk"), sandbox.client() as client:
        secrets = use(client, sandbox)
    monkeypatch.delenv("INTERACTOR_RECORD")
    return secrets


def test_recorded_cassette_contains_no_secret(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = record(sandbox, tmp_path, monkeypatch)
    text = (tmp_path / "walk.yaml").read_text()
    assert len(set(secrets)) == 4
    assert [secret for secret in [*secrets, *SECRETS.values()] if secret in text] == []
    assert "MASKED" in text


def test_custom_filters_cannot_unmask_secrets(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = record(
        sandbox,
        tmp_path,
        monkeypatch,
        filter_headers=[],
        before_record_request=lambda request: request,
        before_record_response=lambda response: response,
    )
    text = (tmp_path / "walk.yaml").read_text()
    assert [secret for secret in [*secrets, *SECRETS.values()] if secret in text] == []


def test_cassette_replays_without_server(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = settings_of(sandbox)
    record(sandbox, tmp_path, monkeypatch)
    asked = len(sandbox.requests)
    with recorder(tmp_path).use_cassette("walk") as tape:
        with InteractorClient(client_id="other", client_secret="other", **urls) as client:
            assert use(client, None) == ["MASKED", "code_of_the_replay", "MASKED", "MASKED"]
        assert tape.all_played
    assert len(sandbox.requests) == asked


def test_call_not_on_cassette_raises(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(sandbox, tmp_path, monkeypatch)
    asked = len(sandbox.requests)
    with recorder(tmp_path).use_cassette("walk"), sandbox.client(max_retries=0) as client:
        user = client.namespace("user_1")
        wrong = r"walk\.yaml has no unused answer to POST http://localhost/api/v1/assistants: .* INTERACTOR_RECORD=1"
        with pytest.raises(APIConnectionError, match=wrong):
            user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        with pytest.raises(APIConnectionError, match=r"walk\.yaml"):
            user.assistants.list(page=2)
    with (
        recorder(tmp_path).use_cassette("nothing"),
        pytest.raises(Exception, match=r"There is no cassette .*nothing\.yaml for GET http://localhost/"),
    ):
        httpx.get(sandbox.core_api_url)
    assert len(sandbox.requests) == asked


def test_cassette_of_another_port_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run of a test has a sandbox at another port, and perhaps a receiver."""

    def use_it(port: int) -> str | None:
        with Sandbox(**SECRETS).run() as sandbox, sandbox.client() as client, recorder(tmp_path).use_cassette("port"):
            hook = client.webhooks.create(url=f"http://127.0.0.1:{port}/hook", events=["credential.expired"])
            assert client.webhooks.get(hook.id).id == hook.id
            return hook.id

    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    recorded = use_it(5001)
    monkeypatch.delenv("INTERACTOR_RECORD")
    assert use_it(5002) == recorded
    text = (tmp_path / "port.yaml").read_text()
    assert "uri: http://localhost/api/v1/webhooks\n" in text


def test_deliveries_of_the_sandbox_are_not_recorded(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with receiving() as (receiver, url), recorder(tmp_path).use_cassette("delivery"), sandbox.client() as client:
        client.webhooks.create(url=url, events=["room.message.created"])
        bot = client.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        client.messages.send(client.rooms.create(assistant_id=bot.id).id, content="Hello!")
        receiver.wait(2)
    paths = re.findall(r"uri: http://localhost(\S+)", (tmp_path / "delivery.yaml").read_text())
    assert [path.rpartition("/")[2] for path in paths] == ["token", "webhooks", "assistants", "rooms", "messages"]


def test_recording_again_replaces_cassette(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(sandbox, tmp_path, monkeypatch)
    first = (tmp_path / "walk.yaml").read_text()
    monkeypatch.setattr(recording, "_recorded", set[str]())  # as if in another process
    record(sandbox, tmp_path, monkeypatch)
    second = (tmp_path / "walk.yaml").read_text()
    assert first != second
    assert first.count("uri:") == second.count("uri:")


@pytest.mark.parametrize("mode", ["sync", "async", "aiohttp"])
def test_chat_is_recorded_and_replayed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A chat's stream has no end of its own; its recording ends with the chat."""

    settings = {**SECRETS, **settings_of(sandbox), "namespace": "user_1"}

    def chat(room: str) -> str:
        with InteractorClient(**settings) as user, user.chat(room, "one two three") as reply:
            return "".join(reply.text())

    async def chat_async(room: str) -> str:
        transport = AiohttpTransport() if mode == "aiohttp" else None
        client = AsyncInteractorClient(**settings, transport=transport)
        async with client as user, user.chat(room, "one two three") as reply:
            return "".join([word async for word in reply.text()])

    def chat_on(cassette: Any) -> str:
        answers: list[str] = []

        def run() -> None:
            with cassette:
                answers.append(chat(room) if mode == "sync" else asyncio.run(chat_async(room)))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(30)
        assert answers, "recording a chat hangs"
        return answers[0]

    with sandbox.client(namespace="user_1") as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        room = user.rooms.create(assistant_id=bot.id).id
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    assert chat_on(recorder(tmp_path).use_cassette("chat")) == "Bot here. You said: one two three"
    assert eventually(lambda: sandbox.open_streams == 0)
    assert "message.complete" in (tmp_path / "chat.yaml").read_text()
    monkeypatch.delenv("INTERACTOR_RECORD")
    asked = len(sandbox.requests)
    assert chat_on(recorder(tmp_path).use_cassette("chat")) == "Bot here. You said: one two three"
    assert len(sandbox.requests) == asked


def test_token_in_url_and_cookie_are_masked(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    url = f"{sandbox.core_api_url}/rooms/room_1/stream"
    with recorder(tmp_path).use_cassette("stream"):
        recorded = httpx.get(url, params={"token": "tok_1", "namespace": "a b"}, headers={"Cookie": "session=s_1"})
    text = (tmp_path / "stream.yaml").read_text()
    assert ("tok_1" in text, "s_1" in text, "token=MASKED" in text) == (False, False, True)
    monkeypatch.delenv("INTERACTOR_RECORD")
    with recorder(tmp_path).use_cassette("stream"):
        assert httpx.get(url, params={"token": "tok_2", "namespace": "a b"}).status_code == recorded.status_code


def test_non_json_bodies_are_unchanged(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{sandbox.core_api_url}/rooms"
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with recorder(tmp_path).use_cassette("odd"):
        httpx.post(url, content=b"{not JSON")
    monkeypatch.delenv("INTERACTOR_RECORD")
    with recorder(tmp_path).use_cassette("odd") as tape:
        httpx.post(url, content=b"{not JSON")
        assert tape.all_played


def test_two_blocks_on_one_cassette_are_both_recorded(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(client: InteractorClient) -> None:
        assert client.namespace("user_1").tools.list().data == []

    def second(client: InteractorClient) -> None:
        assert client.namespace("user_1").rooms.list().data == []

    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    for use_it in (first, second):
        with recorder(tmp_path).use_cassette("twice"), sandbox.client() as client:
            use_it(client)
    asked = len(sandbox.requests)
    monkeypatch.delenv("INTERACTOR_RECORD")
    for use_it in (first, second):
        with recorder(tmp_path).use_cassette("twice"), sandbox.client() as client:
            use_it(client)
    assert len(sandbox.requests) == asked


def test_data_source_config_and_webhook_secret_are_masked_on_cassette(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ["db_password_1", "db_password_2", "api_key_3", "hook_password_4", "url_password_5", "header_6"]

    def calls(client: InteractorClient) -> str:
        user = client.namespace("user_1")
        config = {"dsn": f"postgres://app:{secrets[0]}@db/crm", "login": [secrets[1]], "api_key": secrets[2]}
        source = user.data_sources.create(name="crm", type="database", config=config)
        user.assistants.create(name="Bot", model="gpt-4", system_prompt="", data_sources=[source.id])
        user.webhooks.create(url=f"http://hook:{secrets[3]}@127.0.0.1:9/", events=["credential.connected"])
        httpx.get(
            sandbox.core_api_url.replace("http://", f"http://user:{secrets[4]}@"), headers={"X-Api-Key": "header_6"}
        )
        return str(user.credentials.initiate_oauth(provider="google", redirect_uri="http://127.0.0.1/back").state)

    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with recorder(tmp_path).use_cassette("opened"), sandbox.client() as client:
        state = calls(client)
    text = (tmp_path / "opened.yaml").read_text()
    assert [secret for secret in [*secrets, state] if secret in text] == []
    monkeypatch.delenv("INTERACTOR_RECORD")
    with recorder(tmp_path).use_cassette("opened") as tape, sandbox.client() as client:
        assert calls(client) == "MASKED"
        assert tape.all_played


def test_form_fields_are_masked(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{sandbox.account_server_url}/oauth/token"
    form = {"grant_type": "client_credentials", "client_id": "form_id", "client_secret": "form_secret"}
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with recorder(tmp_path).use_cassette("form"):
        recorded = httpx.post(url, data=form)
    text = (tmp_path / "form.yaml").read_text()
    assert ("form_id" in text, "form_secret" in text, "client_credentials" in text) == (False, False, True)
    monkeypatch.delenv("INTERACTOR_RECORD")
    with recorder(tmp_path).use_cassette("form"):
        assert httpx.post(url, data={**form, "client_secret": "another"}).status_code == recorded.status_code


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("gzip, deflate", lambda body: zlib.compress(gzip.compress(body))),
        ("unheard-of", lambda body: body[::-1]),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"decode_compressed_response": False}], ids=["decoded", "as it came"])
def test_compressed_body_is_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str, compress: Any, settings: dict[str, Any]
) -> None:
    body = compress(b'{"data": {"access_token": "at_1"}}')

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Encoding", coding)])
        return [body]

    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    with (
        recorder(tmp_path, **settings).use_cassette("coded"),
        httpx.Client(transport=httpx.WSGITransport(app)) as client,
    ):
        client.get("http://server.test/")
    monkeypatch.delenv("INTERACTOR_RECORD")
    with recorder(tmp_path).use_cassette("coded"):
        replayed = httpx.get("http://server.test/")
    expected = "MASKED" if coding == "unheard-of" else '{"data": {"access_token": "MASKED"}}'
    assert (replayed.text, replayed.headers.get("content-encoding")) == (expected, None)


def test_missing_vcrpy_names_install_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vcr", None)
    with pytest.raises(ModuleNotFoundError, match="pip install vcrpy"):
        recorder(tmp_path)


def test_old_vcrpy_names_the_version_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcr.__version__", "8.2.1")
    with pytest.raises(ImportError, match=r"cassettes need vcrpy 9 or newer, and this is 8\.2\.1"):
        recorder(tmp_path)
