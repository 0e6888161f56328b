"""ApiCall, the input of a handler, and the table of handlers by operationId."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from interactor_ext.sandbox.platform.contract import ContractOperation
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.streams import Subscription
from interactor_ext.sandbox.problems import invalid
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

    def record(self, kind: str) -> Record:
        """Return the record whose id is in the path. Raises Problem 404."""
        return self.state.store.get(kind, self.namespace, self.path[self.operation.path_names[0]])


Handler = Callable[[ApiCall], Result] | Callable[[ApiCall], Awaitable[Result]]

# Query parameters of lists; any other parameter is a filter.
NO_FILTERS = frozenset({"page", "per_page", "order", "namespace"})
HANDLERS: dict[str, Handler] = {}


def handles(operation_id: str) -> Callable[[Handler], Handler]:
    """Register a handler: a function or coroutine function of an ApiCall, which raises Problem to refuse."""

    def register(handler: Handler) -> Handler:
        HANDLERS[operation_id] = handler
        return handler

    return register


def handle_list_and_get(kind: str, list_id: str, get_id: str) -> None:
    """Register handlers for the operations that list records and get one by its id."""
    handles(list_id)(lambda call: list_page(call, kind))
    handles(get_id)(lambda call: data(call.record(kind).public))


def handle_update(kind: str, operation_id: str) -> None:
    """Register the handler of an operation that updates the fields of a record from the body."""

    @handles(operation_id)
    def update(call: ApiCall) -> JsonObject:
        record = call.record(kind)
        call.state.store.change(record, call.body)
        return data(record.public)


def subscribe(call: ApiCall, channel_id: str) -> Subscription | None:
    """Return the stream of a room or a workflow instance; None if it is over."""
    streams, last_event_id = call.state.streams, call.last_event_id
    is_over = streams.is_over(channel_id, last_event_id)
    # A page's EventSource can't set a header, so its token is in the query.
    if is_over and (last_event_id or "token" not in call.query):
        return None
    return streams.subscribe(channel_id, last_event_id, stays=is_over)


def data(value: Any) -> JsonObject:
    return {"data": value}


def list_page(call: ApiCall, kind: str, *, parent: str = "", per_page: int = 20) -> JsonObject:
    """Return one page of the records that match each filter, a query parameter named after one of their fields.

    Oldest first unless `order=desc`, with the canonical meta. `per_page` is the default page size.
    """
    records = list(call.state.store.all(kind, call.namespace, parent=parent))
    if wanted := {name: value for name, value in call.query.items() if name not in NO_FILTERS}:
        records = [record for record in records if wanted.items() <= record.public.items()]
    if call.query.get("order") == "desc":
        records.reverse()
    number, size = call.query.get("page", 1), call.query.get("per_page", per_page)
    total = len(records)
    meta = {
        "page": number,
        "per_page": size,
        "total": total,
        "total_pages": -(-total // size),
        "has_more": number * size < total,
    }
    return {"data": [record.public for record in records[(number - 1) * size : number * size]], "meta": meta}


def referenced(call: ApiCall, kind: str, field_name: str, record_id: str, *, parent: str = "") -> Record:
    """Return the record that a body refers to. Raises Problem 422, because a wrong id in a body is an invalid value."""
    record = call.state.store.find(kind, call.namespace, record_id, parent=parent)
    if record is None:
        raise invalid((field_name, f"there is no {kind} with this id {'here' if parent else 'in this namespace'}"))
    return record
