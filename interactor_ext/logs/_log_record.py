"""Log records as `logging` makes them, copied from those that it made."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

from interactor_ext._fork import after_fork_in_child

# Seconds. What is seldom changed, such as the name of a level, is as it was so long ago at most.
_LIFETIME = 1.0


class Records:
    """Makes the records of one logger. To have each made by `logging` costs more than all that we put in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._models: dict[int, dict[str, Any]] = {}
        after_fork_in_child(self._forget)

    def make(self, level: int, message: str, args: tuple[object, ...]) -> Any:
        """What `logger.log()` would make, but that it would search the stack for the line that this is."""
        factory = logging.getLogRecordFactory()
        if factory is not logging.LogRecord:  # the application's own
            return factory(self._name, level, self._name, 0, message, args, None)
        now = time.time()
        model = self._models.get(level)
        if model is None or not 0 <= now - model["created"] < _LIFETIME:
            model = vars(logging.LogRecord(self._name, level, self._name, 0, "", (), None))
            self._models[level] = model
        record = object.__new__(logging.LogRecord)
        fields = record.__dict__ = model.copy()
        fields["msg"] = message
        fields["args"] = args
        fields["created"] = now
        fields["msecs"] = int(now % 1 * 1000) + 0.0
        fields["relativeCreated"] = model["relativeCreated"] + (now - model["created"]) * 1000
        if fields["thread"] is not None:  # or else the application has switched it off in `logging`
            fields["thread"] = threading.get_ident()
            fields["threadName"] = threading.current_thread().name
        if sys.version_info >= (3, 12) and logging.logAsyncioTasks:
            fields["taskName"] = _task_name()
        return record

    def _forget(self) -> None:
        self._models.clear()


def _task_name() -> str | None:
    current_task = getattr(sys.modules.get("asyncio"), "current_task", None)
    try:
        task = None if current_task is None else current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    return None if task is None else str(task.get_name())
