"""What each route of the relay does: effects, for ASGI and WSGI alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from interactor_client.models import HaltingPresentation, WorkflowHalted
from interactor_ext._effects import Call, Effects
from interactor_ext._errors import ConfigurationError, InteractorError, NotFoundError
from interactor_ext._waiting.threads import DaemonThreads
from interactor_ext.logs import relay_logger as logger
from interactor_ext.relay._event_ids import END, EventIds
from interactor_ext.relay._http import (
    Disconnected,
    Origin,
    Refused,
    Request,
    Response,
    cors_headers,
    idempotency_key,
    is_id,
    json_object,
    json_response,
    log_failure,
    origin_of,
    preflight,
    refusal_for,
    require_json,
    segments,
)
from interactor_ext.relay._hub import Hubs
from interactor_ext.relay._public import StaticFile, dump, public_json, static_file
from interactor_ext.relay._quota import Quota
from interactor_ext.relay._reader import HubOptions, Reader
from interactor_ext.transports._per_loop import PerLoop

if TYPE_CHECKING:
    from interactor_client.models import Message
    from interactor_ext import AsyncInteractorClient
    from interactor_ext.tools._tool_set import ToolSet

Authorize = Callable[[Any], "str | Awaitable[str | None] | None"]
MayEnter = Callable[[str, str], "bool | Awaitable[bool]"]

_THREADS = DaemonThreads("interactor-relay-authorize", most=32)
_MOST_PER_PAGE = 100
_BUSY_SECONDS = 10.0
# The events wait for it.
_QUESTION_SECONDS = 5.0


class Options(NamedTuple):
    authorize: Authorize
    rooms: MayEnter | None
    tools: ToolSet | None
    allowed_origins: frozenset[str]
    max_body: int
    answer_seconds: float
    hub: HubOptions


class User(NamedTuple):
    """Who is signed in, and the client's view for the calls that are made for them."""

    namespace: str
    view: Any


class Routes:
    def __init__(self, client: AsyncInteractorClient, options: Options, quota: Quota) -> None:
        self._client = client
        self._options = options
        self._quota = quota
        secret = client.config.client_secret
        # What a function gives may change any time: then the ids of events are those of this process.
        self._secret = secret if isinstance(secret, str) else token_hex()
        self._hubs: PerLoop[Hubs] = PerLoop(Hubs, Hubs.aclose)
        self._is_closed = False

    async def aclose(self) -> None:
        self._is_closed = True
        await self._hubs.aclose()

    def answer(self, request: Request) -> Effects[Response | None]:
        """The response to any request; None if the browser has gone. Sends nothing upstream before all checks."""
        origin = origin_of(request, self._options.allowed_origins)
        try:
            response: Response = yield from self._answer(request, origin)
        except Disconnected:
            return None
        except Refused as refused:
            response = refused.response
        except InteractorError as error:
            response = refusal_for(error).response
            if response.status >= 500:
                log_failure(f"A {request.method}", error)
        except Exception:
            logger.exception("A request to the relay failed.")
            response = Refused(500).response
        response.headers.update(cors_headers(request, origin))
        return response

    def _answer(self, request: Request, origin: Origin) -> Effects[Response]:
        parts = segments(request)
        methods = self._methods(parts)
        if request.method == "OPTIONS":
            if origin is Origin.FOREIGN:
                raise Refused(403)
            return preflight(request, (*methods, "OPTIONS"))
        handler = methods.get(request.method)
        if handler is None:
            raise Refused(405, Allow=", ".join((*methods, "OPTIONS")))
        if origin is Origin.FOREIGN or (origin is Origin.UNSAID and request.method == "POST"):
            raise Refused(403)
        if self._is_closed:
            raise Refused(503, retry_after=_BUSY_SECONDS)
        return (yield from handler(request))

    def _methods(self, parts: list[str]) -> Mapping[str, Callable[[Request], Effects[Response]]]:
        """What may be done at a path. Raises Refused for a path of no route."""
        match parts:
            case ["static", name] if (file := static_file(name)) is not None:
                return dict.fromkeys(("GET", "HEAD"), partial(self._static, file))
            case ["rooms", room, "messages"] if is_id(room):
                return {"GET": partial(self._list_messages, room), "POST": partial(self._send_message, room)}
            case ["rooms", room, "stream"] if is_id(room):
                return {"GET": partial(self._stream_room, room)}
            case ["workflow-instances", instance] if is_id(instance):
                return {"GET": partial(self._get_instance, instance)}
            case ["workflow-instances", instance, "input"] if is_id(instance):
                return {"POST": partial(self._submit_input, instance)}
            case ["workflow-instances", instance, "stream"] if is_id(instance):
                return {"GET": partial(self._stream_instance, instance)}
        raise Refused(404)

    def _static(self, file: StaticFile, request: Request) -> Effects[Response]:
        headers = {"Cache-Control": "no-cache", "ETag": file.etag, "X-Content-Type-Options": "nosniff"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(304, headers)
        headers |= {"Content-Type": "text/javascript; charset=utf-8", "Content-Length": str(len(file.body))}
        return Response(200, headers, b"" if request.method == "HEAD" else file.body)
        yield  # a generator as the others, without an effect

    def _list_messages(self, room: str, request: Request) -> Effects[Response]:
        asked = _page(request.query)
        user = yield from self._user(request)
        yield from self._require_room(user, room)
        page = yield Call(partial(user.view.messages.list, room, **asked))
        # In the contract a number that is not known is left out, never null.
        meta = {name: value for name, value in asdict(page.meta).items() if value is not None}
        return json_response({"data": [public_json(each) for each in page.data], "meta": meta})

    def _send_message(self, room: str, request: Request) -> Effects[Response]:
        require_json(request)
        key = idempotency_key(request)
        user = yield from self._writer(request)
        content = json_object((yield Call(request.read_body, (self._options.max_body,)))).get("content")
        if not isinstance(content, str) or not content.strip():
            raise Refused(422)
        yield from self._require_room(user, room)
        view = user.view if key is None else user.view.with_options(idempotency_key=key)
        if self._options.tools is None:
            message = yield Call(partial(view.messages.send, room, content=content, stream=True))
        else:
            message = yield Call(self._send_and_follow, (view, room, content))
        return json_response({"data": public_json(message)}, 201)

    def _get_instance(self, instance: str, request: Request) -> Effects[Response]:
        user = yield from self._user(request)
        found = yield Call(user.view.workflow_instances.get, (instance,))
        return json_response({"data": public_json(found)})

    def _submit_input(self, instance: str, request: Request) -> Effects[Response]:
        require_json(request)
        user = yield from self._writer(request)
        body = json_object((yield Call(request.read_body, (self._options.max_body,))))
        moved = yield Call(partial(user.view.workflow_instances.submit_input, instance, body=body))
        return json_response({"data": public_json(moved)})

    def _stream_room(self, room: str, request: Request) -> Effects[Response]:
        user = yield from self._user(request)
        yield from self._require_room(user, room)
        return (yield from self._stream(user, "rooms", room, request))

    def _stream_instance(self, instance: str, request: Request) -> Effects[Response]:
        user = yield from self._user(request)
        return (yield from self._stream(user, "workflow_instances", instance, request))

    def _stream(self, user: User, kind: str, record: str, request: Request) -> Effects[Response]:
        name = (user.namespace, kind, record)
        ids = EventIds(self._secret, *name)
        last_event_id = request.headers.get("last-event-id") or _query(request.query).get("last_event_id", "")
        resume = ids.decode(last_event_id)
        if resume == END:
            return Response(204, {"Cache-Control": "no-store"})
        if not self._quota.open_stream(user.namespace):
            raise Refused(429, retry_after=_BUSY_SECONDS)
        place = ExitStack()  # given back once, whoever closes it
        place.callback(self._quota.close_stream, user.namespace)

        async def join() -> Reader | None:
            stream = getattr(user.view, kind).stream
            open_stream = lambda last: stream(record, last_event_id=last)  # noqa: E731
            reader = await self._hubs.get().join(name, open_stream, ids, resume, self._options.hub, place.close)
            if reader is not None and resume is None and kind == "workflow_instances":
                try:
                    await _tell_question(user.view, record, reader)
                except BaseException:
                    await reader.aclose()
                    raise
            return reader

        try:
            reader = yield Call(join)
        except BaseException:
            place.close()
            raise
        if reader is None:
            place.close()
            return Response(204, {"Cache-Control": "no-store"})
        return Response(200, dict(_EVENT_STREAM), reader)

    def _writer(self, request: Request) -> Effects[User]:
        user = yield from self._user(request)
        wait = self._quota.count_write(user.namespace)
        if wait > 0:
            raise Refused(429, retry_after=wait)
        return user

    def _user(self, request: Request) -> Effects[User]:
        namespace = yield Call(self._options.authorize, (request.scope,), threads=_THREADS)
        if namespace is None:
            raise Refused(401)
        try:
            if not isinstance(namespace, str):
                raise TypeError(f"authorize= returned {type(namespace).__name__}, and no namespace")
            return User(namespace, self._client.namespace(namespace))
        except ConfigurationError as error:
            raise ValueError("authorize= returned a string that is no namespace") from error

    def _require_room(self, user: User, room: str) -> Effects[None]:
        if self._options.rooms is not None:
            may_enter = yield Call(self._options.rooms, (user.namespace, room), threads=_THREADS)
            if may_enter is not True:
                raise Refused(404)

    async def _send_and_follow(self, view: Any, room: str, content: str) -> Message:
        """Send a message, and run the tools of its answer in the background."""
        sent: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._hubs.get().run(self._follow(view, room, content, sent))
        return await asyncio.shield(sent)

    async def _follow(self, view: Any, room: str, content: str, sent: asyncio.Future[Message]) -> None:
        try:
            view = view.with_options(deadline=self._options.answer_seconds)
            async with view.chat(room, content, tools=self._options.tools) as reply:
                sent.set_result(reply.sent)
                await reply.message()
        except Exception as error:
            if sent.done():
                log_failure("An answer with tools", error)
            else:
                sent.set_exception(error)
        finally:
            if not sent.done():
                sent.set_exception(ConfigurationError("The relay is closed."))
            sent.exception()  # looked at, so that asyncio does not report it


async def _tell_question(view: Any, instance_id: str, reader: Reader) -> None:
    """Tell a reader who comes when the instance is halted already what it asks."""
    view = view.with_options(deadline=_QUESTION_SECONDS)
    try:
        instance = await view.workflow_instances.get(instance_id)
        if instance.status != "halted":
            return
        try:
            states = (await view.workflows.get(instance.workflow_id)).states
        except NotFoundError:
            states = []
    except InteractorError as error:
        log_failure("What a workflow asks", error)
        return
    asked = [state.presentation for state in states if state.name == instance.current_state and state.presentation]
    presentation = asked[0] if asked else HaltingPresentation(type="form")
    reader.tell(dump(public_json(WorkflowHalted(presentation=presentation))))


_EVENT_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def _query(query: str) -> dict[str, str]:
    """The parameters, of several with one name the last. Raises Refused for very many."""
    try:
        return {name: values[-1] for name, values in parse_qs(query, max_num_fields=20).items()}
    except ValueError:
        raise Refused(422) from None


def _page(query: str) -> dict[str, Any]:
    """The parameters of a list. Raises Refused for one that is out of its range."""
    asked: dict[str, Any] = {}
    given = _query(query)
    for name, most in (("page", 1_000_000), ("per_page", _MOST_PER_PAGE)):
        if name in given:
            text = given[name]
            if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= most):
                raise Refused(422)
            asked[name] = int(text)
    if "order" in given:
        if given["order"] not in ("asc", "desc"):
            raise Refused(422)
        asked["order"] = given["order"]
    return asked
