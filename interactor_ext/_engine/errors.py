"""The error classes of the SDK, as one tree.

InteractorError
├── ConfigurationError               missing or contradictory settings
├── APIConnectionError               no response, or one that isn't HTTP
│   └── APITimeoutError              no response in time
│       └── WaitTimeoutError         the awaited status wasn't reached in time
├── APIStatusError                   any other error status
│   ├── AuthenticationError          401
│   ├── PermissionDeniedError        403
│   ├── NotFoundError                404
│   ├── ConflictError                409
│   ├── GoneError                    410
│   ├── ValidationError              422
│   ├── RateLimitError               429
│   ├── ServerError                  5xx
│   └── CredentialExpiredError       the user must connect a credential again
├── ResponseValidationError          a success body that doesn't fit its model
├── UnexpectedStateError             a final status other than the awaited one
├── CircuitOpenError                 refused locally, nothing sent
├── StreamError                      an `error` event in a chat, or a stream that can't be resumed
└── WebhookError
    ├── WebhookVerificationError     not genuine: respond with 401
    ├── WebhookPayloadError          genuine, but not understood: respond with 400
    ├── WebhookBusyError             no handler ran: run the event again later
    └── WebhookStoreError            the store or queue is unreachable or refuses: respond with 503
"""

# Without `from __future__ import annotations`: `typing.get_type_hints` would look for ClassVar in `interactor_ext`.

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "CircuitOpenError",
    "ConfigurationError",
    "ConflictError",
    "CredentialExpiredError",
    "GoneError",
    "InteractorError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseValidationError",
    "ServerError",
    "StreamError",
    "UnexpectedStateError",
    "ValidationError",
    "WaitTimeoutError",
    "WebhookBusyError",
    "WebhookError",
    "WebhookPayloadError",
    "WebhookStoreError",
    "WebhookVerificationError",
]


class InteractorError(Exception):
    """Base class of all errors of this SDK.

    `message` describes the failure, in the server's words if it sent any; `str(error)` adds the request and advice.
    `code` is the server's error code, if it sent one. `status` is None without a response. `details` lists the invalid
    fields, as dicts with `field` and `message`. Quote `request_id` to the platform's support. `headers` are the
    response's, and case-insensitive. `retry_after` is in seconds, None if the server named no time. Errors can be
    copied and pickled, so they can pass between processes.
    """

    default_code: ClassVar[str] = "UNKNOWN_ERROR"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        status: int | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.status = status
        self.details: list[dict[str, Any]] = [dict(item) for item in details]
        self.request_id = request_id
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.retry_after = retry_after

    @property
    def status_code(self) -> int | None:
        """`status`, as httpx and other SDKs call it."""
        return self.status

    if not TYPE_CHECKING:  # otherwise type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            from interactor_client.advised import Advised  # webhook receivers start without it

            return Advised.__getattr__(self, name)

        def __getitem__(self, key: object) -> NoReturn:
            from interactor_client.advised import no_item

            no_item(self, key)

        __iter__ = None


class ConfigurationError(InteractorError):
    """Settings are missing or contradict each other, or a closed client is used. Nothing was changed on the platform,
    unless the client was closed during the call: then an earlier attempt may have arrived.
    """

    default_code = "CONFIGURATION_ERROR"


class APIConnectionError(InteractorError):
    """No response: the connection was refused, reset or cut off, or the response wasn't HTTP. A request that changes
    something may have arrived.

    `sent` is False if it can't have arrived, because no connection was established.
    """

    default_code = "NETWORK_ERROR"

    def __init__(self, message: str = "", *, sent: bool = True, **about: Any) -> None:
        super().__init__(message, **about)
        self.sent = sent


class APITimeoutError(APIConnectionError):
    """No response in time. A request that changes something may have arrived."""

    default_code = "TIMEOUT"


class WaitTimeoutError(APITimeoutError):
    """The status did not come in time. `last` is the workflow instance or OAuth flow as last seen, or None."""

    def __init__(self, message: str = "", *, last: Any = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.last = last


class APIStatusError(InteractorError):
    """The server responded with an error status that has no class of its own."""

    default_code = "API_ERROR"


class AuthenticationError(APIStatusError):
    """401, or a refused token request: the client id, the secret or the scopes are not accepted."""

    default_code = "AUTH_ERROR"


class PermissionDeniedError(APIStatusError):
    """403: the token is valid but lacks a scope, or its client may not use the namespace."""

    default_code = "FORBIDDEN"


class NotFoundError(APIStatusError):
    """404: no such object in this namespace."""

    default_code = "NOT_FOUND"


class ConflictError(APIStatusError):
    """409: for example, an idempotency key that was used before with another body."""

    default_code = "CONFLICT"


class GoneError(APIStatusError):
    """410: the operation or the object has been removed."""

    default_code = "GONE"


class ValidationError(APIStatusError):
    """422: the server rejects the body; `details` names the fields."""

    default_code = "VALIDATION_ERROR"


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after` says how long to wait."""

    default_code = "RATE_LIMITED"


class ServerError(APIStatusError):
    """5xx: the platform, or something in front of it, failed."""


class CredentialExpiredError(APIStatusError):
    """A credential has expired or was revoked, and the platform can't refresh it: the user must connect it again.

    Raised by calls to a provider with `credential_auth`. `user_action` is a sentence to show to the user.
    """

    default_code = "REFRESH_FAILED"

    def __init__(
        self, message: str = "", *, credential_id: str = "", namespace: str | None = None, **about: Any
    ) -> None:
        super().__init__(message, **about)
        self.credential_id = credential_id
        self.namespace = namespace
        self.user_action = "The access to your account has ended. Connect the account again."


class ResponseValidationError(InteractorError):
    """A success response whose body doesn't fit its model.

    `model` and `field` name the place; `field` is "" if the whole body is at fault. `path` leads there through the
    body, as in `data[3].id`. The status is a success, so the request has taken effect. `item` is the item of a list, or
    the event of a stream, as the server sent it, for `on_invalid=`; it may contain secrets, so be careful about logging
    it.
    """

    default_code = "RESPONSE_VALIDATION_ERROR"

    def __init__(
        self, message: str = "", *, model: str = "", field: str = "", path: str = "", item: Any = None, **about: Any
    ) -> None:
        super().__init__(message, **about)
        self.model = model
        self.field = field
        self.path = path
        self.item = item


class UnexpectedStateError(InteractorError):
    """The status is final, but not one that was waited for. `last` is the workflow instance or OAuth flow."""

    default_code = "UNEXPECTED_STATE"

    def __init__(self, message: str = "", *, last: Any = None, **about: Any) -> None:
        super().__init__(message, **about)
        self.last = last


class CircuitOpenError(InteractorError):
    """Blocked by this client after a run of failures; nothing was sent. `retry_after` says when to try again."""

    default_code = "CIRCUIT_OPEN"


class StreamError(InteractorError):
    """The stream broke off and can't be resumed, or a chat's room sent an `error` event."""

    default_code = "STREAM_ERROR"


class WebhookError(InteractorError):
    """A webhook delivery that can't be accepted."""

    default_code = "WEBHOOK_ERROR"


class WebhookVerificationError(WebhookError):
    """The delivery is not genuine, or too old: respond with 401."""

    default_code = "WEBHOOK_VERIFICATION_ERROR"


class WebhookPayloadError(WebhookError):
    """The delivery is genuine, but can't be understood: respond with 400."""

    default_code = "WEBHOOK_PAYLOAD_ERROR"


class WebhookBusyError(WebhookError):
    """No handler ran, because another process is handling the event, or the store is unreachable. Run the event again
    after `retry_after` seconds, and don't count this as a failed attempt.
    """

    default_code = "WEBHOOK_BUSY_ERROR"


class WebhookStoreError(WebhookError):
    """A webhook router's store or queue is unreachable, refuses, or doesn't respond in time: respond with 503."""

    default_code = "WEBHOOK_STORE_ERROR"


# Done now rather than on lookup, as for other names: a traceback must show an error's public name even if nobody has
# looked it up.
for _class in [each for each in globals().values() if isinstance(each, type) and issubclass(each, InteractorError)]:
    _class.__module__ = "interactor_ext"
