"""Serves the inspector page at `/_sandbox`: its files and its state. Its actions are in control.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from interactor_ext.sandbox.http.guard import check_host, check_origin
from interactor_ext.sandbox.inspector.snapshot import Wanted, attempts, exchange, snapshot
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.faults import KINDS
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem

_FOLDER = Path(__file__).with_name("page")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# With the chat of the relay, the page shares how a conversation follows its end.
_SHARED = Path(__file__).parents[2] / "relay" / "static" / "interactor-chat-end.js"
_PATHS = {each.name: each for each in (*_FOLDER.iterdir(), _SHARED)}
FILES = {name: TYPES[path.suffix] for name, path in _PATHS.items() if path.suffix in TYPES}
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # With no-referrer, a browser would send `Origin: null` with a form.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Inspector:
    """The endpoints of the page. `on_request` is called first, because not every server runs the lifespan."""

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
            Route("/_sandbox/page/{name}", self.file),
        ]

    async def page(self, request: Request) -> Response:
        check_host(request, self._state.settings.allowed_hosts)
        return Response(read_file("index.html"), media_type="text/html", headers=HEADERS)

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            raise Problem(404, "There is nothing at this path.")
        return Response(read_file(name), media_type=FILES[name], headers=HEADERS)

    async def state(self, request: Request) -> Response:
        self._admit(request)
        return JSONResponse(snapshot(self._state, Wanted(**request.query_params)), headers=HEADERS)

    async def contract(self, request: Request) -> Response:
        """Return what the forms offer: operations, kinds of faults, and the contract's example of each event."""
        self._admit(request)
        offered = {
            "operations": list(self._contract.operations),
            "kinds": KINDS,
            "events": self._contract.events,
        }
        return JSONResponse(offered, headers=HEADERS)

    async def exchange(self, request: Request) -> Response:
        """Return a request with its headers and bodies."""
        self._admit(request)
        request_id = request.path_params["request_id"]
        record = next((each for each in self._state.requests if each.request_id == request_id), None)
        if record is None:
            raise Problem(404, "No request with this id is kept.")
        return JSONResponse(exchange(self._state, record), headers=HEADERS)

    async def delivery(self, request: Request) -> Response:
        """Return the attempts of a delivery, with payload, headers and responses."""
        self._admit(request)
        made = [each for each in self._state.outbox.journal if each.id == request.path_params["delivery_id"]]
        if not made:
            raise Problem(404, "No delivery with this id is kept.")
        return JSONResponse(attempts(made), headers=HEADERS)

    async def stream(self, request: Request) -> Response:
        """Return the events of a room, as the API streams them."""
        self._admit(request)
        room = self._state.store.lookup("room", request.path_params["room_id"])
        subscription = self._state.streams.subscribe(room.id, request.headers.get("last-event-id", ""))
        settings = self._state.settings

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in subscription.chunks(settings.keepalive, settings.retry):
                    yield chunk
            finally:
                subscription.close()

        return StreamingResponse(chunks(), media_type="text/event-stream", headers=HEADERS)

    def _admit(self, request: Request) -> None:
        check_host(request, self._state.settings.allowed_hosts)
        check_origin(request)
        self._on_request()


def read_file(name: str) -> str:
    return _PATHS[name].read_text(encoding="utf-8")
