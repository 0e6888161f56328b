"""Questions that people ask, the page that answers each, and whether `interactor docs` shows that page."""

from __future__ import annotations

import pytest

pytest.importorskip("typer", reason="pip install typer rich")

from interactor_ext.cli.docs import search, text_of
from tests.support.mistakes import mistakes
from tests.support.pages import ROOT

LINES = (ROOT / "tests" / "docs" / "questions.txt").read_text(encoding="utf-8").splitlines()
QUESTIONS = [tuple(part.strip() for part in line.split("|")) for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize(("question", "page", "answer"), QUESTIONS)
def test_page_answers_the_question(question: str, page: str, answer: str) -> None:
    assert answer in " ".join(text_of(page).split())


def test_command_shows_the_page_among_the_first_three() -> None:
    missed = [question for question, page, _ in QUESTIONS if page not in [found.page for found in search(question)[:3]]]
    assert len(missed) <= len(QUESTIONS) // 10, missed


def test_command_shows_the_page_of_a_pasted_message_among_the_first_three() -> None:
    messages = mistakes().values()
    assert [each for each in messages if "how-to/mistakes" not in [found.page for found in search(each)[:3]]] == []


@pytest.mark.parametrize("name", ["how-to/webhooks.md", "how-to/webhooks.html", "how-to/webhooks#flask"])
def test_page_is_found_by_its_file_address_or_heading(name: str) -> None:
    assert text_of(name) == text_of("how-to/webhooks")


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("TokenStore", "reference/tokens"),
        ("submit_result", "reference/resources"),
        ("CircuitBreaker", "how-to/retries"),
    ],
)
def test_public_name_is_found(name: str, page: str) -> None:
    assert page in [found.page for found in search(name)[:3]]
