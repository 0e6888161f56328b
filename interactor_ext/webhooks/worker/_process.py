"""The process of `interactor webhooks work`: runs a worker in several threads, and loses no event when it stops."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.log_filter import log_to_stderr
from interactor_ext._engine.logs import is_handled
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.redaction import escape_controls
from interactor_ext._engine.waiting import ThreadWaiter
from interactor_ext._engine.waiting.event_loop import loop_thread
from interactor_ext.webhooks._threads import CALLER_THREADS
from interactor_ext.webhooks.worker._loading import load_worker
from interactor_ext.webhooks.worker._metrics_port import MetricsPort
from interactor_ext.webhooks.worker._worker import QueueLoop

# Exit statuses. 1 is any error before the work begins, 2 invalid usage.
FINISHED, FAILED, UNFINISHED, EXHAUSTED = 0, 1, 3, 4
DESCRIPTION = "Runs a router's handlers for the events in its queue."
ROUTER = "the WebhookRouter with the queue, or a WebhookWorker or SQSWorker"
FORMATTER = argparse.ArgumentDefaultsHelpFormatter
EPILOG = (
    "After SIGTERM or Ctrl-C, the worker takes no more events, waits up to --grace seconds for "
    "running handlers, and puts the rest back. A second signal skips the wait. Exit status: 0 "
    "stopped, all handlers finished; 1 couldn't start; 2 wrong usage; 3 stopped, events were put "
    "back; 4 too many handlers hang, restart it."
)
# Threads of hanging handlers. Each keeps its memory and connections.
_MAX_HANGING = 100
_CHECK_SECONDS = 1.0
# A second signal is noticed within this time.
_SIGNAL_SECONDS = 0.2
_REPORT_SECONDS = 15.0
_FLUSH_SECONDS = 1.0


def main(arguments: list[str] | None = None, *, prog: str = "python -m interactor_ext.webhooks.worker") -> int:
    """Return the exit status. Ends the process itself if hanging handlers would keep it alive."""
    parser = argparse.ArgumentParser(prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=FORMATTER)
    vars(parser)["color"] = False  # since 3.14 FORCE_COLOR would color pipes too
    parser.add_argument("router", metavar="module:name", help=ROUTER)
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        return work(load_worker(options.router), vars(options))
    except ConfigurationError as error:
        sys.stderr.write(f"Error: {escape_controls(str(error))}\n")
        return FAILED


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--concurrency", type=_number(1, 1000), default=4, help="number of events handled at once, in threads"
    )
    seconds = _number(0, 86400, float)
    parser.add_argument(
        "--grace", type=seconds, default=25.0, help="seconds to wait for running handlers after a signal"
    )
    port = _number(0, 65535)
    parser.add_argument("--metrics-port", type=port, help="port for /healthz and /metrics; 0 chooses a free one")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="address of the metrics port")


def work(worker: QueueLoop, options: dict[str, Any]) -> int:
    """Work until a signal. Returns the exit status. Ends the process itself if hanging handlers would keep it alive.

    Raises ConfigurationError.
    """
    if not is_handled(logger):  # neither the program nor INTERACTOR_LOG has configured logging
        log_to_stderr(logger, "info")
    process = WorkerProcess(worker, concurrency=options["concurrency"], grace=options["grace"])
    if options["metrics_port"] is not None:
        MetricsPort(process.health, options["metrics_host"], options["metrics_port"])
    status = process.run()
    if status == UNFINISHED or process.left_behind:
        _end(status)
    return status


class WorkerProcess:
    """Runs a worker in `concurrency` threads until a signal; then waits up to `grace` seconds for running handlers."""

    def __init__(self, worker: QueueLoop, *, concurrency: int, grace: float) -> None:
        self.worker = worker
        self._grace = grace
        self._stop = threading.Event()
        self._signals: list[int] = []
        self._id = os.getpid()
        self._waiter = ThreadWaiter()
        self._threads = [
            threading.Thread(target=self._work, name=f"interactor-webhook-worker-{number}", daemon=True)
            for number in range(1, concurrency + 1)
        ]

    @property
    def left_behind(self) -> int:
        """How many threads are occupied by handlers that didn't end in time."""
        return CALLER_THREADS.abandoned + loop_thread.abandoned

    def health(self) -> tuple[int, dict[str, Any]]:
        """Return the status and document for a probe."""
        status = "ok" if self.worker.reaches_queue else "queue_unreachable"
        # A stopping process may finish: no probe should have it killed.
        status = "stopping" if self._stop.is_set() else status
        document = {"status": status, "running": self.worker.running, "left_behind": self.left_behind}
        return 503 if status == "queue_unreachable" else 200, document

    def run(self) -> int:
        """Work until a signal; returns the exit status. Must run in the main thread, where signals arrive."""
        with self._noting_signals():
            for thread in (*self._threads, threading.Thread(target=self._report, daemon=True)):
                thread.start()
            logger.info("Webhook worker %d is ready, with %d threads.", os.getpid(), len(self._threads))
            status = self._wait_for_stop()
            self._stop.set()
            if not self._wait_for_threads():
                self.worker.give_back()
                status = status or UNFINISHED
        logger.info("Webhook worker %d has stopped.", os.getpid())
        return status

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.worker.run(self._stop)
            except BaseException:
                # An SQSWorker's handlers run in this thread.
                logger.exception("A webhook handler raised an exception that would end its worker. The worker goes on.")

    def _report(self) -> None:
        while not self._stop.is_set():
            with suppress(Exception):  # the threads that poll the queue log that it is unreachable
                self.worker.report()
            self._stop.wait(_REPORT_SECONDS)

    def _wait_for_stop(self) -> int:
        while not self._signals:
            if self.left_behind >= _MAX_HANGING:
                logger.critical("%d webhook handlers hang. This worker is ending; restart it.", self.left_behind)
                return EXHAUSTED
            self._waiter.wait(_CHECK_SECONDS)
        logger.info(
            "Webhook worker %d is stopping (signal %s) and takes no more events.", os.getpid(), self._signals[0]
        )
        return FINISHED

    def _wait_for_threads(self) -> bool:
        """Whether all threads have ended in time, without another signal."""
        ends_at = time.monotonic() + self._grace
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            left = ends_at - time.monotonic()
            if left <= 0 or len(self._signals) > 1:
                return False
            alive[0].join(min(left, _SIGNAL_SECONDS))
        return True

    @contextmanager
    def _noting_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if os.getpid() != self._id:  # forked by a handler, as with multiprocessing
            if number == signal.SIGTERM:  # Ctrl-C reaches every process of a terminal, and the handler may finish
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        self._signals.append(number)
        self._waiter.wake()
        if len(self._signals) > 1:  # a third signal ends the process, even if the queue hangs while events are put back
            signal.signal(number, signal.SIG_DFL)


def _end(status: int) -> None:
    """End the process without waiting for threads: a thread that writes while the interpreter exits would abort it."""
    with suppress(Exception):
        CALLER_THREADS.call(sys.stdout.flush, _FLUSH_SECONDS)
    os._exit(status)


def _number(least: int, most: int, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """Return a parser for a number within these bounds."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if text.isascii() and least <= (number := kind(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number from {least} to {most}")

    return read
