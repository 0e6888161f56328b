"""Loads an object named on a command line, such as `shop.webhooks:router`."""

from __future__ import annotations

import os
import sys
from functools import reduce
from importlib import import_module
from typing import Any

from interactor_ext._engine.errors import ConfigurationError


def load_named(name: str, what: str, example: str) -> Any:
    """Return the object that `module:name` names. Modules in the working directory can be imported.

    Raises ConfigurationError, or whatever importing the module raises.
    """
    module, _, attributes = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attributes.split("."))):
        raise ConfigurationError(f"{name!r} doesn't name a {what}: write module:name, for example {example}.")
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(f"There is no module {error.name!r}, in this folder or installed.") from None
    try:
        return reduce(getattr, attributes.split("."), found)
    except AttributeError:
        raise ConfigurationError(f"The module {module!r} has no {attributes!r}.") from None
