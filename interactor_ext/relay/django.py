"""The relay as a Django view, under WSGI and ASGI. Needs Django 4.2 or newer.

    relay = Relay(get_async_client, authorize=authorize, around=HandlerScope)
    urlpatterns = [path("interactor/<path:path>", relay_view(relay))]

`authorize` and the relay's other functions receive Django's request, so `request.user` is who has signed in. The view
is exempt from the CSRF check and from `LoginRequiredMiddleware`: the relay checks the `Origin` of each request, and
`authorize` the user.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from interactor_ext._engine.effects import IN_DJANGO, run_sync
from interactor_ext._engine.lazy import asyncio, lazy_names
from interactor_ext.relay import Relay, _wsgi
from interactor_ext.webhooks.django import environ_of, exempt

# After the module above, which says what to install.
from asgiref.sync import SyncToAsync  # isort: skip
from django.http.response import HttpResponse, HttpResponseBase, StreamingHttpResponse  # isort: skip

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["relay_view"]

_THREAD_OF_REQUEST: Any = SyncToAsync.thread_sensitive_context

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})


def relay_view(relay: Relay) -> Callable[..., HttpResponseBase]:
    """Return the view, for a route that ends in `<path:path>`.

    Each open stream occupies a thread of the server under WSGI, and none under ASGI.
    """

    def interactor_relay(request: HttpRequest, path: str) -> HttpResponseBase:
        sent = _wsgi.request_of(environ_of(request))
        sent.scope, sent.path, sent.scheme = request, f"/{path}", str(request.scheme)
        sent.headers = {**sent.headers, "host": request.get_host()}
        sent.raw_path = getattr(request, "scope", {}).get("raw_path") or sent.raw_path
        # Under ASGI, `sync_to_async` in a tool would otherwise wait for this thread, which may be waiting for the tool.
        in_django, of_request = IN_DJANGO.set(True), _THREAD_OF_REQUEST.set(None)
        try:
            response = run_sync(relay._routes.answer(sent))
        finally:
            _THREAD_OF_REQUEST.reset(of_request)
            IN_DJANGO.reset(in_django)
        assert response is not None  # None is for a body that stops arriving, and Django has received it
        if isinstance(response.body, bytes):
            return HttpResponse(response.body, status=response.status, headers=response.headers)
        stream = _wsgi.Stream(response.body)
        blocks = _blocks(stream) if hasattr(request, "scope") else stream
        # Django's GZipMiddleware would hold events back, but leaves encoded responses alone.
        headers = {**response.headers, "Content-Encoding": "identity"}
        return StreamingHttpResponse(blocks, status=response.status, headers=headers)

    return exempt(interactor_relay)


async def _blocks(stream: _wsgi.Stream) -> AsyncIterator[bytes]:
    """The blocks of a stream for an event loop of the server; the reader lives in the process's own. Django drops this
    without iterating if the browser has left, and `stream` then closes itself.
    """
    try:
        while (block := await asyncio.wrap_future(stream.next())) is not None:
            yield block
    finally:
        stream.close()
