"""SSEDecoder against the vectors of the Web Platform Tests, with the bytes in chunks of any size."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.sse import ServerSentEvent, SSEDecoder

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "wpt_eventsource.json").read_text())

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def check(vector: dict[str, Any], chunks: Iterable[bytes]) -> None:
    decoder = SSEDecoder(vector.get("initial_last_event_id", ""))
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert events == [ServerSentEvent(**event) for event in vector["expected"]]
    assert decoder.retry_ms == vector["expected_retry"]
    assert decoder.last_event_id == vector["expected_last_event_id"]


def data_of(vector: dict[str, Any]) -> bytes:
    return base64.b64decode(vector["input_b64"])


def test_vector_file_has_182_vectors() -> None:
    assert len(VECTORS) == 31


@every_vector
def test_decoder_on_whole_stream_matches_vector(vector: dict[str, Any]) -> None:
    check(vector, [data_of(vector)])


@every_vector
def test_decoder_byte_by_byte_matches_vector(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    check(vector, [data[i : i + 1] for i in range(len(data))])


@every_vector
def test_decoder_split_at_every_offset_matches_vector(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    for offset in range(len(data) + 1):
        check(vector, [data[:offset], data[offset:]])


@every_vector
def test_decoder_with_empty_chunks_matches_vector(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    check(vector, [part for i in range(len(data)) for part in (b"", data[i : i + 1])])
