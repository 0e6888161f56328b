"""WebhookRouter as a blueprint of Flask. Imported by `WebhookRouter.flask` alone."""

from __future__ import annotations

import itertools
from contextlib import suppress

from flask import Blueprint, Response, request

from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler

_numbers = itertools.count(1)


def blueprint(router: DeliveryHandler, path: str) -> Blueprint:
    # Of two blueprints of one name, Flask registers one. They may have one path, under two prefixes.
    routes = Blueprint(f"interactor_webhook_{next(_numbers)}", __name__)

    @routes.post(path)
    def interactor_webhook() -> Response:
        limit = router.max_body
        if (request.content_length or 0) > limit:
            answer = router.refuse_unread(answers.too_large(limit))
        else:
            with suppress(AttributeError):  # before Flask 3.1, an application has one limit
                request.max_content_length = limit + 1
            # Keeps what a hook has read before.
            answer = router.handle(request.get_data(), request.headers)
        return Response(answer.body, answer.status, answer.headers)

    @routes.get(f"{path.rstrip('/')}/healthz")
    def interactor_webhook_health() -> Response:
        answer = router.health()
        return Response(answer.body, answer.status, answer.headers)

    return routes
