"""`interactor webhooks`: events on demand, a receiver that registers itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer", reason="pip install typer rich")

from interactor_ext.sandbox import Sandbox
from interactor_ext.testing.deliveries import contract_events
from interactor_ext.webhooks import WebhookVerifier, parse_event
from tests.support import patient
from tests.support.scripted_server import Answer, Asked, OddServer, http
from tests.support.terminal import COMMAND, NAMESPACE, Shell, Terminal
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import SECRET, body_of

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures", "tests.support.webhook_fixtures"]


@pytest.fixture
def application() -> Iterator[OddServer]:
    """An application that takes every delivery, and fails at those of `room.message.created`."""

    def answer(asked: Asked) -> Answer:
        fails = parse_event(asked.body).event == "room.message.created"
        return http(500 if fails else 200, "out of order" if fails else "thank you", content_type="text/plain")

    with OddServer(answer) as server:
        yield server


def headers_of(asked: Asked) -> dict[str, str]:
    return {name: value.decode("latin-1") for name, value in asked.headers.items()}


def test_trigger_delivers_a_signed_event_to_a_url(shell: Shell, application: OddServer) -> None:
    to = f"--to {application.url}/hooks"
    assert shell.run(f"webhooks trigger credential.expired -n {NAMESPACE} {to}") == "200 thank you\n"
    changes = "--set data.credential_id=42 --set data.credential_id.a.b=7"
    assert "leads into a value that isn't an object" in shell.run(
        f"webhooks trigger credential.connected {changes} {to}", 1
    )
    changes = "--set data.credential_id=42 --set 'data.metadata={\"plan\": 7}' --set data.metadata.a.b=[1]"
    assert shell.run(f"webhooks trigger credential.connected {changes} {to}") == "200 thank you\n"
    assert shell.run(f"webhooks trigger room.message.created {to}", 1) == "500 out of order\n"
    first, second, _ = application.calls
    event = WebhookVerifier(SECRET).verify(first.body, headers_of(first))
    assert (event.event, event.namespace) == ("credential.expired", NAMESPACE)
    data = WebhookVerifier(SECRET).verify(second.body, headers_of(second)).to_dict()["data"]
    assert (data["credential_id"], data["metadata"]) == ("42", {"plan": 7, "a": {"b": [1]}})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            "credential.expire --to http://a.test",
            "Unknown webhook event 'credential.expire': write 'credential.expired'.",
        ),
        ("credential.expired --set reason=x --to http://a.test", "write --set data.FIELD=VALUE"),
        ("credential.expired --set data.reason --to http://a.test", "write --set data.FIELD=VALUE"),
        ("credential.expired --set data.nonsense=1 --to http://a.test", "has no field 'nonsense': choose from"),
        ("credential.expired --to http://127.0.0.1:9/", "No response from http://127.0.0.1:9/"),
        ("credential.expired --to nonsense", "--to isn't the URL of a receiver"),
        (f"credential.expired -n {NAMESPACE}", f"No active webhook of {NAMESPACE} listens for credential.expired"),
    ],
)
def test_trigger_says_what_is_wrong(shell: Shell, arguments: str, complaint: str) -> None:
    assert complaint in shell.run(f"webhooks trigger {arguments}", 1)


def test_trigger_without_a_sandbox_names_the_option(shown_by: Callable[..., str], sandbox: Sandbox) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        hook = user.webhooks.create(url="http://127.0.0.1:9/", events=["credential.expired"])
    page = json.dumps({"data": [hook.to_dict()], "meta": {"page": 1, "per_page": 20, "total": 1, "has_more": False}})
    with OddServer(lambda asked: http(200 if asked.method == "GET" else 404, page)) as platform:
        environment = {
            "INTERACTOR_CORE_API_URL": f"{platform.url}/core",
            "INTERACTOR_ACCOUNT_SERVER_URL": f"{platform.url}/account",
        }
        shown = shown_by("webhooks", "trigger", "credential.expired", "-n", NAMESPACE, status=1, **environment)
    assert "isn't a sandbox, and only a sandbox publishes events on demand. Pass --to URL." in shown


def test_every_event_can_be_triggered(shell: Shell, application: OddServer) -> None:
    for name in contract_events():
        shell.begin(f"webhooks trigger {name} --to {application.url}")
        shell.ended(1 if name == "room.message.created" else 0)
    assert [parse_event(asked.body).event for asked in application.calls] == list(contract_events())
    assert len({type(parse_event(asked.body)) for asked in application.calls}) == len(contract_events())


def webhooks_of(sandbox: Sandbox) -> list[Any]:
    with sandbox.client(namespace=NAMESPACE) as user:
        return list(user.webhooks.list())


def test_listen_registers_itself_forwards_and_removes_itself(
    terminal: Callable[..., Terminal], shell: Shell, sandbox: Sandbox, application: OddServer, tmp_path: Path
) -> None:
    to = f"{application.url}/hooks"
    kept = tmp_path / "kept"
    listening = terminal("webhooks", "listen", "--port", "0", "-n", NAMESPACE, "--forward-to", to, "--save", str(kept))
    listening.until("Registered wh_", "in user_1 for all events", "forwarding to", "Ctrl-C")
    [webhook] = webhooks_of(sandbox)
    assert webhook.url in listening.seen
    shown = shell.run(f"webhooks trigger credential.expired -n {NAMESPACE} --set data.provider=because")
    event_id = sandbox.events[-1]["id"]
    assert shown == f"credential.expired {event_id} goes to {webhook.url}\n"
    listening.until(f"{event_id} of user_1", "because", f"{to} responded ", "200", "thank you")
    # What the application answers goes back to the platform, which tries again.
    shell.run(f"webhooks trigger room.message.created -n {NAMESPACE}")
    listening.until(sandbox.events[-1]["id"], f"{to} responded ", "500", "out of order")
    eventually(lambda: [each.status for each in sandbox.deliveries] == [200, 500])
    sandbox.redeliver(sandbox.deliveries[0])
    listening.until(f"{to} responded ", "200", "thank you")
    assert [asked.target for asked in application.calls] == ["/hooks"] * 3
    for asked in application.calls:
        headers = headers_of(asked)
        WebhookVerifier(SECRET).verify(asked.body, headers)
        assert headers["x-interactor-event"] == parse_event(asked.body).event
        assert headers["content-type"] == "application/json"
    eventually(lambda: len(list(kept.iterdir())) == 3)
    forged = patient.post(
        webhook.url, content=b"{}", headers={"X-Interactor-Signature": "0", "X-Interactor-Timestamp": "1"}
    )
    assert forged.status_code == 401
    listening.until("Refused with 401")
    assert len(application.calls) == 3
    listening.interrupt()
    listening.until(f"Deleted {webhook.id}.")
    listening.end()
    assert webhooks_of(sandbox) == []
    before = {each: each.read_text() for each in kept.iterdir()}
    again = terminal("webhooks", "listen", "--port", "0", "--save", str(kept))
    again.until("Listening at ", "Ctrl-C")
    url = again.seen.rpartition("Listening at ")[2].partition(". ")[0]
    shell.run(f"webhooks trigger credential.expired -n {NAMESPACE} --to {url}")
    eventually(lambda: len(list(kept.iterdir())) == len(before) + 1)
    assert all(each.read_text() == text for each, text in before.items())
    again.interrupt()
    again.end()


@pytest.mark.full
def test_listen_removes_itself_at_sigterm_and_names_what_it_could_not_remove(
    sandbox: Sandbox, application: OddServer
) -> None:
    environment = {**os.environ, **sandbox.env, "INTERACTOR_WEBHOOK_SECRET": SECRET}
    command = [*COMMAND, "webhooks", "listen", "--port", "0", "-n", NAMESPACE, "--forward-to", application.url]
    for fails in (False, True):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert "for all events. It will be deleted on exit" in process.stdout.readline()
            assert "Ctrl-C" in process.stdout.readline()
            [webhook] = webhooks_of(sandbox)
            if fails:
                sandbox.faults.add("delete_webhook", status=422, message="Not now.")
            process.send_signal(signal.SIGTERM)
            _, complaint = process.communicate(timeout=60)
        assert process.returncode == (1 if fails else 0), complaint
        assert (f"The webhook {webhook.id} is still registered" in complaint) is fails
        assert len(webhooks_of(sandbox)) == (1 if fails else 0)


def test_listen_refuses_options_that_lead_nowhere(shown_by: Callable[..., str], application: OddServer) -> None:
    listen = ["webhooks", "listen", "--port", "0"]
    assert "needs --forward-to" in shown_by(*listen, "--public-url", "https://a.test", status=2)
    to = ["--forward-to", application.url]
    elsewhere = {"INTERACTOR_CORE_API_URL": "https://core.example.com/api/v1"}
    assert "with --public-url" in shown_by(*listen, *to, status=1, **elsewhere)
    assert "INTERACTOR_WEBHOOK_SECRET isn't set" in shown_by(*listen, *to, status=1, INTERACTOR_WEBHOOK_SECRET="")


def test_replay_delivers_each_body(shell: Shell, application: OddServer, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(2)]
    for number, file in enumerate(files):
        file.write_bytes(body_of("credential.expired", key=f"k{number}"))
    names = " ".join(map(str, files))
    shown = shell.run(f"webhooks replay {names} --to {application.url}")
    assert shown.count("200 thank you") == 2
    assert [parse_event(asked.body).idempotency_key for asked in application.calls] == ["k0", "k1"]
    assert "No such file" in shell.run(f"webhooks replay {names} /nowhere --to {application.url}", 1)
    assert len(application.calls) == 2


def test_completion_of_events(shown_by: Callable[..., str]) -> None:
    words = "interactor webhooks trigger workflow.instance.c"
    shown = shown_by(_INTERACTOR_COMPLETE="complete_bash", COMP_CWORD="3", COMP_WORDS=words)
    assert set(shown.split()) == {"workflow.instance.completed", "workflow.instance.cancelled"}
