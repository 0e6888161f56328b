"""ApiCall, the input of a handler, and the table of handlers by operationId."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from interactor_ext.sandbox.platform.contract import CORE_PREFIX, ContractOperation
from interactor_ext.sandbox.platform.schemas import value_for
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.streams import Subscription
from interactor_ext.sandbox.problems import Problem, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record

# The response body (None: no body), or a stream (None: it is over).
Result = JsonObject | Subscription | None


@dataclass(slots=True)
class ApiCall:
    """A validated and authorized request: the input of a handler."""

    state: State
    operation: ContractOperation
    namespace: str
    body: Any = field(repr=False)
    path: dict[str, str] = field(default_factory=dict)
    query: JsonObject = field(default_factory=dict)
    client_id: str = ""
    origin: str = ""
    last_event_id: str = ""

    @property
    def kind(self) -> str:
        """The kind of the records that the operation's tag is about."""
        return kind_of(self.operation.tag)

    def record(self, kind: str = "") -> Record:
        """Return the record whose id is in the path, by default of the tag's kind. Raises Problem 404."""
        record = self.state.store.get(kind or self.kind, self.namespace, self.path[self.operation.path_names[0]])
        self.state.timed.update_sync(record)
        return record


Handler = Callable[[ApiCall], Result] | Callable[[ApiCall], Awaitable[Result]]

# Query parameters of lists; any other parameter is a filter.
NO_FILTERS = frozenset({"page", "per_page", "order", "namespace"})
TIMES = frozenset({"created_at", "updated_at"})
HANDLERS: dict[str, Handler] = {}


def handles(operation_id: str) -> Callable[[Handler], Handler]:
    """Register a handler: a function or coroutine function of an ApiCall, which raises Problem to refuse."""

    def register(handler: Handler) -> Handler:
        HANDLERS[operation_id] = handler
        return handler

    return register


def handler_of(operation: ContractOperation) -> Handler:
    """Return the handler of an operation. A plain one doesn't have its own: its schema is enough to serve it.

    Raises Problem 501 if the operation isn't plain.
    """
    if own := HANDLERS.get(operation.id):
        return own
    depth = operation.path.removeprefix(CORE_PREFIX).count("/")
    match operation.method, depth if len(operation.path_names) == depth - 1 else None:
        case "GET", 1:
            return list_page
        case "POST", 1:
            return lambda call: data(create(call).public)
        case "GET", 2:
            return lambda call: data(call.record().public)
        case "PATCH" | "PUT", 2:
            return lambda call: data(update(call).public)
        case "DELETE", 2:
            return lambda call: call.state.store.remove(call.record())
    raise Problem(501, f"The sandbox doesn't support the operation {operation.id}")


def kind_of(tag: str) -> str:
    """Return the kind of a tag's records: `data source` for `data_sources`."""
    name = tag.replace("_", " ")
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def create(call: ApiCall, defaults: JsonObject | None = None, *, private: JsonObject | None = None) -> Record:
    """Store the body, and `defaults` of fields that it lacks, as a new record of the operation's tag.

    The record also has the fields that the platform sets, and a value for each further field that its schema requires.
    """
    now = call.state.clock.stamp()
    public: JsonObject = {**(defaults or {}), **(call.body or {})}
    for name, schema in call.operation.shown.items():
        if name == "namespace":
            public[name] = call.namespace
        elif name in TIMES:
            public[name] = now
        elif name in call.operation.required - {"id"} - public.keys():
            public[name] = now if schema.get("format") == "date-time" else value_for(schema)
    return call.state.store.add(call.kind, call.namespace, public, private=private)


def update(call: ApiCall) -> Record:
    """Change the fields of the body in the record whose id is in the path."""
    record = call.record()
    now = {"updated_at": call.state.clock.stamp()} if "updated_at" in call.operation.shown else {}
    call.state.store.change(record, {**(call.body or {}), **now})
    return record


@handles("stream_room")
@handles("stream_workflow_instance")
def subscribe(call: ApiCall) -> Subscription | None:
    """Return the stream of a room or a workflow instance; None if it is over."""
    channel_id, streams, last_event_id = call.record().id, call.state.streams, call.last_event_id
    is_over = streams.is_over(channel_id, last_event_id)
    # A page's EventSource can't set a header, so its token is in the query.
    if is_over and (last_event_id or "token" not in call.query):
        return None
    return streams.subscribe(channel_id, last_event_id, stays=is_over)


def data(value: Any) -> JsonObject:
    return {"data": value}


def list_page(call: ApiCall, *, parent: str = "", per_page: int = 20) -> JsonObject:
    """Return one page of the tag's records that match each filter, a query parameter named after one of their fields.

    Oldest first unless `order=desc`, with the canonical meta. `per_page` is the default page size.
    """
    records = list(call.state.store.all(call.kind, call.namespace, parent=parent))
    if wanted := {name: value for name, value in call.query.items() if name not in NO_FILTERS}:
        records = [record for record in records if wanted.items() <= record.public.items()]
    if call.query.get("order") == "desc":
        records.reverse()
    number, size = call.query.get("page", 1), call.query.get("per_page", per_page)
    total, shown = len(records), records[(number - 1) * size : number * size]
    for record in shown:
        call.state.timed.update_sync(record)
    meta = {
        "page": number,
        "per_page": size,
        "total": total,
        "total_pages": -(-total // size),
        "has_more": number * size < total,
    }
    return {"data": [record.public for record in shown], "meta": meta}


def referenced(call: ApiCall, kind: str, field_name: str, record_id: str, *, parent: str = "") -> Record:
    """Return the record that a body refers to. Raises Problem 422, because a wrong id in a body is an invalid value."""
    record = call.state.store.find(kind, call.namespace, record_id, parent=parent)
    if record is None:
        raise invalid((field_name, f"there is no {kind} with this id {'here' if parent else 'in this namespace'}"))
    return record
