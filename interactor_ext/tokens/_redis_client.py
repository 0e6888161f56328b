"""Redis clients: whether one is async, and a sync one with its settings. The redis package is imported only once the
caller has passed a client of it.
"""

from __future__ import annotations

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


def blocking(redis: Any) -> Any:
    """The client itself, or a synchronous client with the settings of an asynchronous one, which would need an event
    loop.
    """
    if not is_async(redis):
        return redis
    import redis as package
    from redis import connection

    pool = getattr(redis, "connection_pool", None)
    kind = getattr(connection, getattr(getattr(pool, "connection_class", None), "__name__", ""), None)
    if pool is None or kind is None:
        # A cluster or sentinels: their settings do not name their nodes.
        raise ConfigurationError(
            f"A {type(redis).__module__}.{type(redis).__name__} cannot be used here: pass its synchronous twin, which "
            "serves AsyncInteractorClient as well."
        )
    settings = {
        name: value for name, value in pool.connection_kwargs.items() if name in _SETTINGS or name.startswith("ssl_")
    }
    return package.Redis(connection_pool=package.ConnectionPool(connection_class=kind, **settings))
