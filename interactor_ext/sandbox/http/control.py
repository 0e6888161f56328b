"""Control endpoints of the sandbox for other processes: JSON over HTTP, outside the contract and without a token.

| call | what |
|---|---|
| `GET /_sandbox/faults` | `{"faults": [...]}`, the active ones |
| `POST /_sandbox/faults` | the arguments of `Faults.add` as an object; 201 with the fault and its `id` |
| `DELETE /_sandbox/faults`, `DELETE /_sandbox/faults/{id}` | remove all, or one |
| `GET /_sandbox/replies` | `{"replies": [...]}`, in the order in which they are tried |
| `POST /_sandbox/replies` | the fields of a reply (scripts.py) as an object; 201 with the reply and its `id` |
| `DELETE /_sandbox/replies`, `DELETE /_sandbox/replies/{id}` | remove all, or one |
| `GET /_sandbox/clock` | `{"now": Unix seconds, "time": ISO 8601, "frozen": false}` |
| `POST /_sandbox/clock` | `{"frozen": true, "set": Unix seconds, "advance": seconds}`, any of them; responds like GET |
| `GET /_sandbox/delivery`, `PATCH` | the `DeliveryOptions` |
| `GET /_sandbox/deprecations`, `DELETE` | what `deprecate` added |
| `GET /_sandbox/requests`, `/deliveries`, `/events`, `/emails` | `{"requests": [...]}` and so on, oldest first |
| `POST /_sandbox/events` | `{"event": type, "namespace": "", "data": {}}`: publish it; 201 with the event |
| `GET /_sandbox/streams` | `{"open": the number of subscribers}` |
| `POST /_sandbox/run-until-idle`, `/wait-for-deliveries` | like the methods of `Sandbox`: `{"timeout": 10}` |

Lists have secrets masked, and a field in the query, as `?operation=list_rooms`, selects items. The rest are methods of
`Sandbox`: CALLS has their paths. The body is an object of the arguments that are not in the path, or nothing. Times are
Unix seconds. The response is the result as JSON, or 204. Invalid requests get 422 with the contract's error envelope.
Requests from web pages of other sites get 403.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from interactor_ext.sandbox.delivery.deliveries import Delivery, DeliveryOptions
from interactor_ext.sandbox.http.guard import check_host, check_origin
from interactor_ext.sandbox.http.wire import origin_of, parse_body, read_body
from interactor_ext.sandbox.platform import scripts
from interactor_ext.sandbox.platform.contract import Contract
from interactor_ext.sandbox.platform.faults import KINDS, Fault
from interactor_ext.sandbox.platform.handlers import ApiCall, handler_of
from interactor_ext.sandbox.platform.schemas import compiled
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.validation import problems_of
from interactor_ext.sandbox.problems import Problem, invalid
from interactor_ext.sandbox.storage.journal import RequestRecord
from interactor_ext.sandbox.storage.records import JsonObject

# HTTP method, path, and method of Sandbox.
CALLS = (
    ("POST", "clients", "add_client"),
    ("POST", "credentials", "add_credential"),
    ("POST", "credentials/{credential_id}/expire", "expire_credential"),
    ("POST", "deliveries", "redeliver"),
    ("POST", "deprecations", "deprecate"),
    ("POST", "flows/{flow_id}/decide", "decide"),
    ("POST", "reset", "reset"),
    ("GET", "seed", "export"),
    ("GET", "snapshot", "snapshot"),
    ("POST", "snapshot", "restore"),
    ("DELETE", "streams", "disconnect_streams"),
    ("POST", "streams/{stream_id}", "emit"),
    ("DELETE", "tokens", "revoke_tokens"),
    ("POST", "workflow-instances/{instance_id}/fail", "fail_workflow"),
)
# The JSON Schema of an annotation; other annotations are left out.
TYPES: dict[str, JsonObject] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "Any": {},
    "JsonObject": {"type": "object"},
    "Iterable[str]": {"type": "array", "items": {"type": "string"}},
    "Mapping[str, str]": {"type": "object", "additionalProperties": {"type": "string"}},
    "Kind": {"enum": list(KINDS)},
}

Act = Callable[[Request, Any], Response | Awaitable[Response]]


class Control:
    """The control endpoints of a state; `methods` is its Sandbox."""

    def __init__(self, contract: Contract, state: State, on_loop: Callable[[], None], methods: Any) -> None:
        self._contract = contract
        self._state = state
        self._on_loop = on_loop
        self._methods = methods

    def routes(self) -> list[Route]:
        state = self._state
        lists: dict[str, Callable[[], Iterable[JsonObject]]] = {
            "faults": lambda: map(Fault.to_json, state.faults.snapshot()),
            "replies": lambda: (reply.public for reply in scripts.all_replies(state.store)),
            "deprecations": lambda: map(asdict, list(state.deprecations.values())),
            "requests": lambda: map(_request_json, state.requests),
            "deliveries": lambda: map(_delivery_json, state.outbox.journal),
            "events": lambda: state.events,
            "emails": lambda: state.emails,
        }
        endpoints: list[tuple[str, str, Act]] = [
            *(("GET", name, partial(_listing, name, items)) for name, items in lists.items()),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", partial(_call, state.faults.clear)),
            ("DELETE", "faults/{id:int}", partial(_remove, "active fault", state.faults.remove)),
            ("POST", "replies", self._add_reply),
            ("DELETE", "replies", partial(_call, self._methods.replies.clear)),
            ("DELETE", "replies/{id}", partial(_remove, "reply", self._methods.replies.remove)),
            ("GET", "clock", self._time),
            ("POST", "clock", self._set_clock),
            ("GET", "delivery", self._options),
            ("PATCH", "delivery", self._set_options),
            ("DELETE", "deprecations", partial(_call, lambda: state.deprecations.clear())),
            ("POST", "events", self._publish),
            ("POST", "act", self._act),
            ("GET", "streams", lambda request, _: JSONResponse({"open": state.streams.open})),
            ("POST", "run-until-idle", _waiting(state.run_until_idle)),
            ("POST", "wait-for-deliveries", _waiting(state.outbox.wait_until_idle)),
            *((method, path, partial(_call, getattr(self._methods, name))) for method, path, name in CALLS),
        ]
        return [Route(f"/_sandbox/{path}", self._guarded(act), methods=[method]) for method, path, act in endpoints]

    def _guarded(self, act: Act) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            check_host(request, self._state.settings.allowed_hosts)
            check_origin(request)
            self._on_loop()
            content = await read_body(request.receive)
            content_type = request.headers.get("content-type", "").encode()
            response = act(request, parse_body(content, content_type) if content else None)
            if inspect.isawaitable(response):
                response = await response
            self._state.persistence.commit()
            return response

        return endpoint

    def _add_fault(self, request: Request, body: Any) -> Response:
        return JSONResponse(_invoke(self._state.faults.add, body).to_json(), 201)

    def _add_reply(self, request: Request, body: Any) -> Response:
        if wrong := scripts.flaws(body):
            raise invalid(*wrong)
        return JSONResponse(scripts.add_reply(self._state.store, body).public, 201)

    def _time(self, request: Request, body: Any) -> Response:
        clock = self._state.clock
        return JSONResponse({"now": clock.now(), "time": clock.stamp(), "frozen": clock.is_frozen})

    def _set_clock(self, request: Request, body: Any) -> Response:
        clock = self._state.clock
        given = _checked({"frozen": TYPES["bool"], "set": TYPES["float"], "advance": TYPES["float"]}, body)
        if not given:
            raise invalid(("advance", "is required, unless set or frozen is given"))
        acts = {"frozen": lambda frozen: clock.freeze() if frozen else clock.resume(), "set": clock.set}
        for name, act in {**acts, "advance": clock.advance}.items():
            try:
                if name in given:
                    act(given[name])
            except ValueError:
                raise invalid((name, "leads to a time outside of 1970 to 8999")) from None
        return self._time(request, None)

    def _options(self, request: Request, body: Any) -> Response:
        return JSONResponse(attrs.asdict(self._state.outbox.options))

    def _set_options(self, request: Request, body: Any) -> Response:
        options = attrs.asdict(self._state.outbox.options)
        self._state.outbox.options = _invoke(DeliveryOptions, {**options, **body} if isinstance(body, dict) else body)
        return self._options(request, None)

    def _publish(self, request: Request, body: Any) -> Response:
        event = {"event": TYPES["str"], "namespace": TYPES["str"], "data": TYPES["JsonObject"]}
        given = _checked(event, body, "event")
        example = self._contract.events.get(given["event"])
        if example is None:
            raise invalid(("event", f"must be one of: {', '.join(sorted(self._contract.events))}"))
        # The contract's example supplies missing fields, so the event fits its type.
        published = self._state.publish(
            given["event"], given.get("namespace", ""), {**example, **given.get("data", {})}
        )
        return JSONResponse(published, 201)

    async def _act(self, request: Request, body: Any) -> Response:
        """Call an operation of the contract for the inspector page: without a token, faults, limits or a record."""
        path = {"type": "object", "additionalProperties": TYPES["str"]}
        fields = {"operation": {"enum": list(self._contract.operations)}, "namespace": TYPES["str"], "path": path}
        given = _checked({**fields, "body": {}}, body, *fields)
        operation = self._contract.operations[given["operation"]]
        checked, origin = operation.read_body(given.get("body")), origin_of(request.scope)
        result = handler_of(operation)(
            ApiCall(self._state, operation, given["namespace"], checked, path=given["path"], origin=origin)
        )
        if inspect.isawaitable(result):
            await result
        return Response(status_code=204)


def _waiting(wait: Callable[[], Awaitable[None]]) -> Act:
    async def endpoint(request: Request, body: Any) -> Response:
        given = _checked({"timeout": TYPES["float"]}, body)
        try:
            await asyncio.wait_for(wait(), given.get("timeout", 10.0))
        except TimeoutError:
            raise Problem(504, "Not everything finished in time.") from None
        return Response(status_code=204)

    return endpoint


def _remove(what: str, remove: Callable[[Any], bool], request: Request, body: Any) -> Response:
    if not remove(request.path_params["id"]):
        raise Problem(404, f"There is no such {what}.")
    return Response(status_code=204)


def _call(method: Callable[..., Any], request: Request, body: Any) -> Response:
    """Call a method with the arguments of the path and the body."""
    result = _invoke(method, {**request.path_params, **body} if isinstance(body, dict) else body or request.path_params)
    return Response(status_code=204) if result is None else JSONResponse(result)


def _invoke(method: Callable[..., Any], body: Any) -> Any:
    """Call a method with a body as its arguments. Raises Problem 422 for arguments that don't fit its signature."""
    parameters = inspect.signature(method).parameters.values()
    kinds = {each.name: str(each.annotation).split(" | ") for each in parameters}
    schemas = {name: _either([TYPES[kind] for kind in kinds[name] if kind in TYPES]) for name in kinds}
    given = _checked(schemas, body, *(each.name for each in parameters if each.default is each.empty))
    try:
        return method(**given)
    except ValueError as error:
        # Methods of Sandbox raise a ValueError instead of a Problem.
        problem = error.__context__
        raise (problem if isinstance(problem, Problem) else invalid(("", str(error)))) from None


def _either(schemas: list[JsonObject]) -> JsonObject:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _checked(fields: JsonObject, body: Any, *required: str) -> JsonObject:
    """Return a body, or nothing, as an object with these fields. Raises Problem 422."""
    given: Any = {} if body is None else body
    schema = {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}
    if wrong := problems_of(compiled(schema), given):
        raise invalid(*wrong)
    return dict(given)


def _listing(name: str, items: Callable[[], Iterable[JsonObject]], request: Request, body: Any) -> Response:
    wanted = request.query_params.items()
    return JSONResponse(
        {name: [item for item in items() if all(f"{item.get(field)}" == value for field, value in wanted)]}
    )


def _request_json(record: RequestRecord) -> JsonObject:
    names = ("method", "path", "operation", "client_id", "namespace", "status", "request_id", "fault", "time")
    return {name: getattr(record, name) for name in (*names, "duration", "headers", "body")}


def _delivery_json(delivery: Delivery) -> JsonObject:
    return {**asdict(delivery), "event_id": delivery.event_id, "event_type": delivery.event_type}
