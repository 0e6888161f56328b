"""docs/how-to/mistakes.md: each mistake is made, and gives the message that stands there."""

from __future__ import annotations

from interactor_ext.sandbox import Sandbox
from tests.support.cases import for_each
from tests.support.mistakes import message_of, mistakes


@for_each(mistakes().items())
def test_mistake_gives_the_message_on_the_page(mistake: str, message: str, interactor_sandbox_server: Sandbox) -> None:
    """If the new message is better, `python -m tests.support.mistakes` writes the page anew."""
    assert message_of(mistake, interactor_sandbox_server) == message


def test_page_has_thirty_mistakes() -> None:
    assert len(mistakes()) >= 30
