"""Options that several commands take, and the settings of a client that follow from them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The tenant, such as user_123.")]
Environment = Annotated[str | None, typer.Option("--environment", help="production or sandbox, where no URLs are set.")]


def settings(environment: str | None, namespace: str | None) -> dict[str, Any]:
    """Arguments of `InteractorClient`; the rest comes from the environment's variables."""
    return {"environment": environment, "namespace": namespace, "user_agent_suffix": "interactor-cli"}
