"""The migration tables from the platform's TypeScript and Python clients are complete and correct."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import pytest

import interactor_ext
from interactor_ext import AsyncInteractorClient, InteractorClient
from tests.support.pages import DOCS

PAGE = DOCS / "migration.md"

TYPESCRIPT = """
    InteractorClient cancelWorkflowInstance close completeOAuth createAssistant createDataSource createRoom createTool
    createWebhook createWorkflow deleteAssistant deleteDataSource deleteRoom deleteTool deleteWebhook deleteWorkflow
    getAccessToken getAssistant getCredentialToken getDataSource getInteractorClient getRoom getRoomStreamUrl getTool
    getWebhook getWorkflow getWorkflowInstance getWorkflowStreamUrl getWorkflowThread initiateOAuth isAuthenticated
    listAssistants listCredentials listDataSources listMessages listRooms listTools listWebhooks listWorkflowInstances
    listWorkflows refreshCredential resetInteractorClient revokeCredential rotateWebhookSecret sendMessage
    sendWorkflowThreadMessage startWorkflowInstance submitToolResult submitWorkflowInput syncDataSource
    triggerWorkflowEvent updateAssistant updateWebhook validateInteractorEnv withRetry
""".split()  # noqa: SIM905
PYTHON = """
    InteractorClient InteractorClientSync cancel_workflow_instance complete_oauth create_assistant create_data_source
    create_room create_tool create_webhook create_workflow delete_assistant delete_credential delete_data_source
    delete_room delete_tool delete_webhook delete_workflow get_assistant get_credential get_credential_token
    get_data_source get_oauth_status get_room get_room_stream_url get_sync_client get_tool get_webhook get_workflow
    get_workflow_instance get_workflow_stream_url get_workflow_thread initiate_oauth list_assistants list_credentials
    list_data_sources list_messages list_rooms list_tools list_webhooks list_workflow_instances list_workflows
    refresh_credential revoke_credential rotate_webhook_secret send_message send_workflow_thread_message
    start_workflow_instance submit_tool_result submit_workflow_input sync_data_source trigger_workflow_event
    update_assistant update_room update_webhook validate_env
""".split()  # noqa: SIM905


def rows() -> Iterator[list[list[str]]]:
    """The names in each cell of the two tables whose rows name methods: before, here, more."""
    text = PAGE.read_text()
    for heading in ("Clients", "Methods"):
        table = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert table is not None
        for line in table[1].splitlines():
            if line.startswith("|") and "`" in line:
                yield [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]


def calls() -> list[str]:
    return [call for _, here, *_ in rows() for call in here]


def test_every_name_of_the_old_clients_is_in_one_row() -> None:
    assert sorted(name for before, *_ in rows() for name in before) == sorted({*TYPESCRIPT, *PYTHON})
    assert all(here for _, here, *_ in rows())


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    with InteractorClient(client_id="a", client_secret="b") as client:
        yield [client, AsyncInteractorClient(client_id="a", client_secret="b")]


def test_every_old_name_is_answered_by_the_new_one(clients: list[Any]) -> None:
    wrong = []
    for client in clients:
        for before, here, *_ in rows():
            called = [name.removeprefix("await ").partition("(")[0] for name in here]
            for name in before:
                owner: Any = interactor_ext if "." not in called[0] else client
                if hasattr(owner, name):
                    continue
                with pytest.raises(AttributeError) as caught:
                    getattr(owner, name)
                meant = (
                    str(caught.value).rpartition(": write ")[2].removesuffix("(...)").rpartition(").")[2].lstrip(".")
                )
                if not any(each.endswith(f".{meant}") or each == meant for each in called):
                    wrong.append((name, meant, called))
    # The shared client of TypeScript is async, as all its clients are.
    assert {each[:2] for each in wrong} == {("getInteractorClient", "get_client")}


def test_new_method_exists_and_takes_the_arguments_of_the_table(subtests: pytest.Subtests, clients: list[Any]) -> None:
    for call in calls():
        with subtests.test(call=call):
            name, arguments = re.fullmatch(r"(?:await )?([\w.]+)\((.*)\)", call).groups()  # type: ignore[union-attr]
            words = arguments.split(", ") if arguments else []
            positional = [word for word in words if not word.endswith("=")]
            keywords = {word[:-1]: None for word in words if word.endswith("=")}
            for method in found(name, clients):
                signature = inspect.signature(method)
                signature.bind(*positional, **keywords)
                if name.startswith("user."):
                    named = {each.name for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD}
                    assert named == {*positional, *keywords}, (
                        "the row of the method in docs/migration.md has all that it takes"
                    )


def found(target: str, clients: list[Any]) -> list[Callable[..., Any]]:
    """The method that a name in the table stands for, sync and async."""
    owner, *path = target.split(".")
    if owner not in ("client", "user"):
        return [getattr(interactor_ext, target)]
    if path in (["close"], ["aclose"]):
        clients = [client for client in clients if hasattr(client, *path)]
    return [attrgetter(".".join(path))(client) for client in clients]
