"""If something that doesn't exist is looked up or passed, the error suggests a replacement. The advice is only imported
after such a mistake.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib.machinery import PathFinder
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_CO_COROUTINE = 0x80  # as in `inspect`, which takes milliseconds to import


class _Message(str):
    """The message of an AttributeError. `hasattr` doesn't read it, so the advice is only looked up when it is read."""

    _name: str
    _owner: object

    def __new__(cls, said: str, owner: object, name: str) -> Self:
        message = super().__new__(cls, said)
        message._owner = owner
        message._name = name
        return message

    def __str__(self) -> str:
        from .advice import advice

        return f"{super().__str__()}{advice(self._owner, self._name)}"

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class Advised:
    """The AttributeError for a misspelled attribute is Python's own, with advice at its end. With `calls=True`, so is
    the TypeError of a call with arguments that a method doesn't accept.

    In Python 3.11, unlike later versions, attributes of objects with a `__getattr__` take 8 ns more to read, and
    methods 20 ns.
    """

    __slots__ = ()

    def __init_subclass__(cls, *, calls: bool = False) -> None:
        super().__init_subclass__()
        if calls:
            advise_calls(cls)

    if not TYPE_CHECKING:  # otherwise type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            try:
                return object.__getattribute__(self, name)  # raises the same again
            except AttributeError as error:
                # If a property raised it, it says what that lacks.
                if error.obj is self and not name.startswith("_"):
                    error.args = (_Message(str(error), self, name),)
                raise


class Missing:
    """A name that other SDKs' classes have and ours don't. Only looking it up costs anything.

    For classes themselves, which can't have a `__getattr__`, and for objects whose attributes it would slow down.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        it = f"type object {owner.__name__!r}" if instance is None else f"{owner.__name__!r} object"
        said = f"{it} has no attribute {self._name!r}"
        raise AttributeError(_Message(said, owner if instance is None else instance, self._name))


def missing(kind: type, names: str) -> None:
    """Give a class names that advise. `dir()` of its instances, and so completion, omits them."""
    hidden = frozenset(names.split())
    for name in hidden:
        setattr(kind, name, Missing(name))
    known: Any = kind.__dir__

    def names_of(self: object) -> list[str]:
        # A model may have a field of that name.
        return [name for name in known(self) if name not in hidden or hasattr(type(self), name)]

    kind.__dir__ = names_of  # type: ignore[method-assign, assignment]


def advise_calls(kind: type) -> None:
    """Make a class's public methods and constructor advise if their arguments don't fit.

    Signatures stay unchanged for type checkers, `inspect.signature` and `create_autospec`.
    """
    own = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    for name, value in own.items():
        is_public = name == "__init__" or not name.startswith("_")
        if is_public and isinstance(value, FunctionType) and not hasattr(value, "__wrapped__"):
            setattr(kind, name, advised_call(value))


def advised_call(function: Any) -> Any:
    """Wrap `function` to advise if its arguments don't fit: if the error comes from no frame below this one."""
    if function.__code__.co_flags & _CO_COROUTINE:

        @wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            try:
                coroutine = function(*args, **kwargs)
            except TypeError as error:
                _advise(error, function, args, kwargs)
                raise
            return await coroutine

        return call_async

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                _advise(error, function, args, kwargs)
            raise

    return call


def _advise(error: TypeError, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    from .advice import call_advice

    error.args = (call_advice(str(error), function, args, kwargs),)


def renamed(kind: type, method: str, names: dict[str, str]) -> None:
    """Have a method accept keywords by their old names, the keys of `names`, with a DeprecationWarning."""
    function: Any = getattr(kind, method)

    def by_new_names(kwargs: dict[str, Any]) -> dict[str, Any]:
        for old, new in names.items():
            if old in kwargs and new not in kwargs:  # with both, the call is refused
                warn_of_old_name(old, new, 4)
                kwargs[new] = kwargs.pop(old)
        return kwargs

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **by_new_names(kwargs))

    @wraps(function)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **by_new_names(kwargs))

    setattr(kind, method, call_async if function.__code__.co_flags & _CO_COROUTINE else call)


def warn_of_old_name(old: str, new: str, level: int = 3) -> None:
    warnings.warn(f"{old} is deprecated: use {new}.", DeprecationWarning, stacklevel=level)


class _Bound(partial[Any]):
    """A bound method whose truth and attributes are looked up by mistake: `if client.is_authenticated:`."""

    def __bool__(self) -> NoReturn:
        name = self.func.__name__
        raise TypeError(f"{name} is a method, and always true: write {name}()")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bound) and (self.func, self.args) == (other.func, other.args)

    def __hash__(self) -> int:
        return hash((self.func, self.args))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("__name__", "__qualname__"):
                return getattr(self.func, name)
            owner, method = type(self.args[0]).__name__, self.func.__name__
            from inspect import signature

            names = ", ".join(list(signature(self.func).parameters)[1:3])
            raise AttributeError(f"{method!r} of {owner!r} is a method without {name!r}: write {method}({names})")


if TYPE_CHECKING:

    def called(method: F) -> F:
        return method

else:

    class called:  # noqa: N801  # a decorator
        """A method that can't be taken for a property or a resource without an error that says so."""

        __class__ = FunctionType  # tells `unittest.mock` that `self` isn't an argument

        def __init__(self, method):
            self._method = advised_call(method)

        def __get__(self, instance, owner):
            return self._method if instance is None else _Bound(self._method, instance)

        def __call__(self, *args, **kwargs):
            return self._method(*args, **kwargs)

        def __getattr__(self, name):
            return getattr(self._method, name)


def missing_name(package: str, name: str, elsewhere: Sequence[str] = ()) -> Exception:
    """Make the error for a name that a package lacks, for its `__getattr__` to raise. Another name of this package or
    of those `elsewhere` may be meant.
    """
    module = sys.modules[package]
    # Such as a module that is being imported, or the empty name with which `__import__` looks up a submodule.
    if (
        name.startswith("_")
        or not name
        or (name.islower() and PathFinder.find_spec(f"{package}.{name}", module.__path__))
    ):
        return AttributeError(f"module {package!r} has no attribute {name!r}")
    from .advice import module_advice

    advice = module_advice(module, name, elsewhere)
    if advice and sys._getframe(2).f_code.co_name == "_handle_fromlist":
        # `from module import name` calls this, too, and would drop the message of an AttributeError.
        problem = f"cannot import name {name!r} from {package!r}{advice}"
        return ImportError(problem, name=package, path=module.__file__)
    return AttributeError(f"module {package!r} has no attribute {name!r}{advice}")


def no_item(self: object, key: object) -> NoReturn:
    """The `__getitem__` of classes whose fields are attributes. They need `__iter__` too, or could be iterated over."""
    from .advice import item_advice

    raise TypeError(f"{type(self).__name__!r} object is not subscriptable: {item_advice(self, key)}")


def no_items(self: object) -> NoReturn:
    """The `__iter__` of resources."""
    from .advice import item_advice

    raise TypeError(f"{type(self).__name__!r} object is not iterable: {item_advice(self, iter)}")


def require_client(client: object) -> None:
    """Check an endpoint function's `client` argument."""
    if not hasattr(client, "get_httpx_client"):
        advice = ": pass its .api, as in client=user.api" if hasattr(client, "api") else ""
        raise TypeError(f"client must be a low-level Client, not {type(client).__name__}{advice}")
