"""The relay's routes, as effects that ASGI and WSGI both run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from interactor_client.models import WorkflowHalted
from interactor_ext._engine.arguments import kind_of
from interactor_ext._engine.effects import Effects, Invoke
from interactor_ext._engine.errors import ConfigurationError, InteractorError, PermissionDeniedError
from interactor_ext._engine.limits.limiter import RateLimiter
from interactor_ext._engine.logs import relay_logger as logger
from interactor_ext._engine.network.per_loop import PerLoop
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.waiting.around import Around
from interactor_ext.relay import _approvals
from interactor_ext.relay._background import Work
from interactor_ext.relay._decisions import Decision
from interactor_ext.relay._event_ids import END, EventIds
from interactor_ext.relay._http import (
    AllowedSites,
    Refused,
    Request,
    Response,
    Site,
    cors_headers,
    is_id,
    json_object,
    json_response,
    log_failure,
    preflight,
    refusal_for,
    require_json,
    segments,
    unless_known,
)
from interactor_ext.relay._hub import Hubs, Source
from interactor_ext.relay._lookups import ToolNames, question_of
from interactor_ext.relay._public import ROOM_NAME, Show, dump, public_event, public_json
from interactor_ext.relay._reader import HubOptions, Reader
from interactor_ext.relay._static import StaticFile, static_file, static_response
from interactor_ext.relay._takeover import take_over
from interactor_ext.webhooks.asgi import ClientGone

if TYPE_CHECKING:
    from interactor_client.models import Message
    from interactor_ext import AsyncInteractorClient
    from interactor_ext.tools._tool_set import ToolSet

T = TypeVar("T")
_MAX_PER_PAGE = 100
_WRITES = frozenset({"POST", "PATCH", "DELETE"})
_MAX_NAME_LENGTH = 200
# For the list of rooms: the totals would count other users' rooms.
_META_OF_ROOMS = ("page", "per_page", "has_more")
_META_OF_MESSAGES = (*_META_OF_ROOMS, "total", "total_pages")
_REFUSED = ("MESSAGE_REFUSED", "This message isn't allowed.")


class Options(NamedTuple):
    authorize: Decision
    rooms: Decision | None
    instances: Decision | None
    approvals: Decision | None
    on_message: Decision | None
    on_feedback: Decision | None
    show: Show
    tools: ToolSet | None
    around: Around | None
    origins: AllowedSites
    max_body: int
    answer_seconds: float
    writes: RateLimiter
    reads: RateLimiter
    hub: HubOptions


class User(NamedTuple):
    """The signed-in user, and the view of the client for their calls."""

    namespace: str
    view: Any
    counted_as: tuple[str, ...]
    """The key under which the user's writes and reads are counted."""


def require_async_client(client: Any) -> Any:
    if isinstance(client, type) or not hasattr(client, "aclose"):  # a synchronous client would block the event loop
        raise ConfigurationError(
            "A relay needs an AsyncInteractorClient, or a function that returns one, such as get_async_client, not "
            f"{kind_of(client)}."
        )
    return client


class Routes:
    def __init__(self, get_client: Callable[[], AsyncInteractorClient], options: Options) -> None:
        self._get_client = get_client
        self._options = options
        self._names = ToolNames()
        # If a function supplies the client secret, it may change at any time, so event ids are encrypted with this
        # instead.
        self._own_secret = token_hex()
        self._hubs = PerLoop(partial(Hubs, options.hub), lambda hubs: hubs.background.drain())
        self.aclose = self._hubs.aclose

    @property
    def _tools(self) -> ToolSet:
        assert self._options.tools is not None
        return self._options.tools._within(self._options.around)

    def answer(self, request: Request) -> Effects[Response | None]:
        """Return the response to a request; None if the browser has left. Sends nothing upstream before all checks."""
        origin = self._options.origins.of(request)
        try:
            response: Response = yield from self._answer(request, origin)
        except ClientGone:
            return None
        except Refused as refused:
            response = refused.response
        except InteractorError as error:
            response = refusal_for(error).response
            if response.status >= 500 or isinstance(error, PermissionDeniedError):
                log_failure(f"A {request.method}", error)
        except Exception:
            logger.exception("A request to the relay failed.")
            response = Refused(500).response
        response.headers |= cors_headers(request, origin, response.headers.get("Vary"))
        return response

    def _answer(self, request: Request, origin: Site) -> Effects[Response]:
        parts = segments(request)
        methods = self._methods(parts)
        if request.method == "OPTIONS":
            if origin is Site.FOREIGN:
                raise Refused(403)
            return preflight(request, (*methods, "OPTIONS"))
        handler = methods.get(request.method)
        if handler is None:
            raise Refused(405, Allow=", ".join((*methods, "OPTIONS")))
        if origin is Site.FOREIGN or (origin is Site.UNSAID and request.method in _WRITES):
            raise Refused(403)
        return (yield from handler(request))

    def _methods(self, parts: list[str]) -> Mapping[str, Callable[[Request], Effects[Response]]]:
        """Return the methods allowed at a path. Raises Refused for an unknown path."""
        rates = self._options.on_feedback
        match parts:
            case ["static", name] if (file := static_file(name)) is not None:
                return dict.fromkeys(("GET", "HEAD"), partial(self._static, file))
            case ["rooms"]:
                return {"GET": self._list_rooms, "POST": self._create_room}
            case ["rooms", room] if is_id(room):
                return {"PATCH": partial(self._name_room, room), "DELETE": partial(self._delete_room, room)}
            case ["rooms", room, "messages"] if is_id(room):
                return {"GET": partial(self._list_messages, room), "POST": partial(self._send_message, room)}
            case ["rooms", room, "messages", message, "feedback"] if (
                is_id(room) and is_id(message) and rates is not None
            ):
                return {"POST": partial(self._rate, rates, room, message)}
            case ["rooms", room, "approvals"] if is_id(room) and self._options.approvals is not None:
                return {"GET": partial(self._list_approvals, room)}
            case ["rooms", room, "approvals", call] if is_id(room) and self._options.approvals is not None:
                return {"POST": partial(self._decide, room, call)}
            case ["rooms", room, "stream"] if is_id(room):
                return {"GET": partial(self._stream, "rooms", room)}
            case ["workflow-instances", instance] if is_id(instance):
                return {"GET": partial(self._get_instance, instance)}
            case ["workflow-instances", instance, "input"] if is_id(instance):
                return {"POST": partial(self._submit_input, instance)}
            case ["workflow-instances", instance, "stream"] if is_id(instance):
                return {"GET": partial(self._stream, "workflow_instances", instance)}
        raise Refused(404)

    def _static(self, file: StaticFile, request: Request) -> Effects[Response]:
        return static_response(file, request)
        yield  # makes this a generator like the others

    def _list_rooms(self, request: Request) -> Effects[Response]:
        asked: dict[str, Any] = _page(request.query)
        if (assistant := request.query.get("assistant_id")) is not None:
            asked["assistant_id"] = _known_id(assistant)
        user = yield from self._within(self._options.reads, request)
        page = yield Invoke(partial(user.view.rooms.list, **asked))
        rooms: list[Any] = []
        for room in page.data:
            may_enter = yield from self._may(self._options.rooms, user, room.id, request)
            rooms.append(room if may_enter else None)
        return self._list_response(request, rooms, page.meta, _META_OF_ROOMS)

    def _create_room(self, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        assistant = _known_id(body.get("assistant_id"))
        metadata = {ROOM_NAME: _name(body)} if "name" in body else {}
        yield from self._require(self._options.rooms, user, "", request)
        view = _view_with_key(user, request)
        return self._response((yield Invoke(partial(view.rooms.create, assistant, metadata=metadata))), 201)

    def _name_room(self, room: str, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        name = _name(body)
        yield from self._require(self._options.rooms, user, room, request)
        metadata = (yield Invoke(user.view.rooms.get, (room,))).metadata | {ROOM_NAME: name}
        return self._response((yield Invoke(partial(user.view.rooms.update, room, metadata=metadata))))

    def _delete_room(self, room: str, request: Request) -> Effects[Response]:
        user = yield from self._within(self._options.writes, request)
        yield from self._require(self._options.rooms, user, room, request)
        yield Invoke(user.view.rooms.delete, (room,))
        return Response(204, {"Cache-Control": "no-store"})

    def _list_messages(self, room: str, request: Request) -> Effects[Response]:
        asked: dict[str, Any] = _page(request.query)
        if "order" in request.query:
            asked["order"] = request.query["order"]
        since = request.query.get("since")
        if since is not None and asked.setdefault("order", "desc") != "desc":
            raise Refused(422)
        user = yield from self._within(self._options.reads, request)
        yield from self._require(self._options.rooms, user, room, request)
        page = yield Invoke(partial(user.view.messages.list, room, **asked))
        # A page without it is sent whole, so the browser learns of the gap.
        place = next((place for place, each in enumerate(page.data) if since and each.id == since), len(page.data))
        messages = page.data[: place + 1]
        yield Invoke(self._names.add, (user.namespace, user.view, messages))
        return self._list_response(request, messages, page.meta, _META_OF_MESSAGES)

    def _send_message(self, room: str, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        content = body.get("content")
        if not isinstance(content, str) or not content.strip():
            raise Refused(422)
        yield from self._require(self._options.rooms, user, room, request)
        if self._options.on_message is not None:
            reason = yield self._options.on_message.call(request.scope, user.namespace, room, content)
            if isinstance(reason, str):
                raise Refused(422, words=(_REFUSED[0], reason or _REFUSED[1]))
            if reason is not None:
                raise TypeError(f"on_message= must return None or a string, not {type(reason).__name__}")
        view = _view_with_key(user, request)
        if self._options.tools is None:
            message = yield Invoke(partial(view.messages.send, room, content=content, stream=True))
            return self._response(message, 201)
        message, work = yield Invoke(self._finish, ("A message", self._send_and_follow(user, view, room, content)))
        response = self._response(message, 201)
        response.work = work
        return response

    def _rate(self, on_feedback: Decision, room: str, message: str, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        rating = body.get("rating")
        if rating not in ("good", "bad"):
            raise Refused(422)
        yield from self._require(self._options.rooms, user, room, request)
        yield on_feedback.call(request.scope, user.namespace, room, message, rating)
        return json_response({"data": {"id": message, "rating": rating}})

    def _list_approvals(self, room: str, request: Request) -> Effects[Response]:
        user = yield from self._within(self._options.reads, request)
        yield from self._approver(user, room, request)
        return json_response({"data": (yield Invoke(_approvals.waiting, (self._tools, user.view, room)))})

    def _decide(self, room: str, call: str, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        by = yield from self._approver(user, room, request)
        view = user.view.with_options(deadline=self._options.answer_seconds)
        # A tool that has started continues even if the browser leaves.
        work = _approvals.decide(self._tools, view, room, call, body, by)
        yield Invoke(self._finish, ("A decision about a call", work))
        return json_response({"data": {"id": call, "decision": body["decision"]}})

    def _approver(self, user: User, room: str, request: Request) -> Effects[str]:
        """Return who decides. To anyone who may not decide, the route looks nonexistent."""
        assert self._options.approvals is not None
        name = yield self._options.approvals.call(request.scope, user.namespace, room)
        if name is None:
            raise Refused(404)
        if not isinstance(name, str) or not name:
            raise TypeError(f"approvals= must return None or a name, not {type(name).__name__}")
        return name

    def _get_instance(self, instance: str, request: Request) -> Effects[Response]:
        user = yield from self._within(self._options.reads, request)
        yield from self._require(self._options.instances, user, instance, request)
        return self._response((yield Invoke(user.view.workflow_instances.get, (instance,))))

    def _submit_input(self, instance: str, request: Request) -> Effects[Response]:
        user, body = yield from self._write(request)
        yield from self._require(self._options.instances, user, instance, request)
        return self._response((yield Invoke(partial(user.view.workflow_instances.submit_input, instance, body=body))))

    def _response(self, model: Any, status: int = 200) -> Response:
        return json_response({"data": public_json(model, self._options.show)}, status)

    def _list_response(self, request: Request, models: Iterable[Any], meta: Any, names: Iterable[str]) -> Response:
        """Drop the records that browsers don't get, and count them, because pages of the platform count all records."""
        documents = [public_json(each, self._options.show) for each in models]
        data = [each for each in documents if each is not None]
        # In the contract an unknown number is left out, never null.
        about = {name: getattr(meta, name) for name in names if getattr(meta, name) is not None}
        if left_out := len(documents) - len(data):
            about["left_out"] = left_out
        return unless_known(json_response({"data": data, "meta": about}), request)

    def _stream(self, kind: str, record: str, request: Request) -> Effects[Response]:
        user = yield from self._user(request)
        may_enter = self._options.rooms if kind == "rooms" else self._options.instances
        yield from self._require(may_enter, user, record, request)
        name = (user.namespace, kind, record)
        secret = user.view.config.client_secret
        ids = EventIds(secret if isinstance(secret, str) else self._own_secret, *name)
        last_event_id = request.headers.get("last-event-id") or request.query.get("last_event_id", "")
        resume = ids.decode(last_event_id)
        if resume == END:
            return Response(204, {"Cache-Control": "no-store"})

        async def publish(event: Any) -> dict[str, Any] | None:
            if kind == "workflow_instances" and isinstance(event, WorkflowHalted) and event.presentation is None:
                return await question_of(user.view, record, self._options.show) or {"type": event.type}
            await self._names.add(user.namespace, user.view, [event])
            return public_event(event, self._options.show)

        async def join() -> tuple[Reader | None, Work]:
            stream = getattr(user.view, kind).stream
            source = Source(lambda last: stream(record, last_event_id=last), publish, lambda: user.view.is_closed)
            reader = await self._hubs.get().join(name, source, ids, resume)
            if reader is not None and kind == "rooms":
                self._take_over(user, record, waits=True)
            if reader is not None and resume is None and kind == "workflow_instances":
                try:
                    if (question := await question_of(user.view, record, self._options.show)) is not None:
                        reader.tell(dump(question))
                except BaseException:
                    await reader.aclose()
                    raise
            return reader, self._hubs.get().background.tasks_of((user.namespace, record))

        reader, work = yield Invoke(join)
        if reader is None:
            return Response(204, {"Cache-Control": "no-store"})
        return Response(200, dict(_EVENT_STREAM), reader, work)

    def _write(self, request: Request) -> Effects[tuple[User, dict[str, Any]]]:
        """Return the user who writes, and the JSON object they sent."""
        require_json(request)
        user = yield from self._within(self._options.writes, request)
        return user, json_object((yield Invoke(request.read_body, (self._options.max_body,))))

    def _within(self, limits: RateLimiter, request: Request) -> Effects[User]:
        """Return the user whose request counts against the limits."""
        user = yield from self._user(request)
        wait = yield from limits.take([("namespace", "relay", *user.counted_as)])
        if wait > 0:
            raise Refused(429, retry_after=wait)
        return user

    def _user(self, request: Request) -> Effects[User]:
        named = yield self._options.authorize.call(request.scope)
        if named is None:
            raise Refused(401)
        who: tuple[Any, ...] = named if isinstance(named, tuple) and len(named) == 2 else (named,)
        if not all(isinstance(each, str) for each in who):
            raise TypeError(
                f"authorize= must return a namespace or a tuple of a namespace and a user, not {type(named).__name__}"
            )
        try:
            return User(who[0], require_async_client(self._get_client()).namespace(who[0]), who)
        except ConfigurationError as error:
            raise RuntimeError("There is no client, or authorize= returned an invalid namespace.") from error

    def _may(self, decision: Decision | None, user: User, record: str, request: Request) -> Effects[bool]:
        return decision is None or (yield decision.call(request.scope, user.namespace, record)) is True

    def _require(self, decision: Decision | None, user: User, record: str, request: Request) -> Effects[None]:
        if not (yield from self._may(decision, user, record, request)):
            raise Refused(404)

    async def _finish(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        return await self._hubs.get().background.finish(what, work)

    async def _send_and_follow(self, user: User, view: Any, room: str, content: str) -> tuple[Message, Work]:
        """Send a message, and run the tools of its reply in the background."""
        background, place = self._hubs.get().background, (user.namespace, room)
        self._take_over(user, room, waits=False)
        chat = view.with_options(deadline=self._options.answer_seconds).chat
        reply = await chat(room, content, tools=self._tools).__aenter__()
        sent: Message = reply.sent

        def name() -> str:
            calls = ", ".join(clean_text(call.id) for call in reply.running) or "none"
            return f"The reply to message {sent.id} of room {room} (tool calls that run: {calls})"

        background.follow(place, name, _until_complete(reply))
        return sent, background.tasks_of(place)

    def _take_over(self, user: User, room: str, *, waits: bool) -> None:
        """Process the calls that another process may have left behind in a room."""
        background, place = self._hubs.get().background, (user.namespace, room)
        if self._options.tools is None or self._options.tools._ledger is None or background.tasks_of(place):
            return
        seconds = self._options.answer_seconds
        work = take_over(self._tools, user.view.with_options(deadline=seconds), room, seconds, waits=waits)
        background.follow(place, lambda: f"Taking over the tool calls of room {room}", work)


async def _until_complete(reply: Any) -> None:
    async with aclosing(reply):
        try:
            await reply.message()
        except InteractorError:
            if not reply.waiting:
                raise


def _view_with_key(user: User, request: Request) -> Any:
    """Return a view with the page's idempotency key. Raises Refused for a key that can't be forwarded."""
    try:
        return user.view.with_options(idempotency_key=request.headers.get("idempotency-key"))
    except ConfigurationError:
        raise Refused(422) from None


_EVENT_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def _page(query: Mapping[str, str]) -> dict[str, int]:
    """Return the paging parameters of a list. Raises Refused for one that is out of range."""
    try:
        asked = {name: int(query[name]) for name in ("page", "per_page") if name in query}
    except ValueError:
        raise Refused(422) from None
    if asked.get("page", 1) < 1 or not 1 <= asked.get("per_page", 1) <= _MAX_PER_PAGE:
        raise Refused(422)
    return asked


def _known_id(value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise Refused(422)
    return value


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _MAX_NAME_LENGTH:
        raise Refused(422)
    return name.strip()
