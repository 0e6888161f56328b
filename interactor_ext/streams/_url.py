"""Stream URLs for browsers, which can send no headers: token and namespace are in the query."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from interactor_client.types import UNSET
from interactor_ext._client.view import View


def room_stream_url(view: View, room_id: str, token: str) -> str:
    from interactor_client.api.rooms.stream_room import _get_kwargs

    return _url(view, _get_kwargs(room_id, token=token, namespace=view.namespace or UNSET))


def workflow_stream_url(view: View, instance_id: str, token: str) -> str:
    from interactor_client.api.workflow_instances.stream_workflow_instance import _get_kwargs

    return _url(view, _get_kwargs(instance_id, token=token, namespace=view.namespace or UNSET))


def _url(view: View, kwargs: dict[str, Any]) -> str:
    return f"{view.config.core_api_url}{kwargs['url']}?{urlencode(kwargs['params'])}"
