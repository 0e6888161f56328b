"""WebhookRouter as a Django view, sync or async. Needs Django 4.2 or newer.

    urlpatterns = [path("webhooks/interactor", webhook_view(router))]

`webhook_view` suits WSGI, `awebhook_view` ASGI; each works under both. The views are exempt from the CSRF check and
from `LoginRequiredMiddleware`, because the signature proves where a delivery comes from. The body is read up to the
router's `max_body`, whatever DATA_UPLOAD_MAX_MEMORY_SIZE says, even if a middleware has already read `request.body`.

Both views ignore ATOMIC_REQUESTS, and the router runs each handler in a transaction of its own: an event is recorded as
handled after its COMMIT, and a handler that raises is rolled back. Database connections are checked before and after
each handler, `hand_over` and `put` of a queue, as Django does for requests (CONN_MAX_AGE, CONN_HEALTH_CHECKS), in the
router's threads too.

`"interactor_ext.webhooks.django"` in INSTALLED_APPS adds the command `manage.py interactor_webhooks` and the migration
of the table that `router.claim_in` needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from interactor_ext._engine.effects import IN_DJANGO
from interactor_ext._engine.lazy import lazy_names
from interactor_ext.webhooks.answers import WebhookAnswer
from interactor_ext.webhooks.router import WebhookRouter
from interactor_ext.webhooks.wsgi import announced_length

try:
    from asgiref.sync import sync_to_async
    from django.db import DEFAULT_DB_ALIAS, connections, transaction
    from django.http import HttpRequest, HttpResponse
except ModuleNotFoundError as _missing:
    if str(_missing.name).partition(".")[0] not in ("django", "asgiref"):  # Django depends on it
        raise
    raise ImportError("interactor_ext.webhooks.django needs Django: pip install django") from _missing

__all__ = ["HandlerScope", "awebhook_view", "webhook_view"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})

V = TypeVar("V", bound=Callable[..., Any])


class HandlerScope(AbstractContextManager[None], AbstractAsyncContextManager[None]):
    """What functions need under Django: usable connections, and with `atomic` a transaction in the default database and
    in each whose ATOMIC_REQUESTS is set. For the `around=` of a router, a relay or a ToolSet:

        worker = WebhookWorker(WebhookRouter(verifier, queue=queue, around=HandlerScope))
        relay = Relay(get_async_client, authorize=authorize, around=HandlerScope)

    The views use it automatically. A connection that is already in an atomic block, such as a TestCase's, stays
    open. Django has no transactions for async functions: use `atomic` blocks in functions that they call through
    `sync_to_async`.
    """

    def __init__(self, *, atomic: bool = True) -> None:
        self._atomic = atomic

    def __enter__(self) -> None:
        _close_old_connections()
        with ExitStack() as entered:  # exits the transactions already begun if another database can't be reached
            for alias in _databases() if self._atomic else ():
                entered.enter_context(transaction.atomic(using=alias))
            self._transactions = entered.pop_all()

    def __exit__(self, *exc_info: Any) -> None:
        try:
            self._transactions.__exit__(*exc_info)
        finally:
            _close_old_connections()

    async def __aenter__(self) -> None:
        await sync_to_async(_close_old_connections)()

    async def __aexit__(self, *exc_info: object) -> None:
        await sync_to_async(_close_old_connections)()


def webhook_view(router: WebhookRouter, *, atomic: bool = True) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view that handles deliveries in the thread of the request.

    With `atomic=False`, handlers run outside of transactions. A router with its own `around=` keeps it.
    """
    _surround(router, atomic)

    def interactor_webhook(request: HttpRequest) -> HttpResponse:
        token = IN_DJANGO.set(True)
        try:
            return _response(router.wsgi.answer(environ_of(request)))
        finally:
            IN_DJANGO.reset(token)

    return exempt(interactor_webhook)


def awebhook_view(router: WebhookRouter, *, atomic: bool = True) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """Return a view that handles deliveries on the event loop; synchronous handlers run in threads of their own.

    `atomic` is the same as in `webhook_view`.
    """
    _surround(router, atomic)

    async def interactor_webhook(request: HttpRequest) -> HttpResponse:
        return _response(await router.wsgi.aanswer(environ_of(request)))

    return exempt(interactor_webhook)


def environ_of(request: HttpRequest) -> dict[str, Any]:
    environ: dict[str, Any] = request.META
    if "wsgi.input" in environ and announced_length(environ) is None:
        # Under WSGI, Django returns no body without a Content-Length. It can be read where the server marks its end.
        return environ
    # Under ASGI, Django has already received the whole body.
    return environ | {"wsgi.input": request, "wsgi.input_terminated": True}


def _response(answer: WebhookAnswer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def exempt(view: V) -> V:
    # As csrf_exempt, login_not_required and non_atomic_requests do. Django 4.2 lacks the second, its first doesn't
    # accept async views, and the third needs the database names before settings may be available.
    vars(view).update(csrf_exempt=True, login_required=False, _non_atomic_requests=_EveryAlias())
    return view


class _EveryAlias:
    def __contains__(self, alias: object) -> bool:
        return True


def _surround(router: WebhookRouter, atomic: bool) -> None:
    if router.around is None:
        router.around = partial(HandlerScope, atomic=atomic)
    router._around_put = partial(HandlerScope, atomic=False)


def _close_old_connections() -> None:
    """Close obsolete connections. Django's own function would also close one in an atomic block."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _databases() -> list[str]:
    """Return the default database and those with atomic requests. Using Django's placeholder for a default raises."""
    return [
        alias
        for alias in connections
        if (alias == DEFAULT_DB_ALIAS or connections[alias].settings_dict["ATOMIC_REQUESTS"])
        and connections[alias].vendor != "unknown"
    ]
