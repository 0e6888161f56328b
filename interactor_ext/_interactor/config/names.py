"""Finds the setting that is meant by a wrong keyword or environment variable."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

_OF_THE_CLIENT = ("transport", "token_store", "retry_policy", "rate_limiter", "circuit_breaker", "telemetry")
# As variables, these may well be the application's own.
_TOO_COMMON = ("host", "server", "mode", "stage", "sandbox", "test_mode")
_WITHOUT_SETTING = ("webhook_secret", "log")
_PREFIX = "INTERACTOR_"


def unknown_setting(name: str, settings: Collection[str]) -> TypeError:
    """The error for a keyword that is none of `settings`."""
    names = [*settings, *_OF_THE_CLIENT]
    meant = _other_name(name, "settings", "settings.keywords") or _similar(name, names, 0.7)
    advice = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
    if name in _OF_THE_CLIENT:
        advice = f"pass it to the client, as in InteractorClient(config, {name}=...)"
    return TypeError(f"There is no setting {name!r}: {advice}")


def unread_variables(variables: Mapping[str, str], given: Collection[str]) -> list[str]:
    """A problem for each variable that nobody reads and that looks like that of a setting that nobody gave.

    `variables` are those of the settings. Others may belong to the application.
    """
    problems = []
    for variable in os.environ:
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name in (*variables, *_WITHOUT_SETTING, *_TOO_COMMON):
            continue
        meant = _other_name(name, "settings") or _similar(name, [*variables, *_WITHOUT_SETTING], 0.8) or ""
        missing = [each for each in meant.split(" and ") if each in variables and each not in given]
        if missing and os.environ[variable].strip():
            right, keywords = (" and ".join(each) for each in ([variables[one] for one in missing], missing))
            problems.append(
                f"{variable} is set, but nothing reads it: did you mean {right}? Rename it; if it is your "
                f"application's own, set {right} as well, or pass {keywords}"
            )
    return problems


def _other_name(name: str, *sections: str) -> str | None:
    """What is meant by what other SDKs call a setting."""
    from interactor_client.advice import hint

    found = hint([("interactor_ext", section) for section in sections], name)
    return found and found.text


def _similar(name: str, names: Collection[str], cutoff: float) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1, cutoff=cutoff)), None)
