"""The attempts of a call: retries, deadline, circuit breaker. They know no socket, and work over any transport."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Only for transports that aren't the SDK's own.
lazy_modules(__name__, "foreign_stream")
