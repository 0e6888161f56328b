"""The error classes, and how any error response becomes one of them."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any, get_args

import httpx
import pytest

import interactor_ext
from interactor_client.models import KnownErrorCode
from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    CircuitOpenError,
    ConfigurationError,
    ConflictError,
    CredentialExpiredError,
    GoneError,
    InteractorClient,
    InteractorError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseValidationError,
    ServerError,
    StreamError,
    ValidationError,
    WebhookBusyError,
    WebhookError,
    WebhookPayloadError,
    WebhookStoreError,
    WebhookVerificationError,
)
from tests.support.wire import BODY, SECRET, Wire

TOKEN = "tok_51a7"

PARENTS = {
    ConfigurationError: InteractorError,
    APIConnectionError: InteractorError,
    APITimeoutError: APIConnectionError,
    APIStatusError: InteractorError,
    AuthenticationError: APIStatusError,
    PermissionDeniedError: APIStatusError,
    NotFoundError: APIStatusError,
    ConflictError: APIStatusError,
    GoneError: APIStatusError,
    ValidationError: APIStatusError,
    RateLimitError: APIStatusError,
    ServerError: APIStatusError,
    CredentialExpiredError: APIStatusError,
    ResponseValidationError: InteractorError,
    CircuitOpenError: InteractorError,
    StreamError: InteractorError,
    WebhookError: InteractorError,
    WebhookVerificationError: WebhookError,
    WebhookPayloadError: WebhookError,
    WebhookBusyError: WebhookError,
    WebhookStoreError: WebhookError,
}
STATUSES = {
    401: (AuthenticationError, "AUTH_ERROR"),
    403: (PermissionDeniedError, "FORBIDDEN"),
    404: (NotFoundError, "NOT_FOUND"),
    409: (ConflictError, "CONFLICT"),
    410: (GoneError, "GONE"),
    422: (ValidationError, "VALIDATION_ERROR"),
    429: (RateLimitError, "RATE_LIMITED"),
}


def error_of(
    status: int,
    content: bytes | str = b"",
    headers: dict[str, str] | None = None,
    use: Callable[[InteractorClient], object] = lambda client: client.assistants.get("asst_1"),
) -> APIStatusError:
    """The error of a call that is answered so."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token") and not request.headers.get("x-asked"):
            return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 900})
        return httpx.Response(status, content=content, headers=headers)

    settings = {**Wire().settings, "client_secret": SECRET, "transport": httpx.MockTransport(respond)}
    with InteractorClient(**settings) as client, pytest.raises(APIStatusError) as caught:
        use(client.with_options(headers={"X-Asked": "1"}))
    return caught.value


@pytest.mark.parametrize(("child", "parent"), PARENTS.items())
def test_error_classes_form_the_documented_tree(child: type[InteractorError], parent: type[InteractorError]) -> None:
    assert child.__bases__ == (parent,)
    assert getattr(interactor_ext, child.__name__) is child
    error = child("what happened")
    assert str(error) == error.message == "what happened"
    assert (error.status, error.request_id, error.retry_after, error.details) == (None, None, None, [])
    assert error.headers == {}
    assert error.code == child.default_code != ""


@pytest.mark.parametrize("status", [*range(300, 1000, 7), *STATUSES, 400, 418, 500, 503, 520, 599, 600, 999])
def test_every_status_has_its_error_class_and_default_code(status: int) -> None:
    error = error_of(status, b"{}")
    cls, code = STATUSES.get(status, (ServerError if 500 <= status < 600 else APIStatusError, "API_ERROR"))
    assert type(error) is cls
    assert (error.code, error.status) == (code, status)
    assert "GET /assistants/{assistant_id}" in str(error)
    assert str(status) in str(error)


def test_error_envelope_of_the_contract_is_read() -> None:
    error = error_of(
        422,
        json.dumps(
            {
                "error": {
                    "code": "VALIDATION_ERROR",
                    "message": "The request is invalid",
                    "details": [{"field": "name", "message": "must not be empty"}],
                    "request_id": "req_body",
                }
            }
        ),
        {"X-Request-Id": "req_header"},
    )
    assert error.details == [{"field": "name", "message": "must not be empty"}]
    assert error.request_id == "req_body"
    assert error.headers["x-request-id"] == "req_header"
    for word in ("The request is invalid", "name: must not be empty", "422", "VALIDATION_ERROR", "req_body"):
        assert word in str(error)
    assert pickle.loads(pickle.dumps(error)).message == "The request is invalid"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ('{"error": {"code": "REFRESH_FAILED", "message": "Reconnect"}}', "REFRESH_FAILED", "Reconnect"),
        ('{"error": "Something broke"}', "API_ERROR", "Something broke"),
        ('{"error": "invalid_client", "error_description": "Unknown client"}', "invalid_client", "Unknown client"),
        ('{"error": "invalid_scope"}', "invalid_scope", "invalid_scope"),
        ('{"message": "Not today"}', "API_ERROR", "Not today"),
        ('{"detail": "Not today", "code": "NOPE"}', "NOPE", "Not today"),
        ('{"title": "Closed", "detail": "Not today"}', "API_ERROR", "Closed: Not today ("),
        ("<html><body>502 Bad Gateway</body></html>", "API_ERROR", "The server responded with 400"),
        ("", "API_ERROR", "The server responded with 400"),
        ("null", "API_ERROR", "The server responded with 400"),
        ("[1, 2]", "API_ERROR", "The server responded with 400"),
        ('"text"', "API_ERROR", "The server responded with 400"),
        ('{"error": null}', "API_ERROR", "The server responded with 400"),
        ('{"error": 7}', "API_ERROR", "The server responded with 400"),
        ('{"error": []}', "API_ERROR", "The server responded with 400"),
        ('{"error": {}}', "API_ERROR", "The server responded with 400"),
        ('{"error": {"code": {"a": 1}, "message": [1], "details": "x"}}', "API_ERROR", "The server responded with 400"),
        (b"\xff\xfe\x00 garbage \x80", "API_ERROR", "The server responded with 400"),
        (b'{"error": {"message": "caf\xc3"}}', "API_ERROR", "The server responded with 400"),
        ("[" * 200_000, "API_ERROR", "The server responded with 400"),
        ('{"error":' * 50_000 + "1" + "}" * 50_000, "API_ERROR", "The server responded with 400"),
        ('{"error": {"message": ' + "9" * 5000 + "}}", "API_ERROR", "The server responded with 400"),
        ('{"error": {"message": "' + "m" * 3_000_000 + '"}}', "API_ERROR", "The server responded with 400"),
        ('{"error": {"message": "' + "m" * 100_000 + '"}}', "API_ERROR", "mmm"),
    ],
    ids=range(24),
)
def test_error_bodies_in_other_forms_are_read(content: bytes | str, code: str, words: str) -> None:
    error = error_of(400, content)
    assert error.code == code
    assert words in str(error)
    assert len(str(error)) < 3000
    assert isinstance(error.details, list)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"name": "too short", "model": "unknown"}, ["name: too short", "model: unknown"]),
        (["no", {"field": "name", "message": "too short"}], ["no", "name: too short"]),
        ("plain", []),
        ([None, 5], ["None", "5"]),
    ],
)
def test_details_in_any_form_become_a_list_of_dicts(details: Any, expected: list[str]) -> None:
    error = error_of(422, json.dumps({"error": {"message": "Invalid", "details": details}}))
    assert all(isinstance(item, dict) for item in error.details)
    for words in expected:
        assert words in str(error)


def test_deep_details_are_truncated() -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = {"message": deep}
    error = error_of(422, json.dumps({"error": {"details": [deep]}}))
    assert "bottom" not in repr(error.details)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "client id and the client secret"),
        (403, "scope"),
        (404, "namespace"),
        (409, "to check its status"),
        (410, "switched off"),
        (502, "Try again later"),
        (302, "Redirects aren't followed"),
    ],
)
def test_message_gives_advice_for_the_status(status: int, advice: str) -> None:
    assert advice in str(error_of(status, headers={"Location": "https://elsewhere.example/"}))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://sso.example/login?state=hunter2#hunter2", "It redirects to https://sso.example/login. Redirects"),
        ("https://user:hunter2@sso.example:8443/a@b;id=hunter2", "It redirects to https://sso.example:8443/a@b. "),
        ("/login?next=hunter2", "It redirects to /login. "),
        ("?code=hunter2", "). Redirects aren't followed"),
    ],
)
def test_redirect_names_where_it_leads_without_secrets(location: str, shown: str) -> None:
    message = str(error_of(302, headers={"Location": location}))
    assert shown in message
    assert "Check INTERACTOR_CORE_API_URL." in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "code", set(get_args(KnownErrorCode)) - {"API_ERROR", *(code for _, code in STATUSES.values())}
)
def test_message_gives_advice_for_each_code_that_says_more_than_its_status(code: str) -> None:
    message = str(error_of(400, json.dumps({"error": {"code": code, "message": "No"}})))
    assert not message.endswith(f"400 {code})."), (
        f"advice_on in interactor_ext/_interactor/views/advice.py says what to do after {code}"
    )


def test_404_without_id_in_the_path_advises_to_check_the_url() -> None:
    assert "check INTERACTOR_CORE_API_URL" in str(error_of(404, use=lambda client: client.assistants.list()))
    assert "check INTERACTOR_ACCOUNT_SERVER_URL" in str(error_of(404, use=revoke_token))


def test_message_names_every_detail() -> None:
    """Also several fields with the same fault."""
    same = "must be a string"
    details = [{"field": "model", "message": same}, {"field": "system_prompt", "message": same}]
    body = {"error": {"message": f"model: {same} (and 1 more)", "details": details}}
    message = str(error_of(422, json.dumps(body)))
    assert f"system_prompt: {same}" in message
    assert message.count("model: ") == 1


def test_conflict_advises_to_use_a_new_key_where_the_caller_chose_it() -> None:
    own = error_of(409, use=lambda client: client.with_options(idempotency_key="k").assistants.create(**BODY))
    assert str(own).endswith("Use a new key for another body.")
    for use in (lambda client: client.assistants.create(**BODY), lambda client: client.assistants.get("asst_1")):
        assert "key" not in str(error_of(409, use=use))
    expired = '{"error": {"code": "REFRESH_FAILED"}}'
    for use in (lambda client: client.credentials.list(), lambda client: client.assistants.create(**BODY)):
        assert str(error_of(409, expired, use=use)).endswith("The user must connect the credential again.")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12", 12.0), ("1.5", 1.5), ("-1", None), ("soon", None), ("nan", None), ("1e400", None), ("", None)],
)
def test_retry_after_header_sets_retry_after_of_the_error(value: str, seconds: float | None) -> None:
    error = error_of(429, headers={"Retry-After": value})
    assert error.retry_after == seconds
    assert ("Retry after" in str(error)) == (seconds is not None)


@pytest.mark.parametrize(("date", "seconds"), [("Wed, 21 Oct 2015 07:28:00 GMT", 2.0), ("today", 0.0)])
def test_date_in_retry_after_counts_from_the_date_of_the_response(date: str, seconds: float) -> None:
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:02 GMT", "Date": date}
    assert error_of(429, headers=headers).retry_after == seconds


CREDENTIALS: dict[str, Any] = {"client_id": "client_x", "client_secret": SECRET}


def revoke_token(client: InteractorClient) -> object:
    return client.oauth.revoke_token(token="x", **CREDENTIALS)


ERRORS = [
    error_of(
        429, '{"error": {"message": "m", "details": [{"field": "f"}]}}', {"Retry-After": "3", "X-Request-Id": "r"}
    ),
    ResponseValidationError("m", model="Assistant", field="name", status=200, headers=httpx.Headers({"A": "b"})),
    ConfigurationError("m"),
    CircuitOpenError("m", retry_after=1.5),
    CredentialExpiredError("m", credential_id="cred_1", namespace="user_1", status=409),
    InteractorError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],
    ids=["copy", "deep", "pickle"],
)
def test_errors_can_be_copied_and_pickled(error: InteractorError, duplicate: Any) -> None:
    error.add_note("a note")
    twin = duplicate(error)
    assert type(twin) is type(error)
    assert twin is not error
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


# What a server says, and what of it must not be shown.
ECHOES = {
    f"client_secret {SECRET} is wrong": SECRET,
    f"Bearer {TOKEN} has expired": TOKEN,
    "authorization: Bearer abc.def-ghi": "abc.def",
    "the token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is bad": "eyJ",
    'client_secret="hunter2abc"': "hunter2",
    "access_token=abc123def456&x=1": "abc123def456",
    "password: hunter2": "hunter2",
    "your secret 'f00ba4r9' is unknown": "f00ba4r9",
    "token: 8f3a61c9d2aa": "8f3a61c9d2aa",
    "whsec_1234567890": "1234567890",
}


@pytest.mark.parametrize("text", ECHOES)
def test_secret_echoed_by_the_server_is_masked_in_the_error(text: str) -> None:
    body = {
        "error": {"code": text, "message": text, "request_id": text, "details": [{"field": "x", "message": text}, text]}
    }
    for error in (
        error_of(400, json.dumps(body), {"X-Debug": text, "X-Request-Id": text}),
        error_of(400, json.dumps({"error": text, "error_description": text})),
        error_of(401, headers={"Set-Cookie": f"sid={TOKEN}", "WWW-Authenticate": text, "Authorization": text}),
    ):
        shown = f"{error} {error!r} {error.code} {error.details} {error.request_id} {dict(error.headers)}"
        assert not [leak for leak in ECHOES.values() if leak in shown], shown
        assert b"hunter2" not in pickle.dumps(error)
        assert not error.headers.keys() & {"set-cookie", "www-authenticate", "authorization"}


def test_details_field_named_like_a_secret_is_masked() -> None:
    details = [{"client-secret": "abc", "nested": [{"Access_Token": "abc"}], "count": 3, "flag": None}]
    error = error_of(422, json.dumps({"error": {"details": details}}))
    assert error.details == [{"client-secret": "***", "nested": [{"Access_Token": "***"}], "count": 3, "flag": None}]


def test_message_is_one_printable_line() -> None:
    error = error_of(400, json.dumps({"error": {"message": "a\r\nINFO forged\x1b[31m \u2028 \ud800 end"}}))
    text = str(error)
    assert text.encode()
    assert not [character for character in text if ord(character) < 32 or character in "\u2028\x7f"]
    assert "INFO forged" in text


def test_secret_across_the_truncation_leaves_no_part() -> None:
    error = error_of(400, json.dumps({"error": {"message": "x" * 990 + SECRET + "y" * 20_000}}))
    assert "secret_8" not in str(error)
