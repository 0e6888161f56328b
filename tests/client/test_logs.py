"""Log records of calls, and the redacting filter."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from interactor_ext import (
    APIConnectionError,
    APIStatusError,
    InteractorClient,
    NotFoundError,
    ResponseValidationError,
    RetryPolicy,
)
from interactor_ext.logs import RedactingFilter, user_id
from interactor_ext.sandbox import Sandbox
from tests.support.modes import call, sync_and_async
from tests.support.wire import Wire

pytest_plugins = ["tests.support.sandbox_fixtures"]
FAST = RetryPolicy(base_delay=0.001, max_delay=0.01)
FIELDS = ("request_id", "namespace", "endpoint", "method", "status_code", "duration_ms")
PLATFORM = {"client_id": "c", "client_secret": "s3cret-9", "environment": "sandbox"}
OPTIONAL = ("user_id", "resource_id", "error_code", "retry_count")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "interactor")
    return caplog


def of_calls(records: list[logging.LogRecord]) -> list[dict[str, Any]]:
    """The fields of each call's record, token requests aside."""
    ours = [vars(record) for record in records if record.name == "interactor" and hasattr(record, "duration_ms")]
    ours = [fields for fields in ours if fields["duration_ms"] is not None]  # not those of retries
    return [
        {name: fields[name] for name in (*FIELDS, *OPTIONAL) if name in fields} | {"level": fields["levelname"]}
        for fields in ours
        if fields["endpoint"] != "/oauth/token"
    ]


def settings(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    return sandbox._with_connection({"namespace": "user_1", "retry_policy": FAST, **more})


@sync_and_async
def test_each_call_logs_one_record_with_the_recommended_fields(
    sandbox: Sandbox, mode: str, log: pytest.LogCaptureFixture
) -> None:
    created = call(
        mode, settings(sandbox), lambda c: c.assistants.create(name="B", model="gpt-4", system_prompt="Help.")
    )
    record = of_calls(log.records)[0]
    assert record.pop("request_id") == sandbox.requests[-1].request_id
    assert 0 < record.pop("duration_ms") < 60_000
    assert record == {
        "namespace": "user_1",
        "endpoint": "/assistants",
        "method": "POST",
        "status_code": 201,
        "resource_id": created.id,
        "level": "INFO",
    }
    assert len(of_calls(log.records)) == 1
    assert [vars(each)["endpoint"] for each in log.records if each.name == "interactor"] == [
        "/oauth/token",
        "/assistants",
    ]


def test_record_of_a_create_has_the_id_of_the_new_resource(log: pytest.LogCaptureFixture) -> None:
    bodies = iter(
        [
            b"[]",
            b"{",
            b'{"data": {"id": 5}}',
            b'{"data": {"id": "a\\u0000b", "created_at": "never"}}',
            b'{"data": {"id": "x", "created_at": "never"}}',
        ]
    )

    with InteractorClient(**Wire(lambda request: httpx.Response(201, content=next(bodies))).settings) as client:
        for _ in range(5):
            with pytest.raises(ResponseValidationError):
                client.rooms.create(assistant_id="asst_1")
    assert [record.get("resource_id") for record in of_calls(log.records)] == [None, None, None, None, "x"]


def test_record_and_error_of_a_response_with_two_request_ids_have_both(log: pytest.LogCaptureFixture) -> None:
    headers = [("X-Request-Id", "req_platform"), ("X-Request-Id", "req_proxy")]
    wire = Wire(lambda request: httpx.Response(404, headers=headers))
    with InteractorClient(**wire.settings) as client, pytest.raises(NotFoundError) as raised:
        client.rooms.get("room_1")
    assert raised.value.request_id == of_calls(log.records)[0]["request_id"] == "req_platform, req_proxy"


@sync_and_async
def test_each_retry_logs_a_warning_and_is_counted(sandbox: Sandbox, mode: str, log: pytest.LogCaptureFixture) -> None:
    sandbox.faults.add("get_room", status=503, times=2)
    token = user_id.set("42")
    try:
        with pytest.raises(NotFoundError):
            call(mode, settings(sandbox), lambda c: c.rooms.get("room_ä/1"))
    finally:
        user_id.reset(token)
    retries = [record for record in log.records if "is retried" in record.getMessage()]
    assert [record.levelname for record in retries] == ["WARNING", "WARNING"]
    assert [vars(record)["retry_count"] for record in retries] == [1, 2]
    assert all(vars(record).keys() >= set(FIELDS) for record in retries)  # a format may name them
    assert [vars(record)["status_code"] for record in retries] == [503, 503]
    assert {vars(record)["endpoint"] for record in retries} == {"/rooms/{room_id}"}
    (record,) = of_calls(log.records)
    assert record | {"request_id": "", "duration_ms": 0} == {
        "request_id": "",
        "namespace": "user_1",
        "endpoint": "/rooms/{room_id}",
        "method": "GET",
        "status_code": 404,
        "duration_ms": 0,
        "user_id": "42",
        "resource_id": "room_%C3%A4%2F1",
        "error_code": "NOT_FOUND",
        "retry_count": 2,
        "level": "WARNING",
    }


@sync_and_async
def test_call_without_response_logs_a_warning(sandbox: Sandbox, mode: str, log: pytest.LogCaptureFixture) -> None:
    nobody = settings(sandbox, account_server_url="http://127.0.0.1:9/api", max_retries=0, retry_policy=None)
    with pytest.raises(APIConnectionError):
        call(mode, nobody, lambda c: c.rooms.list())
    (record,) = of_calls(log.records)
    assert record["status_code"] is None
    assert record["error_code"] == "NETWORK_ERROR"
    assert record["level"] == "WARNING"


def test_client_without_logging_configuration_prints_nothing(sandbox: Sandbox) -> None:
    code = """
        from interactor_ext import InteractorClient, NotFoundError
        with InteractorClient() as client:
            try: client.rooms.get("room_1")
            except NotFoundError: pass
    """
    code = "\n".join(line[8:] for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], env=sandbox.env, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def run_with_log(sandbox: Sandbox, value: str, code: str) -> str:
    """What a program that configures no logging writes to stderr with INTERACTOR_LOG."""
    environment = {**sandbox.env, "INTERACTOR_LOG": value}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


USE = """
from interactor_ext import InteractorClient, NotFoundError, RetryPolicy
with InteractorClient(namespace="user_1", retry_policy=RetryPolicy(base_delay=0)) as client:
    client.assistants.create(name="name of the bot", model="gpt-4", system_prompt="prompt of the bot")
    try: client.rooms.get("room_1")
    except NotFoundError: pass
    import logging
    logging.getLogger("interactor").warning("token=%s", client.get_access_token())
"""


def test_interactor_log_info_writes_a_line_for_each_call_to_stderr(sandbox: Sandbox) -> None:
    lines = run_with_log(sandbox, " INFO ", USE).splitlines()
    assert [line.split(" ", 2)[2].partition(" in ")[0] for line in lines[:3]] == [
        "INFO interactor: POST /oauth/token: 200",
        "INFO interactor: POST /assistants: 201",
        "WARNING interactor: GET /rooms/{room_id}: 404",
    ]
    assert lines[3].endswith("WARNING interactor: token=***")
    assert len(lines) == 4


def test_interactor_log_debug_adds_attempts_and_sizes_and_no_body(sandbox: Sandbox) -> None:
    sandbox.faults.add("get_room", status=503, times=1)
    written = run_with_log(sandbox, "debug", USE)
    for line in (
        r"DEBUG interactor: POST /oauth/token: attempt 1: 200 in \d+ ms, bytes sent: \d+, received: \d+\n",
        r"DEBUG interactor: POST /assistants: attempt 1: 201 in \d+ ms, bytes sent: \d\d+, received: \d\d+\n",
        r"DEBUG interactor: GET /rooms/{room_id}: attempt 1: 503 in \d+ ms, bytes sent: 0, received: \d\d+\n",
        r"DEBUG interactor: GET /rooms/{room_id}: attempt 2: 404 in \d+ ms, bytes sent: 0, received: \d\d+\n",
    ):
        assert len(re.findall(line, written)) == 1, written
    for secret in (sandbox.client_secret, "of the bot", "eyJ"):
        assert secret not in written


@sync_and_async
def test_attempt_without_response_is_logged_with_its_error(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "interactor")

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(APIConnectionError):
        call(mode, {**PLATFORM, "transport": httpx.MockTransport(refuse), "max_retries": 0}, lambda c: c.rooms.list())
    (record,) = [record for record in caplog.records if hasattr(record, "attempt")]
    fields = {name: vars(record)[name] for name in ("attempt", "endpoint", "status_code", "response_bytes")}
    assert fields == {"attempt": 1, "endpoint": "/oauth/token", "status_code": None, "response_bytes": None}
    assert "attempt 1: ConnectError in" in record.getMessage()


@sync_and_async
@pytest.mark.parametrize("status", [404, 503])
def test_failure_that_could_be_retried_is_logged_with_the_reason_why_not(
    mode: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "interactor")
    answer = httpx.MockTransport(lambda request: httpx.Response(status))
    with pytest.raises(APIStatusError):
        call(mode, {**PLATFORM, "transport": answer, "max_retries": 0}, lambda c: c.rooms.list())
    assert ("isn't retried: " in caplog.text) is (status == 503)


def test_unknown_interactor_log_is_a_warning_and_logs_nothing(sandbox: Sandbox) -> None:
    written = run_with_log(sandbox, "verbose", USE)
    assert "UserWarning: INTERACTOR_LOG must be 'info' or 'debug', not 'verbose'. Logging stays off." in written
    assert "oauth" not in written


def test_record_factory_of_the_application_may_set_the_same_fields(
    sandbox: Sandbox, log: pytest.LogCaptureFixture
) -> None:
    class OwnRecord(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.request_id = self.user_id = "own"

    logging.setLogRecordFactory(OwnRecord)
    try:
        call("sync", settings(sandbox), lambda c: c.rooms.list())
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    record = log.records[-1]
    assert type(record) is OwnRecord
    assert (record.request_id, record.user_id) == (sandbox.requests[-1].request_id, "own")


class Written(logging.Handler):
    """Keeps the formatted records that have passed a RedactingFilter."""

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self.addFilter(RedactingFilter(secrets))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name.startswith("x_")}
        self.lines.append(f"{self.format(record)} {json.dumps(extra)}")


SECRETS = ("hunter2hunter2", "whsec_77aa77", "envsecret-19", "eyJhbGciOi.eyJzdWIiOi.sig", "abc.def-123", "p4ssw0rd!")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", "envsecret-19\n")
    handler = Written("hunter2hunter2")
    logger = logging.getLogger("app.some.child")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_redacting_filter_masks_secrets_in_every_part_of_a_record(written: Written) -> None:
    logger = logging.getLogger("app.some.child")
    logger.warning("token %s and %(x)s", {"x": 1})  # arguments that do not fit
    logger.warning("Authorization: Bearer %s, %s", "abc.def-123", "hunter2hunter2")
    logger.warning("jwt %r", ["eyJhbGciOi.eyJzdWIiOi.sig"], extra={"x_header": "Bearer abc.def-123", "x_n": 5})
    logger.warning("f", extra={"x_body": {"client_secret": "p4ssw0rd!", "list": ["whsec_77aa77"]}}, stack_info=True)
    try:
        raise RuntimeError("client_secret=p4ssw0rd! or envsecret-19")
    except RuntimeError:
        logger.exception("failed with %s", "envsecret-19")
    text = "\n".join(written.lines)
    assert not [secret for secret in SECRETS if secret in text]
    assert "    raise RuntimeError" in text  # a traceback keeps its shape
    assert "test_redacting_filter_masks_secrets" in text
    assert '"x_n": 5' in text
    assert '"x_header": "Bearer ***"' in text


CONFIGURES_AFTER_IMPORT = """
import logging.config, sys
from interactor_ext._engine.logs import relay_logger
handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
logging.config.dictConfig({"version": 1, "handlers": {"h": handler}, "root": {"handlers": ["h"]}, **eval(sys.argv[1])})
relay_logger.error("of the relay")
"""


@pytest.mark.parametrize("setting", [{"disable_existing_loggers": False}, {"loggers": {"interactor": {}}}])
def test_logger_stays_enabled_as_the_page_says(setting: object) -> None:
    command = [sys.executable, "-c", CONFIGURES_AFTER_IMPORT, repr(setting)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (run.stdout, run.stderr) == ("of the relay\n", "")


def test_loggers_are_like_those_of_any_library() -> None:
    kinds = {type(logging.getLogger(f"interactor{name}")) for name in ("", ".webhooks", ".tools", ".relay", ".sandbox")}
    assert kinds == {logging.getLoggerClass()}
    assert any(isinstance(each, logging.NullHandler) for each in logging.getLogger("interactor").handlers)
