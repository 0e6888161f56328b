"""The built documentation in a real Chromium: its search, its colours in both schemes, its longest page on a phone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.test_questions import QUESTIONS
from tests.docs.test_reference import shown
from tests.support.browser import chromium, eventually
from tests.support.looks import Looks

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.full  # drives a browser

ROOT = Path(__file__).parents[2]
# One of each kind: code, tables, diagrams, classes that unfold, pictures.
PAGES = ("index", "how-to/sandbox", "how-to/inspect-the-sandbox", "explanation/layers", "reference/models")
TYPE = """
const [words, input] = [arguments[0], document.querySelector(".md-search__input")];
input.focus();
input.value = words;
input.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}));
"""
HEAD = "return document.querySelector('.md-search-result__meta').textContent"
RESULTS = "return [...document.querySelectorAll('.md-search-result__link')].map((each) => each.getAttribute('href'))"

STILL = """
const style = document.createElement("style");
style.textContent = "*, *::before, *::after { transition: none !important; }";
document.head.append(style);
"""


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the site, as `make docs` builds it."""
    pytest.importorskip("material", reason="needs the packages of `make docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    """The address of the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def window(site: str) -> Iterator[WebDriver]:
    with chromium() as window:
        window.get(f"{site}/index.html")
        yield window


def test_reference_shows_all_that_its_pages_name(folder: Path) -> None:
    html = "".join(page.read_text(encoding="utf-8") for page in (folder / "reference").glob("*.html"))
    anchors = set(re.findall(r'id="([\w.]+)"', html))
    # A module may be without a heading.
    assert {name for name in shown() if not any(f"{each}.".startswith(f"{name}.") for each in anchors)} == set()


def results(window: WebDriver, site: str, words: str) -> list[str]:
    """The addresses that the search finds for all of the words; none of those for their beginning."""
    window.get(f"{site}/index.html")
    window.execute_script(TYPE, words)
    eventually(window, lambda: re.search(r"\d+ matching|No matching", window.execute_script(HEAD)))
    found: list[str] = window.execute_script(RESULTS)
    return found


def test_search_finds_a_word_in_brackets(window: WebDriver, site: str) -> None:
    assert any("how-to/sandbox.html" in each for each in results(window, site, "CORS"))


@pytest.mark.parametrize(("words", "page"), [("stream resume", "how-to/streams.html")])
def test_search_finds_the_guide_first(window: WebDriver, site: str, words: str, page: str) -> None:
    assert page in results(window, site, words)[0]


def test_first_program_fits_the_page_of_a_small_laptop(window: WebDriver, site: str) -> None:
    window.set_window_size(1280, 900)
    window.get(f"{site}/index.html")
    sizes = (
        "const { scrollWidth, clientWidth } = document.querySelector('pre > code'); return [scrollWidth, clientWidth]"
    )
    scrolled, shown = window.execute_script(sizes)
    assert scrolled <= shown


def test_each_picture_is_of_the_chosen_scheme(window: WebDriver, site: str) -> None:
    window.get(f"{site}/index.html")
    for scheme, picture in (("slate", "chat-dark.webp"), ("default", "chat-light.webp")):
        window.execute_script("document.body.dataset.mdColorScheme = arguments[0]", scheme)
        source = "const image = document.querySelector('picture img'); return image.loading && image.currentSrc"
        eventually(window, lambda: window.execute_script(source).endswith(picture))  # noqa: B023


def test_search_shows_the_page_that_answers_a_question_among_the_first_three(window: WebDriver, site: str) -> None:
    missed = []
    for question, page, _ in QUESTIONS:
        found = [each.partition(".html")[0].rpartition(site)[2] for each in results(window, site, question)]
        if not any(each.endswith(page) for each in list(dict.fromkeys(found))[:3]):
            missed.append(question)
    assert len(missed) <= len(QUESTIONS) // 10, missed


@pytest.mark.parametrize("page", PAGES)
def test_site_has_no_accessibility_violation(
    request: pytest.FixtureRequest, window: WebDriver, site: str, page: str
) -> None:
    looks = Looks(request, "site")
    window.execute_script("localStorage.clear()")  # the theme keeps the scheme of the first page
    window.get(f"{site}/{page}.html")
    # A colour that is on its way to another would be measured.
    window.execute_script(STILL)
    looks.check(window, page.replace("/", "-"))


def test_long_page_of_the_reference_is_folded_and_opens_at_the_address_of_a_class(window: WebDriver, site: str) -> None:
    window.set_window_size(500, 900)
    window.get(f"{site}/reference/models.html")
    height = window.execute_script("return document.documentElement.scrollHeight")
    assert height < 15_000
    window.get(f"{site}/reference/models.html#interactor_client.models.Assistant")
    opened = "return [...document.querySelectorAll('details.fold[open] h2')].map((each) => each.id)"
    assert eventually(window, lambda: window.execute_script(opened)) == ["interactor_client.models.Assistant"]
