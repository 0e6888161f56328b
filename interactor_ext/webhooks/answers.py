"""Responses of a webhook receiver. The platform counts any 2xx as delivered and retries after everything else."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol


class WebhookAnswer(NamedTuple):
    """An HTTP response, as a tuple in the order that a Flask view may return."""

    body: bytes
    status: int
    headers: dict[str, str]

    @property
    def status_line(self) -> str:
        """The status in the form that WSGI needs, such as "200 OK"."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


class DeliveryHandler(Protocol):
    """The methods of `WebhookRouter` that its front ends call (`asgi.py`, `wsgi.py`, `aws_lambda.py`)."""

    max_body: int

    def handle(self, body: Any, headers: Any, *, method: str = "POST") -> WebhookAnswer: ...

    async def ahandle(self, body: Any, headers: Any) -> WebhookAnswer: ...

    def refuse_unread(self, answer: WebhookAnswer) -> WebhookAnswer: ...

    def health(self) -> WebhookAnswer: ...


def handled(status: str) -> WebhookAnswer:
    return _json({"status": status}, 200)


def refused(code: int, error: str, message: str, **headers: str) -> WebhookAnswer:
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return _json({"error": {"code": error, "message": message}}, code, extra)


def not_posted(router: DeliveryHandler, method: str, path: str) -> WebhookAnswer:
    return router.health() if method == "GET" and path.endswith("/healthz") else wrong_method()


def wrong_method() -> WebhookAnswer:
    return refused(405, "method_not_allowed", "Webhooks are delivered with POST.", Allow="POST")


def too_large(limit: int) -> WebhookAnswer:
    return refused(413, "body_too_large", f"The body is larger than {limit} bytes.")


def length_required() -> WebhookAnswer:
    return refused(411, "length_required", "This server requires a Content-Length.")


def body_incomplete() -> WebhookAnswer:
    return refused(400, "body_incomplete", "The connection was lost before the body was complete.")


def too_old(age: float) -> WebhookAnswer:
    old = f"{age / 86400:.1f} days" if age > 86400 else f"{age:.0f} s"
    return refused(
        400,
        "too_old",
        f"The event is {old} old by the `timestamp` in its body. The store no longer remembers events "
        f"of that age, so this may be a replay. An example from the documentation needs the current time as its "
        "`timestamp`; a store with a longer `ttl` accepts older events.",
    )


def handler_failed() -> WebhookAnswer:
    # The handler's error is only logged here: it may contain data that the platform must not see.
    return refused(500, "handler_failed", "The handler failed. Retry.")


def in_progress() -> WebhookAnswer:
    # Not 200: if the other delivery fails or its process dies, only a retry can complete the event.
    return _not_now("in_progress", "Another delivery of this event is being handled. Retry.")


def busy() -> WebhookAnswer:
    return _not_now("busy", "The receiver is busy. Retry.")


def health(left_behind: int, *, exhausted: bool) -> WebhookAnswer:
    document: dict[str, object] = {"status": "handlers_hang" if exhausted else "ok", "left_behind": left_behind}
    return _json(document, 503 if exhausted else 200)


def store_down() -> WebhookAnswer:
    return _not_now("store_unavailable", "The event couldn't be recorded. Retry.")


def _not_now(error: str, message: str) -> WebhookAnswer:
    return refused(503, error, message, Retry_After="30")


def _json(document: dict[str, object], status: int, headers: dict[str, str] | None = None) -> WebhookAnswer:
    body = json.dumps(document).encode()
    return WebhookAnswer(
        body, status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    )
