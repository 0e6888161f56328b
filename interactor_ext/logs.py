"""The log of the SDK: one record for each call and for each retry, under `interactor`; and a filter that masks secrets.

Records have these attributes (`extra`): `request_id`, `namespace`, `endpoint` (the template of the path), `method`,
`status_code` and `duration_ms`, None if unknown; and if known `user_id`, `resource_id`, `error_code` and `retry_count`.
A successful call is INFO; a failed one, and each retry, is WARNING. Each attempt is DEBUG, with `attempt`,
`request_bytes` and `response_bytes` (after unpacking); bodies are never logged. The environment variable
INTERACTOR_LOG, "info" or "debug", writes the log to stderr with secrets masked. In a program that doesn't configure
logging, only errors (of a handler, a tool, a store) go to stderr, with their tracebacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names
from interactor_ext._engine.logs import user_id

if TYPE_CHECKING:
    from interactor_ext._engine.log_filter import RedactingFilter

__all__ = ["RedactingFilter", "user_id"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {"interactor_ext._engine.log_filter": ("RedactingFilter",)})
