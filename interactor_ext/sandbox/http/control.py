"""Control endpoints of the sandbox for other processes: JSON over HTTP, outside the contract and without a token.

| call | what |
|---|---|
| `GET /_sandbox/faults` | `{"faults": [...]}`, those in force |
| `POST /_sandbox/faults` | the arguments of `Faults.add` as an object; 201 with the fault and its `id` |
| `DELETE /_sandbox/faults`, `DELETE /_sandbox/faults/{id}` | remove all, or one |
| `GET /_sandbox/replies` | `{"replies": [...]}`, in the order in which they are tried |
| `POST /_sandbox/replies` | the fields of a reply (scripts.py) as an object; 201 with the reply and its `id` |
| `DELETE /_sandbox/replies`, `DELETE /_sandbox/replies/{id}` | remove all, or one |
| `POST /_sandbox/credentials/{id}/expire` | as `Sandbox.expire_credential`, without a body; 200 with the credential |
| `POST /_sandbox/workflow-instances/{id}/fail` | as `Sandbox.fail_workflow`: `{"error": text}` or no body |
| `GET /_sandbox/clock` | `{"now": Unix seconds, "time": ISO 8601}` |
| `POST /_sandbox/clock` | `{"advance": seconds}`; answers as GET |
| `GET /_sandbox/deprecations`, `POST`, `DELETE` | the arguments of `Sandbox.deprecate`; times are Unix seconds |
| `GET /_sandbox/requests` | `{"requests": [...]}`, oldest first, secrets masked |
| `GET /_sandbox/events` | `{"events": [...]}`, as webhooks got them, oldest first |
| `POST /_sandbox/events` | `{"event": type, "namespace": "", "data": {}}`: publish it; 201 with the event |
| `POST /_sandbox/reset` | as `Sandbox.reset`; 204 |

Invalid requests get 422 with the contract's error envelope. Requests from web pages of other sites get 403.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from interactor_ext.sandbox.http.guard import check_host, check_origin
from interactor_ext.sandbox.http.wire import read_json
from interactor_ext.sandbox.platform import credentials, instances, scripts
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.deprecations import Deprecated
from interactor_ext.sandbox.platform.faults import FAILURE, KINDS
from interactor_ext.sandbox.platform.schemas import Validator
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.validation import problems_of
from interactor_ext.sandbox.problems import Problem, invalid
from interactor_ext.sandbox.storage.journal import RequestRecord
from interactor_ext.sandbox.storage.records import JsonObject
from interactor_ext.sandbox.storage.strict_json import compact

NUMBER = {"type": "number"}
TEXT = {"type": "string"}
FAULT = {
    "operation": {"type": ["string", "null"]},
    "kind": {"enum": [None, *KINDS]},
    "namespace": {"type": ["string", "null"]},
    "status": {"type": ["integer", "null"]},
    "code": {"type": ["string", "null"]},
    "message": TEXT,
    "retry_after": {"type": ["number", "string", "null"]},
    "latency": NUMBER,
    "after_events": {"type": "integer"},
    "after_bytes": {"type": ["integer", "null"]},
    "skew": NUMBER,
    "times": {"type": ["integer", "null"]},
    "probability": NUMBER,
    "seed": {"type": "integer"},
}
EVENT = {"event": TEXT, "namespace": TEXT, "data": {"type": "object"}}
DEPRECATION = {"operation": TEXT, "at": NUMBER, "sunset": NUMBER, "link": TEXT}


class Control:
    """The control endpoints of a state."""

    def __init__(self, contract: Contract, state: State, on_loop: Callable[[], None]) -> None:
        self._contract = contract
        self._state = state
        self._on_loop = on_loop

    def routes(self) -> list[Route]:
        state = self._state
        endpoints: list[tuple[str, str, Callable[[Request, Any], Response]]] = [
            ("GET", "faults", self._faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", _doing(state.faults.clear)),
            ("DELETE", "faults/{id}", self._remove_fault),
            ("GET", "replies", self._replies),
            ("POST", "replies", self._add_reply),
            ("DELETE", "replies", _doing(scripts.clear_replies, state.store)),
            ("DELETE", "replies/{id}", self._remove_reply),
            ("POST", "credentials/{id}/expire", self._expire_credential),
            ("POST", "workflow-instances/{id}/fail", self._fail_workflow),
            ("GET", "clock", self._time),
            ("POST", "clock", self._advance),
            ("GET", "deprecations", self._deprecations),
            ("POST", "deprecations", self._deprecate),
            ("DELETE", "deprecations", _doing(state.deprecations.clear)),
            ("GET", "requests", self._requests),
            ("GET", "events", self._events),
            ("POST", "events", self._publish),
            ("POST", "reset", _doing(state.clear)),
        ]
        return [Route(f"/_sandbox/{path}", self._guarded(act), methods=[method]) for method, path, act in endpoints]

    def _guarded(self, act: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            check_host(request, self._state.settings.allowed_hosts)
            check_origin(request)
            self._on_loop()
            content_type = request.headers.get("content-type", "").encode()
            body = await read_json(request.receive, content_type) if request.method == "POST" else None
            response = act(request, body)
            self._state.persistence.commit()
            return response

        return endpoint

    def _faults(self, request: Request, body: Any) -> Response:
        return JSONResponse({"faults": [fault.to_json() for fault in self._state.faults.snapshot()]})

    def _add_fault(self, request: Request, body: Any) -> Response:
        arguments = _arguments(body, FAULT)
        try:
            fault = self._state.faults.add(**arguments)
        except ValueError as error:
            raise invalid(("", str(error))) from None
        return JSONResponse(fault.to_json(), 201)

    def _remove_fault(self, request: Request, body: Any) -> Response:
        known = {str(fault.id): fault.id for fault in self._state.faults.snapshot()}
        if not self._state.faults.remove(known.get(request.path_params["id"], 0)):
            raise Problem(404, "There is no such fault in force.")
        return Response(status_code=204)

    def _replies(self, request: Request, body: Any) -> Response:
        return JSONResponse({"replies": [reply.public for reply in scripts.all_replies(self._state.store)]})

    def _add_reply(self, request: Request, body: Any) -> Response:
        if wrong := scripts.flaws(body):
            raise invalid(*wrong)
        return JSONResponse(scripts.add_reply(self._state.store, body).public, 201)

    def _remove_reply(self, request: Request, body: Any) -> Response:
        if not scripts.remove_reply(self._state.store, request.path_params["id"]):
            raise Problem(404, "There is no such reply.")
        return Response(status_code=204)

    def _expire_credential(self, request: Request, body: Any) -> Response:
        return JSONResponse(credentials.expire(self._state, request.path_params["id"]).public)

    def _fail_workflow(self, request: Request, body: Any) -> Response:
        given = _arguments({} if body is None else body, {"error": TEXT})
        return JSONResponse(instances.fail(self._state, request.path_params["id"], given.get("error", FAILURE)).public)

    def _time(self, request: Request, body: Any) -> Response:
        return JSONResponse({"now": self._state.clock.now(), "time": self._state.clock.stamp()})

    def _advance(self, request: Request, body: Any) -> Response:
        seconds = _arguments(body, {"advance": NUMBER}, "advance")["advance"]
        try:
            self._state.clock.advance(seconds)
        except ValueError:
            raise invalid(("advance", "leads to no time from 1970 to 8999")) from None
        return self._time(request, None)

    def _deprecations(self, request: Request, body: Any) -> Response:
        return JSONResponse({"deprecations": [_deprecated(each) for each in self._state.deprecations.snapshot()]})

    def _deprecate(self, request: Request, body: Any) -> Response:
        given = _arguments(body, DEPRECATION, "operation")
        operation = given["operation"]
        if operation not in self._contract.operations:
            raise invalid(("operation", "is not in the contract"))
        try:
            added = self._state.deprecations.add(operation, given.get("at"), given.get("sunset"), given.get("link"))
        except ValueError as error:
            raise invalid(("", str(error))) from None
        return JSONResponse(_deprecated(added), 201)

    def _requests(self, request: Request, body: Any) -> Response:
        return _listing("requests", map(_asked, self._state.requests.snapshot()))

    def _events(self, request: Request, body: Any) -> Response:
        return _listing("events", self._state.events.snapshot())

    def _publish(self, request: Request, body: Any) -> Response:
        given = _arguments(body, EVENT, "event")
        example = self._contract.events.get(given["event"])
        if example is None:
            raise invalid(("event", f"must be one of: {', '.join(sorted(self._contract.events))}"))
        # The contract's example says what is not given, so that the event fits its type.
        self._state.publish(given["event"], given.get("namespace", ""), {**example, **given.get("data", {})})
        return JSONResponse(self._state.events[-1], 201)


def _doing(act: Callable[..., None], *arguments: Any) -> Callable[[Request, Any], Response]:
    def endpoint(request: Request, body: Any) -> Response:
        act(*arguments)
        return Response(status_code=204)

    return endpoint


def _listing(name: str, items: Iterable[JsonObject]) -> Response:
    """A long list, streamed item by item: Starlette does it in a thread, so other requests are answered meanwhile."""

    def pieces() -> Iterator[str]:
        yield compact({name: []})[:-2]
        for number, item in enumerate(items):
            yield ("," if number else "") + compact(item)
        yield "]}"

    return StreamingResponse(pieces(), media_type="application/json")


def _arguments(body: Any, fields: JsonObject, *required: str) -> JsonObject:
    """Validate a body as an object of these fields. Raises Problem 422."""
    schema = {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}
    if wrong := problems_of(Validator(schema), body):
        raise invalid(*wrong)
    # To JSON Schema, 5.0 is an integer.
    return {name: _whole(value) if "integer" in fields[name].get("type", ()) else value for name, value in body.items()}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) else value


def _deprecated(deprecated: Deprecated) -> JsonObject:
    return {name: getattr(deprecated, name) for name in ("operation", "at", "sunset", "link")}


def _asked(record: RequestRecord) -> JsonObject:
    names = ("method", "path", "operation", "client_id", "namespace", "status", "request_id", "fault", "time")
    return {name: getattr(record, name) for name in (*names, "duration", "headers", "body")}
