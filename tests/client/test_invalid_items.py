"""Invalid items of a list: an error that names the item, or `on_invalid` and the other items."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interactor_ext import InteractorClient, ResponseValidationError
from tests.support.contract import operations
from tests.support.modes import call, opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, Action, Connection, FaultServer, Request, reply, settings_of


def bot(bot_id: str, **changes: Any) -> dict[str, Any]:
    return {**ASSISTANT, "id": bot_id, **changes}


PAGES: list[list[Any]] = [
    [bot("a"), bot("b", name=7), bot("c")],
    [bot("d", tools=["t", {"name": "t2"}]), None, "e", bot("f"), {}],
    [bot("g", created_at="never")],
    [bot("h")],
]
BAD = [
    ("data[1].name", "Assistant", "name", PAGES[0][1]),
    ("data[0].tools[1].id", "Tool", "id", PAGES[1][0]),
    ("data[1]", "AssistantListResponse", "data[1]", None),
    ("data[2]", "AssistantListResponse", "data[2]", "e"),
    ("data[4].id", "Assistant", "id", {}),
    ("data[0].created_at", "Assistant", "created_at", PAGES[2][0]),
]


def serving(pages: list[list[Any]], **meta: Any) -> Action:
    def act(connection: Connection, request: Request) -> bool:
        number = int(parse_qs(urlsplit(request.target).query).get("page", ["1"])[0])
        data = pages[number - 1] if number <= len(pages) else []
        body = {"data": data, "meta": {"page": number, "has_more": number < len(pages), **meta}}
        return reply(200, body, x_request_id=f"req_{number}")(connection, request)

    return act


async def walk(mode: str, server: FaultServer, found: list[str], **options: Any) -> None:
    """Record the id of each assistant when it is yielded."""
    async with opened(mode, settings_of(server.url)) as client:
        async for item in client.assistants.iterate(**options):
            found.append(item.id)  # noqa: PERF401  (what came before an error is to be kept)


def names(found: list[Any]) -> str:
    return "".join(item.id for item in found)


@sync_and_async
@pytest.mark.parametrize("prefetch", [0, 3])
def test_on_invalid_gets_each_invalid_item_and_the_others_are_yielded(mode: str, prefetch: int) -> None:
    told: list[Any] = []
    with FaultServer([serving(PAGES)]) as server:
        found = call(
            mode,
            settings_of(server.url),
            lambda client: client.assistants.iterate(prefetch=prefetch, on_invalid=told.append),
        )
    assert names(found) == "acfh"
    assert [(error.path, error.model, error.field, error.item) for error in told] == BAD
    assert all(isinstance(error, ResponseValidationError) for error in told)
    assert [error.request_id for error in told] == ["req_1", *["req_2"] * 4, "req_3"]
    assert str(told[1]).startswith(
        "The response to GET /assistants doesn't fit its model: Tool.id is missing "
        "(at data[0].tools[1].id of AssistantListResponse)"
    )
    copied = pickle.loads(pickle.dumps(told[0]))
    assert (copied.path, copied.item) == (told[0].path, told[0].item)


@sync_and_async
async def test_on_invalid_is_called_when_its_page_is_reached(mode: str) -> None:
    """In the thread or task of the iteration, not while a page is prefetched."""
    order: list[str] = []

    def note(error: ResponseValidationError) -> None:
        order.append(error.path)

    async def note_async(error: ResponseValidationError) -> None:
        await asyncio.sleep(0)
        order.append(error.path)

    with FaultServer([serving(PAGES)]) as server:
        await walk(mode, server, order, prefetch=3, on_invalid=note if mode == "sync" else note_async)
    paths = [path for path, *_ in BAD]
    assert order == [paths[0], "a", "c", *paths[1:5], "f", paths[5], "h"]


@sync_and_async
async def test_invalid_item_without_on_invalid_raises_after_the_pages_before(mode: str) -> None:
    found: list[str] = []
    with FaultServer([serving([[bot("a")], *PAGES])]) as server, pytest.raises(ResponseValidationError) as caught:
        await walk(mode, server, found)
    assert found == ["a"]
    assert (caught.value.path, caught.value.model, caught.value.field) == ("data[1].name", "Assistant", "name")
    assert caught.value.item is None


@sync_and_async
def test_list_with_invalid_item_raises_error_that_names_the_item(mode: str) -> None:
    with (
        FaultServer([serving(PAGES)]) as server,
        pytest.raises(ResponseValidationError, match=r"at data\[1\]\.name") as caught,
    ):
        call(mode, settings_of(server.url), lambda client: client.assistants.list())
    assert caught.value.path == "data[1].name"


@sync_and_async
def test_exception_of_on_invalid_ends_the_iteration(mode: str) -> None:
    def refuse(error: ResponseValidationError) -> None:
        raise error

    with FaultServer([serving(PAGES)]) as server, pytest.raises(ResponseValidationError) as caught:
        call(mode, settings_of(server.url), lambda client: client.assistants.iterate(prefetch=2, on_invalid=refuse))
    assert caught.value.item == PAGES[0][1]


@sync_and_async
@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        b"[]",
        json.dumps({"data": {}}).encode(),
        json.dumps({"meta": {}}).encode(),
        json.dumps({"data": [{"id": 1}], "meta": {"page": "one"}}).encode(),
        b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    ],
    ids=["no JSON", "a list", "no list", "no data", "bad meta", "deep"],
)
def test_body_that_is_no_page_raises_despite_on_invalid(mode: str, body: bytes) -> None:
    with FaultServer([reply(200, body)]) as server, pytest.raises(ResponseValidationError):
        call(mode, settings_of(server.url), lambda client: client.assistants.iterate(on_invalid=lambda error: None))


@sync_and_async
def test_page_of_invalid_items_alone_does_not_count_as_empty(mode: str) -> None:
    pages: list[list[Any]] = [[{"id": number}] for number in range(120)]
    told: list[Any] = []
    with FaultServer([serving([*pages, [bot("z")]])]) as server:
        found = call(
            mode, settings_of(server.url), lambda client: client.assistants.iterate(prefetch=4, on_invalid=told.append)
        )
    assert (names(found), len(told)) == ("z", 120)


def test_full_page_with_invalid_items_still_counts_as_full() -> None:
    """Without `meta`, only a full page says that there may be more."""

    def act(connection: Connection, request: Request) -> bool:
        number = int(parse_qs(urlsplit(request.target).query)["page"][0])
        data = [[bot("a"), {}], [bot("b")]][number - 1]
        return reply(200, {"data": data, "meta": {"per_page": 2}})(connection, request)

    with FaultServer([act]) as server, InteractorClient(**settings_of(server.url)) as client:
        assert names(list(client.assistants.iterate(on_invalid=lambda error: None))) == "ab"


def test_every_list_takes_on_invalid() -> None:
    tags = {operation.tag for operation in operations() if operation.method_name == "list"}
    assert len(tags) == 9
    for tag in tags:
        module = import_module(f"interactor_client.api.{tag}")
        name = "".join(word.capitalize() for word in tag.split("_"))
        for cls in (getattr(module, name), getattr(module, f"Async{name}")):
            assert inspect.signature(cls.iterate).parameters["on_invalid"].default is None
