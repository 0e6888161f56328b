"""WebhookRouter as a Flask blueprint. Only `WebhookRouter.flask` imports it."""

from __future__ import annotations

import itertools
from contextlib import suppress

from flask import Blueprint, Response, request

from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler

_numbers = itertools.count(1)


def blueprint(router: DeliveryHandler, path: str) -> Blueprint:
    # Flask registers only one of two blueprints with the same name. The path may be the same, under two prefixes.
    routes = Blueprint(f"interactor_webhook_{next(_numbers)}", __name__)

    @routes.post(path)
    def interactor_webhook() -> Response:
        limit = router.max_body
        if (request.content_length or 0) > limit:
            answer = router.refuse_unread(answers.too_large(limit))
        else:
            with suppress(AttributeError):  # before Flask 3.1, only the application has a limit
                request.max_content_length = limit + 1
            # get_data() keeps a body that a hook has already read.
            answer = router.handle(request.get_data(), request.headers)
        return Response(answer.body, answer.status, answer.headers)

    @routes.get(f"{path.rstrip('/')}/healthz")
    def interactor_webhook_health() -> Response:
        answer = router.health()
        return Response(answer.body, answer.status, answer.headers)

    return routes
