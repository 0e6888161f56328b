"""WebhookRouter as an AWS Lambda function, behind API Gateway, an Application Load Balancer or a function URL."""

from __future__ import annotations

import base64
from typing import Any

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler, WebhookAnswer

_HEALTH_CHECKER = "ELB-HealthChecker/"


def answer_event(router: DeliveryHandler, event: Any) -> dict[str, Any]:
    """Handle the delivery in an event, and return the response in the form that its front end expects."""
    try:
        context: dict[str, Any] = event.get("requestContext") or {}
        method: str = event["httpMethod"] if "httpMethod" in event else context["http"]["method"]
        # REST APIs send both; a load balancer sends one or the other, depending on its target group.
        headers: dict[str, Any] = event.get("multiValueHeaders") or event.get("headers") or {}
        body: str | bytes = event.get("body") or ""
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            "lambda_handler accepts events of API Gateway (REST and HTTP APIs, payload format 1.0 or "
            "2.0), of an Application Load Balancer and of a function URL. This event comes from none of "
            "them: check the function's trigger."
        ) from error
    by_load_balancer = "elb" in context
    if by_load_balancer and method == "GET" and _is_health_check(headers):
        return _response(answers.handled("healthy"), event, by_load_balancer)
    return _response(router.handle(body, headers, method=method), event, by_load_balancer)


def _is_health_check(headers: dict[str, Any]) -> bool:
    agent = headers.get("user-agent") or ""
    return str(agent[0] if isinstance(agent, list) else agent).startswith(_HEALTH_CHECKER)


def _response(answer: WebhookAnswer, event: dict[str, Any], to_load_balancer: bool) -> dict[str, Any]:
    response: dict[str, Any] = {
        "statusCode": answer.status,
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }
    # A load balancer only reads headers in the form it sends; a REST API reads both.
    if event.get("multiValueHeaders") is not None:
        response["multiValueHeaders"] = {name: [value] for name, value in answer.headers.items()}
    else:
        response["headers"] = answer.headers
    if to_load_balancer:
        # A REST API rejects a response with an unknown member as malformed.
        response["statusDescription"] = answer.status_line
    return response
