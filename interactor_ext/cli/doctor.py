"""`interactor doctor`: diagnoses configuration and connection, and gives advice."""

from __future__ import annotations

from typing import Annotated

import typer

from interactor_ext.cli.examination import examine
from interactor_ext.cli.network import Finding
from interactor_ext.cli.output import can_show, write, write_json
from interactor_ext.cli.settings import Environment, Namespace

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red"), "skipped": ("-", "dim")}
_WORDS = {"✓": "ok  ", "!": "!   ", "✗": "FAIL", "-": "-   "}


def doctor(
    namespace: Namespace = None,
    needs: Annotated[
        list[str] | None, typer.Option("--needs", help="A scope that must be there; may be repeated.")
    ] = None,
    environment: Environment = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as failures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Check everything that a call needs: variables, DNS, TLS, clock, token, scopes, a read call, a namespace.

    The exit status is 1 if a check failed.
    """
    findings = []
    for finding in examine(environment, namespace, tuple(needs or ())):
        findings.append(finding)
        if not as_json:
            _show(finding)
    bad = ("failed", "warning") if strict else ("failed",)
    healthy = not any(finding.status in bad for finding in findings)
    if as_json:
        write_json({"ok": healthy, "checks": [finding._asdict() for finding in findings]})
    if not healthy:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    mark, style = _MARKS[finding.status]
    if not can_show("".join(_WORDS)):
        mark = _WORDS[mark]
    write(f"{mark} ", style, end="")
    write(f"{finding.check:<12}", "bold" if finding.status == "failed" else "", end="")
    write(finding.detail, "dim" if finding.status == "skipped" else "")
    if finding.advice:
        write(f"{'':<{len(mark) + 13}}{finding.advice}", style)
