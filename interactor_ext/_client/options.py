"""Options of a client beside its settings: transport, token store, retry policy, rate limiter, breaker, telemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import httpx

from interactor_ext._config import ConfigFields, InteractorConfig
from interactor_ext._errors import ConfigurationError
from interactor_ext.retry import RetryPolicy
from interactor_ext.tokens._store import TokenStore

if TYPE_CHECKING:
    from interactor_ext.limits._limiter import RateLimiter
    from interactor_ext.telemetry._events import Telemetry
    from interactor_ext.transports._circuit_breaker import CircuitBreaker

T = TypeVar("T")


class ClientOptions(NamedTuple):
    """None stands for the default."""

    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
    token_store: TokenStore | None
    retry_policy: RetryPolicy | None
    rate_limiter: RateLimiter | None
    circuit_breaker: CircuitBreaker | bool | None
    telemetry: Telemetry | None


def require_kind(name: str, value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise ConfigurationError(f"{name} must be {article} {kind.__name__}, not {type(value).__name__}")
    return value


def settings_of(
    config: InteractorConfig | None, fields: ConfigFields, retry_policy: RetryPolicy | None
) -> InteractorConfig:
    """The settings of a client: its keywords, then those of its retry policy and its `config` or the environment."""
    if config is not None:
        require_kind("config", config, InteractorConfig)
    if retry_policy is not None:
        require_kind("retry_policy", retry_policy, RetryPolicy)
        if fields.get("max_retries") is None:
            fields = {**fields, "max_retries": retry_policy.max_retries}
    return InteractorConfig.from_env(**fields) if config is None else config.replace(**fields)
