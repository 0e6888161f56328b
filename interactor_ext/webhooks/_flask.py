"""WebhookRouter as a blueprint of Flask. Imported by `WebhookRouter.flask` alone."""

from __future__ import annotations

import re
from contextlib import suppress

from flask import Blueprint, Response, request

from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler


def blueprint(router: DeliveryHandler, path: str) -> Blueprint:
    # Of two blueprints of one name, Flask registers one; of one path, an application has one.
    routes = Blueprint("interactor_webhook" + re.sub(r"\W", "_", path), __name__)

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

    return routes
