"""Finds the router or worker that a command names, such as `shop.webhooks:router`."""

from __future__ import annotations

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.named_object import load_named
from interactor_ext.webhooks.router import WebhookRouter
from interactor_ext.webhooks.worker._worker import QueueLoop, WebhookWorker


def load_worker(name: str) -> QueueLoop:
    """Return the worker that `module:name` names, or a new one for a router. Modules in the working directory can be
    imported.

    Raises ConfigurationError, or any error from importing the module.
    """
    found = _load(name)
    return WebhookWorker(found) if isinstance(found, WebhookRouter) else found


def load_queue_worker(name: str) -> WebhookWorker:
    """Like `load_worker`, but requires a queue that lists dead letters."""
    worker = load_worker(name)
    if not isinstance(worker, WebhookWorker):
        raise ConfigurationError(f"{name!r} uses SQS, which keeps dead letters in a separate queue: look there.")
    return worker


def load_router(name: str) -> WebhookRouter:
    """Like `load_worker`, but returns the named router, or the worker's router."""
    found = _load(name)
    return found if isinstance(found, WebhookRouter) else found.router


def _load(name: str) -> WebhookRouter | QueueLoop:
    found = load_named(name, "router", "shop.webhooks:router")
    if not isinstance(found, WebhookRouter | QueueLoop):
        raise ConfigurationError(f"{name!r} must be a WebhookRouter or a worker, not {type(found).__name__}.")
    return found
