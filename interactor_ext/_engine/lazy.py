"""Lazy imports: public names of a package (PEP 562), and modules that are slow to import and seldom needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, ForwardRef

# Where to look for a name that another package lacks.
_ROOMS = ("webhooks", "tools", "sandbox", "tokens", "telemetry", "retry", "limits", "logs", "transports", "testing")
_PUBLIC = (
    "interactor_ext",
    *(f"interactor_ext.{each}" for each in (*_ROOMS, "relay", "sse", "deprecation")),
    "interactor_client.types",
    "interactor_client.models",
    "interactor_client",
)


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package, from its modules and the public names in each. Names that the
    package imports itself are left out.

    Sets the `__module__` of its classes and functions to the package, for tracebacks, reprs and pickles. Type checkers
    don't use this: the package imports the same names under `if TYPE_CHECKING`.
    """
    # A path distinguishes `from package import name` from `package.name`, see `missing_name`.
    vars(sys.modules[package]).setdefault("__path__", [])
    module_of = {name: module for module, names in modules.items() for name in names}

    def __getattr__(name: str) -> Any:  # noqa: N807 - it becomes the package's own
        if name not in module_of:
            from interactor_client import advised

            raise advised.missing_name(package, name, _PUBLIC)
        value = getattr(import_module(module_of[name], package), name)
        adopt(package, value)
        if isinstance(value, type) and value.__module__.startswith("interactor_ext"):
            _advise_init(value)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted(sys.modules[package].__all__)

    adopt(package, *map(vars(sys.modules[package]).get, sys.modules[package].__all__))
    return __getattr__, __dir__


def _advise_init(kind: Any) -> None:
    """Make the constructor of a public class name its parameters in errors."""
    init = kind.__init__
    is_ours = isinstance(init, FunctionType) and init.__module__.startswith("interactor_ext")
    if is_ours and not issubclass(kind, Exception) and not hasattr(init, "__wrapped__"):
        from interactor_client.advised import advised_call

        kind.__init__ = advised_call(init)


def adopt(package: str, *values: object) -> None:
    """Set the `__module__` of classes and functions to the public package, unless users import them from their own
    module, which then has an `__all__`.
    """
    for value in values:
        is_ours = isinstance(value, type | FunctionType) and value.__module__.startswith("interactor_ext.")
        if is_ours and not hasattr(sys.modules[value.__module__], "__all__"):
            hints = value.__annotations__ if isinstance(value, type) else {}  # not in `vars` of a 3.14 NamedTuple
            for name, hint in hints.items():
                text = hint.__forward_arg__ if isinstance(hint, ForwardRef) else hint
                if isinstance(text, str):  # its names only resolve where it is defined
                    hints[name] = ForwardRef(text, module=value.__module__, is_class=True)
            value.__module__ = package


def lazy_modules(package: str, *names: str) -> None:
    """Make `from package import name` import these modules of a package when one of their attributes is first used.

    Type checkers and editors see the modules themselves.
    """
    vars(sys.modules[package]).update({name: LazyModule(f"{package}.{name}") for name in names})


class _MissingModules:
    """Says where to import names from if one of our modules doesn't exist. The import system calls it last."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        package, _dot, module = name.partition(".")
        if package == "interactor_ext":
            from interactor_client.hints import hint

            if found := hint(["modules"], module.rpartition(".")[2]):
                meant = f"write `from {found.text} import ...`" if found.is_name else found.text
                raise ModuleNotFoundError(f"No module named {name!r}: {meant}", name=name)


sys.meta_path.append(_MissingModules)


class LazyModule:
    """A module that is imported when one of its attributes is first used."""

    _name: str

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(f"To set an attribute of a lazy module, write `import {self._name} as ...`.")

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


# For `from interactor_ext._engine.lazy import asyncio`: importing it takes a tenth of httpx's time, and sync programs
# don't use it. Webhook receivers and a starting sandbox don't need httpx.
if TYPE_CHECKING:
    import asyncio as asyncio

    import httpx as httpx
else:
    asyncio = LazyModule("asyncio")
    httpx = LazyModule("httpx")
