"""What is meant by a name that is not there: one that has the same words, of the methods or of other names."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .methods import METHODS, RESOURCES
from .pages import Page, PageMeta

# What other clients say for the words of ours.
_OTHER_WORDS = {
    "get": "retrieve fetch find read show",
    "list": "all query search",
    "send": "create post add",
    "start": "create run execute launch",
    "create": "add new insert",
    "update": "edit modify patch change",
    "delete": "remove revoke destroy",
    "cancel": "delete stop abort",
    "aclose": "close",
    **RESOURCES,
}
_META = {"current_page": "page", "page_number": "page", "page_size": "per_page", "total_count": "total"}
_PAGE = {name: f"meta.{_META.get(name, name)}" for name in (*_META, *PageMeta.__slots__)}


@lru_cache(256)
def advice(kind: type, name: str) -> str:
    """The end of the message of an AttributeError, for an object of this class; "" without advice."""
    if issubclass(kind, Page | PageMeta):
        others = {**_PAGE, "items": "data", "results": "data"} if issubclass(kind, Page) else _META
        return f": write .{others[name]}" if name in others else ""
    tag = kind.__module__.rpartition(".")[2]
    if tag in RESOURCES:
        meant = _meant(_words(f"{name}_{tag}"), METHODS) or _meant(_words(name), METHODS)
        return f": write {METHODS[meant]}(...)" if meant else ""
    own = {each: each for each in dir(kind) if not each.startswith("_")}
    meant = _meant(_words(name), {**METHODS, **own}) or _meant(_words(name) - {"get"}, own)
    if meant is None or meant in own:
        return f": write .{meant}" if meant else ""
    view = 'client.namespace("...")' if "namespace" in own else "client"
    return f": write {view}.{METHODS[meant]}(...)"


def item_advice(owner: object, key: object) -> str:
    """The end of the message of a TypeError, where a field was looked up as an item."""
    if isinstance(owner, Page) and isinstance(key, int):
        return f"write .data[{key}]"
    if isinstance(key, str) and hasattr(owner, key):
        return f"write .{key}"
    return "its fields are attributes, and to_dict() makes a dict of them"


def missing_name(module: Any, name: str) -> AttributeError | ImportError:
    """The error for a name that a module lacks, to be raised by its `__getattr__`. One of its names may be meant, which
    differs in its spelling alone, or in words that say nothing.
    """
    idle = {*_words(module.__name__), "api", "sync", "error", "exception"}
    asked = _words(name) - idle
    same = [each for each in module.__all__ if asked and _words(each) - idle == asked]
    # Of RateLimit and RateLimitError, RateLimitException means the latter.
    meant = next((each for each in reversed(same) if each.endswith("Error")), next(iter(same), None))
    if meant and sys._getframe(2).f_code.co_name == "_handle_fromlist":
        # `from module import name`, of which that is the machinery, would drop the message of an AttributeError.
        problem = f"cannot import name {name!r} from {module.__name__!r}: write {meant}"
        return ImportError(problem, name=module.__name__, path=module.__file__)
    advice = f": write {meant}" if meant else ""
    return AttributeError(f"module {module.__name__!r} has no attribute {name!r}{advice}")


def unknown_option(name: str, method: Any) -> TypeError:
    """The error for a keyword that a method with keywords alone does not take."""
    from difflib import get_close_matches

    names = list(method.__kwdefaults__)
    close = get_close_matches(name, names, n=1, cutoff=0.7)
    advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    return TypeError(f"There is no option {name!r}: {advice}")


def _meant(wanted: frozenset[str], names: Mapping[str, str]) -> str | None:
    """The name with these words, or with one of them in words of ours; or else the shortest that has more."""
    said = [(_words(word), _words(other)) for word, others in _OTHER_WORDS.items() for other in others.split()]
    ours = [wanted - other | word for word, other in said if other <= wanted]
    exact = [each for words in (wanted, *ours) for each in names if words == _words(each)]
    longer = [each for words in (wanted, *ours) if len(words) > 1 for each in names if words < _words(each)]
    return exact[0] if exact else min(longer, key=len, default=None)


@lru_cache(1024)
def _words(name: str) -> frozenset[str]:
    """`createAssistant` and `create_assistants` have the same."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", name).lower()
    return frozenset(word.removesuffix("s") for word in snake.split("_") if word)
