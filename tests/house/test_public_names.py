"""What users call changes only on purpose: docs/explanation/public.md is the promise."""

from __future__ import annotations

from tests.support import public_names


def test_public_names_and_their_signatures_are_those_of_the_committed_list() -> None:
    """A line that is gone breaks somebody's code: keep the old name or parameter for a minor release, with a
    DeprecationWarning. Then run `python -m tests.support.public_names`, and tell users in CHANGELOG.md.
    """
    committed, found = set(public_names.FILE.read_text(encoding="utf-8").splitlines()), set(public_names.lines())
    gone, new = sorted(committed - found), sorted(found - committed)
    assert gone == [], "these are in the list, and are gone or have changed: see the docstring"
    assert new == [], "if they are meant, `python -m tests.support.public_names` adds them to the list"
