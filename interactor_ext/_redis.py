"""A Redis client of either colour, called from either colour. The redis package itself is imported nowhere: the caller
has it.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from interactor_ext._errors import ConfigurationError

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
    return inspect.iscoroutinefunction(getattr(redis, "execute_command", None))


def call(redis: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    if is_async(redis):
        raise ConfigurationError("A redis.asyncio client serves AsyncInteractorClient only: pass a redis.Redis here.")
    return getattr(redis, method)(*args, **kwargs)


async def call_async(redis: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    function = getattr(redis, method)
    if is_async(redis):
        return await function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


def blocking(redis: Any) -> Any:
    """The client itself, or for an asynchronous one a synchronous one with its settings: it lives in a loop, and
    threads have none.
    """
    if not is_async(redis):
        return redis
    import redis as package
    from redis import connection

    pool = redis.connection_pool
    settings = {
        name: value for name, value in pool.connection_kwargs.items() if name in _SETTINGS or name.startswith("ssl_")
    }
    kind = getattr(connection, pool.connection_class.__name__, connection.Connection)
    return package.Redis(connection_pool=package.ConnectionPool(connection_class=kind, **settings))
