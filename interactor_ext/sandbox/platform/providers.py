"""The APIs behind credentials, for tests of calls with `credential_auth`: prepared responses, with the token checked.

A call needs the token of an active credential of the provider, in any namespace; any other gets 401, so
`expire_credential` and the end of a token's hour affect tokens that an application still holds. The call gets the first
response that was added for the method and the path, or 404 without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from interactor_ext.sandbox.platform.timed import TimedChanges
from interactor_ext.sandbox.problems import Problem, unauthorized
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.records import Record, Store

PATH = "/_sandbox/providers"
# How many calls are kept.
HISTORY = 10_000


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A call to a provider. `credential_id` is "" without a valid token."""

    method: str
    path: str
    query: str
    content: bytes = field(repr=False)
    credential_id: str
    status: int


@dataclass(slots=True)
class _Response:
    method: str
    path: str
    problem: Problem
    left: int | None


class Provider:
    """A provider: `url` is the base URL of its API, `host` is for the `hosts` of `credential_auth`."""

    def __init__(self, name: str, store: Store, timed: TimedChanges, origin: Callable[[], str]) -> None:
        self.requests: Journal[ProviderRequest] = Journal(HISTORY)
        self._name = name
        self._store = store
        self._timed = timed
        self._origin = origin
        self._responses: list[_Response] = []

    @property
    def url(self) -> str:
        """The base URL of the API. Raises RuntimeError while the sandbox isn't served."""
        return f"{self._origin()}{PATH}/{self._name}"

    @property
    def host(self) -> str:
        return urlsplit(self._origin()).netloc

    def add(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Respond to the next `times` such calls (None: all of them) with this body, JSON or a text."""
        answer = Problem(status, "", headers=dict(headers or {}), body={} if body is None else body)
        self._responses.append(_Response(method.upper(), "/" + path.strip("/"), answer, times))

    def answer(self, method: str, path: str, query: str, content: bytes, token: str) -> Problem:
        """Return the response to a call, as a Problem with a status, headers and a body."""
        credential = self._credential(token)
        refusal = unauthorized("The token doesn't belong to an active credential.")
        given, credential_id = (self._given(method, path), credential.id) if credential else (refusal, "")
        self.requests.append(ProviderRequest(method, path, query, content, credential_id, given.status))
        return given

    def _given(self, method: str, path: str) -> Problem:
        for answer in self._responses:
            if (answer.method, answer.path) == (method, path) and answer.left != 0:
                answer.left = None if answer.left is None else answer.left - 1
                return answer.problem
        return Problem(404, f"No response was added for {method} {path}.")

    def _credential(self, token: str) -> Record | None:
        for credential in self._store.everything("credential"):
            if credential.public["provider"] == self._name and credential.private["access_token"] == token:
                return credential if self._timed.is_good(credential) else None
        return None
