"""Each "never", "always" and "once" of the documentation is a promise with a test, or promises nothing of the SDK."""

from __future__ import annotations

import re

from tests.support.pages import BLOCK, ROOT, name, pages
from tests.support.public_names import docstrings

LINES = (ROOT / "tests" / "docs" / "promises.txt").read_text(encoding="utf-8").splitlines()
PROMISES = [tuple(part.strip() for part in line.split("|")) for line in LINES if not line.startswith("#")]
WORD = re.compile(r"\b(?:never|always|(?<!\bat )once)\b", re.IGNORECASE)  # "at once" means immediately
HEADING = re.compile(r"^#+ .*$", re.MULTILINE)
NAME_OR_ADDRESS = re.compile(r"``.+?``|`[^`]+`|\]\([^)]+\)")
BESIDES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/README.md",
    "interactor_ext/relay/static/README.md",
)
PAGES = {
    name(page): " ".join(HEADING.sub("", BLOCK.sub("", page.read_text(encoding="utf-8"))).split())
    for page in [*pages(), *map(ROOT.joinpath, BESIDES)]
}


TEXTS = {**PAGES, "docs/reference": docstrings()}


def test_each_word_is_in_the_table() -> None:
    found = []
    for page, text in TEXTS.items():
        for promise_page, words, _ in PROMISES:
            if promise_page == page:
                text = text.replace(words, "")
        text = NAME_OR_ADDRESS.sub("", text)
        found += [f"{page}: ...{text[max(0, each.start() - 60) : each.end() + 60]}..." for each in WORD.finditer(text)]
    assert not found, "\n".join(found)


def test_each_promise_is_on_its_page_and_its_test_exists() -> None:
    assert [f"{page}: {words}" for page, words, _ in PROMISES if words not in TEXTS[page]] == []
    tests = [test for *_, tests in PROMISES if tests != "no promise" for test in tests.split(", ")]
    assert [test for test in tests if not exists(*test.split("::"))] == []


def exists(file: str, test: str) -> bool:
    path = ROOT / "tests" / file
    return path.exists() and bool(re.search(rf"^ *(async )?def {test}\(", path.read_text(encoding="utf-8"), re.M))
