"""The log of the SDK: one record for each call and for each retry, under `interactor`; and a filter that masks secrets.

Records carry, as attributes (`extra`): `request_id`, `namespace`, `endpoint` (the template of the path), `method`,
`status_code` and `duration_ms`, None where unknown; and where known `user_id`, `resource_id`, `error_code` and
`retry_count`. A call that succeeds is INFO; one that fails, and each retry, is WARNING. Each attempt is DEBUG, with
`attempt`, `request_bytes` and `response_bytes` (after unpacking); bodies are never logged. The environment variable
INTERACTOR_LOG, "info" or "debug", writes the log to stderr with secrets masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext.logs._calls import user_id
    from interactor_ext.logs._filter import RedactingFilter

__all__ = ["RedactingFilter", "user_id"]

# A webhook receiver logs without httpx, which the records of calls need, and most programs without the filter.
__getattr__, __dir__ = lazy_names(
    __name__, {"interactor_ext.logs._calls": ("user_id",), "interactor_ext.logs._filter": ("RedactingFilter",)}
)
