"""WebhookRouter as a view of Django, sync or async. Needs Django 4.2 or newer.

    urlpatterns = [path("webhooks/interactor", webhook_view(router))]

`webhook_view` suits WSGI, `awebhook_view` ASGI; each works under both. A view is exempt from the CSRF check and from
`LoginRequiredMiddleware`: the signature proves where a delivery comes from. The body is read up to the router's
`max_body`, whatever DATA_UPLOAD_MAX_MEMORY_SIZE says, also if a middleware has read `request.body` before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from interactor_ext.webhooks.answers import WebhookAnswer
from interactor_ext.webhooks.router import WebhookRouter
from interactor_ext.webhooks.wsgi import announced_length

try:
    from django.http import HttpRequest, HttpResponse
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] != "django":
        raise
    raise ImportError("interactor_ext.webhooks.django needs Django: pip install django") from error

__all__ = ["awebhook_view", "webhook_view"]

V = TypeVar("V", bound=Callable[..., Any])


def webhook_view(router: WebhookRouter) -> Callable[[HttpRequest], HttpResponse]:
    """A view that handles deliveries in the thread of the request."""

    def interactor_webhook(request: HttpRequest) -> HttpResponse:
        return _response(router.wsgi.answer(_environ(request)))

    return _exempt(interactor_webhook)


def awebhook_view(router: WebhookRouter) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """A view that handles deliveries on the event loop; synchronous handlers run in threads of their own."""

    async def interactor_webhook(request: HttpRequest) -> HttpResponse:
        return _response(await router.wsgi.aanswer(_environ(request)))

    return _exempt(interactor_webhook)


def _environ(request: HttpRequest) -> dict[str, Any]:
    environ: dict[str, Any] = request.META
    if "wsgi.input" in environ and announced_length(environ) is None:
        # Under WSGI Django hands out no body without a Content-Length. Where the server marks its end, it can be read.
        return environ
    # Under ASGI Django has received the whole body.
    return environ | {"wsgi.input": request, "wsgi.input_terminated": True}


def _response(answer: WebhookAnswer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def _exempt(view: V) -> V:
    # As csrf_exempt and login_not_required do; Django 4.2 has only the first, and it takes no async view.
    vars(view).update(csrf_exempt=True, login_required=False)
    return view
