"""Parsing of `Deprecation`, `Sunset` and `Link` headers, and the warnings that come of them."""

from __future__ import annotations

import json
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import interactor_ext._engine.deprecation as module
from interactor_client.api.assistants import list_assistants
from interactor_ext._engine.deprecation import warn_if_deprecated
from interactor_ext._engine.responses.status_error import status_error
from interactor_ext.deprecation import Deprecation, InteractorDeprecationWarning, on_deprecation, parse_deprecation
from tests.support.modes import opened, sync_and_async
from tests.support.scripted_server import settings_of

ROWS = json.loads(Path(__file__).with_suffix(".json").read_text())

JUNE_30 = datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("value", "date"),
    [
        # RFC 9745 section 2.1, and the same as an item with parameters
        ("@1688169599", JUNE_30),
        ("@1688169599;note=1", JUNE_30),
        ('@1688169599 ; note="a, b; c"', JUNE_30),
        ("  @1688169599\t", JUNE_30),
        ("@0", utc(1970, 1, 1)),
        ("@-1", utc(1969, 12, 31, 23, 59, 59)),
        # The seed of the platform, and drafts of the RFC
        ("true", None),
        ("TRUE", None),
        ("?1", None),
        ('?1;note="a"', None),  # RFC 9651: any item may have parameters
        ("?1 ; note", None),
        ("Fri, 30 Jun 2023 23:59:59 GMT", JUNE_30),
        ("Sun, 30 Jun 2023 23:59:59 GMT", JUNE_30),  # a Friday, in truth
        ("Friday, 30-Jun-23 23:59:59 GMT", JUNE_30),
        ("Fri Jun 30 23:59:59 2023", JUNE_30),
        ("fri, 30 jun 2023 23:59:59 gmt", JUNE_30),
    ],
)
def test_deprecation_header_in_every_form_is_parsed(value: str, date: datetime | None) -> None:
    assert parse_deprecation({"Deprecation": value}) == Deprecation(date)


@pytest.mark.parametrize(
    "value",
    [*ROWS["malformed"], "\udcff"],
)
def test_malformed_deprecation_header_is_ignored(value: str) -> None:
    assert parse_deprecation({"Deprecation": value}) is None
    sunset = {"Deprecation": value, "Sunset": "Tue, 01 Jul 2025 00:00:00 GMT"}
    assert parse_deprecation(sunset) == Deprecation(None, utc(2025, 7, 1))


@pytest.mark.parametrize(
    ("value", "sunset"),
    [
        ("Sat, 31 Dec 2018 23:59:59 GMT", utc(2018, 12, 31, 23, 59, 59)),  # RFC 8594; a Monday, in truth
        ("Sun, 30 Jun 2024 23:59:59 UTC", utc(2024, 6, 30, 23, 59, 59)),  # RFC 9745, against the grammar of RFC 9110
        ("Sat, 01 Jul 2025 00:00:00 GMT", utc(2025, 7, 1)),  # the seed of the platform
        ("soon", None),
    ],
)
def test_sunset_header_is_parsed(value: str, sunset: datetime | None) -> None:
    expected = None if sunset is None else Deprecation(None, sunset)
    assert parse_deprecation({"Sunset": value}) == expected
    assert parse_deprecation({"Deprecation": "true", "Sunset": value}) == Deprecation(None, sunset)


@pytest.mark.parametrize(
    ("value", "link"),
    ROWS["links"],
)
def test_link_header_is_parsed(value: str, link: str | None) -> None:
    expected = None if link is None else "https://developer.example.com/deprecation"
    assert parse_deprecation({"Deprecation": "true", "Link": value}) == Deprecation(link=expected)
    assert parse_deprecation({"Link": value}) is None  # a link alone deprecates nothing


def test_deprecation_and_sunset_links_are_found_in_several_headers_and_in_one_link() -> None:
    headers = httpx.Headers(
        [
            ("deprecation", "garbage"),
            ("DEPRECATION", "@1688169599"),
            ("link", '<https://a.example/1,2>; rel="deprecation"'),
            ("link", '<../sunset?a=1>; rel="sunset"'),
        ]
    )
    found = parse_deprecation(headers, base_url="https://core.example/api/v1/assistants")
    assert found == Deprecation(JUNE_30, None, "https://a.example/1,2", "https://core.example/api/sunset?a=1")
    both = parse_deprecation([("Deprecation", "true"), ("Link", '</end>; rel="sunset deprecation"')])
    assert both == Deprecation(None, None, "/end", "/end")
    broken = {"Deprecation": "true", "Link": "<http://[>;rel=deprecation"}
    assert parse_deprecation(broken, base_url="https://a.example") == Deprecation()


header_text = st.text(st.characters(codec="latin-1"), max_size=60) | st.text(
    st.sampled_from('<>;,="\\@ true1688relsunsetdeprecation/:GMT'), max_size=60
)


# The first run in a fresh checkout makes Hypothesis's table of Unicode, which takes it longer than it allows itself.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["Deprecation", "Sunset", "Link"]), header_text | st.text(max_size=20)))
def test_parser_raises_for_no_input(headers: dict[str, str]) -> None:
    found = parse_deprecation(headers, base_url="https://core.example/api/v1/assistants")
    assert found is None or module.describe(found)


def answer(path: str = "/assistants", *, status: int = 200, **headers: str) -> httpx.Response:
    operation = list_assistants.OPERATION._replace(path=path)
    request = httpx.Request(
        "GET", f"https://core.example/api/v1{path}?token=t0ps3cret", extensions={"operation": operation}
    )
    return httpx.Response(status, headers=headers, request=request, json={})


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_warned", {})
    monkeypatch.setattr(module, "_hooks", [])


def test_deprecated_operation_warns_once_a_process() -> None:
    told: list[Any] = []
    on_deprecation(lambda operation, deprecation: told.append((operation, deprecation)))
    warn_if_deprecated(answer())
    warn_if_deprecated(answer(deprecation="garbage"))
    dated = answer(deprecation="@1688169599", sunset="Tue, 01 Jul 2025 00:00:00 GMT", link="</v2>; rel=deprecation")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for response in (dated, dated, answer("/rooms", deprecation="true"), dated):
            warn_if_deprecated(response)
    first, second = (str(warning.message) for warning in caught)
    assert all(word in first for word in ("GET /assistants", "2023-06-30", "2025-07-01", "https://core.example/v2"))
    assert "GET /rooms" in second
    assert {warning.category for warning in caught} == {InteractorDeprecationWarning}
    assert caught[0].filename == __file__
    assert [operation for operation, _ in told] == ["GET /assistants", "GET /rooms"]
    assert told[0][1].sunset == utc(2025, 7, 1)


@pytest.mark.filterwarnings("ignore::interactor_ext.deprecation.InteractorDeprecationWarning")
def test_concurrent_calls_of_deprecated_operation_warn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    on_deprecation(lambda operation, _: told.append(operation))
    meeting = threading.Barrier(4)
    parse = module.parse_deprecation

    def parse_together(*args: Any, **settings: Any) -> Deprecation | None:
        # Here, all have seen that nobody had met the operation.
        meeting.wait(60)
        return parse(*args, **settings)

    monkeypatch.setattr(module, "parse_deprecation", parse_together)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(warn_if_deprecated, [answer(deprecation="true") for _ in range(4)]))
    assert told == ["GET /assistants"]


@pytest.mark.filterwarnings("ignore::interactor_ext.deprecation.InteractorDeprecationWarning")
def test_operation_outside_the_contract_warns_once_for_all_ids() -> None:
    told: list[str] = []
    on_deprecation(lambda operation, _: told.append(operation))
    for number in range(10):
        for path in (f"things/{number}", f"things/thing_{number}x/parts"):
            request = httpx.Request("GET", f"https://core.example/api/v1/beta/{path}")
            warn_if_deprecated(httpx.Response(200, headers={"deprecation": "true"}, request=request))
    assert told == ["GET /api/v1/beta/things/{id}", "GET /api/v1/beta/things/{id}/parts"]


def test_failing_deprecation_hook_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @on_deprecation
    def fail(operation: str, deprecation: Deprecation) -> None:
        raise RuntimeError("no")

    with pytest.warns(InteractorDeprecationWarning):
        warn_if_deprecated(answer(deprecation="true"))
    assert "GET /assistants is deprecated." in caplog.text
    assert "RuntimeError: no" in caplog.text


def test_gone_error_names_the_sunset_date() -> None:
    error = status_error(answer(status=410, sunset="Tue, 01 Jul 2025 00:00:00 GMT", link="</v2>; rel=sunset"))
    assert "2025-07-01" in str(error)
    assert "https://core.example/v2" in str(error)
    assert str(status_error(answer(status=410))).endswith("(GET /assistants: 410 GONE).")


class DeprecatedTokens(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/oauth/token")
        return httpx.Response(200, headers={"deprecation": "true"}, json={"access_token": "t", "expires_in": 900})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


@pytest.mark.filterwarnings("error::interactor_ext.deprecation.InteractorDeprecationWarning")
@sync_and_async
async def test_deprecation_warning_turned_into_error_is_raised_unchanged(mode: str) -> None:
    async with opened(mode, settings_of("https://core.test", transport=DeprecatedTokens())) as client:
        with pytest.raises(InteractorDeprecationWarning):
            await client.assistants.list()
