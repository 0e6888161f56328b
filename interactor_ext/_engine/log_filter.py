"""RedactingFilter masks secrets in log records. INTERACTOR_LOG writes the SDK's log to stderr, with secrets masked."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from interactor_ext._engine.redaction import MASK, mask_text, mask_value

_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG}
_VARIABLES = ("INTERACTOR_CLIENT_SECRET", "INTERACTOR_WEBHOOK_SECRET")
# The attributes that every record has.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class RedactingFilter(logging.Filter):
    """Removes secrets from records: from the message, its arguments, the extra fields and the traceback.

    It masks `secrets` and the values of INTERACTOR_CLIENT_SECRET and INTERACTOR_WEBHOOK_SECRET (from 8 characters on,
    and only as whole words, so no ordinary word is replaced), anything that looks like a secret (bearer tokens, JWTs,
    keys with their provider's prefix, passwords in URLs, `client_secret=...` and the like), and anything with a
    secret's name: an extra field, the value of a mapping, the second of a pair. Everything else stays unchanged,
    including white space and the length of texts. Add it to handlers, because a logger's own filters don't see its
    children's records:

        handler.addFilter(RedactingFilter())
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        known = [*secrets, *(os.environ.get(name, "").strip() for name in _VARIABLES)]
        # A secret's repr and JSON differ from it if it contains a line break or a quote.
        written = [text for secret in known for text in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])]
        self._secrets = tuple(sorted(set(written), key=len, reverse=True))

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the secrets of a record in place. Drops no record."""
        self._clean_message(record)
        for name, value in list(vars(record).items()):
            if name not in _OWN:
                setattr(record, name, self._value(name, value))
        if record.exc_info and not record.exc_text:
            # Formatters use this text if it is set.
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask_text(record.exc_text, self._secrets)
        if record.stack_info:
            record.stack_info = mask_text(record.stack_info, self._secrets)
        return True

    def __call__(self, logger: object, method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """As a processor of structlog, after the one that formats the traceback: it doesn't use the record's text."""
        return {name: self._value(name, value) for name, value in event.items()}

    def _clean_message(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, Mapping | list | tuple) and not record.args:
            # Some formatters write the items one by one.
            record.msg = self._value("", record.msg)
            return
        if isinstance(record.args, Mapping):
            record.args = self._value("", record.args)
        elif record.args:
            # One by one, because two arguments aren't a name and its value.
            record.args = tuple(self._value("", argument) for argument in record.args)
        record.msg, record.args = mask_text(_message(record), self._secrets), None

    def _value(self, name: str, value: Any) -> Any:
        try:
            return mask_value(name, value, self._secrets)
        except Exception:  # a mapping that raises: logging must neither fail nor show what wasn't checked
            return MASK


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that don't fit the format; the handler would print them
        return str(record.msg)


def log_to_stderr(logger: logging.Logger, value: str) -> None:
    """Write the log of programs that don't configure logging. `value` is INTERACTOR_LOG.

    An unknown value is only a warning, because a debugging setting must not stop a service.
    """
    level = _LEVELS.get(value.lower())
    if level is None:
        warnings.warn(f"INTERACTOR_LOG must be 'info' or 'debug', not {value!r}. Logging stays off.", stacklevel=2)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(level)
