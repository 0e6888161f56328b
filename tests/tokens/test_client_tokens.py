"""Tokens of real clients: concurrent first calls, 401 responses, and an account server that fails."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InteractorClient,
    InteractorError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from interactor_ext.sandbox import Sandbox
from interactor_ext.tokens import MemoryTokenStore
from tests.support.modes import at_once, call, client_of, done, in_turn, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, Answer, Asked, OddServer, Reset, http, js, token_answer
from tests.support.token_stores import RecordedStore

pytest_plugins = ["tests.support.token_fixtures"]
pytestmark = pytest.mark.usefixtures("awaited_token_stores")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(history=20_000).run() as running:
        yield running


def token_requests(sandbox: Sandbox) -> int:
    return sum(record.operation == "create_token" for record in sandbox.requests)


def calls(sandbox: Sandbox) -> Counter[int]:
    """The Core API's answers by status."""
    return Counter(record.status for record in sandbox.requests if record.operation != "create_token")


async def list_in(client: Any, namespace: str) -> None:
    await client.namespace(namespace).assistants.list()


@sync_and_async
async def test_64_calls_at_once_of_a_new_client_make_one_token_request(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        await at_once(mode, *(list_in(client, f"user_{number}") for number in range(64)))
    assert token_requests(sandbox) == 1
    assert calls(sandbox) == {200: 64}


@sync_and_async
async def test_store_that_fails_leaves_open_whether_its_token_was_revoked(mode: str, sandbox: Sandbox) -> None:
    class FailingStore(MemoryTokenStore):
        def load(self, key: str) -> Any:
            raise OSError("unreachable")

    settings = {**sandbox._with_connection({}), "token_store": FailingStore()}
    async with opened(mode, settings) as client:
        for _ in range(2):
            with pytest.raises(InteractorError, match=r"FailingStore failed, so a token in it may still be valid"):
                await client.revoke_token()
            await client.get_access_token()
    assert token_requests(sandbox) == 2


@sync_and_async
async def test_client_revokes_its_own_token_and_reads_the_keys_without_one(mode: str, sandbox: Sandbox) -> None:
    store = RecordedStore()
    settings = {**sandbox._with_connection({}), "token_store": store}
    async with opened(mode, {**settings, "client_secret": lambda: settings["client_secret"]}) as client:
        assert (await client.jwks()).keys
        assert (await client.revoke_token(), token_requests(sandbox)) == (False, 0)
        token = await client.get_access_token()
        assert await client.namespace("user_1").revoke_token()
        assert not await done(client.is_authenticated())
        found = store.load(store.keys[-1])
        assert found is None or (token not in found and found.expires_at < time.time())
        assert await client.get_access_token() != token
        await client.namespace("user_1").assistants.list()
    assert calls(sandbox)[401] == 0
    async with opened(mode, settings) as another:  # which has found no token yet
        assert await another.revoke_token()
        assert not await another.revoke_token()
    with pytest.raises(ConfigurationError, match="closed"):
        await another.revoke_token()


@sync_and_async
async def test_token_whose_revocation_failed_is_kept(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        token = await client.get_access_token()
        sandbox.faults.add("revoke_token", kind="reset")
        with pytest.raises(APIConnectionError):
            await client.with_options(max_retries=0).revoke_token()
        assert await client.get_access_token() == token
        sandbox.faults.add("revoke_token", kind="reset_after")
        assert await client.revoke_token()


@sync_and_async
def test_401_replaces_the_token_and_repeats_the_call(mode: str, sandbox: Sandbox) -> None:
    *_, bot = in_turn(
        mode,
        {**sandbox._with_connection({}), "max_retries": 0},
        lambda client: client.assistants.list(),
        lambda client: sandbox.revoke_tokens(),
        lambda client: client.namespace("a").assistants.create(name="Bot", model="gpt-4", system_prompt="x"),
    )
    assert bot.name == "Bot"
    assert token_requests(sandbox) == 2
    assert calls(sandbox) == {200: 1, 401: 1, 201: 1}
    first, second = [record for record in sandbox.requests if record.operation == "create_assistant"]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


class Gate:
    """Holds calls with the first token until all have arrived, then answers all with 401."""

    def __init__(self, number: int) -> None:
        self._barrier = threading.Barrier(number)

    def __call__(self, asked: Asked) -> Answer:
        if asked.token == "token_1":
            self._barrier.wait(60)
            return js(401, {"error": {"code": "AUTH_ERROR", "message": "expired"}})
        return js(200, {"data": [ASSISTANT]})


@sync_and_async
async def test_calls_with_a_401_in_flight_share_one_new_token(mode: str) -> None:
    with OddServer(Gate(32)) as server:
        async with opened(mode, server.settings) as client:
            await at_once(mode, *(list_in(client, f"u{number}") for number in range(32)))
    assert len(server.token_requests) == 2
    assert Counter(asked.token for asked in server.calls) == {"token_1": 32, "token_2": 32}


@sync_and_async
def test_second_401_is_raised_without_a_third_attempt(mode: str) -> None:
    refusal = js(401, {"error": {"message": "no"}})
    with OddServer(lambda asked: refusal) as server, pytest.raises(AuthenticationError) as caught:
        call(mode, server.settings, lambda client: client.assistants.list())
    assert caught.value.status == 401
    assert [asked.token for asked in server.calls] == ["token_1", "token_2"]
    assert len(server.token_requests) == 2


def test_repeated_401s_do_not_exhaust_the_token_rate_limit() -> None:
    began = time.monotonic()
    with OddServer(lambda asked: js(401, {})) as server, InteractorClient(**server.settings) as client:
        for _ in range(50):
            with pytest.raises(AuthenticationError):
                client.assistants.list()
    # 5 at once and 20 a minute are allowed.
    assert len(server.token_requests) <= 6 + (time.monotonic() - began) / 3


@sync_and_async
def test_401_with_failing_account_server_raises_its_error(mode: str) -> None:
    def answer_token(asked: Asked) -> Answer:
        return token_answer("token_1") if len(server.token_requests) == 1 else http(503, "<html>")

    with OddServer(lambda asked: js(401, {}), answer_token) as server, pytest.raises(ServerError) as caught:
        call(mode, server.settings, lambda client: client.assistants.list())
    assert "POST /oauth/token" in str(caught.value)
    assert len(server.calls) == 1


@sync_and_async
@pytest.mark.parametrize("failure", [http(503, ""), http(401, "{}"), Reset(), http(200, "rubbish")], ids=range(4))
def test_due_token_is_used_while_refresh_fails(mode: str, failure: bytes) -> None:
    def answer_token(asked: Asked) -> Answer:
        return token_answer("token_1", 3600) if len(server.token_requests) == 1 else failure

    def become_due(client: Any) -> None:
        client._shared.tokens._state.due_at = 0.0

    def use(client: Any) -> Any:
        return client.assistants.list()

    began = time.monotonic()
    with OddServer(lambda asked: js(200, {"data": [ASSISTANT]}), answer_token) as server:
        in_turn(mode, server.settings, use, become_due, *[use] * 5)
        assert len(server.calls) == 6
    assert {asked.token for asked in server.calls} == {"token_1"}
    # One attempt in five seconds, while it fails.
    assert len(server.token_requests) <= 2 + (time.monotonic() - began) / 5


REFUSALS = [
    pytest.param(js(429, {}, "Retry-After: 60"), RateLimitError, 60, id="429"),
    pytest.param(js(503, {}, "Retry-After: 60"), ServerError, 60, id="503"),
    pytest.param(js(401, {"error": "invalid_client"}), AuthenticationError, 5, id="401"),
    pytest.param(js(403, {}), PermissionDeniedError, 5, id="403"),
]


@sync_and_async
@pytest.mark.parametrize(("refusal", "kind", "seconds"), REFUSALS)
async def test_refused_token_request_is_remembered(mode: str, refusal: bytes, kind: Any, seconds: int) -> None:
    """By all views and for `get_access_token`, until the account server may be asked again, and then by one request."""
    answers, now = [refusal, refusal, token_answer("token_3")], 1_000_000.0
    with OddServer(
        lambda asked: js(200, {"data": [ASSISTANT]}), lambda asked: answers[len(server.token_requests) - 1]
    ) as server:
        async with client_of(mode, {**server.settings, "max_retries": 0}) as client:
            client._shared.tokens._clock = lambda: now

            async def outcomes() -> list[Any]:
                uses = [client.get_access_token, client.assistants.list, client.namespace("a").assistants.list]
                if mode == "async":
                    return await asyncio.gather(*(use() for use in uses * 20), return_exceptions=True)
                with ThreadPoolExecutor(20) as threads:
                    return [each.exception() or each.result() for each in [threads.submit(use) for use in uses * 20]]

            for passed, expected in ((0, 1), (0.9, 1), (0.2, 2)):
                now += passed * seconds
                errors = await outcomes()
                assert [type(error) for error in errors] == [kind] * 60
                assert len({id(error) for error in errors}) == 60
                assert len(server.token_requests) == expected
            assert max(len(traceback.extract_tb(error.__traceback__)) for error in errors) < 40
            now += seconds
            assert not [result for result in await outcomes() if isinstance(result, Exception)]
    assert len(server.token_requests) == 3


def post_from_generator(client: Any) -> Any:
    async def pieces() -> Any:
        yield b"a"

    if isinstance(client, InteractorClient):
        return client.api.get_httpx_client().post("/x", content=iter([b"a"]))
    return client.api.get_async_httpx_client().post("/x", content=pieces())


@sync_and_async
def test_generator_body_is_not_sent_again_after_401_but_the_next_call_has_a_new_token(mode: str) -> None:
    def answer(asked: Asked) -> Answer:
        return js(401, {}) if asked.token == "token_1" else js(200, {"data": [ASSISTANT]})

    with OddServer(answer) as server:
        refused, _ = in_turn(mode, server.settings, post_from_generator, lambda client: client.assistants.list())
    assert refused.status_code == 401
    assert [asked.token for asked in server.calls] == ["token_1", "token_2"]
