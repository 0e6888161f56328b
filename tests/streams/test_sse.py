"""SSEDecoder: rules that the vectors do not cover, its bounds for any bytes, and linear time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interactor_ext import StreamError
from interactor_ext.sse import EventTooLargeError, ServerSentEvent, SSEDecoder
from tests.support.linear_time import assert_linear_time

BOM = "\ufeff".encode()


def decode(chunks: Iterable[bytes]) -> tuple[list[ServerSentEvent], str, int | None]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry_ms


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(min(offset, len(data)) for offset in offsets), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


# Pieces that make interesting streams; a hit of plain random bytes on a field name would be a rare one.
pieces = st.sampled_from(
    [b"data", b"event", b"id", b"retry", b"Data", b"da", b"ta", b":", b": ", b" ", b"  ", b"\n", b"\r", b"\r\n",
     b"\n\n", b"\r\r", b"\r\n\r\n", b"\0", b"1", b"250", b"x", BOM, BOM[:1], BOM[1:],
     "é…😀".encode(), "😀".encode()[:3], b"\xff", b"\xc3", b"\xe2\x80", b"\x85", b"\x0b", b"\x0c", b"\x1c",
     "\u2028".encode(), "٣".encode()]
)  # fmt: skip
streams = st.lists(pieces | st.binary(max_size=3), max_size=60).map(b"".join)
offsets = st.lists(st.integers(0, 200), max_size=12)


def outcome(chunks: Iterable[bytes], limit: int) -> tuple[list[ServerSentEvent], bool]:
    decoder = SSEDecoder(max_event_size=limit)
    events: list[ServerSentEvent] = []
    for chunk in chunks:
        try:
            events += decoder.feed(chunk)
        except EventTooLargeError as error:
            events += error.events
            with pytest.raises(EventTooLargeError):
                decoder.feed(b"\n\n")
            return events, True
    return events, False


@given(streams, offsets, st.integers(0, 40))
@example(BOM, [1], 0)
@example(BOM + b"data", [1, 2, 3], 4)
def test_max_event_size_does_not_depend_on_the_chunks(stream: bytes, cuts: list[int], limit: int) -> None:
    whole = outcome([stream], limit)
    assert outcome(cut(stream, cuts), limit) == whole
    assert outcome((stream[i : i + 1] for i in range(len(stream))), limit) == whole


@given(st.binary(max_size=300), st.text(max_size=5))
def test_no_bytes_make_the_decoder_raise(stream: bytes, last_event_id: str) -> None:
    SSEDecoder(last_event_id).feed(stream)


@pytest.mark.parametrize(
    ("bad", "replaced"),
    [
        (b"\xff", 1),
        (b"\xe2\x80", 1),
        (b"\xf0\x9f\x98", 1),
        (b"\xc0\xaf", 2),
        (b"\xf0\x80\x80", 3),
        (b"\xed\xa0\x80", 3),
        (b"\xf4\x90\x80\x80", 4),
    ],
)  # https://encoding.spec.whatwg.org/#utf-8-decoder: one replacement for each longest start of a sequence
def test_invalid_utf_8_is_replaced(bad: bytes, replaced: int) -> None:
    [event] = SSEDecoder().feed(b"event: " + bad + b"\nid: " + bad + b"\ndata: " + bad + b"\ndata: x\n\n")
    assert event == ServerSentEvent("\ufffd" * replaced, "\ufffd" * replaced + "\nx", "\ufffd" * replaced)


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"], ids=repr)
def test_event_is_returned_as_soon_as_its_last_line_ends(ending: bytes) -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1" + ending) == []
    assert decoder.feed(ending[:1]) == [ServerSentEvent("message", "1", "")]
    assert decoder.feed(ending[1:] + b"data: 2" + ending + ending) == [ServerSentEvent("message", "2", "")]


def test_unfinished_event_changes_nothing_but_retry() -> None:
    decoder = SSEDecoder("before")
    assert decoder.feed(b"event: e\nid: after\nretry: 7\ndata: x\n") == []
    assert (decoder.last_event_id, decoder.retry_ms) == ("before", 7)


def test_block_without_data_sets_the_id_and_resets_the_type() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"event: e\nid: 5\n\ndata: x\n\n") == [ServerSentEvent("message", "x", "5")]


def test_blocks_distinguish_own_and_inherited_ids() -> None:
    blocks = SSEDecoder("0").feed_blocks(
        b"data: a\n\nid: 1\ndata: b\n\ndata: c\n\nid: 2\n\ndata: d\n\nid:\ndata: e\n\n"
    )
    assert [(sent.data, sent.id, has_own_id) for sent, has_own_id in blocks] == [
        ("a", "0", False),
        ("b", "1", True),
        ("c", "1", False),
        ("d", "2", True),
        ("e", "", True),
    ]


@pytest.mark.parametrize(
    ("value", "retry_ms"),
    [
        ("0", 0),
        ("007", 7),
        ("0" * 5000 + "9", 9),
        ("1" + "0" * 400, 10**400),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        (" 1", None),
        ("1 ", None),
        ("\u0661", None),
        ("\u00b2", None),
        ("", None),
    ],
)
def test_retry_accepts_ascii_digits_only(value: str, retry_ms: int | None) -> None:
    assert decode([f"retry: {value}\n\n".encode()]) == ([], "", retry_ms)


def test_default_max_event_size_is_16_mib() -> None:
    head, tail = b"data: ", b"\n\n"
    size = 16 * 1024 * 1024
    [event] = SSEDecoder().feed(head + b"x" * (size - 7) + tail)
    assert len(event.data) == size - 7
    with pytest.raises(StreamError, match="larger than 16777216 bytes"):
        SSEDecoder().feed(head + b"x" * size)


@pytest.mark.parametrize("endless", [b"x", b"data: x\n", b"data\n", b": "], ids=repr)
def test_event_that_never_ends_raises_event_too_large(endless: bytes) -> None:
    decoder = SSEDecoder(max_event_size=10_000)
    assert [decoder.feed(endless) for _ in range(1000)] == [[]] * 1000
    with pytest.raises(EventTooLargeError, match="larger than 10000 bytes"):
        decoder.feed(endless * 10_000)


def test_endless_comments_and_empty_blocks_do_not_count_toward_the_size() -> None:
    decoder = SSEDecoder(max_event_size=100)
    for _ in range(1000):
        assert decoder.feed(b": keepalive\n\r\n:\nfoo: bar\n\nid: 1\n") == []


def test_events_before_a_too_large_one_are_kept() -> None:
    with pytest.raises(EventTooLargeError) as caught:
        SSEDecoder(max_event_size=20).feed(b"id: 1\ndata: a\n\ndata: b\n\ndata: " + b"x" * 20)
    assert caught.value.events == [ServerSentEvent("message", "a", "1"), ServerSentEvent("message", "b", "1")]


@pytest.mark.parametrize("size", [1, 512], ids="chunks of {}".format)
@pytest.mark.parametrize("unit", [b"x", b"data: x\n"], ids=["one endless line", "one endless event"])
def test_decoding_time_is_linear_in_the_bytes(unit: bytes, size: int) -> None:
    def task(times: int) -> Callable[[], object]:
        stream = b"data: " + unit * (times // len(unit))
        return lambda: feed(stream, size)

    assert_linear_time(task, 2_000 * min(size, 16))


def feed(stream: bytes, size: int) -> None:
    decoder = SSEDecoder()
    for start in range(0, len(stream), size):
        decoder.feed(stream[start : start + size])
