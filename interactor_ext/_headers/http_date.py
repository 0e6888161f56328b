"""Parses HTTP dates in the three forms that a recipient must accept.

https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_FORMS = (
    rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",  # IMF-fixdate
    rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",  # rfc850-date
    rf"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",  # asctime-date
)


def parse_http_date(text: str, *, now: float) -> float | None:
    """Unix time in seconds, or None for what is no such date. `now` places the two-digit year of the second form."""
    for form in _FORMS:
        if match := re.fullmatch(form, text, re.IGNORECASE):
            return _unix(match.groupdict(), now)
    return None


def _unix(part: dict[str, str], now: float) -> float | None:
    year, month, second = int(part["year"]), _MONTHS.index(part["month"].lower()) + 1, int(part["second"])
    try:
        if len(part["year"]) == 2:
            # A year that seems more than 50 years ahead is the latest past year with the same digits.
            this_year = datetime.fromtimestamp(now, UTC).year
            year += this_year - this_year % 100 + 100
            while year > this_year + 50:
                year -= 100
        # The grammar allows the leap second 60; datetime does not.
        day = datetime(year, month, int(part["day"]), int(part["hour"]), int(part["minute"]), second - (second == 60))
    except (ValueError, OverflowError, OSError):
        return None
    return float(calendar.timegm(day.timetuple()))
