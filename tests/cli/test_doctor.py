"""`interactor doctor` names the cause of each kind of trouble."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
import tomllib
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.scripted_server import OddServer, Request, http

pytest.importorskip("typer", reason="pip install typer rich")
from interactor_ext.cli import main

trustme = pytest.importorskip("trustme", reason="pip install trustme")
pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]

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
    needs_namespace = {"INTERACTOR_REQUIRE_NAMESPACE": "1"}  # of other calls
    status, checks = examine({**sandbox.env, **needs_namespace}, "--namespace", "user_1", "--strict")
    assert status == 0
    assert failed(checks) == set()
    ok = {name for name, check in checks.items() if check["status"] == "ok"}
    assert ok == {"environment", "connection", "clock", "token", "scopes", "read call", "namespace"}
    assert checks["scopes"]["detail"] == "admin"


def test_variable_of_a_setting_that_only_its_keyword_sets_is_a_warning(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine({**sandbox.env, "INTERACTOR_TIMEOUT": "5", "INTERACTOR_TEAM": "shop"})
    assert (status, checks["environment"]["status"]) == (0, "warning")
    assert checks["environment"]["detail"] == "the SDK doesn't read INTERACTOR_TIMEOUT"


WORKER = {"INTERACTOR_CLIENT_ID": "worker", "INTERACTOR_CLIENT_SECRET": "worker-s3cret"}
UNKNOWN = "https://core.interactor.invalid/api/v1"
CASES = tomllib.loads(Path(__file__).with_name("doctor.toml").read_text())


@pytest.mark.parametrize("name", CASES)
def test_trouble_fails_its_check_with_advice(
    examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = {"changed": {}, "options": "", "detail": "", "advice": "", **CASES[name]}
    sandbox.add_client("worker", "worker-s3cret", scopes=["rooms:read"])
    if "fault" in case:
        sandbox.faults.add(**case["fault"])
    for each in ("no_proxy", "NO_PROXY") if "http_proxy" in case["changed"] else ():
        monkeypatch.delenv(each, raising=False)
    variables = {name: value for name, value in {**sandbox.env, **case["changed"]}.items() if value}
    status, checks = examine(variables, *case["options"].split())
    assert (status, failed(checks)) == (1, {case["failed"]})
    assert case["detail"] in checks[case["failed"]]["detail"]
    assert case["advice"] in checks[case["failed"]]["advice"]
    assert "hunter2" not in str(checks)


def test_connection_that_is_reset_at_once_fails_its_check(
    examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as reset:
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: reset)
        status, checks = examine(sandbox.env)
    assert (status, failed(checks)) == (1, {"connection"})


def test_scopes_of_a_client_are_enough_or_not_looked_at(examine: Examine, sandbox: Sandbox) -> None:
    sandbox.add_client("worker", "worker-s3cret", scopes=["rooms:read"])
    status, checks = examine({**sandbox.env, **WORKER, "INTERACTOR_SCOPES": "rooms:read"})
    assert (status, failed(checks)) == (0, set())  # little, but on purpose
    assert "/rooms" in checks["read call"]["detail"]
    assert examine(sandbox.env, "--needs", "rooms:read")[0] == 0  # an administrator has it
    status, checks = examine({**sandbox.env, "INTERACTOR_SCOPES": "workflows:execute"})
    assert (status, failed(checks), checks["read call"]["status"]) == (0, set(), "skipped")


def test_empty_namespace_warns(examine: Examine, sandbox: Sandbox) -> None:
    status, checks = examine(sandbox.env, "-n", "user_nobody")
    assert (status, checks["namespace"]["status"]) == (0, "warning")
    assert "'user_nobody' is empty" in checks["namespace"]["detail"]
    assert examine(sandbox.env, "-n", "user_nobody", "--strict")[0] == 1
    assert examine(sandbox.env, "-n", "line\nbreak")[0] == 1


def place(sandbox: Sandbox) -> str:
    return sandbox.core_api_url.split("/")[2]


def passing_on(sandbox: Sandbox, skew: float = 0.0, **options: Any) -> OddServer:
    """A server that passes everything on to the sandbox, with a clock of its own."""

    def answer(asked: Request) -> bytes:
        headers = {name: value for name, value in asked.headers.items() if name != "content-length"}
        response = patient.request(
            asked.method, f"http://{place(sandbox)}{asked.target}", headers=headers, content=asked.body
        )
        date = formatdate(time.time() + skew, usegmt=True)
        return http(response.status_code, response.content, f"Date: {date}")

    return OddServer(answer, **options)


def through(sandbox: Sandbox, server: OddServer | None, scheme: str = "http") -> dict[str, str]:
    """The sandbox's variables, with its address replaced."""
    origin = sandbox.core_api_url.removesuffix("/api/v1")
    there = place(sandbox) if server is None else f"127.0.0.1:{server.address[1]}"
    return {name: value.replace(origin, f"{scheme}://{there}") for name, value in sandbox.env.items()}


@pytest.mark.parametrize("variable", ["INTERACTOR_ACCOUNT_SERVER_URL", "INTERACTOR_CORE_API_URL"])
def test_other_server_fails_token_or_read_call_check(examine: Examine, sandbox: Sandbox, variable: str) -> None:
    with OddServer(lambda asked: http(200, "<html>Welcome to nginx!</html>", content_type="text/html")) as server:
        status, checks = examine({**sandbox.env, variable: f"{server.url}/api/v1"})
    check = "token" if "ACCOUNT" in variable else "read call"
    assert (status, failed(checks)) == (1, {check})
    assert variable in checks[check]["advice"]


@pytest.mark.parametrize("seconds", [-600, 600])
def test_clock_ten_minutes_off_fails_clock_check(examine: Examine, sandbox: Sandbox, seconds: float) -> None:
    with passing_on(sandbox, skew=seconds) as server:
        status, checks = examine(through(sandbox, server))
    assert (status, failed(checks)) == (1, {"clock"})
    # The server's clock has seconds, and some of them may pass before its answer is read.
    told = re.search(r"(\d+) s (behind|ahead of) the server", checks["clock"]["detail"])
    assert told
    assert told[2] == ("behind" if seconds > 0 else "ahead of")
    assert abs(int(told[1]) - 600) <= 60
    assert checks["read call"]["status"] == "ok"  # what can be looked at all the same, is


def test_certificate_is_checked_for_its_authority_and_its_name(
    examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, trusted, problem in (
        ("127.0.0.1", False, "certificate of 127.0.0.1 was rejected: its certificate authority isn't trusted here"),
        ("other.example", True, "it belongs to another host"),
        ("127.0.0.1", True, ""),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with passing_on(sandbox, tls=context) as server:
            status, checks = examine(through(sandbox, server, "https"))
        assert (status, failed(checks)) == ((1, {"TLS"}) if problem else (0, set())), name
        assert (problem or "TLSv1.") in checks["TLS"]["detail"]
        assert not problem or ("Check the host" if trusted else "set SSL_CERT_FILE") in checks["TLS"]["advice"]
    status, checks = examine(through(sandbox, None, "https"))
    assert (status, failed(checks)) == (1, {"TLS"})


def test_proxy_skips_dns_and_tls_checks(examine: Examine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pr0xypass@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    variables = {**sandbox.env, "INTERACTOR_ACCOUNT_SERVER_URL": "https://auth.interactor.invalid/api/v1"}
    status, checks = examine({**variables, "INTERACTOR_CORE_API_URL": UNKNOWN})
    assert status == 1
    assert "clock" in failed(checks)
    assert "pr0xypass" not in json.dumps(checks)


SHOP = "from interactor_ext.webhooks import *\nverifier = WebhookVerifier('whsec_5f1d3c')\nrouter = "
OVERDUE = "\nSQLiteEventQueue('queue.db', clock=lambda: time.time() - 100).put('old:idem_1', b'{}')"
HANDLER = "\nrouter.on('*')(print)"
STORE = f"{SHOP}WebhookRouter(verifier, SQLiteEventStore('events.db'), name='shop')"
# The module's code, the status of its check, and what it says.
ROUTERS = {
    "store": (STORE + HANDLER, "ok", "can reach its SQLiteEventStore"),
    "queue": (
        f"{SHOP}WebhookRouter(verifier, queue=SQLiteEventQueue('queue.db'), name='shop')",
        "ok",
        "SQLiteEventQueue",
    ),
    "renamed": (
        f"import time\n{SHOP}WebhookRouter(verifier, queue=SQLiteEventQueue('queue.db'), name='shop'){OVERDUE}",
        "warning",
        "Webhook events of the service 'old' have been due for more than a minute (1)",
    ),
    "memory": (f"{SHOP}WebhookRouter(verifier){HANDLER}", "warning", "remembers events in memory"),
    "no handler": (STORE, "failed", "It has no handlers"),
    "no disk": (STORE.replace("events.db", "no/where") + HANDLER, "failed", "store can't be used: unable to open"),
    "no router": ("", "failed", "has no 'router'"),
    "no variable": ("import os; os.environ['SHOP_SECRET']", "failed", "KeyError: 'SHOP_SECRET'"),
    "exit": ("import sys; sys.exit('Set the secret.')", "failed", "Set the secret."),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_router_is_checked_although_the_platform_is_out_of_reach(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    code, expected, detail = ROUTERS[name]
    module = f"doctor_{name.replace(' ', '_')}"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{module}.py").write_text(code)
    status, checks = examine({}, "--webhooks", f"{module}:router")
    assert (status, checks["environment"]["status"], checks["webhooks"]["status"]) == (1, "failed", expected)
    assert detail in checks["webhooks"]["detail"]


def test_doctor_output_for_people(shown_by: Callable[..., str]) -> None:
    lines = shown_by("doctor", status=1, INTERACTOR_CLIENT_SECRET="hunter2-of-another").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("FAIL token"))
    assert "INTERACTOR_CLIENT_SECRET is wrong" in lines[at + 1]
    assert "hunter2-of-another" not in "".join(lines)
