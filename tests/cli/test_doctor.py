"""`interactor doctor` names the cause of each kind of trouble."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox

pytest.importorskip("typer", reason="pip install typer rich")
from interactor_ext.cli import main

trustme = pytest.importorskip("trustme", reason="pip install trustme")
pytest_plugins = ["tests.support.sandbox_fixtures"]

VARIABLES = ("CLIENT_ID", "CLIENT_SECRET", "ACCOUNT_SERVER_URL", "CORE_API_URL", "SCOPES")
Examine = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def examine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Run the doctor with variables and options; returns the exit status and the checks by name."""

    def run(variables: dict[str, str], *options: str) -> tuple[int, dict[str, Any]]:
        for name in VARIABLES:
            monkeypatch.delenv(f"INTERACTOR_{name}", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        status = main(["doctor", "--json", *options])
        shown, complaints = capsys.readouterr()
        report = json.loads(shown)
        assert complaints == ""
        assert report["ok"] == (status == 0)
        secret = variables.get("INTERACTOR_CLIENT_SECRET", "")
        assert not secret or secret not in shown
        assert all(check["advice"] for check in report["checks"] if check["status"] in ("failed", "warning"))
        # Of two servers, the one that is in trouble.
        by_name = sorted(report["checks"], key=lambda check: check["status"] == "failed")
        return status, {check["check"]: check for check in by_name}

    return run


def failed(checks: dict[str, Any]) -> set[str]:
    return {name for name, check in checks.items() if check["status"] == "failed"}


def test_healthy_setup_passes_every_check(examine: Examine, sandbox: Sandbox) -> None:
    with sandbox.client(namespace="user_1") as client:
        client.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
    status, checks = examine(sandbox.env, "--namespace", "user_1", "--strict")
    assert status == 0
    assert failed(checks) == set()
    ok = {name for name, check in checks.items() if check["status"] == "ok"}
    assert ok == {"environment", "DNS", "connection", "clock", "token", "scopes", "read call", "namespace"}
    assert checks["scopes"]["detail"] == "admin"


@pytest.mark.parametrize("missing", [{"INTERACTOR_CLIENT_ID"}, {"INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET"}])
def test_missing_variables_fail_environment_check(examine: Examine, sandbox: Sandbox, missing: set[str]) -> None:
    status, checks = examine({name: value for name, value in sandbox.env.items() if name not in missing})
    assert status == 1
    assert failed(checks) == {"environment"}
    assert all(name in checks["environment"]["detail"] for name in missing)
    assert {check["status"] for name, check in checks.items() if name != "environment"} == {"skipped"}


def test_advice_names_only_missing_variables(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine(sandbox.env, "--environment", "nope")
    assert (status, failed(checks)) == (1, {"environment"})
    assert "correct what is named here" in checks["environment"]["advice"]
    status, checks = examine({"INTERACTOR_CLIENT_ID": "app"}, "--environment", "sandbox")
    assert "export INTERACTOR_CLIENT_ID" in checks["environment"]["advice"]


def test_wrong_secret_fails_token_check(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_CLIENT_SECRET": "hunter2-of-another-environment"})
    assert status == 1
    assert failed(checks) == {"token"}
    assert "INTERACTOR_CLIENT_SECRET is wrong" in checks["token"]["advice"]


def test_unknown_host_fails_dns_check(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_CORE_API_URL": "https://core.interactor.invalid/api/v1"})
    assert status == 1
    assert failed(checks) == {"DNS"}
    assert "core.interactor.invalid" in checks["DNS"]["detail"]
    assert "INTERACTOR_CORE_API_URL" in checks["DNS"]["advice"]


def test_refused_connection_fails_connection_check(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_ACCOUNT_SERVER_URL": "http://127.0.0.1:9/api/v1"})
    assert status == 1
    assert failed(checks) == {"connection"}
    assert "127.0.0.1:9" in checks["connection"]["detail"]


def test_invalid_proxy_variable_fails_dns_check(
    examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://bob:hunter2#more@proxy.test:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    status, checks = examine(sandbox.env)
    assert (status, failed(checks)) == (1, {"DNS"})
    assert "HTTP_PROXY cannot be used" in checks["DNS"]["detail"]
    assert "hunter2" not in str(checks)


def test_insecure_or_contradictory_settings_fail_environment_check(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_CORE_API_URL": "http://core.example.com/api/v1"})
    assert (status, failed(checks)) == (1, {"environment"})
    assert "core.example.com is not local" in checks["environment"]["detail"]
    status, checks = examine(sandbox.env, "--environment", "sandbox")
    assert (status, failed(checks)) == (1, {"environment"})
    assert "INTERACTOR_ACCOUNT_SERVER_URL and INTERACTOR_CORE_API_URL" in checks["environment"]["detail"]


class _Handler(BaseHTTPRequestHandler):
    """Passes everything on to `target`, with a clock of its own; without a target, it is any web server."""

    protocol_version = "HTTP/1.1"
    target: str | None = None
    skew = 0.0

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.target is None:
            status, headers, answer = 200, {"Content-Type": "text/html"}, b"<html>Welcome to nginx!</html>"
        else:
            connection = http.client.HTTPConnection(self.target)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            status, headers, answer = response.status, dict(response.headers), response.read()
            connection.close()
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            if name.lower() not in ("date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Date", formatdate(time.time() + self.skew, usegmt=True))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815  (the name that http.server looks for)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(context: ssl.SSLContext | None = None, **attributes: Any) -> Iterator[str]:
    """The host and port of a server with that handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), attributes)) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def through(sandbox: Sandbox, place: str, scheme: str = "http") -> dict[str, str]:
    """The sandbox's variables, with its address replaced."""
    origin = sandbox.core_api_url.removesuffix("/api/v1")
    return {name: value.replace(origin, f"{scheme}://{place}") for name, value in sandbox.env.items()}


@pytest.mark.parametrize("variable", ["INTERACTOR_ACCOUNT_SERVER_URL", "INTERACTOR_CORE_API_URL"])
def test_other_server_fails_token_or_read_call_check(examine: Examine, sandbox: Sandbox, variable: str) -> None:
    with served() as place:
        status, checks = examine({**sandbox.env, variable: f"http://{place}/api/v1"})
    assert status == 1
    check = "token" if "ACCOUNT" in variable else "read call"
    assert failed(checks) == {check}
    assert variable in checks[check]["advice"]


@pytest.mark.parametrize("seconds", [-600, 600])
def test_clock_ten_minutes_off_fails_clock_check(examine: Examine, sandbox: Sandbox, seconds: float) -> None:
    with served(target=sandbox.core_api_url.split("/")[2], skew=seconds) as place:
        status, checks = examine(through(sandbox, place))
    assert status == 1
    assert failed(checks) == {"clock"}
    # The server's clock has seconds, and some of them may pass before its answer is read.
    told = re.search(r"(\d+) s (behind|ahead of) the server", checks["clock"]["detail"])
    assert told
    assert told[2] == ("behind" if seconds > 0 else "ahead of")
    assert abs(int(told[1]) - 600) <= 60
    assert checks["read call"]["status"] == "ok"  # what can be looked at all the same, is


@pytest.fixture
def authority(tmp_path: Any) -> Any:
    return trustme.CA()


def certified(authority: Any, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_untrusted_certificate_fails_tls_check(examine: Examine, sandbox: Sandbox, authority: Any) -> None:
    with served(certified(authority, "127.0.0.1"), target=sandbox.core_api_url.split("/")[2]) as place:
        status, checks = examine(through(sandbox, place, "https"))
    assert status == 1
    assert failed(checks) == {"TLS"}
    assert "certificate of 127.0.0.1 is not accepted" in checks["TLS"]["detail"]
    assert "SSL_CERT_FILE" in checks["TLS"]["advice"]


def test_certificate_of_other_name_fails_tls_check(
    examine: Examine, sandbox: Sandbox, authority: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    target = sandbox.core_api_url.split("/")[2]
    with served(certified(authority, "other.example"), target=target) as place:
        status, checks = examine(through(sandbox, place, "https"))
    assert (status, failed(checks)) == (1, {"TLS"})
    assert "mismatch" in checks["TLS"]["detail"]
    with served(certified(authority, "127.0.0.1"), target=target) as place:
        status, checks = examine(through(sandbox, place, "https"))
    assert (status, failed(checks)) == (0, set())
    assert checks["TLS"]["detail"].startswith("TLSv1.")


def test_plain_server_on_https_url_fails_tls_check(examine: Examine, sandbox: Sandbox) -> None:
    place = sandbox.core_api_url.split("/")[2]
    status, checks = examine(through(sandbox, place, "https"))
    assert (status, failed(checks)) == (1, {"TLS"})


def test_forbidden_scope_fails_token_check(examine: Examine, sandbox: Sandbox) -> None:
    sandbox.add_client("worker", "worker-s3cret", scopes=["rooms:read"])
    worker = {**sandbox.env, "INTERACTOR_CLIENT_ID": "worker", "INTERACTOR_CLIENT_SECRET": "worker-s3cret"}
    status, checks = examine({**worker, "INTERACTOR_SCOPES": "rooms:read assistants:write"})
    assert (status, failed(checks)) == (1, {"token"})
    assert "INTERACTOR_SCOPES" in checks["token"]["advice"]


def test_missing_scope_fails_scopes_check(examine: Examine, sandbox: Sandbox) -> None:
    sandbox.add_client("worker", "worker-s3cret", scopes=["rooms:read"])
    worker = {**sandbox.env, "INTERACTOR_CLIENT_ID": "worker", "INTERACTOR_CLIENT_SECRET": "worker-s3cret"}
    status, checks = examine(worker)
    assert (status, failed(checks)) == (1, {"scopes"})
    assert "lacks the scope assistants:read" in checks["scopes"]["detail"]
    status, checks = examine(worker, "--needs", "rooms:read", "--needs", "rooms:write")
    assert (status, failed(checks)) == (1, {"scopes"})
    assert checks["scopes"]["detail"] == "the token lacks the scope rooms:write"
    status, checks = examine({**worker, "INTERACTOR_SCOPES": "rooms:read"})
    assert (status, failed(checks)) == (0, set())  # little, but on purpose
    assert "/rooms" in checks["read call"]["detail"]


def test_unknown_scope_fails_scopes_check(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine(sandbox.env, "--needs", "foo:bar", "--needs", "rooms:read")
    assert (status, failed(checks)) == (1, {"scopes"})
    assert checks["scopes"]["detail"] == "there is no scope foo:bar"
    assert "rooms:write" in checks["scopes"]["advice"]
    assert examine(sandbox.env, "--needs", "rooms:read")[0] == 0  # an administrator has it


def test_client_without_read_scope_skips_read_call(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_SCOPES": "workflows:execute"})
    assert (status, failed(checks)) == (0, set())
    assert checks["read call"]["status"] == "skipped"


@pytest.mark.parametrize(("code", "answer"), [(403, "FORBIDDEN"), (404, "NOT_FOUND")])
def test_refused_namespace_fails_namespace_check(examine: Examine, sandbox: Sandbox, code: int, answer: str) -> None:
    sandbox.faults.add("list_assistants", namespace="user_404", status=code, code=answer, message="No such namespace.")
    status, checks = examine(sandbox.env, "-n", "user_404")
    assert (status, failed(checks)) == (1, {"namespace"})
    assert "'user_404' is unknown" in checks["namespace"]["detail"]
    assert "spelling" in checks["namespace"]["advice"]


def test_empty_namespace_warns(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine(sandbox.env, "-n", "user_nobody")
    assert (status, checks["namespace"]["status"]) == (0, "warning")
    assert "'user_nobody' is unknown so far" in checks["namespace"]["detail"]
    assert examine(sandbox.env, "-n", "user_nobody", "--strict")[0] == 1
    assert examine(sandbox.env, "-n", "line\nbreak")[0] == 1


@pytest.mark.parametrize(("operation", "check"), [("create_token", "token"), ("list_assistants", "read call")])
def test_rate_limited_client_gets_advice(examine: Examine, sandbox: Sandbox, operation: str, check: str) -> None:
    sandbox.faults.add(operation, status=429, retry_after=17, times=None)
    status, checks = examine(sandbox.env)
    assert (status, failed(checks)) == (1, {check})
    assert "rate limited: try again in 17 s" in checks[check]["advice"]


def test_server_errors_fail_with_advice(examine: Examine, sandbox: Sandbox) -> None:
    sandbox.faults.add("list_assistants", status=503, times=None)
    status, checks = examine(sandbox.env)
    assert (status, failed(checks)) == (1, {"read call"})
    assert "trouble of its own" in checks["read call"]["advice"]


def test_proxy_skips_dns_and_tls_checks(examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pr0xypass@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    variables = {**sandbox.env, "INTERACTOR_ACCOUNT_SERVER_URL": "https://auth.interactor.invalid/api/v1"}
    status, checks = examine({**variables, "INTERACTOR_CORE_API_URL": "https://core.interactor.invalid/api/v1"})
    assert status == 1
    assert "clock" in failed(checks)
    assert "pr0xypass" not in json.dumps(checks)


def test_doctor_output_for_people(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("INTERACTOR_CLIENT_SECRET", "hunter2-of-another")
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("✗ token"))
    assert "INTERACTOR_CLIENT_SECRET is wrong" in lines[at + 1]
    assert os.environ["INTERACTOR_CLIENT_SECRET"] not in "".join(lines)
