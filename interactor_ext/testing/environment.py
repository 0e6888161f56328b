"""Environment variables that point the SDK to a sandbox, whatever is set in the shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interactor_ext._clients import process_clients

if TYPE_CHECKING:
    from interactor_ext.sandbox import Sandbox

# Variables that the SDK reads and `Sandbox.env` doesn't set.
FURTHER_VARIABLES = ("INTERACTOR_ENVIRONMENT", "INTERACTOR_SCOPES", "INTERACTOR_REQUIRE_NAMESPACE")
# Settings for clients that modules create when they are imported. PlatformGuard leads their connections to a fixture's
# sandbox.
NOWHERE = "interactor-sandbox.localhost"
PLACEHOLDERS = {
    "INTERACTOR_CLIENT_ID": "sandbox_client",  # the default of a sandbox
    "INTERACTOR_CLIENT_SECRET": "sandbox_secret",
    "INTERACTOR_ACCOUNT_SERVER_URL": f"http://{NOWHERE}/auth/api/v1",
    "INTERACTOR_CORE_API_URL": f"http://{NOWHERE}/api/v1",
}
# Python uses the first, other programs only the second.
NO_PROXY = ("no_proxy", "NO_PROXY")


@contextmanager
def clients_of_test(by: str) -> Iterator[None]:
    """Within the block, `get_client()` creates new clients, closed at its end. Clients that modules created
    with the placeholders stay, and reach the sandbox.
    """
    before = dict(process_clients._clients)
    for kind, made in before.items():
        if made.client.config.core_api_url != PLACEHOLDERS["INTERACTOR_CORE_API_URL"]:
            del process_clients._clients[kind]
    yield
    for kind, made in before.items():
        if process_clients._clients.get(kind) is made:
            del process_clients._clients[kind]
    process_clients.close_clients(by)
    process_clients._clients.update(before)


def environment_of(sandbox: Sandbox) -> dict[str, str | None]:
    """The variables to set, or to remove if the value is None. They bypass the shell's proxies."""
    listed = next(filter(None, map(os.environ.get, NO_PROXY)), "")
    host = urlsplit(sandbox.core_api_url).hostname or ""
    no_proxy = dict.fromkeys(NO_PROXY, ",".join(filter(None, (listed, host))))
    return {**dict.fromkeys(FURTHER_VARIABLES), **sandbox.env, **no_proxy}
