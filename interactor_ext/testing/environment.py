"""Environment variables that point the SDK to a sandbox, whatever the shell has set."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interactor_ext.testing.guard import no_proxy_variables

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

# Variables that the SDK reads and `Sandbox.env` does not set.
FURTHER_VARIABLES = ("INTERACTOR_ENVIRONMENT", "INTERACTOR_SCOPES")


def environment_of(sandbox: Sandbox) -> dict[str, str | None]:
    """The variables to set, or to remove where the value is None."""
    host = urlsplit(sandbox.core_api_url).hostname or ""
    return {**dict.fromkeys(FURTHER_VARIABLES), **sandbox.env, **no_proxy_variables([host])}
