"""`interactor doctor`: diagnoses configuration and connection, and gives advice."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import typer

from interactor_ext.cli import examination, network
from interactor_ext.cli.output import hanging, write, write_json
from interactor_ext.cli.settings import AsJson, Insecure, Namespace

_MARKS = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "failed": ("FAIL", "bold red"), "skipped": ("-", "dim")}
_COLUMN = 18


def doctor(
    namespace: Namespace = None,
    needs: Annotated[
        list[str] | None, typer.Option("--needs", help="Scope that the token must have. Repeatable.")
    ] = None,
    router: Annotated[
        str | None,
        typer.Option("--webhooks", metavar="module:name", help="Module and name of the WebhookRouter to check."),
    ] = None,
    insecure: Insecure = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as failures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check everything that a call needs: variables, DNS, TLS, clock, token, scopes, a read call, a namespace; with
    --webhooks also what a receiver needs: its store or queue, and its handlers.

    Exits with status 1 if a check failed.
    """
    findings = []
    checks = examination.examine(namespace, tuple(needs or ()), allow_insecure_http=insecure)
    for finding in chain(checks, map(examination.examine_receiver, [router])):
        findings.append(finding)
        if not as_json:
            _show(finding)
    bad = ("failed", "warning") if strict else ("failed",)
    healthy = not any(finding.status in bad for finding in findings)
    verdict = _verdict(findings, healthy)
    if as_json:
        write_json({"ok": healthy, "verdict": verdict, "checks": [finding._asdict() for finding in findings]})
    else:
        write(f"\n{verdict}", "bold green" if healthy else "bold red")
    if not healthy:
        raise typer.Exit(1)


def _show(finding: network.Finding) -> None:
    mark, style = _MARKS[finding.status]
    write(f"{mark:<5}", style, end="")
    write(f"{finding.check:<13}", "bold" if finding.status == "failed" else "", end="")
    write(hanging(finding.detail, _COLUMN), "dim" if finding.status == "skipped" else "")
    if finding.advice:
        write(f"{'':<{_COLUMN}}{hanging(finding.advice, _COLUMN)}", style)


def _verdict(findings: list[network.Finding], healthy: bool) -> str:
    failed, warned = (
        ", ".join(dict.fromkeys(each.check for each in findings if each.status == status))
        for status in ("failed", "warning")
    )
    warnings = f"Warnings: {warned}." if warned else ""
    if not healthy:
        return f"Not ready. {f'Failed: {failed}. ' if failed else ''}{warnings}".rstrip()
    return f"Ready. {warnings or 'All is well.'}"
