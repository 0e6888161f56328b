"""Finds the router or worker that a command names, as in `shop.webhooks:router`."""

from __future__ import annotations

import os
import sys
from functools import reduce
from importlib import import_module
from typing import Any

from interactor_ext._errors import ConfigurationError
from interactor_ext.webhooks.router import WebhookRouter
from interactor_ext.webhooks.worker._worker import QueueLoop, WebhookWorker


def load_worker(name: str) -> QueueLoop:
    """The worker that `module:name` names, or a new one for the router there. The working directory can be imported.

    Raises ConfigurationError, or what importing the module raises.
    """
    found = _load(name)
    return WebhookWorker(found) if isinstance(found, WebhookRouter) else found


def load_queue_worker(name: str) -> WebhookWorker:
    """As `load_worker`, one whose queue has a list of dead letters."""
    worker = load_worker(name)
    if not isinstance(worker, WebhookWorker):
        raise ConfigurationError(f"{name!r} is on SQS, where dead letters are in a queue of their own: look there.")
    return worker


def load_router(name: str) -> WebhookRouter:
    """As `load_worker`, the router that is named, or that of the worker."""
    found = _load(name)
    return found if isinstance(found, WebhookRouter) else found.router


def _load(name: str) -> WebhookRouter | QueueLoop:
    module, _, attributes = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attributes.split("."))):
        raise ConfigurationError(f"{name!r} names no router: write module:name, for instance shop.webhooks:router.")
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(f"There is no module {error.name!r} here, nor installed.") from None
    try:
        found = reduce(getattr, attributes.split("."), found)
    except AttributeError:
        raise ConfigurationError(f"The module {module!r} has no {attributes!r}.") from None
    if not isinstance(found, WebhookRouter | QueueLoop):
        raise ConfigurationError(f"{name!r} is neither a WebhookRouter nor a worker, but {type(found).__name__}.")
    return found
