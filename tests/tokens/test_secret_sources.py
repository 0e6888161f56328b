"""The client secret as pydantic's SecretStr and as a function; quotes left around it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from interactor_ext import AuthenticationError, ConfigurationError, InteractorConfig
from interactor_ext.tokens import FileTokenStore
from tests.support.modes import call, in_turn, sync_and_async
from tests.support.scripted_server import ASSISTANT, Answer, Asked, OddServer, js, token_answer


class Account:
    """An account server with one valid secret; a token that it gave under another one is refused."""

    def __init__(self) -> None:
        self.secret = "first_secret"

    def give(self, asked: Asked) -> Answer:
        if json.loads(asked.body)["client_secret"] != self.secret:
            return js(401, {"error": "invalid_client", "error_description": "no"})
        return token_answer(f"token_of_{self.secret}")

    def answer(self, asked: Asked) -> Answer:
        return js(200, {"data": ASSISTANT}) if asked.token == f"token_of_{self.secret}" else js(401, {})


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def server(account: Account) -> Iterator[OddServer]:
    with OddServer(account.answer, account.give) as running:
        yield running


def secret_function(kind: str, secrets: list[str]) -> Callable[[], Any]:
    def give() -> str:
        return secrets.pop(0)

    async def give_async() -> str:
        return secrets.pop(0)

    async def give_wrapped() -> SecretStr:
        return SecretStr(secrets.pop(0))

    return {"def": give, "async def": give_async, "SecretStr": give_wrapped}[kind]


@sync_and_async
@pytest.mark.parametrize("kind", ["def", "async def", "SecretStr"])
def test_function_is_asked_again_after_a_refused_token_request(
    mode: str, kind: str, account: Account, server: OddServer
) -> None:
    secrets = ["first_secret", "second_secret"]

    def rotate(client: Any) -> None:
        account.secret = "second_secret"

    def get(client: Any) -> Any:
        return client.assistants.get("x")

    settings = {**server.settings, "client_secret": secret_function(kind, secrets)}
    *_, bot = in_turn(mode, settings, get, get, rotate, get, get)
    assert bot.id == ASSISTANT["id"]
    assert secrets == []
    sent = [json.loads(asked.body)["client_secret"] for asked in server.token_requests]
    assert sent == ["first_secret", "first_secret", "second_secret"]


@sync_and_async
def test_secret_that_stays_wrong_raises_the_401_and_is_asked_once_more_for_each_request(
    mode: str, account: Account, server: OddServer
) -> None:
    account.secret, asked = "other", []

    def give() -> str:
        asked.append(1)
        return "wrong_secret_5f1b"

    with pytest.raises(AuthenticationError) as caught:
        call(mode, {**server.settings, "client_secret": give}, lambda client: client.assistants.get("x"))
    assert (len(asked), len(server.token_requests)) == (2, 1)
    assert "wrong_secret_5f1b" not in str(caught.value)


@sync_and_async
@pytest.mark.parametrize(
    ("give", "words"),
    [(lambda: 1 / 0, "failed with ZeroDivisionError"), (lambda: " padded", "white space"), (lambda: None, "missing")],
)
def test_function_that_gives_no_secret_raises_configuration_error(
    mode: str, give: Any, words: str, server: OddServer
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        call(mode, {**server.settings, "client_secret": give}, lambda client: client.assistants.get("x"))
    assert server.token_requests == []


@sync_and_async
def test_token_of_a_stream_url_uses_the_function_too(mode: str, account: Account, server: OddServer) -> None:
    settings = {**server.settings, "client_secret": lambda: "first_secret"}
    assert "token=token_of_first_secret" in call(mode, settings, lambda client: client.room_stream_url("room_1"))


@sync_and_async
def test_secret_str_is_taken(mode: str, server: OddServer, tmp_path: Any) -> None:
    store = FileTokenStore(tmp_path / "tokens")
    settings = {**server.settings, "client_secret": SecretStr("first_secret"), "token_store": store}
    assert call(mode, settings, lambda client: client.assistants.get("x")).id == ASSISTANT["id"]
    config = InteractorConfig(client_id="x", client_secret=SecretStr("first_secret"))
    assert config == InteractorConfig(client_id="x", client_secret="first_secret") == copy.deepcopy(config)


@sync_and_async
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"client_secret": '"first_secret"'}, "client_secret is sent with the quotes"),
        ({"client_id": "'x'", "client_secret": "\u201cfirst_secret\u201d"}, "client_id and client_secret is sent"),
    ],
)
def test_quotes_around_a_secret_are_named_in_the_401(
    mode: str, fields: dict[str, str], named: str, server: OddServer
) -> None:
    with pytest.raises(AuthenticationError, match=named) as caught:
        call(mode, {**server.settings, **fields}, lambda client: client.assistants.get("x"))
    assert "first_secret" not in str(caught.value)
    for wrong in ("wrong", '"wrong', 'wrong"'):
        with pytest.raises(AuthenticationError) as caught:
            call(mode, {**server.settings, "client_secret": wrong}, lambda client: client.assistants.get("x"))
        assert "quotes" not in str(caught.value)
