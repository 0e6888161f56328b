"""The relay: a browser reads and writes its own user's rooms, and no key of the platform leaves the backend.

from interactor_ext import get_async_client
from interactor_ext.relay import Relay

async def authorize(scope) -> str | None:
    user = await user_of_session(scope)          # the application's own
    return None if user is None else user.id     # the namespace of that user at the platform

app = FastAPI()
app.mount("/interactor", Relay(get_async_client, authorize=authorize))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import interactor_ext
from interactor_client.advised import Advised
from interactor_ext._engine.arguments import above_zero, at_least, require_kind
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.lazy import lazy_names
from interactor_ext._engine.limits.buckets import Tier, Tiers
from interactor_ext._engine.limits.limiter import RateLimiter
from interactor_ext._engine.waiting.around import Around, checked_around
from interactor_ext.relay import _asgi, _wsgi
from interactor_ext.relay._decisions import Approver, Authorize, Decision, MayEnter, OnFeedback, OnMessage
from interactor_ext.relay._http import AllowedSites
from interactor_ext.relay._public import Show
from interactor_ext.relay._reader import HubOptions
from interactor_ext.relay._routes import Options, Routes, require_async_client
from interactor_ext.relay._static import SCRIPTS
from interactor_ext.tools._tool_set import Tools, tool_set
from interactor_ext.webhooks.asgi import answer_other

if TYPE_CHECKING:
    from interactor_ext.webhooks.asgi import Receive, Scope, Send

__all__ = ["SCRIPTS", "Relay", "Show"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})

_NOTHING_MORE = Show()


class Relay(Advised, calls=True):
    """An ASGI application to mount, or a WSGI application with `wsgi`, between browsers and the platform.

    `client` may be a function, such as `get_async_client`: each request calls it, so nothing is created at import.

    `authorize(scope)` returns the namespace of the signed-in user, `(namespace, user)` where several people share a
    namespace, or None for a 401. How it identifies the user is up to you. It receives the ASGI scope (under WSGI the
    environ), and may be a coroutine function. A regular function runs in a thread; under WSGI, in the request's thread.
    `rooms(namespace, room_id)` and `instances(namespace, instance_id)` may restrict access further: unless they return
    True, the room or workflow instance looks nonexistent. While a room is being created, its id is "". With a third
    parameter they also receive the scope, which identifies the user.

    `approvals(namespace, room_id)` returns the name of the signed-in person if they may approve or reject waiting calls
    of `tools`, else None; with a third parameter it receives the scope. Without `approvals`, nobody may.

    `on_message(namespace, room_id, content)`, with a fourth parameter for the scope, sees each message before it is
    sent. It returns None, or a text for the user, and then the message isn't sent. `on_feedback(namespace, room_id,
    message_id, rating)`, with a fifth parameter for the scope, receives a user's rating of a reply, "good" or "bad";
    the relay doesn't check that the room has this message. `show` lists what browsers get in addition to texts, names
    and states.

    Pages on the relay's own host may use it, and those on `allowed_origins`. `trust_forwarded_host` reads the host from
    X-Forwarded-Host, which a proxy in front must set. `tools`, a ToolSet or a list of functions, run in the backend for
    replies to messages sent through the relay, for at most `answer_timeout` seconds each.

    `around` returns a context manager that each of these functions and `tools` runs in, such as Flask's
    `app.app_context` or Django's `HandlerScope`. A last parameter, after the scope, receives the value it yields:
    `authorize(scope, session)`. A ToolSet with its own `around` keeps it.

    `max_body` is in bytes. In this process, `writes_per_minute` and `reads_per_minute` limit each user that `authorize`
    names, or else the namespace; up to 49 of 60 may come at once. `streams_per_namespace` limits a namespace. With a
    `rate_limiter`, its tier `namespace` limits the writes instead; a RedisRateLimiter counts across processes. The
    readers of a room share one stream of the platform, which closes `grace` seconds after the last one has left; a
    reader that missed more events than the relay keeps gets a stream of its own. A reader that is more than
    `max_queued` bytes behind is disconnected, and reconnects with the id of its last event. An idle stream sends a
    heartbeat every `heartbeat` seconds.

    When uvicorn is told to stop, streams end at once, so browsers move to another process. Replies with tools have
    `drain_timeout` seconds to finish: until then, their requests don't return, and servers wait for these. A reply that
    takes longer is cut off and logged. Other servers may wait for open streams: give them a limit above
    `drain_timeout`. If `tools` has a ledger, a process runs the calls that another has left behind, as soon as a
    browser opens the room's stream or writes to it.

    Raises:
        ConfigurationError: an option is out of range, or an origin isn't valid.
    """

    def __init__(
        self,
        client: interactor_ext.AsyncInteractorClient | Callable[[], interactor_ext.AsyncInteractorClient],
        *,
        authorize: Authorize,
        allowed_origins: Iterable[str] = (),
        trust_forwarded_host: bool = False,
        rooms: MayEnter | None = None,
        instances: MayEnter | None = None,
        approvals: Approver | None = None,
        on_message: OnMessage | None = None,
        on_feedback: OnFeedback | None = None,
        show: Show = _NOTHING_MORE,
        tools: Tools | None = None,
        around: Around | None = None,
        rate_limiter: interactor_ext.RateLimiter | None = None,
        max_body: int = 64 * 1024,
        writes_per_minute: int = 60,
        reads_per_minute: int = 120,
        streams_per_namespace: int = 20,
        max_queued: int = 256 * 1024,
        grace: float = 10.0,
        heartbeat: float = 15.0,
        answer_timeout: float = 300.0,
        drain_timeout: float = 25.0,
    ) -> None:
        if not isinstance(show, Show):
            raise ConfigurationError(f"show= must be a Show, such as Show(tool_results=True), not {show!r}.")
        for name, seconds in {"grace": grace, "drain_timeout": drain_timeout}.items():
            at_least(0, seconds, f"{name}=")
        limits = {"max_body": max_body, "max_queued": max_queued, "streams_per_namespace": streams_per_namespace}
        limits |= {"writes_per_minute": writes_per_minute, "reads_per_minute": reads_per_minute}
        for name, limit in limits.items():
            at_least(1, limit, f"{name}=")
        for name, seconds in {"heartbeat": heartbeat, "answer_timeout": answer_timeout}.items():
            above_zero(seconds, f"{name}=")
        if rate_limiter is not None:
            require_kind("rate_limiter", rate_limiter, RateLimiter)
        if tools is None and approvals is not None:
            raise ConfigurationError("approvals= needs tools=, whose calls it is about.")
        checked_around(around)

        def decision(name: str, function: Callable[..., Any] | None, least: int) -> Decision | None:
            return None if function is None else Decision.of(name, function, least, least + 1, around)

        def limiter(per_minute: int) -> RateLimiter:
            return RateLimiter(Tiers(namespace=Tier(per_minute, per_minute)))

        options = Options(
            authorize=Decision.of("authorize", authorize, 1, 1, around),
            rooms=decision("rooms", rooms, 2),
            instances=decision("instances", instances, 2),
            approvals=decision("approvals", approvals, 2),
            on_message=decision("on_message", on_message, 3),
            on_feedback=decision("on_feedback", on_feedback, 4),
            show=show,
            tools=None if tools is None else tool_set(tools),
            around=around,
            origins=AllowedSites(allowed_origins, trust_forwarded_host=trust_forwarded_host),
            max_body=max_body,
            answer_seconds=answer_timeout,
            writes=rate_limiter or limiter(writes_per_minute),
            reads=limiter(reads_per_minute),
            hub=HubOptions(grace, heartbeat, max_queued, streams_per_namespace, drain_timeout),
        )
        get_client: Any = client
        if isinstance(client, type) or not callable(client):
            get_client = partial(require_async_client, require_async_client(client))
        self._routes = Routes(get_client, options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _asgi.serve(scope, receive, send, self._routes.answer)
        else:
            await answer_other(scope, receive, send, self.aclose)

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Return the relay as a WSGI application. Each open stream occupies a server thread for as long as it lasts,
        and the relay only notices that a browser has left at the next event or heartbeat.
        """
        return _wsgi.serve(environ, start_response, self._routes.answer)

    async def aclose(self) -> None:
        """End all streams permanently, and wait up to `drain_timeout` seconds for replies with tools. A server that
        runs the relay itself rather than mounted does this at shutdown.
        """
        await self._routes.aclose()
