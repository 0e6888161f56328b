"""The advice at the end of a NotFoundError: which ids, in which namespace, or which URL."""

from __future__ import annotations

from urllib.parse import unquote

import httpx

from interactor_ext._responses._request_info import operation_of, url_variable

_LONGEST = 100


def not_found_advice(request: httpx.Request) -> str:
    """What to check after a 404. It quotes ids and the namespace, so it must be cleaned of secrets."""
    operation, call = operation_of(request), request.extensions.get("interactor")
    namespace = getattr(call, "namespace", None)
    where = "without a namespace" if namespace is None else f"in the namespace {_short(namespace)}"
    if operation is None or call is None:
        return f"Check the path and its ids: this was asked for {where}."
    if "{" not in operation.path:
        return f"Nothing there has an id, so it is the URL: check {url_variable(request)}, which ends in /api/v1."
    steps = zip(operation.path.split("/"), call.path.partition("?")[0].split("/"), strict=False)
    ids = [f"{name.strip('{}')} {_short(unquote(step))}" for name, step in steps if name.startswith("{")]
    advice = (
        "what belongs to a namespace is found in that alone, client.namespace(...)"
        if namespace is None
        else "check both, for what belongs to another namespace is not found"
    )
    return f"No {' and '.join(ids)} {where}: {advice}."


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
