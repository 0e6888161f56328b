"""docs/how-to/mistakes.txt: each mistake is made and gives the message of its row."""

from __future__ import annotations

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.mistakes import message_of, mistakes


def test_mistake_gives_the_message_on_the_page(subtests: pytest.Subtests, interactor_sandbox_server: Sandbox) -> None:
    """If the new message is better, `python -m tests.support.mistakes` writes the page anew."""
    for mistake, message in mistakes().items():
        with subtests.test(mistake=mistake):
            assert message_of(mistake, interactor_sandbox_server) == message


def test_page_has_thirty_mistakes() -> None:
    assert len(mistakes()) >= 30
