"""`ensure` of resources: what is there is found, and what lacks is created once, however many ask for it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from interactor_client.types import UNSET
from interactor_ext._effects import Call, Effects, Pause, despite_lost_answers, seconds_until, view_until
from interactor_ext._errors import ConfigurationError, ConflictError, NotFoundError

# Seconds until it is looked for again, while another caller's request with the same key may still be handled.
_PAUSES = (0.0, 0.1, 0.4, 1.5)
# How many were created and deleted within 24 hours, before it is given up.
_MOST_DELETED = 100


class _Wanted(NamedTuple):
    user: Any
    tag: str
    by: str
    given: Mapping[str, Any]
    ends_at: float | None

    def resource(self, **options: Any) -> Any:
        """The resource of a view in time."""
        return getattr(view_until(self.user, self.ends_at).with_options(**options), self.tag)

    def key(self, tried: list[str]) -> str:
        """An idempotency key, the same in every process that wants the same and has tried the same before."""
        parts = [self.tag, self.user._view.namespace or "", self.given[self.by], *tried]
        return f"ensure-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def ensure(user: Any, tag: str, by: str, fields: Mapping[str, Any], changeable: tuple[str, ...]) -> Effects[Any]:
    """The one whose field `by` is as in `fields`. Its `outcome` says whether it was found, created or updated."""
    if user._view.idempotency_key is not None:
        raise ConfigurationError(f"{tag}.ensure chooses its own idempotency key. Call it on a view without one.")
    given = {name: value for name, value in fields.items() if value is not UNSET and value is not None}
    wanted = _Wanted(user, tag, by, given, user._view.ends_at())
    found = (yield from _find(wanted)) or (yield from _create(wanted))
    if found.outcome == "created":
        return found
    different = {name: value for name, value in given.items() if _differs(found, name, value, name in changeable)}
    if fixed := [name for name in different if name not in changeable]:
        raise ConfigurationError(
            f"The {tag.removesuffix('s')} {given[by]!r} has another {' and '.join(fixed)}, which can't be "
            f"changed. Nothing was changed. Delete it, or choose another {by}."
        )
    found.outcome = "unchanged"
    if different:
        found = yield from despite_lost_answers(user, wanted.ends_at, partial(_update, wanted, found.id, different))
        found.outcome = "updated"
    return found


def _update(wanted: _Wanted, resource_id: str, fields: Mapping[str, Any]) -> Effects[Any]:
    return (yield Call(partial(wanted.resource().update, resource_id, **fields)))


def _find(wanted: _Wanted) -> Effects[Any]:
    items = wanted.resource().iterate(per_page=100)
    step = partial(anext if isinstance(items, AsyncIterator) else next, items, None)
    while (item := (yield Call(step))) is not None and getattr(item, wanted.by) != wanted.given[wanted.by]:
        pass
    return item


def _create(wanted: _Wanted) -> Effects[Any]:
    """A new one; or one that somebody else has made since it was looked for."""
    tried: list[str] = []
    body = json.dumps(wanted.given, sort_keys=True)
    while True:
        made: Any = None
        try:
            made = yield Call(partial(wanted.resource(idempotency_key=wanted.key(tried)).create, **wanted.given))
            # Within 24 hours a key gives the first response again, also after what it made was deleted.
            yield Call(wanted.resource().get, (made.id,))
        except ConflictError:
            # The key was used with another body: by somebody else just now, or for one that was deleted since.
            for pause in _PAUSES:
                left = seconds_until(wanted.ends_at)
                yield Pause(pause if left is None else min(pause, left))
                if (found := (yield from _find(wanted))) is not None:
                    return found
            if body in tried:
                raise
            tried.append(body)
        except NotFoundError:
            if made is None or len(tried) > _MOST_DELETED:
                raise
            tried.append(made.id)
        else:
            made.outcome = "created"
            return made


def _differs(found: Any, name: str, value: Any, if_not_shown: bool) -> bool:
    shown = getattr(found, name, found.additional_properties.get(name, UNSET))
    if shown is UNSET or shown is None:
        return if_not_shown
    if isinstance(value, list | tuple):
        return {getattr(each, "id", each) for each in shown} != set(value)
    return bool(shown != value)
