"""What is known of one call. It travels with the request, as `request.extensions["call"]`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from interactor_client.types import Operation
    from interactor_ext._engine.errors import APIStatusError

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so they need no idempotency key."""


class Api:
    """What calls can't know of their API. The client of an API says it in a subclass."""

    def url_variable(self, call: Call) -> str:
        """What sets the URL of the server that a call goes to."""
        return "its URL"

    def is_token_request(self, call: Call) -> bool:
        """Whether the call may be repeated at any time, and its 400 is about the credentials."""
        return False

    def advice(self, kind: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
        """The end of the message of the error for a status, from the attributes of that error."""
        return ""


_ANY_API = Api()


@dataclass(slots=True, eq=False)
class Call:
    """One call, from its view to its response: what it is, and how far it has come."""

    operation: Operation | None = None
    is_for_account_server: bool = False
    api: Api = _ANY_API
    namespace: str | None = None
    path: str = ""
    """The path of the operation, with its ids percent-encoded and without the path of the server."""
    max_retries: int | None = None
    """None: as the retry policy of the client says."""
    ends_at: float | None = None
    """The deadline, an instant of `time.monotonic()`."""
    secrets: tuple[str, ...] = ()
    """Secrets of the request, which no error message may quote."""
    token: str | None = None
    """The access token that it was last sent with."""
    hidden_query: dict[str, str] | None = None
    """Added to the URL only when it is sent, because httpx logs URLs."""
    wait_ends_at: float = math.inf
    """When each wait of its attempt for the network ends, an instant of `time.monotonic()`, in our own transports."""
    late: Callable[[], httpx.TimeoutException] | None = None
    """Makes the error of an async attempt whose time is over now: cancelled as a whole, it can't say how far it is."""
    retries: int = 0
    """How many attempts were followed by another."""
    has_own_key: bool = False
    """Whether the SDK made its idempotency key."""
    may_be_done: bool = False
    """Whether an earlier attempt may have been carried out, or still be running."""

    @property
    def may_be_running(self) -> bool:
        """Whether a 409 can only be about an earlier attempt: nobody else knows the key."""
        return self.has_own_key and self.may_be_done

    @classmethod
    def of(cls, request: httpx.Request) -> Call:
        """The call of a request; a new one for a request that no view has built."""
        try:
            return request.extensions["call"]  # type: ignore[no-any-return]
        except KeyError:
            call = request.extensions["call"] = cls.for_operation(request.extensions.get("operation"))
            return call

    @classmethod
    def for_operation(cls, operation: Operation | None) -> Call:
        return cls(operation, operation is not None and operation.server == "account")

    def __repr__(self) -> str:
        name = None if self.operation is None else self.operation.id
        return f"Call({name!r}, namespace={self.namespace!r}, ends_at={self.ends_at})"  # no secrets

    @property
    def is_stream(self) -> bool:
        return self.operation is not None and self.operation.stream

    @property
    def url_variable(self) -> str:
        """What sets the URL of the server that it goes to."""
        return self.api.url_variable(self)


def describe_request(request: httpx.Request) -> str:
    """The name of a request, such as `POST /rooms/{room_id}/messages`: a URL may hold what logs must not."""
    operation = Call.of(request).operation
    return f"{request.method} {operation.path if operation is not None else request.url.path}"


def secrets_of(request: httpx.Request) -> tuple[str, ...]:
    """The secrets that were sent with a request: the client secret, secret fields of its body, and its token."""
    call = Call.of(request)
    # Not from the headers: this is asked for each log record, and would be the slowest part of it.
    if call.token is not None:
        return (*call.secrets, call.token)
    by_hand = request.headers.get("authorization", "").partition(" ")[2]
    return (*call.secrets, by_hand) if by_hand else call.secrets
