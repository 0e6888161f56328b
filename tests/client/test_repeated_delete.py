"""Retried DELETE requests: 404 after a lost response means that the first attempt has worked."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

import httpx
import pytest

from interactor_ext import GoneError, NotFoundError
from interactor_ext._engine.calls.attempts import Attempts, Rules
from interactor_ext._engine.waiting import Closing
from interactor_ext.retry import RetryPolicy
from tests.support.contract import operations
from tests.support.modes import call, in_turn, sync_and_async
from tests.support.scripted_server import Action, Connection, FaultServer, Request, error, send_and, settings_of

QUICK = RetryPolicy(max_retries=3, base_delay=0.001)
LOST = send_and(b"", lambda connection: connection.reset())
UNAUTHORIZED = error(401, "AUTH_ERROR")
NOT_FOUND = error(404, "NOT_FOUND", x_request_id="req_again")
DELETIONS = [
    operation
    for operation in operations()
    if import_module(f"interactor_client.api.{operation.tag}.{operation.id}").OPERATION.method == "DELETE"
]


def settings(server: FaultServer, **more: Any) -> dict[str, Any]:
    return settings_of(server.url, **{"retry_policy": QUICK, **more})


def delete(client: Any) -> Any:
    return client.assistants.delete("asst_1")


def losing_first_answers() -> Action:
    seen: set[str] = set()

    def act(connection: Connection, request: Request) -> bool:
        action = NOT_FOUND if request.target in seen else LOST
        seen.add(request.target)
        return action(connection, request)

    return act


@sync_and_async
def test_404_to_retried_delete_with_lost_response_is_success(mode: str) -> None:
    uses = [lambda client, tag=tag: getattr(client, tag).delete("id_1") for _, tag in DELETIONS]
    with FaultServer([losing_first_answers()]) as server:
        assert in_turn(mode, settings(server), *uses) == [None] * 7
        assert [request.method for request in server.calls()] == ["DELETE"] * 14


@sync_and_async
@pytest.mark.parametrize("detailed", [False, True])
def test_endpoint_function_sees_204_for_404_to_retried_delete(mode: str, detailed: bool) -> None:
    name = ("sync" if mode == "sync" else "asyncio") + ("_detailed" if detailed else "")
    functions = [getattr(import_module(f"interactor_client.api.{tag}.{each}"), name) for each, tag in DELETIONS]
    uses = [lambda client, function=function: function("id_1", client=client.api) for function in functions]
    with FaultServer([losing_first_answers()]) as server:
        for answer in in_turn(mode, settings(server), *uses):
            if not detailed:
                assert answer is None
                continue
            assert (answer.status_code, answer.content, answer.parsed) == (204, b"", None)
            assert answer.headers["x-request-id"] == "req_again"
            assert "content-length" not in answer.headers


@sync_and_async
@pytest.mark.parametrize(
    "before",
    [*([error(status)] for status in (500, 502, 503, 504)), [LOST, error(429), error(503)], [LOST, UNAUTHORIZED]],
    ids=["500", "502", "503", "504", "several", "401 in between"],
)
def test_404_to_delete_is_success_after_an_attempt_that_may_have_worked(mode: str, before: list[Action]) -> None:
    policy = RetryPolicy(base_delay=0.001, statuses=frozenset({429, 500, 502, 503, 504}))
    with FaultServer([*before, NOT_FOUND]) as server:
        call(mode, settings(server, retry_policy=policy), delete)
        assert len(server.calls()) == len(before) + 1


@sync_and_async
@pytest.mark.parametrize("first", [NOT_FOUND, error(429), UNAUTHORIZED], ids=["none", "429", "401"])
def test_404_to_first_delete_raises_not_found(mode: str, first: Action) -> None:
    with FaultServer([first, NOT_FOUND]) as server, pytest.raises(NotFoundError):
        call(mode, settings(server), delete)


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "uses", "raised"),
    [
        (NOT_FOUND, [delete, delete], NotFoundError),
        (NOT_FOUND, [lambda client: client.assistants.get("asst_1")], NotFoundError),
        (error(410, "GONE"), [delete], GoneError),
    ],
    ids=["a second call", "GET", "410"],
)
def test_404_means_success_only_to_a_retried_delete(mode: str, answer: Action, uses: Any, raised: Any) -> None:
    with FaultServer([LOST, answer]) as server, pytest.raises(raised):
        in_turn(mode, settings(server), *uses)


def test_404_to_delete_after_unsent_attempt_raises_not_found() -> None:
    request = httpx.Request("DELETE", "http://host/x")
    attempts = Attempts(request, Rules(QUICK), Closing())

    def answered() -> int:
        outcome = attempts.after_response(httpx.Response(404))
        assert isinstance(outcome, httpx.Response)
        return outcome.status_code

    attempts.begin()
    attempts.after_error(httpx.ConnectError("refused"))
    assert answered() == 404
    attempts.after_error(httpx.ReadError("reset"))
    assert answered() == 204


@sync_and_async
def test_404_to_retried_delete_is_logged_as_success(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer([LOST, NOT_FOUND]) as server, caplog.at_level(logging.INFO, "interactor"):
        call(mode, settings(server), delete)
    about_it = [record for record in caplog.records if "DELETE" in record.getMessage()]
    assert [(record.levelname, getattr(record, "status_code", None)) for record in about_it] == [
        ("WARNING", None),
        ("INFO", None),
        ("INFO", 204),
    ]
    assert "404" in about_it[1].getMessage()
    assert about_it[2].request_id == "req_again"  # type: ignore[attr-defined]
