"""Secrets stay out of reprs, errors and tracebacks, and of everything that is logged at level DEBUG."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from interactor_ext import InteractorClient, InteractorError
from interactor_ext.tokens import MemoryTokenStore
from tests.support.modes import client_of, done, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, SECRET, Asked, OddServer, js

TOKEN = "tok_5e1f9ab37d"


@pytest.fixture
def server() -> Iterator[OddServer]:
    def answer_token(asked: Asked) -> bytes:
        return js(200, {"access_token": TOKEN, "expires_in": 900})

    def answer(asked: Asked) -> bytes:
        if asked.method == "GET":
            return js(200, {"data": [ASSISTANT]})
        # A careless server, which repeats what it was sent.
        echo = f"Bearer {asked.token} and client_secret={SECRET} are wrong"
        return js(400, {"error": {"code": echo, "message": echo, "details": [{"field": "x", "message": echo}]}})

    with OddServer(answer, answer_token) as running:
        yield running


def texts_of(thing: Any) -> Iterator[str]:
    yield from (repr(thing), str(thing), f"{thing}", f"{[thing]}", f"{thing!a}")


def check(text: str) -> None:
    assert SECRET not in text
    assert TOKEN not in text


def objects_of(client: Any) -> list[Any]:
    user = client.namespace("user_123").with_options(timeout=5)
    names = ("oauth", "credentials", "assistants", "rooms", "messages", "tools", "data_sources", "workflows")
    resources = [getattr(user, name) for name in (*names, "workflow_instances", "webhooks")]
    return [
        client,
        user,
        client.config,
        user.api,
        user.rate_limit,
        user._http,
        user._sender,
        user._view,
        client._shared,
        client._shared.tokens,
        client._shared.tokens.valid(),
        client._shared.transport,
        client._shared._auth,
        user.rooms.stream("room_1"),
        *resources,
    ]


@sync_and_async
async def test_repr_of_a_client_and_its_parts_shows_no_secret(mode: str, server: OddServer) -> None:
    store = MemoryTokenStore()
    async with client_of(mode, {**server.settings, "token_store": store}) as client:
        await done(client.assistants.list())
        assert await done(client.get_access_token()) == TOKEN
        for thing in [*objects_of(client), store, await done(client.health())]:
            for text in texts_of(thing):
                check(text)


@pytest.mark.parametrize(
    "send",
    [
        lambda client, secret: client.oauth.revoke_token(token=secret, client_id="c", client_secret="x" * 12),
        lambda client, secret: client.oauth.revoke_token(token="t" * 12, client_id="c", client_secret=secret),
        lambda client, secret: client.webhooks.create(url="https://x.example", events=[], secret=secret),
        lambda client, secret: client.credentials.complete_oauth(provider="google", code=secret, state="s"),
    ],
)
def test_error_does_not_quote_secret_fields_of_the_request_body(send: Any) -> None:
    secret = "hunterhunter"

    def echo(asked: Asked) -> bytes:
        if "token" in asked.target and b"grant_type" in asked.body:
            return js(200, {"access_token": TOKEN, "expires_in": 900})
        said = f"not allowed: {asked.body.decode()}"
        return js(400, {"error": {"message": said, "details": [{"field": "x", "message": said}]}})

    with OddServer(echo, echo) as server, InteractorClient(**server.settings) as client:
        with pytest.raises(InteractorError) as caught:
            send(client, secret)
        for text in (str(caught.value), repr(vars(caught.value))):
            assert secret not in text


@sync_and_async
def test_debug_logs_of_all_libraries_show_no_secret(
    mode: str, server: OddServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio", "interactor_ext", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, name)

    async def main() -> None:
        async with opened(mode, server.settings) as client:
            user = client.namespace("user_123")
            await user.assistants.list()
            assert [item async for item in user.assistants.iterate(prefetch=2)]
            with pytest.raises(InteractorError):
                await user.assistants.create(name="x", model="m", system_prompt="s")
            assert TOKEN in await user.room_stream_url("room_1")
            with pytest.raises(InteractorError):
                async with user.rooms.stream("room_1") as stream:
                    await anext(aiter(stream))

    asyncio.run(main(), debug=True)
    loggers = {record.name.split(".")[0] for record in caplog.records}
    assert {"httpx", "interactor"} <= loggers
    check(caplog.text)
    check(str([vars(record) for record in caplog.records if record.name.startswith("interactor")]))
