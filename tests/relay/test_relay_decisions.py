"""What the relay decides without a socket: ids, origins, limits."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_ext.relay._event_ids import END, EventIds, Numbering, Position
from interactor_ext.relay._http import Origin, Request, is_id, origin_of
from interactor_ext.relay._hub import Hub
from interactor_ext.relay._quota import Quota
from interactor_ext.relay._reader import HubOptions

IDS = EventIds("client secret", "user_1", "rooms", "room_1")
POSITIONS = st.builds(Position, st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.integers(0, 2**60))


@given(POSITIONS)
def test_id_is_read_as_it_was_made_by_any_process(position: Position) -> None:
    text = IDS.encode(position)
    assert EventIds("client secret", "user_1", "rooms", "room_1").decode(text) == position
    assert text.isascii()
    assert len(text) < 6000


@given(
    POSITIONS,
    st.sampled_from(
        [
            ("other", "user_1", "rooms", "room_1"),
            ("client secret", "user_2", "rooms", "room_1"),
            ("client secret", "user_1", "rooms", "room_2"),
            ("client secret", "user_1", "workflow_instances", "room_1"),
        ]
    ),
)
def test_id_of_another_secret_user_or_stream_is_none(position: Position, of: tuple[str, str, str, str]) -> None:
    assert EventIds(*of).decode(IDS.encode(position)) is None


@given(POSITIONS, st.data())
def test_changed_id_is_none(position: Position, data: st.DataObject) -> None:
    text = IDS.encode(position)
    place = data.draw(st.integers(0, len(text) - 2))
    changed = text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1 :]
    assert IDS.decode(changed) is None


@given(st.text(max_size=100))
def test_any_other_text_is_no_id(text: str) -> None:
    assert IDS.decode(text) is None


def test_id_does_not_show_what_it_holds() -> None:
    text = IDS.encode(Position("evt_platform_7", 1))
    assert "evt" not in text
    assert IDS.encode(END) != IDS.encode(Position("", 0))
    assert IDS.decode(IDS.encode(END)) == END


def request(origin: str | None, host: str = "app.example", scheme: str = "https") -> Request:
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    return Request("POST", scheme, "/", b"/", "", headers, {}, lambda limit: b"")


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "found"),
    [
        (None, "app.example", "https", Origin.UNSAID),
        ("https://app.example", "app.example", "https", Origin.OWN),
        ("https://APP.example", "app.example:443", "https", Origin.OWN),
        ("https://app.example:443", "app.example", "https", Origin.OWN),
        ("https://app.example", "app.example", "http", Origin.OWN),
        ("http://app.example", "app.example:80", "http", Origin.OWN),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http", Origin.OWN),
        ("http://[::1]:8000", "[::1]:8000", "http", Origin.OWN),
        ("http://app.example", "app.example", "https", Origin.FOREIGN),
        ("https://app.example:8443", "app.example", "https", Origin.FOREIGN),
        ("https://app.example.evil", "app.example", "https", Origin.FOREIGN),
        ("https://evil@app.example", "app.example", "https", Origin.FOREIGN),
        ("https://app.example, https://app.example", "app.example", "https", Origin.FOREIGN),
        ("null", "null", "https", Origin.FOREIGN),
        ("", "", "https", Origin.FOREIGN),
        ("https://", "", "https", Origin.FOREIGN),
        ("https://other.example", "app.example", "https", Origin.ALLOWED),
        ("http://other.example", "app.example", "https", Origin.FOREIGN),
    ],
)
def test_origin_is_own_allowed_or_foreign(origin: str | None, host: str, scheme: str, found: Origin) -> None:
    assert origin_of(request(origin, host, scheme), frozenset({"https://other.example"})) is found


@pytest.mark.parametrize("name", ["room_4Kd9", "7", "0b1c-4f", "a.b", "a~b:c", "a" * 128])
def test_plain_id_is_taken(name: str) -> None:
    assert is_id(name)


@given(st.text(max_size=20).filter(lambda text: any(c in text for c in "/\\%?#\n\r\0 ") or ".." in text))
def test_text_that_could_lead_elsewhere_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_writes_come_back_with_time() -> None:
    now = 100.0
    quota = Quota(60, 1, clock=lambda: now)
    assert [quota.count_write("a") for _ in range(20)] == [0.0] * 20
    assert 0 < quota.count_write("a") <= 1
    assert quota.count_write("b") == 0
    now += 1
    assert quota.count_write("a") == 0
    assert quota.count_write("a") > 0


def test_limits_of_many_namespaces_are_forgotten_once_they_are_full() -> None:
    now = 100.0
    quota = Quota(60, 1, clock=lambda: now)
    for number in range(10_000):
        quota.count_write(f"user_{number}")
    now += 1000
    quota.count_write("another")
    assert len(quota._writes) == 1


def test_events_of_one_id_are_told_apart_and_those_without_ids_belong_to_one_connection() -> None:
    numbering = Numbering()
    assert [numbering.next(each) for each in ("a", "b", "a")] == [Position("a", 1), Position("b", 1), Position("a", 2)]
    first, second = numbering.next(""), numbering.next("")
    assert second.number == first.number + 1
    assert Numbering().next("") != first


def test_ids_beyond_those_remembered_are_forgotten() -> None:
    numbering = Numbering()
    for number in range(5000):
        numbering.next(str(number))
    assert len(numbering._counts) <= 4096


async def test_reader_that_leaves_while_its_stream_opens_leaves_no_stream_that_catches_up() -> None:
    opened: list[str] = []
    closed: list[str] = []

    class Silent:
        """A stream of the platform on which nothing happens."""

        is_over = False
        resume_id = last_event_id = ""

        def __init__(self, after: str) -> None:
            self.after = after

        async def __aenter__(self) -> None:
            opened.append(self.after)
            await asyncio.sleep(0)

        async def next_or_gap(self) -> None:
            await asyncio.Event().wait()

        async def aclose(self) -> None:
            closed.append(self.after)

    hub = Hub(Silent, EventIds("secret", "user", "rooms", "room"), HubOptions(60, 60, 1000), lambda _: None)
    hub.start(None)
    joining = asyncio.create_task(hub.join(Position("7", 1), lambda: None))
    # In the turn of the loop in which the stream is open, and the reader not told yet.
    hub._opened.add_done_callback(lambda _: joining.cancel())
    with pytest.raises(asyncio.CancelledError):
        await joining
    for _ in range(20):
        await asyncio.sleep(0)
    assert opened.count("7") == closed.count("7")
    await hub.aclose()
