"""The decoders, of Python and of the browser, against the vectors of the Web Platform Tests, in chunks of any size."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.sse import ServerSentEvent, SSEDecoder
from tests.support.node import STATIC, run_script

FILE = Path(__file__).parent / "wpt_eventsource.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())
# Decodes each stream of a file whole, byte by byte, cut in two at every place, and with empty chunks between. Says one
# line for each way that differs from what is expected, and the number of ways at the end.
BROWSER = f"""
import {{ deepEqual }} from "node:assert/strict";
import {{ readFileSync }} from "node:fs";
import {{ SSEDecoder }} from "{(STATIC / "interactor-stream.js").as_uri()}";
let ways = 0;
for (const vector of JSON.parse(readFileSync(process.argv[1]))) {{
  const data = Buffer.from(vector.input_b64, "base64");
  const bytes = [...data].map((byte) => Uint8Array.of(byte));
  const cut = [...data.keys()].map((place) => [data.subarray(0, place), data.subarray(place)]);
  for (const chunks of [[data], bytes, bytes.flatMap((byte) => [new Uint8Array(), byte]), ...cut]) {{
    const decoder = new SSEDecoder(vector.initial_last_event_id);
    const events = chunks.flatMap((chunk) => [...decoder.feed(chunk)]);
    try {{
      deepEqual(events.map(({{ event, data, id }}) => ({{ event, data, id }})), vector.expected);
      deepEqual(decoder.retry ?? null, vector.expected_retry);
      deepEqual(decoder.lastEventId, vector.expected_last_event_id);
    }} catch (error) {{
      say([vector.name, chunks.length, error.message]);
    }}
    ways += 1;
  }}
}}
say(ways);
"""


def data_of(vector: dict[str, Any]) -> bytes:
    return base64.b64decode(vector["input_b64"])


def test_decoder_matches_vector_in_chunks_of_every_size(subtests: pytest.Subtests) -> None:
    for vector in VECTORS:
        with subtests.test(vector["name"]):
            data = data_of(vector)
            single = [data[i : i + 1] for i in range(len(data))]
            with_empty = [part for byte in single for part in (b"", byte)]
            for chunks in ([data], single, with_empty, *([data[:i], data[i:]] for i in range(len(data) + 1))):
                decoder = SSEDecoder(vector.get("initial_last_event_id", ""))
                events = [event for chunk in chunks for event in decoder.feed(chunk)]
                assert events == [ServerSentEvent(**event) for event in vector["expected"]]
                assert decoder.retry_ms == vector["expected_retry"]
                assert decoder.last_event_id == vector["expected_last_event_id"]


def test_decoder_of_the_browser_matches_every_vector() -> None:
    assert run_script(BROWSER, str(FILE)) == [sum(len(data_of(vector)) + 3 for vector in VECTORS)]


def test_decoder_of_the_browser_agrees_with_that_of_python_on_mixed_streams(tmp_path: Path) -> None:
    pieces = [b"data", b"id", b"event", b"retry", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"12", b"\0"]
    pieces += ["ü€😀\u2028\x85\ufeff".encode(), b"\xff", b"\xf0\x9f", b"x", b"data:", b"\ndata: ", b"\nid: "]
    draw = random.Random(13)
    vectors = []
    for number in range(300):
        data = b"".join(draw.choices(pieces, k=draw.randrange(1, 40)))
        decoder = SSEDecoder("before")
        vector: dict[str, Any] = {"name": str(number), "initial_last_event_id": "before"}
        vector["input_b64"] = base64.b64encode(data).decode()
        vector["expected"] = [event._asdict() for event in decoder.feed(data)]
        vector["expected_retry"] = decoder.retry_ms
        vector["expected_last_event_id"] = decoder.last_event_id
        vectors.append(vector)
    assert sum(len(vector["expected"]) for vector in vectors) > 100
    file = tmp_path / "mixed.json"
    file.write_text(json.dumps(vectors))
    assert len(run_script(BROWSER, str(file))) == 1
