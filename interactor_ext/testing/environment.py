"""Environment variables that point the SDK to a sandbox, whatever the shell has set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

# Variables that the SDK reads and `Sandbox.env` does not set.
FURTHER_VARIABLES = ("INTERACTOR_ENVIRONMENT", "INTERACTOR_SCOPES", "INTERACTOR_REQUIRE_NAMESPACE")
# Settings for clients that are made when the application is imported. PlatformGuard leads their connections to the
# sandbox of a fixture.
NOWHERE = "interactor-sandbox.localhost"
PLACEHOLDERS = {
    "INTERACTOR_CLIENT_ID": "sandbox_client",  # as every sandbox has them that is not told others
    "INTERACTOR_CLIENT_SECRET": "sandbox_secret",
    "INTERACTOR_ACCOUNT_SERVER_URL": f"http://{NOWHERE}/auth/api/v1",
    "INTERACTOR_CORE_API_URL": f"http://{NOWHERE}/api/v1",
}
# Python reads the first, other programs only the second.
NO_PROXY = ("no_proxy", "NO_PROXY")


def environment_of(sandbox: Sandbox) -> dict[str, str | None]:
    """The variables to set, or to remove where the value is None. No proxy of the shell comes before the sandbox."""
    listed = next(filter(None, map(os.environ.get, NO_PROXY)), "")
    host = urlsplit(sandbox.core_api_url).hostname or ""
    no_proxy = dict.fromkeys(NO_PROXY, ",".join(filter(None, (listed, host))))
    return {**dict.fromkeys(FURTHER_VARIABLES), **sandbox.env, **no_proxy}
