"""Suggests a replacement for a name, a keyword or a call that doesn't exist: with words that mean the same, from the
tables in `methods.py` of its generated package or, for Interactor's own client, with `interactor_ext/hints.txt`.
Otherwise lists what exists.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from .advised import Advised, Missing
from .hints import hint, meant_by, snake, words_of

_VIEW = 'client.namespace("...")'
_OWN = "interactor_client"
_OURS = (_OWN, "interactor_ext")
# Where the classes are that those of generated packages inherit from.
_BASES = (Advised.__module__, f"{_OWN}.base")
_MAX_NAMES = 40
# Names that exist, but that nobody looks for.
_IDLE_NAMES = {"add_note", "args", "default_code", "with_traceback", "additional_properties"}
# What accepts a body's fields elsewhere, as one dict.
_BODIES = {"params", "request", "body", "data", "json", "fields", "options"}


def advice(owner: Any, name: str) -> str:
    """The end of an AttributeError's message, for an object."""
    kind: Any = owner if isinstance(owner, type) else type(owner)
    said = _advice(kind, name) or names_of([each for each in _public(kind, owner) if each not in _IDLE_NAMES], "has")
    # A tenant's view, recognized by its repr, needs no other.
    return said.replace(f"{_VIEW}.", ".") if _VIEW in said and ", namespace=" in repr(owner) else said


@lru_cache(256)
def _advice(kind: Any, name: str) -> str:
    package, tag = _generated(kind)
    methods, resources = _tables(package)
    sections = _sections(kind)
    own = _public(kind)
    if found := hint(sections, name):
        text = found.text.format(tag=tag, name=snake(name), upper=name.upper())
        if re.fullmatch(r"(\.\w+ )+\.\w+", text):  # the first that exists
            text = next((each for each in text.split() if each[1:] in own), "")
        called = re.search(rf"\b{tag or '-'}\.(\w+)\(", text)
        if text and (not called or called[1] in own):
            return f": write {text}" if found.is_name else f": {text}"
    if tag:
        meant = meant_by(words_of(f"{name}_{tag}"), methods, resources) or meant_by(words_of(name), methods, resources)
        return f": write {methods[meant]}(...)" if meant else ""
    names = {each: each for each in own}
    meant = meant_by(words_of(name), {**methods, **names}, resources) or meant_by(
        words_of(name) - {"get"}, names, resources
    )
    if meant is None or meant in names:
        return f": write .{meant}" if meant else ""
    view = _VIEW if package == _OWN and "namespace" in names else "client"
    return f": write {view}.{methods[meant]}(...)"


def call_advice(problem: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The message of a TypeError for arguments that a method doesn't accept, with those that it does."""
    is_method = "." in function.__qualname__
    kind = type(args[0]) if args and is_method else type(function)
    parameters = list(inspect.signature(function).parameters.values())[is_method:]
    args = args[is_method:]
    name = kind.__name__ if function.__name__ == "__init__" else function.__name__
    if is_method:
        problem = problem.replace(function.__qualname__, f"{kind.__name__}.{function.__name__}")
    known = [each.name for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    package, tag = _generated(kind)
    call = f"{tag}.{name}" if tag else f".{name}" if is_method and function.__name__ != "__init__" else name
    sections = [f"{each}.{function.__name__}" for each in _sections(kind)] if is_method else [name]
    if unknown := [each for each in kwargs if each not in known]:
        sections += ["keywords"] if _is_own(kind) else []
        advice = keyword_advice(unknown[0], known, sections, tag=tag, call=call)
        is_body = unknown[0] in _BODIES and isinstance(kwargs[unknown[0]], dict) and len(known) > 1
        return (
            f"{problem}: write {call}(**fields)"
            if is_body and advice.startswith(": it takes")
            else f"{problem}{advice}"
        )
    if len(args) == 1 and isinstance(args[0], dict) and not kwargs and "body" not in known:
        return f"{problem}: write {call}(**fields)"
    if "positional argument" in problem and (found := hint(sections, "positional")):
        return f"{problem}: write {found.text}"
    view = _VIEW if package == _OWN else "client"
    call = f"{view}.{call}" if tag and function.__name__ in ("iterate", "list") else call
    return f"{problem}: write {call}({', '.join(_form(parameters, len(args)))})"


def keyword_advice(
    name: str, known: Sequence[str], sections: Sequence[str] = (), *, tag: str = "", call: str = ""
) -> str:
    """The end of a message about a keyword that isn't among those `known`."""
    for section in sections:
        if found := hint([section], name):
            if not found.is_name:
                if section == "keywords" and not tag:
                    continue  # that section is about calls of resources
                if "{tag}.iterate" not in found.text or "page" in known:
                    return f": {found.text.format(tag=tag, call=call)}"
            elif meant := next((each for each in _choices(found.text) if each.split()[0] in known), None):
                return f": write {meant}"
    if close := get_close_matches(name, known, n=1, cutoff=0.7):
        return f": write {close[0]}"
    return names_of(known, "takes")


def _choices(text: str) -> list[str]:
    return [text] if " and " in text else text.split()


def operation_advice(resource: str, verb: str) -> list[str]:
    """The operations of a resource, under another client's name, that a verb may mean, or else all of them."""
    wanted = words_of(resource)
    methods, resources = _tables(_OWN)
    tags = (tag for tag, others in resources.items() if wanted in map(words_of, (tag, *others.split())))
    if (tag := next(tags, None)) is None:
        return []
    meant = meant_by(words_of(f"{verb}_{tag}"), methods, resources) if verb else None
    return [meant] if meant else [each for each, method in methods.items() if method.startswith(f"{tag}.")]


def item_advice(owner: object, key: object) -> str:
    """The end of a TypeError's message, after a field was looked up as an item, or `iter` tried."""
    if isinstance(key, int | slice) and hasattr(owner, "data"):
        return f"write .data[{key}]" if isinstance(key, int) else "write .data[...]"
    if isinstance(key, str) and hasattr(owner, key):
        return f"write .{key}"
    kind: Any = type(owner)
    if tag := _generated(kind)[1]:
        meant = [
            each for each in ("iterate", "get", "list") if hasattr(owner, each) and (each != "iterate" or key is iter)
        ]
        return f"write {tag}.{meant[0]}(...)" if meant else "call one of its methods"
    said = _advice(kind, key) if isinstance(key, str) else ""
    return said.removeprefix(": ") or "its fields are attributes, and to_dict() makes a dict of them"


def names_of(names: Sequence[str], verb: str) -> str:
    """The names that exist, unless there are too many."""
    public = [each for each in names if not each.startswith("_")]
    return f": it {verb} {', '.join(public)}" if 0 < len(public) <= _MAX_NAMES else ""


def module_advice(module: Any, name: str, elsewhere: Sequence[str]) -> str:
    """The end of a message about a name that a module lacks."""
    others = [each for each in elsewhere if each != module.__name__]
    if _root(module.__name__) in _OURS and (found := hint([module.__name__, "imports"], name)):
        if not found.is_name:
            return f": {found.text}"
        is_root = module.__name__ in elsewhere[:1]
        own = None if is_root else _same(module.__all__, name, module.__name__)
        if own or found.text in module.__all__:
            return f": write {found.text if found.text in module.__all__ else own}"
        return f": write `from {_home(others, found.text)} import {found.text}`"
    if meant := _same(module.__all__, name, module.__name__):
        return f": write {meant}"
    if home := _home(others, name):
        return f": write `from {home} import {name}`"
    for each in others:
        if meant := _same(_names_in(each), name, each):
            return f": write `from {each} import {meant}`"
    if close := get_close_matches(name, module.__all__, n=1, cutoff=0.8):
        return f": write {close[0]}"
    errors = [each for each in module.__all__ if each.endswith("Error")]
    return names_of(errors if name.endswith(("Error", "Exception")) else module.__all__, "has")


def _same(names: Sequence[str], name: str, module: str) -> str | None:
    """The name that only differs in spelling, or in words that mean nothing."""
    idle = {*words_of(module.replace(".", "_")), "api", "sync", "error", "exception"}
    asked = words_of(name) - idle
    same = [each for each in names if asked and words_of(each) - idle == asked]
    # RateLimitException means RateLimitError rather than RateLimit.
    return next((each for each in reversed(same) if each.endswith("Error")), next(iter(same), None))


def _home(modules: Iterable[str], name: str) -> str | None:
    return next((each for each in modules if name in _names_in(each)), None)


@cache
def _names_in(module: str) -> Sequence[str]:
    try:
        names: Sequence[str] = import_module(module).__all__
    except ImportError:  # it needs an extra
        return ()
    return names


def _public(kind: type, owner: object = None) -> list[str]:
    """The names of a class or of its instance, without those that are missing."""
    names = dir(kind if owner is None else owner)
    return [
        each
        for each in names
        if not each.startswith("_") and not isinstance(inspect.getattr_static(kind, each, None), Missing)
    ]


def _generated(kind: type) -> tuple[str, str]:
    """The generated package of a client or a resource, and the tag of a resource; "" for what it isn't."""
    for each in kind.__mro__:
        # A tag, or the folder of a package, may be called `api`, too. Only resources have a constructor.
        is_resource = "__init__" in vars(each)
        module, _, tag = each.__module__.rpartition(".") if is_resource else (each.__module__, "", "")
        if Advised in each.__bases__ and module.endswith(".api"):
            return module.removesuffix(".api"), tag
    return "", ""


def _tables(package: str) -> tuple[dict[str, str], dict[str, str]]:
    """`METHODS` and `RESOURCES` of a generated package."""
    if not package:
        return {}, {}
    tables = import_module(f"{package}.methods")
    return tables.METHODS, tables.RESOURCES


def _sections(kind: type) -> list[str]:
    """The sections with hints for the attributes of a class, the nearest first."""
    ours = [each for each in kind.__mro__ if _root(each.__module__) in _OURS]
    resource = ["resource"] if _generated(kind)[1] else []
    return [*(each.__name__.removeprefix("Async") for each in ours), *resource] if _is_own(kind) else []


def _is_own(kind: type) -> bool:
    """Whether a class is Interactor's, or derived from one, and not of a package for another API."""
    heir = next((each for each in kind.__mro__ if getattr(each.__base__, "__module__", "") in _BASES), None)
    return heir is None or _root(heir.__module__) in _OURS


def _root(module: str) -> str:
    return module.partition(".")[0]


def _form(parameters: Sequence[inspect.Parameter], given: int) -> list[str]:
    """A call with the arguments it needs, and with optional ones if those are fewer than were given."""
    named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    needed = [each for each in named if each.default is each.empty]
    shown = needed if needed and given <= len(needed) else named[: len(needed) + 4]
    bare = [each for each in needed if each.kind is not each.KEYWORD_ONLY]
    return [each.name if each in bare else f"{each.name}=..." for each in shown]
