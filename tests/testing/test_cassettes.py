"""The wire format, pinned by cassettes: requests are compared with recorded ones, responses are replayed.

The cassettes were recorded from the sandbox over HTTP with secrets filtered; `make cassettes` records them anew. They
carry the addresses of the platform's own sandbox, so that a replay pins the URLs of `environment="sandbox"` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from interactor_client.models import Assistant, WorkflowState, WorkflowTransition
from interactor_ext import AsyncInteractorClient, InteractorClient, NotFoundError, ValidationError
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing.recording import is_recording

CASSETTES = Path(__file__).parents[1] / "cassettes"
CORE, ACCOUNT = "https://sandbox-core.interactor.com/api/v1", "https://sandbox-auth.interactor.com/api/v1"
PINNED_HEADERS = ("accept", "content-type", "x-namespace")

Cassette = Callable[[str], AbstractContextManager[dict[str, Any]]]


def same_headers(replayed: Any, recorded: Any) -> None:
    for name in PINNED_HEADERS:
        assert replayed.headers.get(name) == recorded.headers.get(name), name


@pytest.fixture
def cassette(interactor_vcr: Any) -> Cassette:
    """Keywords for a client whose traffic is recorded from a sandbox, or replayed without one."""
    interactor_vcr.register_matcher("same_headers", same_headers)

    @contextmanager
    def playing(name: str) -> Iterator[dict[str, Any]]:
        with ExitStack() as stack:
            settings: dict[str, Any] = {"client_id": "client_x", "client_secret": "secret_x", "environment": "sandbox"}
            if is_recording():
                sandbox = stack.enter_context(Sandbox().run())
                settings = {
                    "client_id": sandbox.client_id,
                    "client_secret": sandbox.client_secret,
                    "account_server_url": sandbox.account_server_url,
                    "core_api_url": sandbox.core_api_url,
                }

            def rename(request: Any) -> Any:
                for name, url in (("account_server_url", ACCOUNT), ("core_api_url", CORE)):
                    request.uri = request.uri.replace(settings.get(name, url), url)
                return request

            tape = stack.enter_context(
                interactor_vcr.use_cassette(
                    name,
                    cassette_library_dir=str(CASSETTES),
                    before_record_request=rename,
                    match_on=[*interactor_vcr.match_on, "same_headers"],
                )
            )
            yield settings
            assert is_recording() or tape.all_played

    return playing


def test_conversation_cassette_replays(cassette: Cassette) -> None:
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


async def test_pages_cassette_replays(cassette: Cassette) -> None:
    with cassette("pages") as settings:
        async with AsyncInteractorClient(**settings) as client:
            user = client.namespace("org_acme_user_7")
            for number in range(5):
                await user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="x")
            names = [assistant.name async for assistant in user.assistants.iterate(per_page=2)]
            assert sorted(names) == [f"Bot {number}" for number in range(5)]


def test_workflow_cassette_replays(cassette: Cassette) -> None:
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


def test_errors_cassette_replays(cassette: Cassette) -> None:
    with cassette("errors") as settings, InteractorClient(**settings) as client:
        user = client.namespace("user_123")
        with pytest.raises(NotFoundError) as missing:
            user.rooms.get("room_none")
        assert (missing.value.status, missing.value.code) == (404, "NOT_FOUND")
        assert missing.value.request_id
        with pytest.raises(ValidationError) as invalid:
            user.assistants.create(name="", model="gpt-4", system_prompt="x")
        assert invalid.value.details[0]["field"] == "name"
