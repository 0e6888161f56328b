"""Stream URLs for browsers, which can send no headers: token and namespace are in the query."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

from interactor_client.types import UNSET
from interactor_ext._client.view import View


class StreamURL(NamedTuple):
    """The URL of a stream, before there is a token to put into it."""

    address: str
    query: dict[str, Any]
    scope: str
    """The one scope that its token needs, as the contract has it."""
    resource: str
    """All streams of its kind, as RFC 8707 wants it: a token for each stream would soon meet the limit of the account
    server, 20 token requests a minute.
    """

    def with_token(self, token: str) -> str:
        return f"{self.address}?{urlencode({'token': token, **self.query})}"


def room_stream(view: View, room_id: str) -> StreamURL:
    from interactor_client.api.rooms.stream_room import _get_kwargs

    return _stream_url(view, _get_kwargs(room_id, namespace=view.namespace or UNSET), "rooms:read")


def workflow_stream(view: View, instance_id: str) -> StreamURL:
    from interactor_client.api.workflow_instances.stream_workflow_instance import _get_kwargs

    return _stream_url(view, _get_kwargs(instance_id, namespace=view.namespace or UNSET), "workflows:read")


def _stream_url(view: View, kwargs: dict[str, Any], scope: str) -> StreamURL:
    core = view.config.core_api_url
    resource = re.sub(r"\{\w+\}", "*", kwargs["extensions"]["operation"].path)
    return StreamURL(f"{core}{kwargs['url']}", kwargs["params"], scope, f"{core}{resource}")
