"""The retry policy, and `with_retry` for your own functions."""

from __future__ import annotations

from collections.abc import Callable  # noqa: F401 - the types of RetryPolicy's fields are looked up here
from typing import TYPE_CHECKING

from interactor_ext._engine.errors import InteractorError  # noqa: F401
from interactor_ext._engine.lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext._engine.retry_policy import Decision, RetryPolicy, parse_retry_after
    from interactor_ext._engine.with_retry import with_retry

__all__ = ["Decision", "RetryPolicy", "parse_retry_after", "with_retry"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext._engine.retry_policy": ("Decision", "RetryPolicy", "parse_retry_after"),
            "interactor_ext._engine.with_retry": ("with_retry",),
        },
    )
