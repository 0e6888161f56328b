"""What an application needs to write the log of the SDK: one record a call under `interactor`, one a retry.

Records carry, as attributes (`extra`): `request_id`, `namespace`, `endpoint` (the template of the path), `method`,
`status_code` and `duration_ms`, None where unknown; and where known `user_id`, `resource_id`, `error_code` and
`retry_count`. A call that succeeds is INFO; one that fails, and each retry, is WARNING.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from interactor_ext._log import user_id
from interactor_ext._redact import clean_json, clean_text

__all__ = ["RedactingFilter", "user_id"]

_VARIABLES = ("INTERACTOR_CLIENT_SECRET", "INTERACTOR_WEBHOOK_SECRET")
# What a record has by itself, and no text of others gets into.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class RedactingFilter(logging.Filter):
    """Takes secrets out of records: of the message, its arguments, the extra fields and the traceback.

    Masked are `secrets`, the values of INTERACTOR_CLIENT_SECRET and INTERACTOR_WEBHOOK_SECRET, and what looks like a
    secret: bearer tokens, JWTs, `client_secret=...` and the like. Put it on handlers, for a logger's own filters do not
    see what its children log:

        handler.addFilter(RedactingFilter())
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(filter(None, (*secrets, *(os.environ.get(name, "").strip() for name in _VARIABLES))))

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._lines(_message(record)), None
        for name, value in list(vars(record).items()):
            if name not in _OWN and isinstance(value, str | dict | list):
                setattr(record, name, clean_json(value, self._secrets))
        if record.exc_info and not record.exc_text:
            # Formatters take it from here rather than make it anew.
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._lines(record.exc_text)
        if record.stack_info:
            record.stack_info = self._lines(record.stack_info)
        return True

    def _lines(self, text: str) -> str:
        return "\n".join(_indent(line) + clean_text(line, self._secrets) for line in text.split("\n"))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit; the handler would have said so, and quoted them
        return str(record.msg)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]
