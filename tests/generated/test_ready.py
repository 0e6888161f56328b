"""`ready.py` of a package for another API: credentials, retries, deadlines, errors and pages, over real connections."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from interactor_client.errors import ApiError, DecodeError
from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    NotFoundError,
    ResponseValidationError,
    RetryPolicy,
    ServerError,
    StreamError,
)
from tests.support import generator
from tests.support.modes import Awaited, sync_and_async
from tests.support.pages import ROOT
from tests.support.scripted_server import (
    Action,
    Connection,
    FaultServer,
    RawServer,
    Request,
    answer_with,
    js,
    reply,
    send_and,
    sending,
    token,
)

generator.skip_without_generator()

ATLAS = """\
openapi: 3.1.0
info: { title: The Atlas, version: "1" }
servers: [{ url: "https://{region}.example.com/v1", variables: { region: { default: eu } } }]
paths:
  /maps:
    post:
      operationId: draw_map
      tags: [maps]
      parameters: [{ name: idempotency-key, in: header, schema: { type: string } }]
      responses: { "200": { $ref: "#/components/responses/Map" } }
    put: { operationId: trace_map, tags: [maps], responses: { "200": { $ref: "#/components/responses/Map" } } }
    patch:
      operationId: tear_map
      tags: [maps]
      requestBody: { content: { application/json: {} } }
      responses: { "200": { $ref: "#/components/responses/Map" } }
  /maps/{id}:
    get:
      operationId: get_map
      tags: [maps]
      parameters:
        - { name: id, in: path, required: true, schema: { type: string } }
        - { name: ink, in: cookie, schema: { type: string } }
      responses: { "200": { $ref: "#/components/responses/Map" } }
  /legend:
    get: { operationId: draw_legend, tags: [api], responses: { "204": { description: Drawn. } } }
    delete: { operationId: close_legend, tags: [close], responses: { "204": { description: Closed. } } }
  /page:
    get:
      operationId: list_by_page
      tags: [maps]
      x-pagination: { style: page, parameter: page }
      parameters: [{ name: page, in: query, schema: { type: integer, default: 0 } }]
      responses: { "200": { $ref: "#/components/responses/Maps" } }
  /offset:
    get:
      operationId: list_by_offset
      tags: [maps]
      x-pagination: { style: offset, parameter: skip }
      parameters: [{ name: skip, in: query, schema: { type: integer } }]
      responses: { "200": { $ref: "#/components/responses/Maps" } }
  /cursor:
    get:
      operationId: list_by_cursor
      tags: [maps]
      x-pagination: { style: cursor, parameter: after, items: maps, next: paging.next }
      parameters: [{ name: after, in: query, schema: { type: string } }]
      responses: { "200": { $ref: "#/components/responses/Shelf" } }
  /link:
    get:
      operationId: list_by_link
      tags: [maps]
      x-pagination: { style: link, items: maps }
      responses: { "200": { $ref: "#/components/responses/Shelf" } }
  /news:
    get:
      operationId: stream_maps
      tags: [maps]
      responses:
        "200":
          description: News.
          x-event-stream: true
          content: { text/event-stream: { schema: { oneOf: [{ $ref: "#/components/schemas/Drawn" }] } } }
  /lines:
    get:
      operationId: follow_lines
      tags: [maps]
      responses:
        "200":
          description: Maps.
          content: { application/x-ndjson: { schema: { $ref: "#/components/schemas/Map" } } }
        "404": { $ref: "#/components/responses/Map" }
  /events:
    get:
      operationId: follow_events
      tags: [maps]
      responses:
        "200": { description: Maps., content: { text/event-stream: { schema: { $ref: "#/components/schemas/Map" } } } }
        "204": { description: None. }
  /words:
    get:
      operationId: follow_words
      tags: [maps]
      responses: { "200": { description: Words., content: { text/event-stream: { schema: { type: string } } } } }
  /image:
    get:
      operationId: get_image
      tags: [maps]
      responses: { "200": { description: The image., content: { image/png: {} } }, "204": { description: None. } }
components:
  securitySchemes:
    password: { type: http, scheme: basic }
    token: { type: http, scheme: bearer }
    map_key: { type: apiKey, in: header, name: X-Map }
    query_key: { type: apiKey, in: query, name: key }
    cookie_key: { type: apiKey, in: cookie, name: session }
    certificate: { type: mutualTLS }
    grant: { type: oauth2, flows: { clientCredentials: { tokenUrl: "https://example.com/oauth/token", scopes: {} } } }
    mapKey: { type: apiKey, in: header, name: X-Other-Map }
  responses:
    Map: { description: A map., content: { application/json: { schema: { $ref: "#/components/schemas/Map" } } } }
    Maps: { description: Maps., content: { application/json: { schema: { $ref: "#/components/schemas/Maps" } } } }
    Shelf: { description: Maps., content: { application/json: { schema: { $ref: "#/components/schemas/Shelf" } } } }
  schemas:
    Map: { type: object, required: [name], properties: { name: { type: string }, id: { type: string } } }
    Maps: { type: array, items: { $ref: "#/components/schemas/Map" } }
    Drawn:
      type: object
      x-event-family: News
      required: [type, name]
      properties: { type: { const: drawn }, name: { type: string } }
    Other: { type: object, x-event-family: News, required: [type], properties: { type: { type: string } } }
    Shelf:
      type: object
      properties:
        maps: { $ref: "#/components/schemas/Maps" }
        schema: { $ref: "#/components/schemas/Shelf" }
        paging: { type: object, properties: { next: { type: string } } }
"""
AT_ONCE = RetryPolicy(base_delay=0.0)
OK = reply(200, {"name": "Oslo"})


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("ready")
    (folder / "atlas.yaml").write_text(ATLAS)
    command = [
        str(generator.PYTHON),
        str(ROOT / "generator-templates" / "generate.py"),
        "--specification",
        "atlas.yaml",
    ]
    run = subprocess.run([*command, "--output", "atlas"], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("atlas.ready")
    finally:
        sys.path.remove(str(folder))


@asynccontextmanager
async def opened(ready: Any, mode: str, url: str, **settings: Any) -> AsyncIterator[Any]:
    """A client, used like an async one."""
    settings = {"base_url": f"{url}/v1", "retry_policy": AT_ONCE, **settings}
    if mode == "sync":
        with ready.Atlas(**settings) as client:
            yield SimpleNamespace(maps=Awaited(client.maps))
    else:
        async with ready.AsyncAtlas(**settings) as client:
            yield client


@pytest.mark.parametrize(
    ("credentials", "name", "value"),
    [
        ({"username": "ada", "password": "s3cret"}, "authorization", b"Basic " + b64encode(b"ada:s3cret")),
        ({"username": "", "password": "t0ken"}, "authorization", b"Basic " + b64encode(b":t0ken")),
        ({"token": "t0ken"}, "authorization", b"Bearer t0ken"),
        ({"map_key": "k3y"}, "x-map", b"k3y"),
        ({"cookie_key": "k3y"}, "cookie", b"ink=blue; session=k3y"),
        ({}, "cookie", b"ink=blue"),
    ],
)
@sync_and_async
async def test_credentials_are_sent_as_the_document_says(
    ready: Any, mode: str, credentials: dict[str, str], name: str, value: bytes
) -> None:
    with FaultServer([OK]) as server:
        async with opened(ready, mode, server.url, **credentials) as atlas:
            assert (await atlas.maps.get("1", ink="blue")).name == "Oslo"
    assert server.seen[0].headers[name] == value


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda atlas, _: atlas.fetch_image, ": write client.maps.get_image(...)"),
        (lambda atlas, _: atlas.maps.fetch_image, ": write maps.get_image(...)"),
        (lambda atlas, _: atlas.maps.get("1", timeout=5), ": it takes id, ink"),
        (lambda atlas, _: atlas.maps.tear({}), ": write maps.tear(body=...)"),
        (lambda _, models: models.Map(name="Oslo").dict, ": it has from_dict, id, name, to_dict"),
        (lambda _, models: models.Plan, ": it has EVENT_MODELS, Drawn, Map, News, Other, Shelf, ShelfPaging"),
        (lambda _, models: models.Shelf().dict, ": it has from_dict, maps, paging, schema, to_dict"),
        (lambda atlas, _: atlas.api["Oslo"], ": call one of its methods"),
        (lambda atlas, _: atlas.api.fetch, ": it has draw_legend"),
        (
            lambda atlas, _: setattr(atlas, "maps", 1),
            "maps of Atlas can't be assigned, because it would change nothing",
        ),
        (
            lambda atlas, _: setattr(atlas, "mapps", print),
            "mapps of Atlas can't be assigned, because it would change nothing",
        ),
        (lambda atlas, _: atlas.close_.fetch, ": it has legend"),
        (lambda *_: importlib.import_module("atlas").Atlas, ": write `from atlas.ready import Atlas`"),
        (lambda *_: importlib.import_module("atlas.ready").Atlas(user_name="ada"), ": write username"),
    ],
)
def test_advice_knows_this_package_and_nothing_of_interactor(ready: Any, mistake: Any, said: str) -> None:
    with ready.Atlas() as atlas, pytest.raises((AttributeError, TypeError)) as caught:
        mistake(atlas, importlib.import_module("atlas.models"))
    assert str(caught.value).endswith(said)


def test_shells_complete_the_client_that_is_imported_on_first_use(ready: Any) -> None:
    assert {"AuthenticatedClient", "Client", "File", "models"} <= {*dir(importlib.import_module("atlas"))}


def test_json_schema_of_a_model_is_the_one_of_its_document(ready: Any) -> None:
    definitions = TypeAdapter(importlib.import_module("atlas.models").Shelf).json_schema()["$defs"]
    text = {"type": "string"}
    assert definitions["Map"] == {"type": "object", "required": ["name"], "properties": {"name": text, "id": text}}
    shelf = definitions["Shelf"]["properties"]  # it contains itself
    assert shelf["schema"] == {"$ref": "#/$defs/Shelf"}
    assert shelf["paging"] == {"type": "object", "properties": {"next": text}}


@sync_and_async
async def test_key_in_the_query_is_sent_but_logged_nowhere(
    ready: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with FaultServer([OK]) as server:
        async with opened(ready, mode, server.url, query_key="s3cret-k3y") as atlas:
            await atlas.maps.get("1")
    assert server.seen[0].target == "/v1/maps/1?key=s3cret-k3y"
    assert "/v1/maps/1" in caplog.text
    assert "s3cret-k3y" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"token": "t0ken", "username": "ada", "password": "s3cret"}, "Two of the credentials are for the same header"),
        ({"password": "s3cret"}, "username is missing: pass the keyword username"),
        ({"username": "ada", "password": None}, "password is missing"),
        ({"token": ""}, "token is missing"),
        ({"map_key": 7}, "map_key must be a string, not int"),
        ({"client_id": "ada"}, "client_secret is missing"),
        ({"client_id": "ada", "client_secret": "s3cret", "scopes": ["read draw"]}, "scopes contains 'read draw'"),
        ({"client_id": "ada", "client_secret": "s3cret", "scopes": 5}, "scopes must be strings"),
        *(({"retry_policy": value}, "retry_policy must be a RetryPolicy, not int") for value in (0, 3)),
        ({"transport": 0}, "transport must be an? .*BaseTransport, not int"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(ready: Any, settings: dict[str, Any], problem: str) -> None:
    for client in (ready.Atlas, ready.AsyncAtlas):
        with pytest.raises(ConfigurationError, match=problem):
            client(**settings)


def test_repr_shows_the_server_and_no_secret(ready: Any) -> None:
    assert repr(ready.Atlas(token="t0ken")) == "Atlas(base_url='https://eu.example.com/v1')"


def test_security_schemes_that_are_not_supported_are_listed(ready: Any) -> None:
    for name in ("certificate", "mapKey"):  # another scheme has the keyword of the second
        assert f"The security scheme `{name}` isn't supported" in ready.__doc__


@pytest.mark.parametrize("scopes", [["read", "draw"], "read draw"])
@sync_and_async
async def test_client_credentials_get_a_token_and_another_after_a_401(ready: Any, mode: str, scopes: Any) -> None:
    grant = {"client_id": "a b", "client_secret": "s3cret", "scopes": scopes}
    with FaultServer([OK, reply(401), OK], [token()]) as server:
        async with opened(ready, mode, server.url, token_url=f"{server.url}/oauth/token", **grant) as atlas:
            assert [(await atlas.maps.get("1")).name for _ in range(2)] == ["Oslo", "Oslo"]
    assert [each.token for each in server.calls()] == ["t0ken"] * 3
    for asked in server.token_requests():
        assert asked.headers["authorization"] == b"Basic " + b64encode(b"a+b:s3cret")
        assert asked.body == b"grant_type=client_credentials&scope=read+draw"
    assert len(server.token_requests()) == 2


@sync_and_async
async def test_what_may_be_repeated_is_repeated_after_the_time_that_the_server_names(ready: Any, mode: str) -> None:
    busy = reply(503, retry_after="0")
    with FaultServer([busy, OK, busy, OK, busy, OK, busy]) as server:
        async with opened(ready, mode, server.url) as atlas:
            await atlas.maps.get("1")
            await atlas.maps.trace()
            await atlas.maps.draw()
            with pytest.raises(ServerError):
                await atlas.maps.tear()
    methods = [each.method for each in server.seen]
    assert methods == ["GET", "GET", "PUT", "PUT", "POST", "POST", "PATCH"]
    keys = [each.headers.get("idempotency-key") for each in server.seen]
    assert keys[4] == keys[5] != None  # noqa: E711
    assert [*keys[:4], keys[6]] == [None] * 5


@sync_and_async
async def test_error_is_of_its_status_and_shows_title_and_detail(ready: Any, mode: str) -> None:
    problem = reply(404, {"title": "No map", "detail": "It was never drawn"}, content_type="application/problem+json")
    with FaultServer([problem]) as server:
        async with opened(ready, mode, server.url) as atlas:
            with pytest.raises(NotFoundError) as caught:
                await atlas.maps.get("1")
    assert str(caught.value) == "No map: It was never drawn (GET /maps/{id}: 404 NOT_FOUND)."


@sync_and_async
async def test_call_ends_at_its_deadline(ready: Any, mode: str) -> None:
    with FaultServer([send_and(b"", Connection.stall)]) as server:
        async with opened(ready, mode, server.url, deadline=0.2) as atlas:
            with pytest.raises(APITimeoutError):
                await atlas.maps.get("1")


NAMES = ["Oslo", "Rome", "Lima"]


def pages_of(connection: Connection, request: Request) -> bool:
    """Sends two of the names a page, whichever way the client requests it."""
    path, _, query = request.target.removeprefix("/v1/").partition("?")
    number = int(query.partition("=")[2] or 0)
    start = number * 2 if path == "page" else number
    maps = [{"name": name, "id": name} for name in NAMES[start : start + 2]]
    after = str(start + 2) if start + 2 < len(NAMES) else None
    body = maps if path in ("page", "offset") else {"maps": maps, "paging": {"next": after} if path == "cursor" else {}}
    links = [f'</v1/link?from={after}>; title="a, b"; rel="next"'] if path == "link" and after else []
    connection.send(js(200, body, *(f"Link: {each}" for each in links)))
    return True


@pytest.mark.parametrize("style", ["page", "offset", "cursor", "link"])
@sync_and_async
async def test_every_item_of_a_list_in_pages_is_returned_once(ready: Any, mode: str, style: str) -> None:
    with FaultServer([pages_of]) as server:
        async with opened(ready, mode, server.url) as atlas:
            iterate = getattr(atlas.maps, f"iterate_by_{style}")
            assert [each.name async for each in iterate()] == NAMES
            if style == "offset":
                assert [each.name async for each in iterate(skip=1)] == NAMES[1:]
    if style in (
        "cursor",
        "link",
    ):  # page numbers and offsets shift when the list changes, so the first page is read again
        assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("style", "first"),
    [
        ("link", reply(200, {"maps": []}, link='<https://evil.example.com/>; rel="next"')),
        ("link", reply(200, {"maps": []}, link='<http://127.0.0.1:1/v1/link>; rel="next"')),
    ],
)
@sync_and_async
async def test_link_to_another_server_is_not_followed(ready: Any, mode: str, style: str, first: Action) -> None:
    with FaultServer([first]) as server:
        async with opened(ready, mode, server.url, token="t0ken") as atlas:
            with pytest.raises(ResponseValidationError, match="names a page on another server"):
                [each async for each in getattr(atlas.maps, f"iterate_by_{style}")()]


@sync_and_async
async def test_stream_of_events_reconnects(ready: Any, mode: str) -> None:
    def news(connection: Connection) -> None:
        connection.head()
        event = {"type": "drawn", "name": NAMES[connection.number]}
        connection.send(f"id: {connection.number}\ndata: {json.dumps(event)}\n\n".encode())
        if connection.number == 2:
            connection.send(b"event: done\ndata: {}\n\n")

    with RawServer(news) as server:
        async with opened(ready, mode, server.url) as atlas, atlas.maps.stream() as stream:
            assert [event.name async for event in stream] == NAMES
    assert [each.last_event_id for each in server.connections] == [b"", b"0", b"1"]


@asynccontextmanager
async def following(ready: Any, mode: str, way: str, url: str, name: str) -> AsyncIterator[Any]:
    """The open response of an operation, by the client's method or by its function."""
    if way == "method":
        async with opened(ready, mode, url) as atlas, getattr(atlas.maps, name)() as parts:
            yield parts
        return
    function = importlib.import_module(f"atlas.api.maps.{name}")
    client = importlib.import_module("atlas").Client(f"{url}/v1")
    if mode == "sync":
        with client, function.sync_stream(client=client) as parts:
            yield Awaited(parts)
    else:
        async with client, function.asyncio_stream(client=client) as parts:
            yield parts


async def names_in(parts: Any) -> list[str]:
    return [getattr(each, "name", each) async for each in parts]


by_method_and_function = pytest.mark.parametrize("way", ["method", "function"])
LINES, EVENTS = "application/x-ndjson", "text/event-stream"
OSLO = {"lines": b'{"name": "Oslo"}\n', "events": b'data: {"name": "Oslo"}\n\n', "image": b"Oslo"}


@pytest.mark.parametrize(
    ("name", "media_type", "chunks"),
    [
        ("lines", LINES, [b'{"name": "Os', b'lo"}', b'\r\n\n{"name": "Rome"}\n{"na', b'me": "Lima"}']),
        ("events", EVENTS, [b': hi\ndata: {"name":\n', b'data: "Oslo"}\n\n', b"".join(
            b'data: {"name": "%s"}\n\n' % each.encode() for each in NAMES[1:]
        )]),
        ("events", EVENTS, [
            *(b'data: {"name": "%s"}\n\n' % each.encode() for each in NAMES), *[b"data: [DONE]\n\ndata: 5\n\n"] * 2
        ]),
        ("words", EVENTS, [b"data: Oslo\n\ndata: Rome\n\ndata: Lima\n\ndata: [DONE]\n\n"]),
    ],
)  # fmt: skip
@by_method_and_function
@sync_and_async
async def test_each_line_or_event_is_an_item(
    ready: Any, mode: str, way: str, name: str, media_type: str, chunks: list[bytes]
) -> None:
    def send(connection: Connection) -> None:
        connection.head(200, "Transfer-Encoding: chunked", content_type=media_type)
        for chunk in [*chunks, b""]:
            connection.chunk(chunk)

    with RawServer(send) as server:
        async with following(ready, mode, way, server.url, f"follow_{name}") as parts:
            assert await names_in(parts) == NAMES + ["[DONE]"] * (name == "words")
    request = server.connections[0].request
    assert request is not None
    assert request.headers["accept"].startswith(media_type.encode())


@pytest.mark.parametrize(
    ("way", "name", "media_type"),
    [
        (way, name, media_type)
        for way in ("method", "function")
        for name, media_type in (("lines", LINES), ("events", EVENTS))
    ]
    + [("function", "image", "image/png")],
)
@sync_and_async
async def test_item_arrives_before_the_response_ends_and_leaving_closes_it(
    ready: Any, mode: str, way: str, name: str, media_type: str
) -> None:
    def send(connection: Connection) -> None:
        connection.head(content_type=media_type)
        connection.send(OSLO[name])
        assert connection.wait_for_client_to_leave()

    with RawServer(send) as server:
        operation = "get_image" if name == "image" else f"follow_{name}"
        async with following(ready, mode, way, server.url, operation) as parts:
            async for part in parts:
                assert getattr(part, "name", part) in ("Oslo", b"Oslo")
                break
        assert await asyncio.to_thread(server.connections[0].closed_by_client.wait, 60)


@pytest.mark.parametrize(
    ("name", "media_type", "body", "of_function", "of_method"),
    [
        ("lines", LINES, b'{"name": 7}\n', DecodeError, ResponseValidationError),
        ("lines", LINES, b'{"name": "Ro\n', DecodeError, ResponseValidationError),
        ("events", EVENTS, b"data: DONE\n\n", DecodeError, ResponseValidationError),
        ("lines", LINES, b" " * (16 * 1024 * 1024 + 1), StreamError, StreamError),
        ("lines", LINES, b'{"name": "Ro', httpx.RemoteProtocolError, APIConnectionError),
        ("events", EVENTS, b"data: ", httpx.RemoteProtocolError, APIConnectionError),
    ],
)
@by_method_and_function
@sync_and_async
async def test_item_that_does_not_fit_or_a_lost_connection_is_an_error_after_the_items_before_it(
    ready: Any,
    mode: str,
    way: str,
    name: str,
    media_type: str,
    body: bytes,
    of_function: type[Exception],
    of_method: type[Exception],
) -> None:
    def send(connection: Connection) -> None:
        connection.head(200, "Transfer-Encoding: chunked", content_type=media_type)
        connection.chunk(OSLO[name])
        connection.chunk(body)

    with RawServer(send) as server:
        async with following(ready, mode, way, server.url, f"follow_{name}") as parts:
            assert (await anext(aiter(parts))).name == "Oslo"
            with pytest.raises(of_method if way == "method" else of_function):
                await names_in(parts)


@pytest.mark.parametrize(
    ("name", "status", "media_type", "of_function", "of_method"),
    [
        ("lines", 404, "application/json", ApiError, NotFoundError),
        ("events", 200, "text/html", DecodeError, ResponseValidationError),
    ],
)
@by_method_and_function
@sync_and_async
async def test_response_without_items_is_an_error_at_once(
    ready: Any,
    mode: str,
    way: str,
    name: str,
    status: int,
    media_type: str,
    of_function: type[Exception],
    of_method: type[Exception],
) -> None:
    expected = of_method if way == "method" else of_function
    with (
        RawServer(sending(b"<p>No map.</p>", status=status, content_type=media_type)) as server,
        pytest.raises(expected),
    ):
        async with following(ready, mode, way, server.url, f"follow_{name}"):
            raise AssertionError("it was opened")


@sync_and_async
async def test_binary_response_is_none_only_if_it_is_empty(ready: Any, mode: str) -> None:
    with FaultServer(
        [reply(200, b"null", content_type="image/png"), answer_with(b"HTTP/1.1 204 None\r\n\r\n")]
    ) as server:
        async with opened(ready, mode, server.url) as atlas:
            assert [await atlas.maps.get_image() for _ in range(2)] == [b"null", None]


@pytest.mark.full
def test_client_is_typed(ready: Any, tmp_path: Path) -> None:
    package = Path(str(ready.__file__)).parent
    (package.parent / "uses.py").write_text(
        "from atlas.ready import Atlas\n"
        'with Atlas(token="t", deadline=10.0) as atlas:\n'
        '    names: list[str] = [each.name for each in atlas.maps.iterate_by_cursor(after="a")]\n'
        "    with atlas.maps.follow_lines() as maps:\n"
        "        names = [each.name for each in maps]\n"
    )
    strict = {"include": ["atlas", "uses.py"], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (package.parent / "pyrightconfig.json").write_text(json.dumps(strict))
    for command in (
        ["mypy", "--strict", "--cache-dir", str(tmp_path), "atlas", "uses.py"],
        ["pyright", "--pythonpath", sys.executable],
    ):
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=package.parent, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout


UNDESCRIBED = [
    ("style: page, ", "", "/get/x-pagination: 'style' is missing. Styles: cursor, link, offset, page."),
    (
        "style: offset, parameter: skip",
        "style: offset, parameter: id",
        "x-pagination: 'parameter' must name a query parameter",
    ),
    (", next: paging.next", "", "x-pagination: 'next' is missing."),
    ("style: link, items: maps", "style: link, items: paging", "x-pagination: 'items' must name a property of"),
    (
        "Other: { type: object, x-event-family: News,",
        "Other: { type: object,",
        "The family 'News' has no event without a",
    ),
    (
        "Map: { description: A map., content: { application/json:",
        "Map: { description: A map., content: { application/jsonl:",
        "The media type 'application/jsonl' of an error is not supported.",
    ),
    (
        '"204": { description: None. }',
        '"201": { $ref: "#/components/responses/Map" }',
        "Either all successes of an operation are streams of one kind, or none is.",
    ),
    (
        "operationId: get_image",
        "operationId: get_image\n      requestBody: { content: { application/stream+json: {} } }",
        "'application/stream+json' of a request is not supported.",
    ),
]
GENERATE_EACH = """
import json, pathlib, runpy, sys
sys.argv = ["generate.py", "--specification", "atlas.yaml", "--output", "atlas"]
problems = []
for text in json.load(sys.stdin):
    pathlib.Path("atlas.yaml").write_text(text)
    try:
        runpy.run_module("generate", run_name="__main__")
    except SystemExit as error:
        problems.append(str(error))
print(json.dumps(problems))
"""


def test_pages_and_streams_that_the_document_does_not_describe_are_an_error(tmp_path: Path) -> None:
    documents = json.dumps([ATLAS.replace(old, new, 1) for old, new, _ in UNDESCRIBED])
    env = {**os.environ, "PYTHONPATH": str(ROOT / "generator-templates")}
    command = [str(generator.PYTHON), "-c", GENERATE_EACH]
    run = subprocess.run(command, cwd=tmp_path, env=env, input=documents, capture_output=True, text=True, check=True)
    for (_, _, expected), problem in zip(UNDESCRIBED, json.loads(run.stdout), strict=True):
        assert expected in problem
