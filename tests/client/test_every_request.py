"""What holds for every way to make a request: telemetry, `on_response`, extras of a view, `sent=`, and no secret told.

`test_deadline_table.py` has the deadlines of the same table.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

import httpx
import pytest

from interactor_ext import APIConnectionError, APIStatusError, ConfigurationError, InteractorError, ResponseInfo
from interactor_ext.telemetry import PoolOpened, RequestEnded
from tests.support.every_request import NEED_A_TOKEN, ROWS, Row
from tests.support.modes import call, sync_and_async
from tests.support.telemetry import Recorded

SECRET, TOKEN, GATEWAY = "secret_8f3a61c9d2", "token_51d7e2aa90", "gateway_key_77b0c4"
SETTINGS: dict[str, Any] = {
    "client_id": "client_x",
    "client_secret": SECRET,
    "core_api_url": "https://core.example/api/v1",
    "account_server_url": "https://account.example/api/v1",
    "max_retries": 0,
    "circuit_breaker": False,
}


class Platform(httpx.MockTransport):
    """Hands out tokens; refuses all else with an error that quotes the secrets of the request, or without an answer."""

    def __init__(self, failure: type[httpx.TransportError] | None = None) -> None:
        super().__init__(self._handle)
        self._failure = failure
        self.requests: list[httpx.Request] = []
        self.token_requests: list[httpx.Request] = []

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token") and b"client_x" in request.content:
            self.token_requests.append(request)
            return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 900})
        self.requests.append(request)
        heard = f"{request.headers.get('authorization')} {request.headers.get('x-gateway-key')} {SECRET}"
        if self._failure is not None:
            raise self._failure(heard)
        error = {"code": "TEAPOT", "message": heard, "details": [{"field": "x", "message": heard}], "request_id": heard}
        return httpx.Response(418, json={"error": error}, headers={"X-Echo": heard, "X-Request-Id": heard})


class Recorder(Recorded):
    """A telemetry, and what `on_response` was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[ResponseInfo] = []


def outcome(mode: str, row: Row, platform: Platform, recorder: Recorder, **options: Any) -> Any:
    """What the row returns, or the error that it raises."""

    def use(client: Any) -> Any:
        headers = {"X-Trace": "trace 1", "X-Gateway-Key": GATEWAY}
        view = client.namespace("user_1").with_options(headers=headers, query={"dry_run": True})
        return row.use(view.with_options(on_response=recorder.told.append, **options))

    try:
        return call(mode, {**SETTINGS, "transport": platform, "telemetry": recorder}, use)
    except InteractorError as error:
        return error


def names_of(request: httpx.Request) -> tuple[str, str, str]:
    """Method, endpoint and operation of a request as the telemetry should have them."""
    operation = request.extensions.get("operation")
    return (request.method, "other", "") if operation is None else (request.method, operation.path, operation.id)


# With a time of its own, it would be too short for a busy machine.
TIMELESS = [row for row in ROWS if not row.name.endswith(" timeout=")]


@sync_and_async
def test_every_request_has_the_extras_of_its_view_is_told_of_and_shows_no_secret(
    subtests: pytest.Subtests, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    for row in TIMELESS:
        with subtests.test(row.name):
            caplog.clear()
            caplog.set_level(logging.DEBUG, "interactor")
            platform, recorder = Platform(), Recorder()
            result = outcome(mode, row, platform, recorder)
            assert bool(platform.requests) != (row.name in NEED_A_TOKEN)
            for request in platform.requests:
                assert (request.headers["x-trace"], request.headers["x-gateway-key"]) == ("trace 1", GATEWAY)
                assert request.url.params["dry_run"] == "true"
                assert request.headers.get("x-namespace") == (
                    None if request.url.host == "account.example" else "user_1"
                )
            for request in platform.token_requests:
                assert "x-trace" not in request.headers
                assert not request.url.query

            sent = [*platform.token_requests, *platform.requests]
            ended = [
                (event.request.method, event.request.endpoint, event.request.operation)
                for event in recorder.of(RequestEnded)
            ]
            assert sorted(ended) == sorted(map(names_of, sent))
            assert sorted(info.operation for info in recorder.told) == sorted(
                names_of(each)[2] for each in platform.requests
            )
            assert {info.status for info in recorder.told} <= {418}
            assert recorder.of(PoolOpened) == []  # a transport of the user's own has no numbers to show

            if isinstance(result, InteractorError):
                assert isinstance(result, APIStatusError)
                assert result.status == 418
            else:
                assert row.returns or row.name in NEED_A_TOKEN or row.name.endswith("_detailed"), result
            shown = [caplog.text, *(str((vars(record), record.getMessage())) for record in caplog.records)]
            shown += [f"{info} {list(info.headers.items())}" for info in recorder.told]
            if isinstance(result, InteractorError):
                shown += [
                    "".join(traceback.format_exception(result)),
                    str(vars(result)),
                    str(list(result.headers.items())),
                ]
            for secret in (SECRET, TOKEN, GATEWAY):
                assert not [text for text in shown if secret in text]


# A wait calls again.
ONCE = [row for row in ROWS if row.name not in NEED_A_TOKEN and "wait" not in row.name]


@sync_and_async
def test_every_request_without_an_answer_says_whether_it_was_sent(subtests: pytest.Subtests, mode: str) -> None:
    for row in ONCE:
        with subtests.test(row.name):
            for failure in (httpx.ConnectError, httpx.ReadError):
                recorder = Recorder()
                result = outcome(mode, row, Platform(failure), recorder)
                if row.returns:
                    assert result.status == "unhealthy"
                else:
                    assert isinstance(result, APIConnectionError)
                    assert result.sent is (failure is httpx.ReadError)
                assert recorder.told == []
                assert recorder.of(RequestEnded)[-1].error == "network"
                assert TOKEN not in f"{result} {result.__cause__ if isinstance(result, Exception) else ''}"


@sync_and_async
def test_explicit_idempotency_key_is_sent_or_refused(subtests: pytest.Subtests, mode: str) -> None:
    for row in TIMELESS:
        with subtests.test(row.name):
            platform, key = Platform(), "order-4711"
            result = outcome(mode, row, platform, Recorder(), idempotency_key=key)
            is_refused = isinstance(result, ConfigurationError)
            assert bool(platform.requests) != (is_refused or row.name in NEED_A_TOKEN)
            assert not is_refused or "idempotency key" in str(result)
            for request in platform.requests:
                assert request.headers.get("idempotency-key") == (None if request.method == "GET" else key)
