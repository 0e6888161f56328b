"""Deprecated operations: parses `Deprecation`, `Sunset` and `Link` headers, and warns once for each operation.

    from interactor_ext.deprecation import on_deprecation

    @on_deprecation
    def tell(operation: str, deprecation: Deprecation) -> None: ...

The clients warn (`InteractorDeprecationWarning`) about an operation once per process, log that under `interactor`, and
call the registered functions. To fail a test run instead, use
`warnings.filterwarnings("error", category=InteractorDeprecationWarning)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.deprecation import (
    Deprecation,
    InteractorDeprecationWarning,
    on_deprecation,
    parse_deprecation,
)
from interactor_ext._engine.lazy import lazy_names

__all__ = ["Deprecation", "InteractorDeprecationWarning", "on_deprecation", "parse_deprecation"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, {})
