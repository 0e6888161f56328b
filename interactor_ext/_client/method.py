"""Methods that are taken for something else: `if client.is_authenticated:`, `client.chat.completions`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from interactor_client.advised import advised_call

F = TypeVar("F", bound=Callable[..., Any])


class _Bound(partial[Any]):
    """A bound method whose truth and whose attributes nobody means."""

    def __bool__(self) -> NoReturn:
        name = self.func.__name__
        raise TypeError(f"{name} is a method, and always true: write {name}()")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("__name__", "__qualname__"):
                return getattr(self.func, name)
            owner, method = type(self.args[0]).__name__, self.func.__name__
            names = ", ".join(list(signature(self.func).parameters)[1:3])
            raise AttributeError(f"{method!r} of {owner!r} is a method without {name!r}: write {method}({names})")


if TYPE_CHECKING:

    def called(method: F) -> F:
        return method

else:

    class called:  # noqa: N801  # a decorator
        """A method that can't be taken for a property or a resource without an error that says so."""

        __class__ = FunctionType  # which `unittest.mock` asks for, to know that `self` is no argument

        def __init__(self, method):
            self._method = advised_call(method)

        def __get__(self, instance, owner):
            return self._method if instance is None else _Bound(self._method, instance)

        def __call__(self, *args, **kwargs):
            return self._method(*args, **kwargs)

        def __getattr__(self, name):
            return getattr(self._method, name)
