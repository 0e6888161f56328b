"""Serves the inspector page at `/_sandbox`: its files, its state and its actions.

Its actions work like calls of the API, but need no token, get no faults and no rate limits, and are not recorded in
`Sandbox.requests`, which holds the requests of the program under test.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from interactor_ext.sandbox.delivery.deliveries import Delivery
from interactor_ext.sandbox.http.guard import check_action, check_host, check_origin
from interactor_ext.sandbox.http.wire import origin_of, read_json
from interactor_ext.sandbox.inspector.snapshot import Wanted, attempts, exchange, snapshot
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.faults import KINDS
from interactor_ext.sandbox.platform.handlers import HANDLERS, ApiCall
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem, conflict, invalid, not_found
from interactor_ext.sandbox.storage.records import JsonObject

_FOLDER = Path(__file__).with_name("page")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# The operations of the contract that the page may call.
ACTIONS = {
    "cancel_workflow_instance",
    "send_message",
    "submit_tool_result",
    "submit_workflow_input",
    "trigger_workflow_event",
}
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # With no-referrer, a browser would send `Origin: null` with a form.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Inspector:
    """The endpoints of the page. `on_request` is called first, as not every server runs the lifespan."""

    def __init__(self, contract: Contract, state: State, on_request: Callable[[], None]) -> None:
        self._contract = contract
        self._state = state
        self._on_request = on_request

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox", self.page),
            Route("/_sandbox/page/state", self.state),
            Route("/_sandbox/page/contract", self.contract),
            Route("/_sandbox/page/requests/{request_id}", self.exchange),
            Route("/_sandbox/page/deliveries/{delivery_id}", self.delivery),
            Route("/_sandbox/page/rooms/{room_id}/stream", self.stream),
            Route("/_sandbox/page/act", self.act, methods=["POST"]),
            Route("/_sandbox/page/redeliver", self.redeliver, methods=["POST"]),
            Route("/_sandbox/page/{name}", self.file),
        ]

    async def page(self, request: Request) -> Response:
        check_host(request, self._state.settings.allowed_hosts)
        return Response(read_file("index.html"), media_type="text/html", headers=HEADERS)

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        media_type = TYPES.get(Path(name).suffix)
        if media_type is None or name not in file_names():
            raise Problem(404, "There is nothing at this path.")
        return Response(read_file(name), media_type=media_type, headers=HEADERS)

    async def state(self, request: Request) -> Response:
        self._admit_reader(request)
        query = request.query_params
        chosen: JsonObject = {each.name: query[each.name] for each in attrs.fields(Wanted) if each.name in query}
        skip = query.get("skip", "")
        chosen["skip"] = int(skip) if skip.isdecimal() and len(skip) < 10 else 0
        return JSONResponse(snapshot(self._state, Wanted(**chosen)), headers=HEADERS)

    async def contract(self, request: Request) -> Response:
        """What the forms offer: operations, kinds of faults, and the contract's example of each event."""
        self._admit_reader(request)
        offered = {
            "operations": list(self._contract.operations),
            "kinds": KINDS,
            "events": self._contract.events,
        }
        return JSONResponse(offered, headers=HEADERS)

    async def exchange(self, request: Request) -> Response:
        """A request with its headers and bodies."""
        self._admit_reader(request)
        request_id = request.path_params["request_id"]
        record = next((each for each in self._state.requests if each.request_id == request_id), None)
        if record is None:
            raise Problem(404, "There is no request with this id, or it was too old to keep.")
        return JSONResponse(exchange(self._state, record), headers=HEADERS)

    async def delivery(self, request: Request) -> Response:
        """The attempts of a delivery, with payload, headers and answers."""
        self._admit_reader(request)
        return JSONResponse(attempts(self._attempts(request.path_params["delivery_id"])), headers=HEADERS)

    async def stream(self, request: Request) -> Response:
        """The events of a room, as the API streams them."""
        # Starlette accepts HEAD with GET, but a stream would never end.
        if request.method != "GET":
            raise Problem(405, "This path only accepts GET.", headers={"allow": "GET"})
        self._admit_reader(request)
        room = self._state.store.search("room", request.path_params["room_id"])
        if room is None:
            raise not_found("room")
        subscription = self._state.streams.subscribe(room.id, request.headers.get("last-event-id", ""))
        settings = self._state.settings

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in subscription.chunks(settings.keepalive, settings.retry):
                    yield chunk
            finally:
                subscription.close()

        return StreamingResponse(chunks(), media_type="text/event-stream", headers=HEADERS)

    async def act(self, request: Request) -> Response:
        """Call one of ACTIONS; the body is `{operation, namespace, path, body}`."""
        asked = await self._read_action(request)
        operation = self._contract.operations.get(_text(asked, "operation"))
        if operation is None or operation.id not in ACTIONS:
            raise invalid(("operation", f"must be one of {', '.join(sorted(ACTIONS))}"))
        path = asked.get("path")
        if not isinstance(path, dict) or set(path) != set(operation.path_names):
            raise invalid(("path", f"must contain {', '.join(operation.path_names)}"))
        body = operation.read_body(asked.get("body"))
        call = ApiCall(
            self._state,
            operation,
            _text(asked, "namespace"),
            body,
            path={name: str(value) for name, value in path.items()},
            origin=origin_of(request.scope),
        )
        result = HANDLERS[operation.id](call)
        if inspect.isawaitable(result):
            await result
        self._state.persistence.commit()
        return Response(status_code=204, headers=HEADERS)

    async def redeliver(self, request: Request) -> Response:
        """Send a delivery again; the body is `{delivery_id}`."""
        delivery_id = _text(await self._read_action(request), "delivery_id")
        try:
            self._state.redeliver(self._attempts(delivery_id)[-1])
        except ValueError as error:
            raise conflict(f"Not redelivered: {error}.") from None
        return Response(status_code=204, headers=HEADERS)

    def _attempts(self, delivery_id: str) -> list[Delivery]:
        made = [each for each in self._state.outbox.journal if each.id == delivery_id]
        if not made:
            raise Problem(404, "There is no delivery with this id, or it was too old to keep.")
        return made

    def _admit_reader(self, request: Request) -> None:
        check_host(request, self._state.settings.allowed_hosts)
        check_origin(request)
        self._on_request()

    async def _read_action(self, request: Request) -> JsonObject:
        check_action(request, self._state.settings.allowed_hosts)
        self._on_request()
        content_type = request.headers.get("content-type", "").encode()
        asked = await read_json(request.receive, content_type)
        if not isinstance(asked, dict):
            raise invalid(("", "must be an object"))
        return asked


@lru_cache
def file_names() -> frozenset[str]:
    """The names of the page's files."""
    return frozenset(each.name for each in _FOLDER.iterdir())


@lru_cache
def read_file(name: str) -> str:
    """Read a file of the page."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def _text(asked: JsonObject, name: str) -> str:
    value: Any = asked.get(name)
    if not isinstance(value, str):
        raise invalid((name, "must be a string"))
    return value
