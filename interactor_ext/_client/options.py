"""What a client may be given beside its settings, and how its way to the network is put together from that."""

from __future__ import annotations

import functools
import hashlib
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import httpx

from interactor_ext._config import InteractorConfig
from interactor_ext._errors import ConfigurationError
from interactor_ext.tokens._store import TokenStore

if TYPE_CHECKING:
    from interactor_ext.limits._limiter import RateLimiter
    from interactor_ext.retry import RetryPolicy
    from interactor_ext.telemetry._events import Reporter, Telemetry
    from interactor_ext.telemetry._requests import Measured
    from interactor_ext.tokens._guarded_store import GuardedStore
    from interactor_ext.transports._attempts import Rules
    from interactor_ext.transports._circuit_breaker import CircuitBreaker
    from interactor_ext.transports._retrying import AsyncCallTransport, CallTransport

# What brings asyncio along is imported within the functions: `import interactor_ext` costs little more than httpx.


def require_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise ConfigurationError(f"{name} must be {article} {kind.__name__}, not {type(value).__name__}")


class Parts(NamedTuple):
    """None stands for the default."""

    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None
    token_store: TokenStore | None = None
    retry_policy: RetryPolicy | None = None
    rate_limiter: RateLimiter | None = None
    circuit_breaker: CircuitBreaker | bool | None = None
    telemetry: Telemetry | None = None

    def rules(self, config: InteractorConfig, reporter: Reporter | None) -> Rules:
        """How the calls of the client are sent."""
        from interactor_ext.retry import RetryPolicy
        from interactor_ext.transports._attempts import Rules

        policy = RetryPolicy(max_retries=config.max_retries) if self.retry_policy is None else self.retry_policy
        if self.rate_limiter is not None:
            from interactor_ext.limits._limiter import RateLimiter

            require_kind("rate_limiter", self.rate_limiter, RateLimiter)
        identity = f"{config.account_server_url} {config.client_id}"
        client = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return Rules(policy, self._breaker(), self.rate_limiter, client, config.max_response_size, _measure(reporter))

    def _breaker(self) -> CircuitBreaker | None:
        from interactor_ext.transports._circuit_breaker import CircuitBreaker

        if self.circuit_breaker is None or self.circuit_breaker is True:
            return CircuitBreaker()
        if self.circuit_breaker is False:
            return None
        if not isinstance(self.circuit_breaker, CircuitBreaker):
            kind = type(self.circuit_breaker).__name__
            raise ConfigurationError(f"circuit_breaker must be a CircuitBreaker, or False for none, not {kind}")
        return self.circuit_breaker

    def store(self, config: InteractorConfig) -> GuardedStore | None:
        """Where the client's token is kept beside its memory."""
        if self.token_store is None:
            return None
        if not all(callable(getattr(self.token_store, method, None)) for method in ("load", "save", "lock")):
            kind = type(self.token_store).__name__
            raise ConfigurationError(f"token_store must have the methods `load`, `save` and `lock`, which {kind} lacks")
        from interactor_ext.tokens._guarded_store import GuardedStore

        return GuardedStore(self.token_store, config)

    def reporter(self) -> Reporter | None:
        if self.telemetry is None:
            return None
        from interactor_ext.telemetry._events import Reporter

        return Reporter(self.telemetry)

    def build_transport(self, rules: Rules, reporter: Reporter | None) -> CallTransport:
        """From the views of an `InteractorClient` to the network."""
        from interactor_ext.transports._retrying import CallTransport
        from interactor_ext.transports._sync_transport import Transport

        network = Transport() if self.transport is None else self.transport
        if not isinstance(network, httpx.BaseTransport):
            raise ConfigurationError(f"transport must be an httpx.BaseTransport, not {type(network).__name__}")
        if reporter is not None and isinstance(network, Transport):
            reporter.pool_opened(network)
        shared = CallTransport(network, rules)
        if self.transport is None:
            # For whoever forgets to close, at the latest when the interpreter ends.
            weakref.finalize(shared, network.close)
        return shared

    def build_async_transport(self, rules: Rules, reporter: Reporter | None) -> AsyncCallTransport:
        """From the views of an `AsyncInteractorClient` to the network."""
        from interactor_ext.transports._async_transport import AsyncTransport
        from interactor_ext.transports._retrying import AsyncCallTransport

        # The connections of our own end with their event loops.
        network = AsyncTransport() if self.transport is None else self.transport
        if not isinstance(network, httpx.AsyncBaseTransport):
            raise ConfigurationError(f"transport must be an httpx.AsyncBaseTransport, not {type(network).__name__}")
        if reporter is not None and isinstance(network, AsyncTransport):
            reporter.pool_opened(network)
        return AsyncCallTransport(network, rules)


def _measure(reporter: Reporter | None) -> Callable[[httpx.Request, int], Measured] | None:
    if reporter is None:
        return None
    from interactor_ext.telemetry._requests import Measured

    return functools.partial(Measured, reporter)
