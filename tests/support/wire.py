"""A transport that records the requests, and responds as the platform does or as the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.support.scripted_server import ASSISTANT

CORE, ACCOUNT = "https://core.example/api/v1", "https://account.example/api/v1"
SECRET = "secret_8f3a61c9d2"
BODY = {"name": "Bot", "model": "gpt-4", "system_prompt": "x"}


class Wire:
    """A transport that records the requests, and responds as the platform does or as `answer` says."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self.token_requests: list[httpx.Request] = []
        self._answer = answer
        self.closed = 0
        wire = self

        class Transport(httpx.MockTransport):
            def close(self) -> None:
                wire.closed += 1

            async def aclose(self) -> None:
                wire.closed += 1

        self.transport = Transport(self._handle)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "client_id": "client_x",
            "client_secret": SECRET,
            "core_api_url": CORE,
            "account_server_url": ACCOUNT,
            "max_retries": 0,
            "transport": self.transport,
        }

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == f"{ACCOUNT}/oauth/token":
            self.token_requests.append(request)
            token = {"access_token": f"token_{len(self.token_requests)}", "token_type": "Bearer", "expires_in": 900}
            return httpx.Response(200, json=token)
        self.requests.append(request)
        if self._answer is not None:
            return self._answer(request)
        if request.method == "POST":
            return httpx.Response(201, json={"data": ASSISTANT})
        return httpx.Response(200, json={"data": [], "meta": {"page": 1, "has_more": False}})

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]
