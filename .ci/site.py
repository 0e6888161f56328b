"""What the site's build adds to the pages: for its search, the words of docs/keywords.toml."""

import tomllib
from pathlib import Path
from typing import Any

WORDS = tomllib.loads((Path(__file__).parents[1] / "docs" / "keywords.toml").read_text(encoding="utf-8"))


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    page.meta["tags"] = WORDS.get(page.file.src_uri.removesuffix(".md"), "").split()
    return markdown
