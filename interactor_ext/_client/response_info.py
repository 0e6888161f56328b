"""ResponseInfo: what a callback of `with_options(on_response=...)` is told of each answer."""

# Without `from __future__ import annotations`, as `_client/health.py`.

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext._responses._read import described
from interactor_ext._responses._request_info import operation_of, secrets_of
from interactor_ext.logs import logger


class ResponseInfo(NamedTuple):
    """The answer to a call, of any status; to a stream, once for each connection."""

    operation: str
    """The operationId, such as "create_room"; "" for a call of `client.request`."""
    status: int
    headers: Mapping[str, str]
    """Of the response, looked up without regard to case. Secrets are masked."""
    request_id: str | None
    elapsed: float
    """Seconds that the call took, with its token request, its waits and its retries; of a stream, to its first byte."""
    retries: int
    """How many attempts of the call went before the one that was answered."""


OnResponse = Callable[[ResponseInfo], object]


def check_callback(callback: object) -> None:
    if not callable(callback) or inspect.iscoroutinefunction(callback):
        raise ConfigurationError("on_response must be a function that is no coroutine function, in both clients")


def tell(callbacks: Iterable[OnResponse], request: httpx.Request, response: httpx.Response, elapsed: float) -> None:
    operation = operation_of(request)
    about = described(response, secrets_of(request))
    info = ResponseInfo(
        "" if operation is None else operation.id,
        response.status_code,
        about["headers"],
        about["request_id"],
        elapsed,
        request.extensions.get("retries", 0),
    )
    for callback in callbacks:
        try:
            callback(info)
        except Exception:
            logger.exception("on_response failed; the call goes on.")
