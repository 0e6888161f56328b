"""Runs webhook handlers in RQ workers: call `hand_over_to(queue, router, "shop.webhooks:router")` next to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from interactor_ext.webhooks._tasks import PLATFORM_SCHEDULE, from_text, next_attempt, prepare, to_text

if TYPE_CHECKING:
    from rq import Queue

    from interactor_ext.webhooks.router import WebhookRouter

# Redis needn't keep handled jobs. With 0, RQ itself would delete the job, and after a worker was killed, once the
# record of that execution has expired, the deletion fails and the job counts as failed.
_KEEP_SECONDS = 1


def hand_over_to(
    queue: Queue, router: WebhookRouter, path: str, *, retry_delays: Sequence[float] = PLATFORM_SCHEDULE
) -> None:
    """Enqueue every event of the router as a job, which runs the handlers of the router at `path` ("module:name").

    Call it in the module with the handlers. The worker needs a scheduler (`rq worker --with-scheduler`): a failed
    event runs again after each of `retry_delays` seconds in turn, and then, or at once if it can never be handled,
    stays in RQ's FailedJobRegistry, the dead letters (`rq requeue`). An event whose worker was killed runs again when
    RQ misses its heartbeat, and that counts as a failure. The queue's `default_timeout` is the handlers' time limit.
    """
    delays = [round(delay) for delay in prepare(router, retry_delays)]

    def enqueue(body: bytes) -> None:
        queue.enqueue(run_event, path, to_text(body), **_options(delays))

    router.hand_over = enqueue


def run_event(path: str, text: str) -> None:
    """Run a job. RQ retries it after a failure; a busy event becomes a later job with the remaining attempts."""
    from rq import Queue, get_current_job

    module, _, name = path.partition(":")
    router: WebhookRouter = getattr(import_module(module), name)
    try:
        router.run(from_text(text))
    except Exception as error:
        job: Any = get_current_job()
        delays = job.retry_intervals or []
        failures = len(delays) - (job.retries_left or 0)
        attempt = next_attempt(error, failures, delays)
        if attempt is None:
            job.retries_left = 0
        if attempt is None or attempt[1] > failures:
            raise
        queue = Queue(job.origin, connection=job.connection, serializer=job.serializer)
        options = _options(delays[failures:])
        queue.enqueue_in(timedelta(seconds=attempt[0]), run_event, path, text, job_timeout=job.timeout, **options)


def _options(delays: list[int]) -> dict[str, Any]:
    from rq import Retry

    return {"retry": Retry(len(delays), delays) if delays else None, "result_ttl": _KEEP_SECONDS}
