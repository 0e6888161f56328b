"""What the SDK knows about one call. It travels with the request, as `request.extensions["call"]`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    import httpx

    from interactor_client.types import Operation
    from interactor_ext._engine.errors import APIStatusError

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and so need no idempotency key."""


class Api:
    """What a call needs to know about its API. Each API's client provides a subclass."""

    def url_variable(self, call: Call) -> str:
        """Name the setting that determines the server's URL."""
        return "its URL"

    def is_token_request(self, call: Call) -> bool:
        """Whether this requests a token: it may be repeated at any time, and a 400 is about the credentials."""
        return False

    def advice(self, kind: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
        """The end of the error message for a status, given the attributes of the error."""
        return ""


_ANY_API = Api()


@dataclass(slots=True, eq=False)
class Call:
    """One call, from its view to its response: its settings and its progress."""

    operation: Operation | None = None
    is_for_account_server: bool = False
    is_stream: bool = False
    api: Api = _ANY_API
    namespace: str | None = None
    path: str = ""
    """The operation's path, without the server's, and with its ids percent-encoded."""
    max_retries: int | None = None
    """None: as many as the client's retry policy says."""
    ends_at: float | None = None
    """The deadline, an instant of `time.monotonic()`."""
    secrets: tuple[str, ...] = ()
    """Secrets in the request, which no error message may quote."""
    token: str | None = None
    """The access token that it was last sent with."""
    hidden_query: dict[str, str] | None = None
    """Added to the URL only when it is sent, because httpx logs URLs."""
    wait_ends_at: float = math.inf
    """When the current attempt stops waiting for the network, an instant of `time.monotonic()`. Only our transports use
    it."""
    timer: asyncio.Timeout | None = None
    """The time limit of the current async attempt, which cancels it as a whole."""
    late: Callable[[], httpx.TimeoutException] | None = None
    """Makes the error of an async attempt that has run out of time: it's cancelled as a whole and can't say where it
    was."""
    retries: int = 0
    """The number of retries so far."""
    has_own_key: bool = False
    """Whether the SDK generated its idempotency key."""
    may_be_done: bool = False
    """Whether an earlier attempt may have been carried out, or may still be running."""

    @property
    def may_be_running(self) -> bool:
        """Whether a 409 can only be about an earlier attempt, because nobody else knows the key."""
        return self.has_own_key and self.may_be_done

    @classmethod
    def of(cls, request: httpx.Request) -> Call:
        """Return the call of a request, or a new one for a request that no view has built."""
        try:
            return request.extensions["call"]  # type: ignore[no-any-return]
        except KeyError:
            call = request.extensions["call"] = cls.for_operation(request.extensions.get("operation"))
            return call

    @classmethod
    def for_operation(cls, operation: Operation | None) -> Call:
        if operation is None:
            return cls()
        return cls(operation, is_for_account_server=operation.server == "account", is_stream=operation.stream)

    def __repr__(self) -> str:
        name = None if self.operation is None else self.operation.id
        return f"Call({name!r}, namespace={self.namespace!r}, ends_at={self.ends_at})"  # no secrets

    @property
    def url_variable(self) -> str:
        """Name the setting that determines the URL of the server it goes to."""
        return self.api.url_variable(self)


def describe_request(request: httpx.Request) -> str:
    """Name a request, as in `POST /rooms/{room_id}/messages`. Its URL may contain what logs must not."""
    operation = Call.of(request).operation
    return f"{request.method} {operation.path if operation is not None else request.url.path}"


def secrets_of(request: httpx.Request) -> tuple[str, ...]:
    """Return the secrets that a request was sent with: the client secret, secret fields of its body, and its token."""
    call = Call.of(request)
    # Not read from the headers: this runs for each log record, and decoding them would be its slowest part.
    if call.token is not None:
        return (*call.secrets, call.token)
    by_hand = request.headers.get("authorization", "").partition(" ")[2]
    return (*call.secrets, by_hand) if by_hand else call.secrets
