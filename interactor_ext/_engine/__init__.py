"""What calls over HTTP need, whatever the API. It knows nothing of Interactor, and imports nothing that does."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs use no lists, and make no calls that are several.
lazy_modules(__name__, "effects", "pages")
