"""`interactor explore -- pytest ...`: runs a command whose pytest explores its tests."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

from interactor_ext.cli.program import run_program

_ADDED = "PYTEST_ADDOPTS"


def explore(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="-- pytest [ARGUMENTS]...", help="What runs the tests: pytest, or anything that starts it."
        ),
    ],
    pairs: Annotated[bool, typer.Option("--pairs", help="Also try two faults in one run.")] = False,
    budget: Annotated[str, typer.Option(metavar="60s", help="How long to explore each test, at most.")] = "60s",
    seed: Annotated[int, typer.Option(metavar="N", help="Choose another order of schedules.")] = 0,
    schedule: Annotated[str, typer.Option(metavar="r7:lost", help="Run a single schedule, named as in a report.")] = "",
    inspect: Annotated[bool, typer.Option("--inspect", help="Keep the sandbox of that run for its inspector.")] = False,
) -> None:
    """Run tests again for each request and fault: does the application survive lost responses, duplicates, crashes?"""
    options = [
        "--interactor-explore=2" if pairs else "--interactor-explore",
        f"--interactor-budget={budget}",
        f"--interactor-seed={seed}",
    ]
    if schedule:
        options.append(f"--interactor-schedule={schedule}")
    if inspect:
        options.append("--interactor-inspect")
    added = f"{os.environ.get(_ADDED, '')} {shlex.join(options)}".strip()
    raise typer.Exit(run_program(program, {_ADDED: added}))
