"""The types of the public surface: checked by mypy and pyright in `make check`, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, assert_type

import httpx
from pydantic import SecretStr

from interactor_client import ApiError
from interactor_client.api.assistants import create_assistant, list_assistants
from interactor_client.models import (
    Assistant,
    AssistantListResponse,
    AssistantResponse,
    CreateAssistantRequest,
    Credential,
    CredentialToken,
    ErrorResponse,
    Message,
    MessageComplete,
    MessageDelta,
    OAuthFlow,
    Room,
    StreamEvent,
    ThreadMessage,
    Webhook,
    WorkflowInstance,
)
from interactor_client.types import AsyncEventStream, EventStream, Page, Response
from interactor_ext import (
    APIStatusError,
    AsyncInteractorClient,
    Health,
    InteractorClient,
    InteractorConfig,
    InteractorError,
    RateLimitError,
    ResponseInfo,
    RetryPolicy,
    ToolSet,
    get_async_client,
    get_client,
    with_retry,
)
from interactor_ext.testing import example
from interactor_ext.webhooks import CredentialExpiredEvent, WebhookRouter, WebhookVerifier


def told(info: ResponseInfo) -> None:
    assert_type(info.operation, str)
    assert_type(info.request_id, str | None)
    assert_type(info.elapsed, float)


def sync_surface(client: InteractorClient) -> None:
    user = client.namespace("user_123")
    assert_type(user, InteractorClient)
    assert_type(user.with_options(timeout=5, max_retries=0, deadline=10, idempotency_key="k"), InteractorClient)
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="x", temperature=0.5)
    assert_type(bot, Assistant)
    assert_type(bot.id, str)
    tools = ToolSet()
    ensured = user.assistants.ensure(name="Bot", model="gpt-4", system_prompt="x", tools=tools)
    assert_type(ensured, Assistant)
    assert_type(ensured.outcome, Literal["created", "updated", "unchanged"] | None)
    assert_type(user.assistants.update(bot.id, tools=tools), Assistant)
    assert_type(user.assistants.create(name="Bot", model="gpt-4", system_prompt="x", tools=[""]), Assistant)
    user.assistants.create(name="Bot", model="gpt-4", system_prompt="x", tools=[7])  # type: ignore[list-item]
    router = WebhookRouter(WebhookVerifier("s"))
    assert_type(user.webhooks.ensure(url="https://x", events=router.events), Webhook)
    assert_type(user.webhooks.create(url="https://x", events=["workflow.*", "credential.expired"]), Webhook)
    user.webhooks.create(url="https://x", events=["credential.expird"])  # type: ignore[list-item]
    flow = user.credentials.initiate_oauth(provider="google", redirect_uri="https://x")
    assert_type(user.wait_for_oauth(flow), OAuthFlow)
    assert_type(user.workflow_instances.wait("wfi_1", until={"halted"}, timeout=5), WorkflowInstance)
    assert_type(user.assistants.list(page=1, per_page=20), Page[Assistant])
    assert_type(user.assistants.iterate(per_page=100, prefetch=4), Iterator[Assistant])
    assert_type(user.assistants.delete(bot.id), None)
    room = user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com"})
    assert_type(room, Room)
    assert_type(user.messages.send(room.id, content="Hello!"), Message)
    assert_type(user.credentials.list(status="active"), Page[Credential])
    assert_type(user.credentials.get_token("cred_1"), CredentialToken)
    assert_type(user.workflow_instances.submit_input("wfi_1", body={"approved": True}), WorkflowInstance)
    assert_type(user.webhooks.rotate_secret("wh_1"), Webhook)
    assert_type(client.get_access_token(), str)
    assert_type(user.with_options(headers={"X-A": "1", "X-B": None}, query={"a": 1, "b": ["x"]}), InteractorClient)
    assert_type(user.with_options(on_response=told), InteractorClient)
    assert_type(user.request("GET", "/things", params={"page": 2}, json={"a": 1}, headers={"A": "b"}), httpx.Response)
    assert_type(client.health(), Health)
    assert_type(client.room_stream_url("room_1"), str)
    assert_type(get_client(), InteractorClient)
    assert_type(get_client(InteractorConfig(timeout=5)), InteractorClient)
    InteractorClient(client_secret=lambda: "s")
    assert_type(get_client(timeout=5, retry_policy=RetryPolicy(), transport=httpx.HTTPTransport()), InteractorClient)


def by_position(user: InteractorClient, bot: Assistant, room: Room, run: WorkflowInstance) -> None:
    assert_type(user.rooms.create(bot.id), Room)
    assert_type(user.rooms.create(bot.id, metadata={"topic": "Orders"}), Room)
    assert_type(user.messages.send(room.id, "Hello!"), Message)
    assert_type(user.messages.send(room.id, "Hello!", stream=True, role="user"), Message)
    assert_type(user.tools.submit_result(room.id, "call_1", {"celsius": 18}), Message)
    assert_type(user.tools.submit_result(room.id, tool_call_id="call_1", result=None), Message)
    assert_type(user.workflow_instances.start("wf_1"), WorkflowInstance)
    assert_type(user.workflow_instances.start("wf_1", context={"order": 1}), WorkflowInstance)
    assert_type(user.workflow_instances.submit_input(run.id, {"approved": True}), WorkflowInstance)
    assert_type(user.workflow_instances.trigger_event(run.id, "skip", payload={"why": "late"}), WorkflowInstance)
    assert_type(user.workflow_instances.send_thread_message(run.id, "Why?"), ThreadMessage)
    user.messages.send(room.id, "Hello!", True)  # type: ignore[call-arg]
    user.messages.send(room.id, 3)  # type: ignore[arg-type]
    user.assistants.create("Bot", "gpt-4", "x")  # type: ignore[call-arg]


async def by_position_async(user: AsyncInteractorClient, bot: Assistant, room: Room, run: WorkflowInstance) -> None:
    assert_type(await user.rooms.create(bot.id), Room)
    assert_type(await user.messages.send(room.id, "Hello!"), Message)
    assert_type(await user.tools.submit_result(room.id, "call_1", 18), Message)
    assert_type(await user.workflow_instances.start("wf_1"), WorkflowInstance)
    assert_type(await user.workflow_instances.submit_input(run.id, {"approved": True}), WorkflowInstance)
    assert_type(await user.workflow_instances.trigger_event(run.id, "skip"), WorkflowInstance)
    assert_type(await user.workflow_instances.send_thread_message(run.id, "Why?"), ThreadMessage)


def examples_for_tests(error: ApiError) -> None:
    assert_type(example(Assistant, name="Bot"), Assistant)
    assert_type(example(CredentialExpiredEvent, namespace="user_1").namespace, str | None)
    assert_type(error.code, str | None)
    assert_type(error.message, str | None)
    example(dict, name="Bot")  # type: ignore[type-var]


def advice_is_an_error_for_type_checkers_too(user: InteractorClient, bot: Assistant) -> None:
    user.create_assistant()  # type: ignore[attr-defined]
    user.credentials.revoke("cred_1")  # type: ignore[attr-defined]
    user.assistants.list().meta.current_page  # type: ignore[attr-defined] # noqa: B018
    user.assistants.list()[0]  # type: ignore[index]
    bot["id"]  # type: ignore[index]
    list(bot)  # type: ignore[call-overload]
    user.with_options(timout=3)  # type: ignore[call-arg]
    list_assistants.sync(client=user)  # type: ignore[arg-type]
    WebhookVerifier("new", "old")  # type: ignore[arg-type]


def streams(user: InteractorClient) -> None:
    stream = user.rooms.stream("room_1")
    assert_type(stream, EventStream[StreamEvent])
    with stream as events:
        for event in events:
            match event:
                case MessageDelta():
                    assert_type(event.content, str)
                case MessageComplete(message=message):
                    assert_type(message, Message)
                case _:
                    pass


async def current_secret() -> str:
    return "s"


async def async_surface(client: AsyncInteractorClient) -> None:
    user = client.namespace("user_123")
    assert_type(user, AsyncInteractorClient)
    assert_type(await user.assistants.create(name="Bot", model="gpt-4", system_prompt="x"), Assistant)
    assert_type(await user.assistants.list(page=1), Page[Assistant])
    assert_type(user.assistants.iterate(per_page=100), AsyncIterator[Assistant])
    assert_type(user.rooms.stream("room_1"), AsyncEventStream[StreamEvent])
    assert_type(await client.health(), Health)
    assert_type(await user.with_options(on_response=told).request("GET", "/things"), httpx.Response)
    assert_type(get_async_client(), AsyncInteractorClient)
    config = InteractorConfig(client_id="a", client_secret=SecretStr("b"))
    AsyncInteractorClient(config, timeout=5)
    AsyncInteractorClient(client_id="a", client_secret=current_secret)
    ensured = await user.assistants.ensure(name="Bot", model="gpt-4", system_prompt="x", tools=ToolSet())
    assert_type(ensured, Assistant)
    assert_type(await user.webhooks.update("wh_1", events=["room.*"]), Webhook)
    assert_type(await user.workflow_instances.wait("wfi_1"), WorkflowInstance)


def low_level(user: InteractorClient) -> None:
    body = CreateAssistantRequest(name="Bot", model="gpt-4", system_prompt="x")
    assert_type(create_assistant.sync(client=user.api, body=body), AssistantResponse)
    assert_type(list_assistants.sync_detailed(client=user.api), Response[AssistantListResponse | ErrorResponse])


def retry_on(error: InteractorError) -> bool | None:
    return error.status == 404


def shorten(text: str, *, size: int = 3) -> str:
    return text[:size]


def retries() -> None:
    assert_type(RetryPolicy(retry_on=retry_on), RetryPolicy)
    assert_type(with_retry(shorten, retry_on=(OSError, KeyError))("abc", size=2), str)
    assert_type(with_retry(shorten, retry_on=OSError)("abc"), str)
    assert_type(with_retry(shorten, max_retries=5)("abc"), str)


def errors(error: InteractorError) -> None:
    assert_type(error.status, int | None)
    assert_type(error.request_id, str | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.details, list[dict[str, Any]])
    assert issubclass(RateLimitError, APIStatusError)
