"""The name of a service: who else has it in this process, whose events nobody takes, and how they move to another."""

from __future__ import annotations

import re
import warnings
from typing import Any
from weakref import WeakKeyDictionary

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs import depth_of_caller, line_of_caller

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
OVERDUE_SECONDS = 60.0
TABLES = ("interactor_webhook_claims", "interactor_webhook_queue")
# What keys of a router without a name begin with, apart from the idempotency keys themselves.
_HASHED = ("sha256:", "body:")
# Where each router remembers events under which name, and which line and secrets made it.
_routers: WeakKeyDictionary[Any, tuple[object, tuple[str, object]]] = WeakKeyDictionary()
# `+` is before the keys of `claim_in`.
_REST = "ltrim(key, '+')"
_MARK = f"substr(key, 1, length(key) - length({_REST}))"


def warn_of_twins(router: Any, shared: object, secrets: object) -> None:
    """Warn if another router has the same name and store. An application that is only made again has the same line."""
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
    """`overdue` is the number of events by the prefix of their keys, `own` that of this router."""
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
    """Statements, for every database, that delete what is known under both names, and that move the others.

    Raises ConfigurationError.
    """
    before, after = prefix_of(old or None), prefix_of(new or None)
    if before == after:  # all would be known under both
        raise ConfigurationError(f"The old name and the new one are the same, {new!r}.")
    found = _begins(before) if old else " OR ".join([f"replace({_REST}, ':', '') = {_REST}", *map(_begins, _HASHED)])
    moved = f"{_MARK} || '{after}' || substr({_REST}, {len(before) + 1})"
    known = f"{moved} IN (SELECT key FROM {table})"  # noqa: S608  (of checked names)
    return f"DELETE FROM {table} WHERE ({found}) AND {known}", f"UPDATE {table} SET key = {moved} WHERE {found}"  # noqa: S608


def prefix_of(name: str | None) -> str:
    """What the keys of a service begin with. Raises ConfigurationError."""
    if name is None:
        return ""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ConfigurationError("A webhook router's name must be 1 to 64 ASCII letters, digits, '_', '.' or '-'.")
    return f"{name}:"


def _begins(prefix: str) -> str:
    return f"substr({_REST}, 1, {len(prefix)}) = '{prefix}'"
