"""Service names: warns of duplicates in this process and of events that no worker handles, and renames services."""

from __future__ import annotations

import re
import warnings
from typing import Any
from weakref import WeakKeyDictionary

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import depth_of_caller, line_of_caller

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
OVERDUE_SECONDS = 60.0
TABLES = ("interactor_webhook_claims", "interactor_webhook_queue")
# Prefixes of keys of a router without a name, other than plain idempotency keys.
_HASHED = ("sha256:", "body:")
# For each router: where it remembers events and under which name, and the line and secrets that created it.
_routers: WeakKeyDictionary[Any, tuple[object, tuple[str, object]]] = WeakKeyDictionary()
# Keys of `claim_in` start with `+`.
_REST = "ltrim(key, '+')"
_MARK = f"substr(key, 1, length(key) - length({_REST}))"


def warn_of_twins(router: Any, shared: object, secrets: object) -> None:
    """Warn if another router has the same name and store. An application that is created again has the same line."""
    place = type(shared), getattr(shared, "_identity", id(shared)), router.key_prefix
    origin = line_of_caller(), secrets
    twins = [made for at, made in list(_routers.values()) if at == place and made != origin]
    _routers[router] = place, origin
    if twins:
        warnings.warn(
            f"The webhook router created at {twins[0][0]} has the same name and {type(shared).__name__}. An event that "
            "both receive is a duplicate for one of them, and only the other's handlers run. Pass another name=, or "
            "register all handlers with one router.",
            stacklevel=depth_of_caller(),
        )


def warn_of_unserved(overdue: dict[str, int], own: str) -> None:
    """`overdue` is the number of events by key prefix, `own` this router's prefix."""
    for prefix, number in overdue.items():
        if prefix != own:
            service = "" if prefix in _HASHED else prefix.rstrip(":")
            warnings.warn(
                f"Webhook events of {f'the service {service!r}' if service else 'a router without a name'} have been "
                f"due for more than a minute ({number}), and no worker takes them. If no service has that name any "
                f"more, move them to this one: interactor webhooks rename MODULE:ROUTER '{service}'",
                stacklevel=depth_of_caller(),
            )


def renaming(table: str, old: str, new: str) -> tuple[str, str]:
    """Return statements, valid in every database, that delete rows stored under both names and rename the others.

    Raises ConfigurationError.
    """
    before, after = prefix_of(old or None), prefix_of(new or None)
    if before == after:  # every row would count as stored under both
        raise ConfigurationError(f"The old name and the new one are the same, {new!r}.")
    found = _begins(before) if old else " OR ".join([f"replace({_REST}, ':', '') = {_REST}", *map(_begins, _HASHED)])
    moved = f"{_MARK} || '{after}' || substr({_REST}, {len(before) + 1})"
    known = f"{moved} IN (SELECT key FROM {table})"  # noqa: S608  (of checked names)
    return f"DELETE FROM {table} WHERE ({found}) AND {known}", f"UPDATE {table} SET key = {moved} WHERE {found}"  # noqa: S608


def prefix_of(name: str | None) -> str:
    """Return the prefix of a service's keys. Raises ConfigurationError."""
    if name is None:
        return ""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ConfigurationError("A webhook router's name must be 1 to 64 ASCII letters, digits, '_', '.' or '-'.")
    return f"{name}:"


def _begins(prefix: str) -> str:
    return f"substr({_REST}, 1, {len(prefix)}) = '{prefix}'"
