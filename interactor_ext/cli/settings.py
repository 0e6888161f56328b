"""Options shared by several commands, and the client settings made from them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The tenant, such as user_123.")]
Environment = Annotated[str | None, typer.Option("--environment", help="production or sandbox, where no URLs are set.")]


def settings(environment: str | None, namespace: str | None) -> dict[str, Any]:
    """Arguments of `InteractorClient`; other settings come from environment variables."""
    return {"environment": environment, "namespace": namespace, "user_agent_suffix": "interactor-cli"}
