"""docs/how-to/mistakes.md: each mistake is made, and gives the message that stands there."""

from __future__ import annotations

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.mistakes import PAGE, TABLE, Mistake, message_of, page, row

MISTAKES = [mistake for mistakes in TABLE.values() for mistake in mistakes]
REWRITE = "python -m tests.support.mistakes writes the page anew"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.code)
def test_mistake_gives_the_message_on_the_page(
    mistake: Mistake, interactor_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_variable(name: str, value: str | None) -> None:
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    expected = row(mistake, message_of(mistake, interactor_sandbox, set_variable))
    assert expected in PAGE.read_text().splitlines(), f"{REWRITE}, if this message is better:\n{expected}"


def test_page_has_thirty_mistakes_and_what_is_around_them() -> None:
    assert len(MISTAKES) >= 30
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    messages = dict(zip(MISTAKES, rows, strict=True))
    around = [line for line in page(dict.fromkeys(messages, "")).splitlines() if not line.startswith("| `")]
    assert [line for line in PAGE.read_text().splitlines() if line not in rows] == around, REWRITE
