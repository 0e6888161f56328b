"""Tolerant reading, line by line of the contract: the client against a server that deviates from it."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    InteractorError,
    NotFoundError,
    RateLimitError,
    ResponseValidationError,
    ServerError,
    ValidationError,
)
from tests.support.modes import call, sync_and_async
from tests.support.scripted_server import ASSISTANT, SECRET, OddServer, http, js, refusing_url, settings_of


def listing(*names: str, **fields: Any) -> dict[str, Any]:
    return {"data": [{**ASSISTANT, "id": name} for name in names], **fields}


def get(mode: str, answer: bytes) -> Any:
    with OddServer(lambda asked: answer) as server:
        return call(mode, server.settings, lambda client: client.assistants.get("asst_1"))


@sync_and_async
class TestBodies:
    @pytest.mark.parametrize(
        ("data", "model", "field"),
        [
            ({name: value for name, value in ASSISTANT.items() if name != "id"}, "Assistant", "id"),
            ({**ASSISTANT, "name": 5}, "Assistant", "name"),
            ({**ASSISTANT, "created_at": "yesterday"}, "Assistant", "created_at"),
            ({**ASSISTANT, "tools": "none"}, "Assistant", "tools"),
            ([], "AssistantResponse", "data"),
            (None, "AssistantResponse", "data"),
            ("text", "AssistantResponse", "data"),
        ],
    )
    def test_invalid_body_raises_error_that_names_model_and_field(
        self, mode: str, data: Any, model: str, field: str
    ) -> None:
        with pytest.raises(ResponseValidationError) as caught:
            get(mode, js(200, {"data": data}, "X-Request-Id: req_7"))
        error = caught.value
        assert (error.model, error.field, error.status, error.request_id) == (model, field, 200, "req_7")
        for words in (model, field, "GET /assistants/{assistant_id}", "req_7"):
            assert words in str(error)

    @pytest.mark.parametrize("status", [200, 201, 203, 299])
    def test_any_2xx_status_is_a_success(self, mode: str, status: int) -> None:
        assert get(mode, js(status, {"data": ASSISTANT})).name == "Bot"

    def test_compressed_body_is_decoded(self, mode: str) -> None:
        body = gzip.compress(b'{"data": ' + repr(ASSISTANT).replace("'", '"').encode() + b"}")
        assert get(mode, http(200, body, "Content-Encoding: gzip")).name == "Bot"


@sync_and_async
class TestTokenResponses:
    @pytest.mark.parametrize("expires_in", [900, "3600", None, "soon", 3600.5])
    @pytest.mark.parametrize("envelope", [True, False])
    def test_token_response_is_read_with_and_without_envelope_and_expires_in(
        self, mode: str, expires_in: Any, envelope: bool
    ) -> None:
        token = {"access_token": "tok", "expires_in": expires_in}
        answer = js(200, {"data": token} if envelope else token)
        with OddServer(lambda asked: js(200, listing()), lambda asked: answer) as server:
            for _ in range(2):
                call(mode, server.settings, lambda client: client.assistants.list())
        assert [asked.token for asked in server.calls] == ["tok", "tok"]

    @pytest.mark.parametrize(
        ("answer", "cls", "code"),
        [
            (js(401, {"error": {"code": "AUTH_ERROR", "message": "no"}}), AuthenticationError, "AUTH_ERROR"),
            (js(401, {"error": "invalid_client", "error_description": "no"}), AuthenticationError, "invalid_client"),
            (js(400, {"error": "invalid_client"}), AuthenticationError, "invalid_client"),
            (js(400, {"error": "invalid_scope"}), AuthenticationError, "invalid_scope"),
            (http(401, "<html>"), AuthenticationError, "AUTH_ERROR"),
            (js(422, {"error": {"message": "no"}}), ValidationError, "VALIDATION_ERROR"),
            (js(429, {}, "Retry-After: 90"), RateLimitError, "RATE_LIMITED"),
            (http(503, "<html>"), ServerError, "API_ERROR"),
            (http(404, ""), NotFoundError, "NOT_FOUND"),
        ],
        ids=range(9),
    )
    def test_refused_token_request_raises_the_error_of_its_answer(
        self, mode: str, answer: bytes, cls: type[APIStatusError], code: str
    ) -> None:
        server = OddServer(lambda asked: js(200, listing()), lambda asked: answer)
        with server, pytest.raises(cls) as caught:
            call(mode, server.settings, lambda client: client.assistants.list())
        assert type(caught.value) is cls
        assert caught.value.code == code
        assert "POST /oauth/token" in str(caught.value)
        assert SECRET not in str(caught.value)
        assert server.calls == []


@sync_and_async
@pytest.mark.parametrize(
    "location", ["https://evil.example/", "//", "http://[::1", "\x7f", "https://\xff\xfe/", "mailto:x", ""]
)
def test_redirect_to_invalid_location_raises_interactor_error(mode: str, location: str) -> None:
    with pytest.raises(InteractorError):
        get(mode, http(302, b"", f"Location: {location}"))


PORTAL = b"\r\n <!DOCTYPE html><title>Sign in</title>"


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(200, PORTAL, "Content-Type: text/html; charset=utf-8"), "is a web page instead of JSON"),
        (http(200, PORTAL), "is a web page instead of JSON"),
        (http(200, b"Welcome", "Content-Type: text/HTML"), "is a web page instead of JSON"),
        (
            js(200, {"error": {"code": "NOPE", "message": f"No {SECRET}."}}),
            "is an error, though its status is 200: NOPE",
        ),
        (js(200, {"id": 7}), "doesn't fit its model"),
        (http(200, b"OK"), "doesn't fit its model"),
    ],
)
def test_success_that_holds_something_else_says_what(mode: str, answer: bytes, words: str) -> None:
    with pytest.raises(
        ResponseValidationError, match=f"The response to GET /assistants/{{assistant_id}} {words}"
    ) as caught:
        get(mode, answer)
    assert SECRET not in str(caught.value)
    assert ("INTERACTOR_CORE_API_URL" in str(caught.value)) == ("web page" in words)


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(200, PORTAL), "is a web page instead of JSON"),
        (js(200, {"error": {"code": "NOPE", "message": "No."}}), "is an error, though its status is 200: NOPE: No."),
        (js(200, {"data": {}}), None),
        (http(202, b"OK"), None),
    ],
)
@pytest.mark.parametrize("tag", ["assistants", "credentials", "data_sources", "workflow_instances"])
def test_call_without_a_result_raises_for_a_web_page_or_an_error_in_a_success(
    mode: str, tag: str, answer: bytes, words: str | None
) -> None:
    method = {"data_sources": "sync", "workflow_instances": "cancel"}.get(tag, "delete")
    with OddServer(lambda asked: answer) as server:
        if words is None:
            call(mode, server.settings, lambda client: getattr(getattr(client, tag), method)("id_1"))
        else:
            with pytest.raises(ResponseValidationError, match=words):
                call(mode, server.settings, lambda client: getattr(getattr(client, tag), method)("id_1"))


@sync_and_async
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            js(200, {"error": "invalid_client", "error_description": "Unknown client."}),
            "200: invalid_client: Unknown client.",
        ),
        (js(200, {"error": "invalid_scope"}), "200: invalid_scope."),
        (js(400, {"error": "invalid_scope"}), "invalid_scope.*Check INTERACTOR_SCOPES"),
        (http(200, PORTAL), "web page instead of JSON.*INTERACTOR_ACCOUNT_SERVER_URL"),
        (None, "no response: the server closed the connection without a response"),
    ],
)
def test_token_response_that_is_none_says_what_it_is(mode: str, answer: bytes | None, words: str) -> None:
    with (
        OddServer(lambda asked: answer, lambda asked: answer) as server,
        pytest.raises(InteractorError, match=words),
    ):
        call(mode, server.settings, lambda client: client.assistants.get("asst_1"))


@sync_and_async
def test_headers_in_unknown_encoding_are_read(mode: str) -> None:
    headers = ["X-Request-Id: r\xe9q_\xff", "X-RateLimit-Limit: \xb2", "X-RateLimit-Scope: \xe9", "Retry-After: \xb9"]
    with pytest.raises(NotFoundError) as caught:
        get(mode, http(404, b"", *headers))
    assert caught.value.request_id == "réq_ÿ"
    assert caught.value.retry_after is None
    assert get(mode, js(200, {"data": ASSISTANT}, *headers)).name == "Bot"


def unconnected(mode: str, url: str, error: type[APIConnectionError] = APIConnectionError, **options: Any) -> Any:
    with pytest.raises(error) as caught:
        call(mode, settings_of(url, max_retries=0, **options), lambda client: client.assistants.list())
    return caught.value


@sync_and_async
def test_refused_connection_raises_api_connection_error(mode: str) -> None:
    with refusing_url() as url:
        error = unconnected(mode, url)
    assert error.code == "NETWORK_ERROR"
    for words in ("POST /oauth/token", "127.0.0.1", "Is the sandbox running?"):
        assert words in str(error)


@sync_and_async
@pytest.mark.parametrize("host", ["no-such-host.local", f"{'a' * 70}.local"])
def test_unknown_host_raises_api_connection_error(mode: str, host: str) -> None:
    assert not unconnected(mode, f"http://{host}").sent
