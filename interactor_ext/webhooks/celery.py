"""Runs webhook handlers in Celery workers: call `hand_over_to(app, router)` next to the router's handlers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.webhooks._tasks import PLATFORM_SCHEDULE, from_text, next_attempt, prepare, to_text

if TYPE_CHECKING:
    from interactor_ext.webhooks.router import WebhookRouter

# A worker holds a task with a countdown unacknowledged, and brokers redeliver tasks that are held too long: RabbitMQ
# after 30 minutes, Redis after an hour. Longer delays are therefore split into several countdowns.
_MAX_COUNTDOWN = 600.0
# Options of the message. Celery 5.7 deprecates them as task attributes.
_ROUTING = {"queue", "exchange", "exchange_type", "routing_key", "delivery_mode", "priority"}
# The routers of each application, by task name.
_routers: WeakKeyDictionary[Any, dict[str, WebhookRouter]] = WeakKeyDictionary()


def hand_over_to(
    app: Any,
    router: WebhookRouter,
    *,
    retry_delays: Sequence[float] = PLATFORM_SCHEDULE,
    dead_letter_queue: str = "interactor_webhooks_dead",
    **options: Any,
) -> Any:
    """Register the task that runs the router's handlers, send every event to it, and return it.

    Call it in the module with the handlers, which receivers and workers import. `options` are Celery's task options,
    such as `queue` or `time_limit`. The task is named `interactor.webhooks.run`, followed by the router's `name`.
    Raises ConfigurationError for an option that Celery doesn't have, and if another router of the application has that
    task.

    The task is acknowledged late, so an event whose worker is killed goes to another: at once if the worker's parent
    process survived, otherwise when the broker notices (Redis: after its `visibility_timeout`). A failed event runs
    again after each of `retry_delays` seconds in turn. Then, or at once if it can never be handled, the task is sent to
    `dead_letter_queue`, which no worker reads unless you tell it to: `celery worker -Q interactor_webhooks_dead` runs
    dead letters again with their full number of attempts.
    """
    delays = prepare(router, retry_delays)
    task_name = ".".join(filter(None, ("interactor.webhooks.run", router.key_prefix.rstrip(":"))))
    routing = {name: options.pop(name) for name in _ROUTING & options.keys()}
    # Celery would accept unknown options as attributes that nothing reads.
    if unknown := [name for name in options if name != "base" and not hasattr(app.Task, name)]:
        raise ConfigurationError(
            f"Celery's tasks have no option {unknown[0]!r}. The name of the task comes from WebhookRouter(name=...)."
        )
    # Celery would keep the first of two tasks with the same name, and run its handlers for the events of both.
    if _routers.setdefault(app, {}).setdefault(task_name, router) is not router:
        raise ConfigurationError(
            f"This Celery application already has a task {task_name!r}, from another webhook router. Give "
            'each router a name: WebhookRouter(name="...").'
        )

    def run(task: Any, text: str, failures: int = 0, due: float = 0.0) -> None:
        if task.request.is_eager or task.request.called_directly:
            return router.run(from_text(text))
        if due > time.time():
            _run_again(task, text, failures, due)
        try:
            router.run(from_text(text))
        except Exception as error:
            if (attempt := next_attempt(error, failures, delays)) is None:
                _bury(task, text, dead_letter_queue)
                raise
            delay, failures = attempt
            _run_again(task, text, failures, time.time() + delay, error)
        return None

    task = app.task(
        run,
        name=task_name,
        bind=True,
        shared=False,  # otherwise every app of the process would get it
        acks_late=True,
        reject_on_worker_lost=True,
        acks_on_failure_or_timeout=False,  # a worker killed at a hard time limit hasn't handled the event
        max_retries=None,
        ignore_result=True,
        serializer="json",
        **options,
    )
    router.hand_over = _HandOver(task, routing)
    return task


class _HandOver:
    """Sends an event to the task."""

    def __init__(self, task: Any, routing: dict[str, Any]) -> None:
        self._task = task
        self._routing = routing

    @property
    def runs_handlers(self) -> bool:
        """Eager tasks run in the caller's thread: a test of Django sees and rolls back what their handlers write."""
        return bool(self._task.app.conf.task_always_eager)

    def __call__(self, body: bytes) -> None:
        self._task.apply_async((to_text(body),), **self._routing)


def _run_again(task: Any, text: str, failures: int, due: float, error: Exception | None = None) -> None:
    countdown = min(max(0.0, due - time.time()), _MAX_COUNTDOWN)
    from celery.exceptions import Reject

    try:
        task.retry((text, failures, due), exc=error, countdown=countdown)
    except Reject as reject:
        # Celery drops a task that it couldn't send again.
        raise Reject(reject.reason, requeue=True) from error


def _bury(task: Any, text: str, queue: str) -> None:
    from celery.exceptions import Reject
    from kombu.entity import Queue

    try:
        # A Queue object: given only its name, a worker would also read it after its next reconnect.
        task.apply_async((text,), queue=Queue(queue, routing_key=queue))
    except Exception as error:
        raise Reject(error, requeue=True) from error
