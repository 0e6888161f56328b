"""The error where `async with` meets a sync client, stream or chat, or `with` an async one."""

from __future__ import annotations

from typing import NoReturn


class WrongWithError(TypeError, AttributeError):
    """`with` and `async with` were mistaken for one another."""


class NoContextManager:
    """Stands in for the `__aenter__` of a sync class, and for the `__enter__` of an async one: to look it up raises.

    As a descriptor, so that `hasattr` is False, by which frameworks tell the one from the other.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise WrongWithError(self._advice.format(owner.__name__))


NO_ASYNC_WITH = NoContextManager("{} is sync: write `with`, not `async with`, or use AsyncInteractorClient")
NO_WITH = NoContextManager("{} is async: write `async with`, not `with`, or use InteractorClient")
