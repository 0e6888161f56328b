"""Change some fields of an assistant.

Omitted fields stay unchanged. `tools` and `data_sources` are replaced, not extended. The model is fixed at
creation: for another model, create another assistant.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, path_segment, to_json

from ...models.assistant_response import AssistantResponse
from ...models.error_response import ErrorResponse
from ...models.update_assistant_request import UpdateAssistantRequest

OPERATION = Operation(
    id="update_assistant",
    tag="assistants",
    method="PATCH",
    path="/assistants/{assistant_id}",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(assistant_id: str, *, body: UpdateAssistantRequest, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "PATCH",
        "url": f"/assistants/{path_segment('assistant_id', assistant_id)}",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> AssistantResponse:
    return decode(response, "AssistantResponse", AssistantResponse.from_dict)


def _parse_response(response: httpx.Response) -> AssistantResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[AssistantResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    assistant_id: str, *, client: Client, body: UpdateAssistantRequest, x_namespace: str | Unset = UNSET
) -> AssistantResponse:
    """Change some fields of an assistant.

    Omitted fields stay unchanged. `tools` and `data_sources` are replaced, not extended. The model is fixed at
    creation: for another model, create another assistant.

    Args:
        assistant_id: Id of the assistant, such as `asst_7Hq2`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(assistant_id, body=body, x_namespace=x_namespace)),
        _parse_success,
    )


def sync_detailed(
    assistant_id: str, *, client: Client, body: UpdateAssistantRequest, x_namespace: str | Unset = UNSET
) -> Response[AssistantResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(assistant_id, body=body, x_namespace=x_namespace)))


async def asyncio(
    assistant_id: str, *, client: Client, body: UpdateAssistantRequest, x_namespace: str | Unset = UNSET
) -> AssistantResponse:
    """Change some fields of an assistant.

    Omitted fields stay unchanged. `tools` and `data_sources` are replaced, not extended. The model is fixed at
    creation: for another model, create another assistant.

    Args:
        assistant_id: Id of the assistant, such as `asst_7Hq2`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(assistant_id, body=body, x_namespace=x_namespace)),
        _parse_success,
    )


async def asyncio_detailed(
    assistant_id: str, *, client: Client, body: UpdateAssistantRequest, x_namespace: str | Unset = UNSET
) -> Response[AssistantResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(**_get_kwargs(assistant_id, body=body, x_namespace=x_namespace))
    )
