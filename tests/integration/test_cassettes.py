"""The wire format, pinned: what the client sends is compared with recorded requests; what it reads is recorded.

The cassettes were recorded from the sandbox over HTTP with secrets filtered; `make cassettes` records them anew. They
carry the addresses of the platform's own sandbox, so that a replay pins the URLs of `environment="sandbox"` as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml

from interactor_client.models import Assistant, WorkflowState, WorkflowTransition
from interactor_ext import AsyncInteractorClient, InteractorClient, NotFoundError, ValidationError
from interactor_ext.sandbox import Sandbox

CASSETTES = Path(__file__).parents[1] / "cassettes"
RECORDING = "INTERACTOR_RECORD" in os.environ
CORE, ACCOUNT = "https://sandbox-core.interactor.com/api/v1", "https://sandbox-auth.interactor.com/api/v1"
SECRETS = {"client_id", "client_secret", "access_token", "secret"}
PINNED_HEADERS = ("accept", "content-type", "x-namespace")
# What differs from one recording to the next and says nothing about the format.
VOLATILE_HEADERS = ["host", "user-agent", "connection", "accept-encoding", "content-length"]


def masked(body: bytes | str | None) -> Any:
    """A JSON body with its secrets masked, so that a recording holds none and a replay does not depend on one."""
    if not body:
        return None

    def mask(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: "MASKED" if key in SECRETS else mask(item) for key, item in value.items()}
        return [mask(item) for item in value] if isinstance(value, list) else value

    return mask(json.loads(body))


def same_body(replayed: Any, recorded: Any) -> None:
    assert masked(replayed.body) == masked(recorded.body)


def same_headers(replayed: Any, recorded: Any) -> None:
    for name in PINNED_HEADERS:
        assert replayed.headers.get(name) == recorded.headers.get(name), name


@contextmanager
def cassette(name: str) -> Iterator[dict[str, Any]]:
    """Keywords for a client whose traffic is recorded from a sandbox, or replayed without one."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"client_id": "client_x", "client_secret": "secret_x", "environment": "sandbox"}
        rename: Callable[[str], str] = str
        if RECORDING:
            (CASSETTES / f"{name}.yaml").unlink(missing_ok=True)
            sandbox = stack.enter_context(Sandbox().run())
            core, account = sandbox.core_api_url, sandbox.account_server_url
            settings = {
                "client_id": sandbox.client_id,
                "client_secret": sandbox.client_secret,
                "core_api_url": core,
                "account_server_url": account,
            }

            def rename(uri: str) -> str:
                return uri.replace(account, ACCOUNT).replace(core, CORE)

        def clean_request(request: Any) -> Any:
            request.uri = rename(request.uri)
            if request.body:
                request.body = json.dumps(masked(request.body)).encode()
            return request

        def clean_response(response: Any) -> Any:
            text = response["body"].get("string") or b""
            if text.lstrip().startswith(b"{"):
                response["body"]["string"] = json.dumps(masked(text)).encode()
                response["headers"].pop("content-length", None)
            return response

        recorder = vcr.VCR(
            cassette_library_dir=str(CASSETTES),
            record_mode="once" if RECORDING else "none",
            filter_headers=[("authorization", "Bearer MASKED"), ("idempotency-key", "MASKED"), *VOLATILE_HEADERS],
            before_record_request=clean_request,
            before_record_response=clean_response,
        )
        recorder.register_matcher("same_body", same_body)
        recorder.register_matcher("same_headers", same_headers)
        recorder.match_on = ["method", "uri", "same_body", "same_headers"]
        tape = stack.enter_context(recorder.use_cassette(f"{name}.yaml"))
        yield settings
        if not RECORDING:
            assert tape.all_played


def test_conversation() -> None:
    with cassette("conversation") as settings, InteractorClient(**settings) as client:
        user = client.namespace("user_123")
        bot = user.assistants.create(
            name="Support Bot", model="gpt-4", system_prompt="You are helpful.", temperature=0.2, max_tokens=256
        )
        assert isinstance(bot, Assistant)
        assert (bot.name, bot.created_at.utcoffset() is not None) == ("Support Bot", True)
        room = user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com", "tags": ["vip", 1]})
        assert room.metadata == {"email": "john@example.com", "tags": ["vip", 1]}
        answer = user.messages.send(room.id, content="Grüße, 世界!")
        assert answer.room_id == room.id
        listed = user.messages.list(room.id, order="asc", per_page=50)
        assert [message.role for message in listed.data] == ["user", "assistant"]
        assert user.assistants.update(bot.id, name="Renamed").name == "Renamed"
        assert user.assistants.delete(bot.id) is None


async def test_pages() -> None:
    with cassette("pages") as settings:
        async with AsyncInteractorClient(**settings) as client:
            user = client.namespace("org_acme_user_7")
            for number in range(5):
                await user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="x")
            names = [assistant.name async for assistant in user.assistants.iterate(per_page=2)]
            assert sorted(names) == [f"Bot {number}" for number in range(5)]


def test_workflow() -> None:
    with cassette("workflow") as settings, InteractorClient(**settings) as client:
        user = client.namespace("user_123")
        workflow = user.workflows.create(
            name="Approval",
            initial_state="review",
            states=[
                WorkflowState(
                    name="review",
                    type="halting",
                    transitions=[WorkflowTransition(to="done", condition="approved == true")],
                ),
                WorkflowState(name="done", type="terminal"),
            ],
        )
        halted = user.workflow_instances.start(workflow_id=workflow.id, context={"total": 599.99})
        assert (halted.status, halted.current_state) == ("halted", "review")
        finished = user.workflow_instances.submit_input(halted.id, body={"approved": True})
        assert (finished.status, finished.context["total"]) == ("completed", 599.99)


def test_errors() -> None:
    with cassette("errors") as settings, InteractorClient(**settings) as client:
        user = client.namespace("user_123")
        with pytest.raises(NotFoundError) as missing:
            user.rooms.get("room_none")
        assert (missing.value.status, missing.value.code) == (404, "NOT_FOUND")
        assert missing.value.request_id
        with pytest.raises(ValidationError) as invalid:
            user.assistants.create(name="", model="gpt-4", system_prompt="x")
        assert invalid.value.details[0]["field"] == "name"


def secrets_in(value: Any) -> Iterator[str]:
    """The values of fields that hold a secret, however deep they stand in a JSON body."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in SECRETS:
                yield str(item)
            else:
                yield from secrets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)


@pytest.mark.parametrize("path", sorted(CASSETTES.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_cassette_holds_a_secret(path: Path) -> None:
    found = []
    for interaction in yaml.safe_load(path.read_text())["interactions"]:
        for body in (interaction["request"]["body"], interaction["response"]["body"]["string"]):
            found += secrets_in(json.loads(body)) if body else []
        assert interaction["request"]["headers"].get("authorization", ["Bearer MASKED"]) == ["Bearer MASKED"]
    assert set(found) == {"MASKED"}
