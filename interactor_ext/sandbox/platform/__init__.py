"""The simulated platform: contract, handlers, streams, faults, limits and seeds, and the state of all."""

from __future__ import annotations

from interactor_ext._lazy import lazy_modules

# To import cryptography takes a fifth of the time in which a sandbox starts. It is needed with the first token.
lazy_modules(__name__, "signing")
