"""The simulated platform: contract, handlers, streams, faults, limits and seeds, and the state of all these."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Importing cryptography takes a fifth of a sandbox's start time. Only the first token needs it.
lazy_modules(__name__, "signing")
