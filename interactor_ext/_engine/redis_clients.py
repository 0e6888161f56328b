"""Redis clients that users bring, sync and async. The redis package is only imported once there is one."""

from __future__ import annotations

import inspect
from typing import Any

from interactor_ext._engine.arguments import kind_of
from interactor_ext._engine.errors import ConfigurationError

# The settings of an asynchronous client that a synchronous one accepts, besides its TLS settings.
_SETTINGS = frozenset(
    {
        "host",
        "port",
        "path",
        "db",
        "username",
        "password",
        "credential_provider",
        "socket_timeout",
        "socket_connect_timeout",
    }
)


def is_async(redis: Any) -> bool:
    """Whether this is a client of `redis.asyncio`. Every store checks the client it was given."""
    if isinstance(redis, type) or not callable(getattr(redis, "eval", None)):
        given = "a URL" if isinstance(redis, str | bytes) else kind_of(redis)  # not quoted: it may contain a password
        raise ConfigurationError(f"A client of Redis is required, not {given}: pass redis.Redis.from_url(url).")
    return inspect.iscoroutinefunction(getattr(redis, "execute_command", None))


def blocking(redis: Any) -> Any:
    """Return the client itself if it is synchronous, or else a synchronous client with its settings, which needs no
    event loop.
    """
    if not is_async(redis):
        return redis
    import redis as package
    from redis import connection

    pool = getattr(redis, "connection_pool", None)
    kind = getattr(connection, getattr(getattr(pool, "connection_class", None), "__name__", ""), None)
    if pool is None or kind is None:
        # A cluster or sentinels, whose settings don't name their nodes.
        raise ConfigurationError(
            f"A {type(redis).__module__}.{type(redis).__name__} can't be used here: pass its synchronous "
            "version, which works for AsyncInteractorClient as well."
        )
    settings = {
        name: value for name, value in pool.connection_kwargs.items() if name in _SETTINGS or name.startswith("ssl_")
    }
    return package.Redis(connection_pool=package.ConnectionPool(connection_class=kind, **settings))
