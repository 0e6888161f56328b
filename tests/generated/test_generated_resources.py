"""The generated resource classes: the calls that they make to their sender, sync and async."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_client import UNSET, DecodeError
from interactor_client.api import AsyncResources, Resources
from interactor_client.types import AsyncEventStream, EventStream, OnInvalid, OnReconnect, Page, PageMeta
from tests.support.contract import platform_operations, resource_methods

DOCUMENT: dict[str, Any] = json.loads(files("interactor_client").joinpath("openapi.json").read_bytes())
ASSISTANT: dict[str, Any] = {
    "id": "asst_1",
    "name": "Bot",
    "model": "gpt-4",
    "system_prompt": "Be kind.",
    "tools": [],
    "data_sources": [],
    "created_at": 0,
    "updated_at": 0,
}
METHODS = resource_methods()
# What methods take by position besides the ids of the path.
POSITIONAL = {
    ("messages", "send"): ["content"],
    ("rooms", "create"): ["assistant_id"],
    ("tools", "submit_result"): ["tool_call_id", "result"],
    ("workflow_instances", "start"): ["workflow_id"],
    ("workflow_instances", "submit_input"): ["body"],
    ("workflow_instances", "trigger_event"): ["event"],
    ("workflow_instances", "send_thread_message"): ["content"],
}


class FakeStream:
    last_event_id = ""

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def close(self) -> None: ...

    async def __aenter__(self) -> FakeStream:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Any]:
        return
        yield

    async def aclose(self) -> None: ...


class Recorder:
    """Keeps the calls, and responds with `body`."""

    def __init__(self, body: Any = None, status: int = 200) -> None:
        self.response = httpx.Response(status, json=body) if body is not None else httpx.Response(204)
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []


class FakeSender(Recorder):
    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], Any]) -> Any:
        self.calls.append(("send", kwargs, {}))
        return parse(self.response)

    def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], Any]) -> Page[Any]:
        self.calls.append(("page", kwargs, {}))
        return Page(parse(self.response).data, PageMeta(1, 20, None, None, has_more=False))

    def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], Any],
        *,
        prefetch: int,
        on_invalid: OnInvalid | None,
    ) -> Iterator[Any]:
        self.calls.append(("iterate", get_kwargs, {"prefetch": prefetch, "bad": on_invalid}))
        yield from parse(self.response).data

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> EventStream[Any]:
        self.calls.append((family, kwargs, {"id": last_event_id, "max": max_reconnects, "call": on_reconnect}))
        return FakeStream()


class AsyncFakeSender(Recorder):
    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], Any]) -> Any:
        self.calls.append(("send", kwargs, {}))
        return parse(self.response)

    async def page(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], Any]) -> Page[Any]:
        self.calls.append(("page", kwargs, {}))
        return Page(parse(self.response).data, PageMeta(1, 20, None, None, has_more=False))

    async def iterate(
        self,
        get_kwargs: Callable[[int], dict[str, Any]],
        parse: Callable[[httpx.Response], Any],
        *,
        prefetch: int,
        on_invalid: OnInvalid | None,
    ) -> AsyncIterator[Any]:
        self.calls.append(("iterate", get_kwargs, {"prefetch": prefetch, "bad": on_invalid}))
        for item in parse(self.response).data:
            yield item

    def stream(
        self,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str,
        max_reconnects: int | None,
        on_reconnect: OnReconnect | None,
    ) -> AsyncEventStream[Any]:
        self.calls.append((family, kwargs, {"id": last_event_id, "max": max_reconnects, "call": on_reconnect}))
        return FakeStream()


class Client(Resources):
    def __init__(self, sender: FakeSender) -> None:
        self._sender = sender


class AsyncClient(AsyncResources):
    def __init__(self, sender: AsyncFakeSender) -> None:
        self._sender = sender


def methods(resource: object) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(type(resource), inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("tag", METHODS)
def test_resource_has_the_methods_of_the_contract_and_iterate_for_lists(tag: str) -> None:
    found = set(methods(getattr(Client(FakeSender()), tag)))
    assert found == METHODS[tag], "run make generate, or edit the table PLATFORM in tests/support/contract.py"


@pytest.mark.parametrize("tag", METHODS)
def test_sync_and_async_resources_have_the_same_methods_and_parameters(tag: str) -> None:
    sync = methods(getattr(Client(FakeSender()), tag))
    twin = methods(getattr(AsyncClient(AsyncFakeSender()), tag))
    assert sync.keys() == twin.keys()
    for name in sync:
        assert list(sync[name].parameters.values()) == list(twin[name].parameters.values())
        returned = str(twin[name].return_annotation)
        assert str(sync[name].return_annotation) == returned.removeprefix("Async")


@pytest.mark.parametrize("tag", METHODS)
def test_no_method_takes_token_namespace_or_idempotency_key(tag: str) -> None:
    for name, signature in methods(getattr(Client(FakeSender()), tag)).items():
        parameters = list(signature.parameters.values())[1:]
        given = {parameter.name for parameter in parameters}
        assert not given & {"x_namespace", "namespace", "idempotency_key", "client"}
        assert ("token" in given) == ((tag, name) == ("oauth", "revoke_token"))
        positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        added = POSITIONAL.get((tag, name), [])
        assert positional[len(positional) - len(added) :] == added
        assert all(each.endswith("_id") for each in positional[: len(positional) - len(added)])
        assert not [each for each in parameters if each.kind is each.VAR_KEYWORD]
        for each in parameters:
            assert name == "wait" or each.default in (each.empty, UNSET, None, "", 0, "client_credentials")


@pytest.mark.parametrize("tag", METHODS)
def test_every_method_has_a_docstring(tag: str) -> None:
    for name in methods(getattr(Client(FakeSender()), tag)):
        documentation = inspect.getdoc(getattr(getattr(Client(FakeSender()), tag), name)) or ""
        assert documentation.splitlines()[0].endswith(".")
        assert all(len(line) <= 112 for line in documentation.splitlines())


def test_docstrings_name_methods_and_no_operations() -> None:
    package = files("interactor_client")
    texts = {str(path): path.read_text() for path in Path(str(package)).rglob("*.py")}
    named = {
        f"{name}: `{operation.id}`"
        for operation in platform_operations()
        for name, text in texts.items()
        if f"`{operation.id}`" in text and operation.id != operation.method
    }
    assert named == set()
    assert "fetch one with `credentials.get_token`" in (inspect.getdoc(Client(FakeSender()).credentials.list) or "")


def test_method_returns_data_without_the_envelope() -> None:
    sender = FakeSender({"data": ASSISTANT})
    bot = Client(sender).assistants.create(name="Bot", model="gpt-4", system_prompt="Be kind.", max_tokens=5)
    assert (type(bot).__name__, bot.id) == ("Assistant", "asst_1")
    (kind, kwargs, _) = sender.calls[0]
    assert (kind, kwargs["method"], kwargs["url"]) == ("send", "POST", "/assistants")
    assert kwargs["json"] == {"name": "Bot", "model": "gpt-4", "system_prompt": "Be kind.", "max_tokens": 5}


def test_body_without_envelope_is_returned_and_no_body_gives_none() -> None:
    assert Client(FakeSender({"keys": []})).oauth.get_jwks().keys == []
    deleted: object = Client(FakeSender()).rooms.delete("room_1")  # type: ignore[func-returns-value]
    assert deleted is None


def test_update_sends_only_given_fields() -> None:
    sender = FakeSender({"data": ASSISTANT})
    Client(sender).assistants.update("asst_1", system_prompt="Be brief.")
    assert sender.calls[0][1]["url"] == "/assistants/asst_1"
    assert sender.calls[0][1]["json"] == {"system_prompt": "Be brief."}


def test_keywords_have_the_names_of_the_specification() -> None:
    sender = FakeSender({"data": []})
    client = Client(sender)
    client.data_sources.list(type="url")
    assert sender.calls[0][1]["params"] == {"type": "url"}
    assert {"name", "type", "config", "semantic_mappings"} <= {*methods(client.data_sources)["create"].parameters}


async def test_what_reads_naturally_is_taken_by_position_and_by_keyword() -> None:
    sent = []
    for client, sender in ((Client, FakeSender({})), (AsyncClient, AsyncFakeSender({}))):
        for (tag, name), fields in POSITIONAL.items():
            method: Any = getattr(getattr(client(sender), tag), name)  # type: ignore[arg-type]
            ids = ["id_1"] * ([*inspect.signature(method).parameters].index(fields[0]))
            values: dict[str, Any] = {each: {"a": each} for each in fields}
            for positional, keywords in ((values.values(), {}), ((), values)):
                with suppress(DecodeError):  # for the response is no envelope
                    answer = method(*ids, *positional, **keywords)
                    if inspect.isawaitable(answer):
                        await answer
        sent.append([(kwargs["url"], kwargs["json"]) for _, kwargs, _ in sender.calls])
    assert sent[0] == sent[1]
    assert sent[0][::2] == sent[0][1::2]
    result = {"tool_call_id": {"a": "tool_call_id"}, "result": {"a": "result"}}
    assert ("/rooms/id_1/tool-results", result) in sent[0]


def test_free_json_is_the_keyword_body() -> None:
    instance = {"id": "wfi_1", "workflow_id": "wf_1", "namespace": "n", "current_state": "s", "context": {}}
    sender = FakeSender({"data": {**instance, "status": "running", "created_at": 0, "updated_at": 0}})
    assert Client(sender).workflow_instances.submit_input("wfi_1", body={"approved": True}).status == "running"
    assert sender.calls[0][1]["json"] == {"approved": True}


def test_list_sends_one_request_and_iterate_requests_pages_by_number() -> None:
    sender = FakeSender({"data": [ASSISTANT, ASSISTANT]})
    client = Client(sender)
    page = client.assistants.list(page=3, per_page=2)
    assert (len(page), [bot.id for bot in page], page.meta.page) == (2, ["asst_1", "asst_1"], 1)
    assert sender.calls[0][:1] == ("page",)
    assert sender.calls[0][1]["params"] == {"page": 3, "per_page": 2}
    assert [bot.id for bot in client.assistants.iterate(per_page=50, prefetch=4)] == ["asst_1", "asst_1"]
    (kind, get_kwargs, options) = sender.calls[1]
    assert (kind, options) == ("iterate", {"prefetch": 4, "bad": None})
    assert get_kwargs(7)["params"] == {"page": 7, "per_page": 50}


def test_iterate_keeps_path_ids_and_filters() -> None:
    sender = FakeSender({"data": []})
    assert list(Client(sender).messages.iterate("room_1", order="desc")) == []
    assert sender.calls[0][1](1)["url"] == "/rooms/room_1/messages"
    assert sender.calls[0][1](1)["params"] == {"order": "desc", "page": 1}
    assert list(Client(sender).credentials.iterate(status="active", provider="google")) == []
    assert sender.calls[1][1](2)["params"] == {"status": "active", "provider": "google", "page": 2}


def test_stream_passes_event_family_and_options() -> None:
    sender = FakeSender()

    def on_reconnect(number: int, delay: float) -> None: ...

    with Client(sender).rooms.stream(
        "room/1", last_event_id="evt_9", max_reconnects=2, on_reconnect=on_reconnect
    ) as stream:
        assert list(stream) == []
    (family, kwargs, options) = sender.calls[0]
    assert (family, kwargs["url"], kwargs["params"]) == ("StreamEvent", "/rooms/room%2F1/stream", {})
    assert options == {"id": "evt_9", "max": 2, "call": on_reconnect}
    Client(sender).workflow_instances.stream("wfi_1")
    assert sender.calls[1][2] == {"id": "", "max": None, "call": None}


async def test_async_resources_send_the_same_requests() -> None:
    sender = AsyncFakeSender({"data": [ASSISTANT]})
    client = AsyncClient(sender)
    assert [bot.id for bot in await client.assistants.list(page=3)] == ["asst_1"]
    assert [bot.id async for bot in client.assistants.iterate(per_page=50, prefetch=4)] == ["asst_1"]
    async with client.rooms.stream("room_1", last_event_id="evt_9") as stream:
        assert [event async for event in stream] == []
    assert [kind for kind, _, _ in sender.calls] == ["page", "iterate", "StreamEvent"]
    sender.response = httpx.Response(200, json={"data": ASSISTANT})
    assert (await client.assistants.get("asst_1")).name == "Bot"
    deleted: object = await AsyncClient(AsyncFakeSender()).rooms.delete("r")  # type: ignore[func-returns-value]
    assert deleted is None


def test_invalid_id_raises_before_sending() -> None:
    sender = FakeSender()
    for unusable in ("", ".", ".."):
        with pytest.raises(ValueError, match="assistant_id"):
            Client(sender).assistants.delete(unusable)
    assert sender.calls == []


def test_resource_object_is_cached() -> None:
    client = Client(FakeSender())
    assert client.assistants is client.assistants
    assert client.assistants is not Client(FakeSender()).assistants


def test_models_and_endpoints_are_imported_on_first_use() -> None:
    script = """
import sys
import interactor_client
from interactor_client.api import AsyncResources, Resources
lazy = ("interactor_client.models", "interactor_client.api.")
def loaded(): return sorted(name for name in sys.modules if name.startswith(lazy))
assert loaded() == [], loaded()
client = Resources()
client._sender = None
client.assistants, client.rooms
assert loaded() == ["interactor_client.api.assistants", "interactor_client.api.rooms"], loaded()
import interactor_client.models
assert loaded()[2:] == ["interactor_client.models"], loaded()
interactor_client.models.MessageDelta
assert loaded()[2:] == ["interactor_client.models", "interactor_client.models.message_delta"], loaded()
assert "dateutil" not in sys.modules and "attr" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
