"""The events that AWS Lambda gets from its HTTP front ends, written by hand from the examples in AWS's documentation.

REST API: docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html HTTP API:
docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html Application Load
Balancer: docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html Function URL:
docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

Pairs = list[tuple[str, str]]

PATH = "/webhooks/interactor"
# Types whose bodies a load balancer passes on as text; the others' behavior depends on their settings.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


def event(front_end: str, method: str, pairs: Pairs, body: bytes) -> dict[str, Any]:
    """An event as the function gets it; `front_end` is a key of FRONT_ENDS."""
    content_type = dict(_lowered(pairs)).get("content-type", "")
    try:
        text, encoded = body.decode(), not content_type.startswith(_TEXT)
    except UnicodeDecodeError:
        text, encoded = "", True
    shaped = FRONT_ENDS[front_end](method, pairs)
    content = base64.b64encode(body).decode() if encoded else text
    document: dict[str, Any] = json.loads(json.dumps(shaped | {"body": content, "isBase64Encoded": encoded}))
    return document


def _document(name: str) -> dict[str, Any]:
    """Its parts that are the same for every request."""
    documents: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return documents[name]


def _rest_api(method: str, pairs: Pairs) -> dict[str, Any]:
    shaped = _document("REST API")
    shaped["requestContext"]["httpMethod"] = method
    return shaped | {
        "httpMethod": method,
        "headers": dict(pairs) or None,
        "multiValueHeaders": _lists(pairs) or None,
    }


def _http_api_1(method: str, pairs: Pairs) -> dict[str, Any]:
    return {"version": "1.0", **_rest_api(method, [(name.lower(), value) for name, value in pairs])}


def _http_api_2(method: str, pairs: Pairs) -> dict[str, Any]:
    shaped = _document("HTTP API")
    shaped["requestContext"]["http"]["method"] = method
    return shaped | {"headers": {name: ",".join(values) for name, values in _lists(_lowered(pairs)).items()}}


def _function_url(method: str, pairs: Pairs) -> dict[str, Any]:
    shaped = _http_api_2(method, pairs)
    shaped["requestContext"] |= {
        "apiId": "<urlid>",
        "authentication": None,
        "domainName": "<url-id>.lambda-url.us-west-2.on.aws",
        "domainPrefix": "<url-id>",
    }
    return shaped | {"pathParameters": None, "stageVariables": None}


def _load_balancer(method: str, pairs: Pairs) -> dict[str, Any]:
    return _balanced(method) | {"queryStringParameters": {}, "headers": dict(_lowered(pairs))}


def _load_balancer_of_lists(method: str, pairs: Pairs) -> dict[str, Any]:
    return _balanced(method) | {"multiValueQueryStringParameters": {}, "multiValueHeaders": _lists(_lowered(pairs))}


def _balanced(method: str) -> dict[str, Any]:
    group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/my-target-group/6d0ecf831eec9f09"
    return {"requestContext": {"elb": {"targetGroupArn": group}}, "httpMethod": method, "path": PATH}


def _lowered(pairs: Pairs) -> Pairs:
    return [(name.lower(), value) for name, value in pairs]


def _lists(pairs: Pairs) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


FRONT_ENDS = {
    "REST API": _rest_api,
    "HTTP API, payload format 1.0": _http_api_1,
    "HTTP API, payload format 2.0": _http_api_2,
    "function URL": _function_url,
    "Application Load Balancer": _load_balancer,
    "Application Load Balancer with multi-value headers": _load_balancer_of_lists,
}
