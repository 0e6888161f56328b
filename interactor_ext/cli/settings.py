"""Options shared by several commands, and the client settings made from them."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from interactor_ext._errors import ConfigurationError

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The tenant, such as user_123.")]
Environment = Annotated[str | None, typer.Option("--environment", help="production or sandbox, where no URLs are set.")]
Insecure = Annotated[
    bool,
    typer.Option("--allow-insecure-http", help="Permit http:// to a host that is not local, unencrypted."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

CREDENTIALS = ("INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET")
WITHOUT_ACCOUNT = "Without an account: `interactor sandbox` serves the platform on this machine."


def settings(environment: str | None, namespace: str | None, insecure: bool) -> dict[str, Any]:
    """Arguments of `InteractorClient`; other settings come from environment variables.

    Raises ConfigurationError if the credentials are missing.
    """
    if missing := [name for name in CREDENTIALS if not os.environ.get(name, "").strip()]:
        raise ConfigurationError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Set what is missing, or name a "
            f"file that has it with --env-file. {WITHOUT_ACCOUNT}"
        )
    return {
        "environment": environment,
        "namespace": namespace,
        "user_agent_suffix": "interactor-cli",
        "allow_insecure_http": insecure,
    }
