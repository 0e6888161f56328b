"""What a name that doesn't exist may mean: by the table `interactor_ext/hints.txt`, or by words that mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

# Other clients' words for ours.
_OTHER_WORDS = {
    "get": "retrieve fetch find read show describe load",
    "list": "query",
    "send": "create post add",
    "start": "create run execute launch",
    "create": "add new insert",
    "update": "edit modify patch change",
    "delete": "remove revoke destroy",
    "cancel": "delete stop abort",
    "aclose": "close",
}


class Hint(NamedTuple):
    """What was meant: our names, one of which exists (`write`), or what to do instead."""

    text: str
    is_name: bool


@cache
def hints() -> dict[str, dict[str, Hint]]:
    """The table, by section: `guess guess = our name`, or `guess guess: what to do`."""
    table: dict[str, dict[str, Hint]] = {}
    section: dict[str, Hint] = {}
    try:
        lines = files("interactor_ext").joinpath("hints.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ImportError):
        return table
    for line in lines:
        if line.startswith("["):
            section = table.setdefault(line[1:-1], {})
        elif found := re.match(r"([\w. ]+?)( =|:) (.+)", line):
            guesses, sign, text = found.groups()
            section |= dict.fromkeys(map(snake, guesses.split()), Hint(text, sign == " ="))
    return table


def hint(sections: Iterable[str], name: str) -> Hint | None:
    """The first hint for a name, in sections of the table."""
    wanted = snake(name)
    return next((found for each in sections if (found := hints().get(each, {}).get(wanted))), None)


def meant_by(wanted: frozenset[str], names: Mapping[str, str], resources: Mapping[str, str]) -> str | None:
    """The name with these words, or with one of them translated into ours; otherwise the shortest that has more
    words."""
    ours_and_theirs = [*_OTHER_WORDS.items(), *resources.items()]
    said = [(words_of(word), words_of(other)) for word, others in ours_and_theirs for other in others.split()]
    ours = [wanted - other | word for word, other in said if other <= wanted]
    exact = [each for words in (wanted, *ours) for each in names if words == words_of(each)]
    longer = [each for words in (wanted, *ours) if len(words) > 1 for each in names if words < words_of(each)]
    return exact[0] if exact else min(longer, key=len, default=None)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", name).lower()


@lru_cache(1024)
def words_of(name: str) -> frozenset[str]:
    """Split a name into words. `createAssistant` and `create_assistants` have the same."""
    return frozenset(word.removesuffix("s") for word in snake(name).split("_") if word)
