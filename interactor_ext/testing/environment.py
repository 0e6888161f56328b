"""Environment variables that point the SDK to a sandbox, whatever the shell has set."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interactor_ext.testing.guard import past_proxies

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

# What the SDK reads and `Sandbox.env` does not say.
OTHERS = ("INTERACTOR_SCOPES",)


def environment_of(sandbox: Sandbox) -> dict[str, str | None]:
    """What to set, and, with None, what to take away."""
    host = urlsplit(sandbox.core_api_url).hostname or ""
    return {**dict.fromkeys(OTHERS), **sandbox.env, **past_proxies([host])}
