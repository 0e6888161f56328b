"""`ensure` of resources: finds an existing resource or creates it, once even if several callers do so at the same
time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import httpx

from interactor_client.accepted import is_source
from interactor_client.types import UNSET
from interactor_client.wire import to_json
from interactor_ext._engine.effects import Effects, Invoke, Pause, despite_lost_responses, seconds_until, view_until
from interactor_ext._engine.errors import ConfigurationError, ConflictError, NotFoundError
from interactor_ext._interactor.views.unsendable import json_problem

# Seconds between two searches while another caller's request with the same key may still be processed.
_PAUSES = (0.0, 0.1, 0.4, 1.5)
# After this many were created and deleted within 24 hours, give up.
_MAX_DELETED = 100
# How many seconds a found resource counts as unchanged. Otherwise every page view would search for it again.
_REMEMBERED = 60.0
_MAX_REMEMBERED = 4096

clock = time.monotonic


class Found(NamedTuple):
    """A resource that was found, the arguments it was found with, and until when it counts as current."""

    given: str
    resource: Any
    until: float


def forget(memory: dict[str, Found], request: httpx.Request) -> None:
    """Forget a resource that a request changed, deleted or didn't find: its id is in the path or the body."""
    sent = request.url.path.encode() + request.content
    for identity, found in list(memory.items()):
        if found.resource.id.encode() in sent:
            memory.pop(identity, None)


class _Wanted(NamedTuple):
    user: Any
    tag: str
    given: dict[str, Any]
    by: Collection[str]
    filters: Collection[str]
    has_key: bool
    ends_at: float | None

    @property
    def identity(self) -> str:
        """Return what identifies it, the same in every process."""
        parts = [self.tag, self.user._view.namespace or "", *(self.given.get(name) for name in self.by)]
        return json.dumps(parts, sort_keys=True)

    def resource(self, **options: Any) -> Any:
        """Return the resource of a view with the remaining time."""
        return getattr(view_until(self.user, self.ends_at).with_options(**options), self.tag)

    def key(self, tried: list[str]) -> str:
        """Return an idempotency key, the same in every process that wants the same and has tried the same before."""
        return f"ensure-{hashlib.sha256(json.dumps([self.identity, *tried]).encode()).hexdigest()}"


def ensure(
    user: Any,
    tag: str,
    fields: Mapping[str, Any],
    *,
    by: Collection[str],
    filters: Collection[str],
    changeable: Collection[str],
    has_key: bool,
) -> Effects[Any]:
    """Return the resource whose fields `by` equal those in `fields`. Its `outcome` says whether it was found, created
    or updated.

    `filters` are the fields that `list` accepts. `has_key`: creating it accepts an idempotency key.
    """
    if user._view.idempotency_key is not None:
        raise ConfigurationError(f"{tag}.ensure chooses its own idempotency key. Call it on a view without one.")
    given = {name: value for name, value in fields.items() if value is not UNSET and value is not None}
    if problem := json_problem({name: given.get(name) for name in by}, ""):
        raise TypeError(f"{tag}.ensure: {problem}. Nothing was sent.")
    wanted = _Wanted(user, tag, given, by, filters, has_key, user._view.ends_at())
    memory: dict[str, Found] = user._shared.ensured
    # The meaning of a view's own headers and query is unknown here.
    arguments = _comparable(given) if user._view.extras is None else None
    known = memory.get(wanted.identity)
    if known is not None and known.given == arguments and clock() < known.until:
        return deepcopy(known.resource)
    memory.pop(wanted.identity, None)
    found = yield from _found_or_created(wanted)
    # A new resource may have a secret that is only shown once.
    if found.outcome == "created":
        return found
    found = yield from _updated(wanted, found, changeable)
    if arguments is not None:
        if len(memory) >= _MAX_REMEMBERED:
            memory.clear()
        resource = deepcopy(found)
        resource.outcome = "unchanged"
        memory[wanted.identity] = Found(arguments, resource, clock() + _REMEMBERED)
    return found


def _comparable(given: Mapping[str, Any]) -> str | None:
    """Return a digest of the arguments, which may be secrets. None if they can't be compared."""
    tools = given.get("tools")
    try:
        if is_source(tools):
            tools = [[tool.name, tool.description, tool.parameters] for tool in tools]  # type: ignore[attr-defined]
        text = json.dumps(to_json({**given, "tools": tools}), sort_keys=True)
    except (AttributeError, TypeError, ValueError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _register_tools(wanted: _Wanted) -> Effects[None]:
    """Replace a ToolSet in `wanted` by the ids of its tools."""
    if is_source(tools := wanted.given.get("tools")):
        registered = yield Invoke(tools.register, (view_until(wanted.user, wanted.ends_at),))
        wanted.given["tools"] = [tool.id for tool in registered]


def _updated(wanted: _Wanted, found: Any, changeable: Collection[str]) -> Effects[Any]:
    given = wanted.given
    if given.keys() & found.left_out.keys():  # a list may show fewer of its fields
        found = yield Invoke(partial(wanted.resource().get, found.id))
    if fixed := [name for name in given if name not in changeable and _differs(found, name, given[name], False)]:
        name = " and ".join(repr(given[name]) for name in wanted.by if name in given)
        raise ConfigurationError(
            f"The {wanted.tag.removesuffix('s')} {name} differs in its {' and '.join(fixed)}, which can't be changed. "
            f"Nothing was changed. Delete it, or choose another {' or '.join(wanted.by)}."
        )
    yield from _register_tools(wanted)
    found.outcome = "unchanged"
    if different := {name: given[name] for name in given if _differs(found, name, given[name], name in changeable)}:
        update = partial(_update, wanted, found.id, different)
        found = yield from despite_lost_responses(wanted.user, wanted.ends_at, update)
        found.outcome = "updated"
    return found


def _update(wanted: _Wanted, resource_id: str, fields: Mapping[str, Any]) -> Effects[Any]:
    return (yield Invoke(partial(wanted.resource().update, resource_id, **fields)))


def _found_or_created(wanted: _Wanted) -> Effects[Any]:
    find = partial(_find, wanted)
    if wanted.has_key:
        return (yield from find()) or (yield from _create(wanted))
    create = partial(_create_without_key, wanted)
    return (yield from despite_lost_responses(wanted.user, wanted.ends_at, create, find))


def _find(wanted: _Wanted) -> Effects[Any]:
    """Return the first match, or the oldest if two may have been created at the same time."""
    asked = {name: wanted.given[name] for name in wanted.filters if name in wanted.given}
    items = wanted.resource().iterate(per_page=100, **asked)
    step = partial(anext if isinstance(items, AsyncIterator) else next, items, None)
    found: Any = None
    while (item := (yield Invoke(step))) is not None:
        if all(_covers(getattr(item, name), wanted.given.get(name)) for name in wanted.by):
            if wanted.has_key:
                return item
            found = item if found is None else min(found, item, key=lambda each: (str(each.created_at), each.id))
    return found


def _create_without_key(wanted: _Wanted, existing: Any) -> Effects[Any]:
    if existing is not None:
        return existing
    made = yield Invoke(partial(wanted.resource().create, **wanted.given))
    made.outcome = "created"
    oldest = yield from _find(wanted)
    return made if oldest is None or oldest.id == made.id else oldest


def _create(wanted: _Wanted) -> Effects[Any]:
    """Create one; or return one that somebody else has created since the search."""
    yield from _register_tools(wanted)
    tried: list[str] = []
    body = json.dumps(to_json(wanted.given), sort_keys=True)
    while True:
        made: Any = None
        try:
            made = yield Invoke(partial(wanted.resource(idempotency_key=wanted.key(tried)).create, **wanted.given))
            # Within 24 hours, a key returns its first response again, even after the resource was deleted.
            yield Invoke(wanted.resource().get, (made.id,))
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
            if made is None or len(tried) > _MAX_DELETED:
                raise
            tried.append(made.id)
        else:
            made.outcome = "created"
            return made


def _differs(found: Any, name: str, value: Any, if_not_shown: bool) -> bool:
    shown = getattr(found, name, found.additional_properties.get(name, UNSET))
    if shown is UNSET or shown is None or name in found.left_out:
        return if_not_shown
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return {getattr(each, "id", each) for each in shown} != set(value)
    return not _covers(to_json(shown), to_json(value))


def _covers(shown: Any, given: Any) -> bool:
    """Whether the server shows at least the given fields; it may fill in others."""
    if not given and (shown is UNSET or not shown):
        return True
    if isinstance(given, Mapping):
        return isinstance(shown, Mapping) and all(_covers(shown.get(key), each) for key, each in given.items())
    if isinstance(given, list | tuple):
        pairs = zip(shown, given, strict=False) if isinstance(shown, list) else ()
        return isinstance(shown, list) and len(shown) == len(given) and all(_covers(*pair) for pair in pairs)
    return given is None or bool(shown == given)
