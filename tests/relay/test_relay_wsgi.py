"""The relay as a WSGI application, with servers that behave as few do."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext.relay import Relay
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import authorize, cookie_for
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]


def test_stream_is_closed_if_its_server_takes_no_headers(sandbox: Sandbox, new_room: Callable[..., str]) -> None:
    relay = Relay(sandbox.async_client(), authorize=authorize, grace=0, streams_per_namespace=1)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/rooms/{new_room()}/stream",
        "HTTP_HOST": "app.example",
        "HTTP_COOKIE": cookie_for("user_1"),
        "wsgi.input": io.BytesIO(),
    }

    def start_response(status: str, headers: Any) -> None:
        assert status.startswith("200")
        raise ConnectionAbortedError

    for _ in range(2):
        with pytest.raises(ConnectionAbortedError):
            relay.wsgi(environ, start_response)
    eventually(lambda: sandbox.open_streams == 0)
