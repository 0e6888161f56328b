"""WebhookRouter as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler, WebhookAnswer

_MAX_LENGTH_DIGITS = 18
# The headers whose names in an environ don't begin with HTTP_.
_UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")


class WSGIReceiver:
    """A WSGI application for a router. Reads no more than the router's `max_body`."""

    def __init__(self, router: DeliveryHandler) -> None:
        self._router = router

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.answer(environ)
        start_response(answer.status_line, list(answer.headers.items()))
        return [answer.body]

    def answer(self, environ: dict[str, Any]) -> WebhookAnswer:
        body = self._read(environ)
        return body if isinstance(body, WebhookAnswer) else self._router.handle(body, environ)

    async def aanswer(self, environ: dict[str, Any]) -> WebhookAnswer:
        """Like `answer`, but for an event loop."""
        body = self._read(environ)
        return body if isinstance(body, WebhookAnswer) else await self._router.ahandle(body, environ)

    def _read(self, environ: dict[str, Any]) -> bytes | WebhookAnswer:
        """Return the body, or the response to a request whose body isn't read."""
        if (method := environ["REQUEST_METHOD"]) != "POST":
            return answers.not_posted(self._router, method, environ.get("PATH_INFO", ""))
        limit = self._router.max_body
        body = read_body(environ, limit)
        if isinstance(body, bytes):
            return body
        refusals = {400: answers.body_incomplete(), 411: answers.length_required(), 413: answers.too_large(limit)}
        return self._router.refuse_unread(refusals[body])


def headers_of(environ: dict[str, Any]) -> dict[str, str]:
    """Return the headers of a request by their names in lower case."""
    sent = {name: str(value) for name, value in environ.items() if name.startswith("HTTP_") or name in _UNPREFIXED}
    return {name.removeprefix("HTTP_").replace("_", "-").lower(): value for name, value in sent.items()}


def read_body(environ: dict[str, Any], limit: int) -> bytes | int:
    """Return the body, or the status of the refusal: 411 no length, 413 over `limit` bytes, 400 broken connection."""
    length = announced_length(environ)
    if length is None:
        # Without a Content-Length, reading is safe only if the server marks the end.
        if not environ.get("wsgi.input_terminated"):
            return 411
        # One byte past the limit is enough to refuse the body.
        length = limit + 1
    elif length > limit:
        return 413
    try:
        body = _read(environ["wsgi.input"], length)
    except OSError:
        return 400
    return body if len(body) <= limit else 413


def announced_length(environ: dict[str, Any]) -> int | None:
    announced = environ.get("CONTENT_LENGTH") or ""
    # int() would also accept signs, underscores and other scripts' digits, and refuse thousands of digits.
    return int(announced[:_MAX_LENGTH_DIGITS]) if announced.isascii() and announced.isdigit() else None


def _read(stream: Any, length: int) -> bytes:
    body = bytearray()
    while len(body) < length:
        chunk = stream.read(length - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)
