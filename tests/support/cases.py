"""One test for a table of cases, whose failure names each case that fails; and how many cases there are."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

NIGHTLY = "INTERACTOR_EXAMPLES" in os.environ
"""Whether this is `make nightly`: tests whose numbers are for finding what is rare take larger ones."""
nightly = pytest.mark.skipif(not NIGHTLY, reason="takes long for what hardly ever changes: `make nightly` runs it")


def for_each(cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make one test of a function: it is called with each case, or with its parts if it is a tuple.

    Its further parameters are fixtures, which the cases share.
    """
    table = [case if type(case) is tuple else (case,) for case in cases]
    assert table, "no case"

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        def test(**fixtures: Any) -> None:
            errors, names = [], {}
            for case in table:
                try:
                    check(*case, **fixtures)
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"case: {case!r:.500}")
                    errors.append(error)
                    names[f"{case[0]!r:.80}"] = None
            if errors:
                raise BaseExceptionGroup(f"{len(errors)} of {len(table)} cases: {', '.join(names)}", errors)

        signature = inspect.signature(check)
        fixtures = list(signature.parameters.values())[len(table[0]) :]
        test.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
        return test

    return decorate
