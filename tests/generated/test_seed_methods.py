"""The migration table from the platform's TypeScript and Python clients is complete and correct."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interactor_ext
from interactor_ext import AsyncInteractorClient, InteractorClient

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"

TYPESCRIPT = """
    cancelWorkflowInstance completeOAuth createAssistant createDataSource createRoom createTool createWebhook
    createWorkflow deleteAssistant deleteDataSource deleteRoom deleteTool deleteWebhook deleteWorkflow getAccessToken
    getAssistant getCredentialToken getDataSource getInteractorClient getRoom getRoomStreamUrl getTool getWebhook
    getWorkflow getWorkflowInstance getWorkflowStreamUrl getWorkflowThread initiateOAuth isAuthenticated listAssistants
    listCredentials listDataSources listMessages listRooms listTools listWebhooks listWorkflowInstances listWorkflows
    refreshCredential resetInteractorClient revokeCredential rotateWebhookSecret sendMessage sendWorkflowThreadMessage
    startWorkflowInstance submitToolResult submitWorkflowInput syncDataSource triggerWorkflowEvent updateAssistant
    updateWebhook validateInteractorEnv withRetry
"""
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
"""


def rows() -> Iterator[tuple[list[str], list[str], list[str]]]:
    """The names in each cell of the table."""
    for line in PAGE.read_text().splitlines():
        cells = line.strip("|").split("|")
        if len(cells) == 3 and "`" in line:
            typescript, python, here = (re.findall(r"`([^`]+)`", cell) for cell in cells)
            yield typescript, python, here


@pytest.fixture(scope="module")
def table() -> dict[str, list[str]]:
    return {name: here for typescript, python, here in rows() for name in (*typescript, *python)}


@pytest.mark.parametrize("name", [*TYPESCRIPT.split(), *PYTHON.split()])
def test_each_method_of_the_migration_table_exists(name: str, table: dict[str, list[str]]) -> None:
    targets = table[name]
    assert targets
    for target in targets:
        assert found(target) is not None


def found(target: str) -> Any:
    """The method that a name in the table stands for, sync and async."""
    owner, *path = target.split(".")
    if owner not in ("client", "user"):
        return getattr(interactor_ext, target)
    with InteractorClient(client_id="a", client_secret="b") as client:
        value: Any = client
        for step in path:
            value = getattr(value, step)
    twin: Any = AsyncInteractorClient(client_id="a", client_secret="b")
    for step in ["aclose"] if path == ["close"] else path:
        twin = getattr(twin, step)
    assert callable(value)
    assert callable(twin)
    return value
