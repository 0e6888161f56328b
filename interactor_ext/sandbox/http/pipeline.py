"""The API as an ASGI app: the steps from request to response, the same for every operation."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from interactor_ext._engine.logs import sandbox_logger as logger
from interactor_ext.sandbox.clock import http_date
from interactor_ext.sandbox.http import wire
from interactor_ext.sandbox.http.connections import cut_off, is_cuttable
from interactor_ext.sandbox.http.dialects import read_request, speak
from interactor_ext.sandbox.http.guard import check_host
from interactor_ext.sandbox.http.wire import RawHeaders
from interactor_ext.sandbox.platform import agents, conversation, credentials, instances, oauth, webhooks, workflows
from interactor_ext.sandbox.platform.contract import ContractOperation
from interactor_ext.sandbox.platform.faults import Fault
from interactor_ext.sandbox.platform.handlers import ApiCall, handler_of
from interactor_ext.sandbox.platform.idempotency import ApiResponse
from interactor_ext.sandbox.platform.limits import TokenBucket
from interactor_ext.sandbox.platform.state import State, cause
from interactor_ext.sandbox.platform.streams import Subscription
from interactor_ext.sandbox.problems import ConnectionCut, Problem, conflict, invalid, not_stored, unauthorized
from interactor_ext.sandbox.storage.journal import RESPONSES, RequestRecord, ResponseRecord
from interactor_ext.sandbox.storage.persistence import NotStored
from interactor_ext.sandbox.storage.records import new_id
from interactor_ext.webhooks.asgi import ClientGone

# Importing them fills HANDLERS of handlers.py.
HANDLER_MODULES = (agents, conversation, credentials, instances, oauth, webhooks, workflows)

Operations = Mapping[str, ContractOperation]


@dataclass(slots=True)
class Exchange:
    """One request in progress, with everything known about it so far."""

    scope: Scope
    request_id: str
    generation: int
    arrived: str
    began: float = field(default_factory=time.monotonic)
    operation: ContractOperation | None = None
    client_id: str = ""
    namespace: str = ""
    content: bytes = b""
    allowance: TokenBucket | None = None
    fault: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)


class Platform:
    """The API at one path of the contract, as an ASGI app; without operations, at any other path."""

    def __init__(self, state: State, on_request: Callable[[], None], operations: Operations) -> None:
        self._state = state
        self._on_request = on_request
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._on_request()
        exchange = Exchange(scope, new_id("req"), self._state.generation, self._state.clock.stamp())
        extra: RawHeaders = []
        response: ApiResponse | Subscription
        try:
            response = await self._respond(exchange, receive)
        except ClientGone:
            return
        except ConnectionCut as interruption:
            self._record(exchange, 0, None)
            await cut_off(scope, receive, reset=interruption.reset)
            return
        except Problem as problem:
            response, extra = wire.response_of(problem, exchange.request_id)
        except Exception:
            logger.exception("the sandbox failed in request %s", exchange.request_id)
            response = ApiResponse.of(500, Problem(500, "The sandbox itself failed.").envelope(exchange.request_id))
        fault = exchange.fault.kind if exchange.fault else ""
        if fault == "malformed" and isinstance(response, ApiResponse) and response.content:
            response = ApiResponse(response.status, response.content[: len(response.content) // 2])
        replaced = {name for name, _ in extra}
        headers = [*(each for each in self._headers(exchange) if each[0] not in replaced), *extra]
        headers += wire.content_headers(response, replaced)
        status, kept = 200, ResponseRecord(headers)
        if isinstance(response, ApiResponse):
            status = response.status
            kept.add(response.content or b"")
        self._record(exchange, status, kept)
        try:
            if fault == "reset_after":
                raise ConnectionCut(reset=True)
            if isinstance(response, ApiResponse):
                await wire.send_response(send, response, headers, is_cut=fault == "truncated")
            else:
                await self._send_stream(exchange, receive, send, response, kept)
        except ConnectionCut as interruption:
            await cut_off(scope, receive, reset=interruption.reset)
        finally:
            if isinstance(response, Subscription):
                response.close()

    async def _respond(self, exchange: Exchange, receive: Receive) -> ApiResponse | Subscription:
        """Handle a request and commit what it wrote."""
        token = cause.set(exchange.request_id)
        try:
            try:
                return await self._process(exchange, receive)
            finally:
                cause.reset(token)
                self._check_generation(exchange)
                self._state.persistence.commit()
        except NotStored as error:
            raise not_stored(error) from None

    def _check_generation(self, exchange: Exchange) -> None:
        if exchange.generation != self._state.generation:
            # Clients don't retry a 409: a retry would do what this call must not.
            raise conflict("The sandbox was reset during this call. Nothing was done.")

    async def _send_stream(
        self, exchange: Exchange, receive: Receive, send: Send, subscription: Subscription, kept: ResponseRecord
    ) -> None:
        """Send a stream. Raises ConnectionCut if a fault ends the connection early."""

        async def send_and_keep(message: Message) -> None:
            kept.add(message.get("body", b""))
            await send(message)

        settings, fault = self._state.settings, exchange.fault
        chunks = subscription.chunks(settings.keepalive, settings.retry)
        await wire.send_stream(receive, send_and_keep, subscription, chunks, kept.raw_headers, fault)

    async def _process(self, exchange: Exchange, receive: Receive) -> ApiResponse | Subscription:
        scope = exchange.scope
        if scope["method"] not in {"GET", "DELETE"}:
            exchange.content = await wire.read_body(receive)
        connection = HTTPConnection(scope)
        check_host(connection, self._state.settings.allowed_hosts)
        exchange.headers = wire.parse_headers(scope["headers"])
        exchange.operation = operation = _operation(self._operations, scope["method"])
        exchange.query = dict(connection.query_params)
        exchange.namespace = operation.namespace(exchange.headers, exchange.query)
        await self._apply_fault(exchange, operation)
        if deprecated := self._state.deprecations.get(operation.id):
            deprecated.check(self._state.clock.now())
        if not operation.open:
            self._authorize(exchange, operation)
        given = self._body(exchange, operation)
        self._apply_rate_limit(exchange, operation, given)
        query = operation.read_parameters("query", exchange.query)
        headers = operation.read_parameters("header", exchange.headers)
        body = operation.read_body(given)
        call = ApiCall(
            state=self._state,
            operation=operation,
            client_id=exchange.client_id,
            namespace=exchange.namespace,
            path=scope["path_params"],
            query=query,
            body=body,
            origin=wire.origin_of(scope),
            last_event_id=exchange.headers.get("last-event-id", ""),
        )
        if key := headers.get("Idempotency-Key"):
            user = (call.client_id, call.namespace, key)
            return await self._state.idempotency.once(user, _fingerprint(call), lambda: self._handle(exchange, call))
        return await self._handle(exchange, call)

    async def _apply_fault(self, exchange: Exchange, operation: ContractOperation) -> None:
        """Apply a wire fault before the request is processed; some faults change the response later."""
        fault = self._state.faults.take(operation, exchange.namespace, in_handler=False)
        if fault is None:
            return
        exchange.fault = fault
        await asyncio.sleep(fault.latency)
        if fault.kind == "reset":
            raise ConnectionCut(reset=True)
        if fault.kind == "expired_token":
            self._state.accounts.expire(_token(exchange))

    def _authorize(self, exchange: Exchange, operation: ContractOperation) -> None:
        """Check the token, its scopes and the namespace. Raises Problem 401 or 403."""
        token = _token(exchange)
        if not token:
            raise unauthorized("This call needs an access token: Authorization: Bearer <token>.")
        grant = self._state.accounts.check(token)
        exchange.client_id = grant.client_id
        if not grant.allows(operation.scopes):
            raise Problem(403, f"This call needs the scope {' '.join(sorted(operation.scopes))}.")
        self._state.accounts.check_namespace(grant.client_id, exchange.namespace)
        if not grant.opens(exchange.scope["path"]):
            raise Problem(403, f"This access token is only for {grant.audience}.")

    def _body(self, exchange: Exchange, operation: ContractOperation) -> Any:
        if operation.body is None or (not exchange.content and not operation.body_required):
            return None
        if not exchange.content:
            raise invalid(("", "this call needs a JSON body"))
        body = wire.parse_body(exchange.content, exchange.headers.get("content-type", "").encode())
        return read_request(self._state.settings.dialect, operation.tag, body)

    def _apply_rate_limit(self, exchange: Exchange, operation: ContractOperation, body: Any) -> None:
        """Count the request. On the account server, the client is the one named in the body, if it exists."""
        if operation.open and isinstance(body, dict):
            exchange.client_id = self._state.accounts.known(body.get("client_id"))
        limits = self._state.limits
        exchange.allowance, problem = limits.spend(operation.tier, exchange.client_id, exchange.namespace)
        if problem is not None:
            raise problem

    async def _handle(self, exchange: Exchange, call: ApiCall) -> ApiResponse | Subscription:
        """Run the handler, unless a fault applies. Returns the response, or the Subscription of a stream."""
        if fault := self._state.faults.take(call.operation, call.namespace, in_handler=True):
            await fault.apply(self._state.stopping)
        self._check_generation(exchange)
        result = handler_of(call.operation)(call)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Subscription):
            return result
        if call.operation.stream:
            return ApiResponse(204, None)
        if (dialect := self._state.settings.dialect) and result is not None and "data" in result:
            result = speak(dialect, call.operation.tag, call.namespace, result, self._state.store)
        return ApiResponse.of(204 if result is None else call.operation.status, result)

    def _headers(self, exchange: Exchange) -> RawHeaders:
        if exchange.allowance is None:
            tier = exchange.operation.tier if exchange.operation else "standard"
            exchange.allowance = self._state.limits.peek(tier, exchange.client_id, exchange.namespace)
        skew = exchange.fault.skew if exchange.fault else 0.0
        headers = [(b"x-request-id", exchange.request_id.encode()), *exchange.allowance.headers(skew)]
        # Other servers send their own Date.
        if is_cuttable(exchange.scope):
            headers.append((b"date", http_date(self._state.clock.now() + skew)))
        if exchange.operation and (deprecated := self._state.deprecations.get(exchange.operation.id)):
            is_date = "deprecation_true" not in self._state.settings.dialect
            headers.extend(deprecated.headers(is_date=is_date))
        return headers

    def _record(self, exchange: Exchange, status: int, response: ResponseRecord | None) -> None:
        scope = exchange.scope
        record = RequestRecord(
            method=scope["method"],
            path=scope["path"],
            operation=exchange.operation.id if exchange.operation else None,
            client_id=exchange.client_id,
            namespace=exchange.namespace,
            status=status,
            request_id=exchange.request_id,
            raw_headers=tuple(scope["headers"]),
            content=exchange.content,
            fault=exchange.fault.kind if exchange.fault else "",
            time=exchange.arrived,
            duration=time.monotonic() - exchange.began,
            query_string=scope["query_string"],
            response=response,
        )
        # A request from before a reset doesn't belong to the state after it.
        if exchange.generation == self._state.generation:
            self._state.requests.append(record)
            # Keeping the bodies of all responses would fill the memory.
            for older in self._state.requests[-RESPONSES - 1 : -RESPONSES]:
                if older.response is not None:
                    older.response.content = b""
        # Only the path: a stream's query contains a token.
        logger.info("%s %s %d %s", scope["method"], scope["path"], status, exchange.request_id)


def _fingerprint(call: ApiCall) -> str:
    asked = json.dumps([call.operation.id, call.path, call.body], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def _token(exchange: Exchange) -> str:
    """Return the exact bearer token of a request, or ""."""
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    if not scheme and exchange.operation and exchange.operation.stream:
        return exchange.query.get("token", "")
    # RFC 9110 section 11.4: the scheme is case-insensitive, followed by one or more spaces.
    return token.lstrip(" ") if scheme.lower() == "bearer" else ""


def _operation(operations: Operations, method: str) -> ContractOperation:
    """Return the operation for a method. Raises Problem: 404 for an unknown path, 405 for another method."""
    if not operations:
        raise Problem(404, "There is nothing at this path.")
    if method not in operations:
        allowed = ", ".join(sorted(operations))
        raise Problem(405, f"This path only accepts {allowed}.", headers={"allow": allowed})
    return operations[method]
