"""What a typed event of a stream costs, beside openai-python's typed stream and bare httpx, over one server.

Two ways of sending: several events in a chunk of HTTP, and a chunk for each event. In the second, httpx and h11 take
most of the time whoever reads.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from interactor_client.api.rooms import stream_room
from interactor_ext._engine.streams.stream import Stream
from interactor_ext._interactor.views.http import event_reader
from interactor_ext.retry import RetryPolicy
from interactor_ext.sse import SSEDecoder
from interactor_ext.transports import Transport
from tests.benchmarks.measure import cpu_medians, report
from tests.benchmarks.stream_server import EVENTS, ours
from tests.support.stream_reader import StreamClient

OURS, OPENAI, BARE = "interactor_ext, typed events", "openai-python, typed events", "httpx, bytes alone"


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.stream_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def rivals(url: str, room: str) -> dict[str, Callable[[], None]]:
    """Readers of the same stream, each to its end. openai-python takes part where it is installed."""
    client = StreamClient(base_url=url, transport=Transport(trust_env=False))

    def read_ours() -> None:
        reader = event_reader("StreamEvent")
        with Stream[Any](client, stream_room._get_kwargs(room), reader, policy=RetryPolicy()) as stream:
            assert sum(1 for _ in stream) == EVENTS

    def read_bytes() -> None:
        with client.stream("GET", f"/rooms/{room}/stream") as response:
            assert sum(len(chunk) for chunk in response.iter_raw())

    found: dict[str, Callable[[], None]] = {OURS: read_ours, BARE: read_bytes}
    if importlib.util.find_spec("openai") is not None:
        import openai

        theirs = openai.OpenAI(api_key="none", base_url=f"{url}/{room}")

        def read_theirs() -> None:
            messages: Any = [{"role": "user", "content": "Hello!"}]
            stream = theirs.chat.completions.create(model="gpt-4", messages=messages, stream=True)
            assert sum(1 for _ in stream) == EVENTS

        found[OPENAI] = read_theirs
    return found


def stream_ratios(room: str, title: str) -> dict[str, float]:
    """CPU time of each reader over ours."""
    with server() as url:
        medians = cpu_medians(rivals(url, room))
    return report(f"stream of {EVENTS} events, {title} (an event)", medians, calls=EVENTS, against=OURS)


def decoder_ratios() -> dict[str, float]:
    """CPU time of the decoder by the size of what it is fed, over one feed of everything."""
    stream = b"".join(ours())

    def feed(size: int) -> Callable[[], None]:
        def run() -> None:
            decoder = SSEDecoder()
            for start in range(0, len(stream), size):
                decoder.feed(stream[start : start + size])

        return run

    medians = cpu_medians({f"chunks of {size} bytes": feed(size) for size in (65536, 4096, 64, 1)})
    return report("SSEDecoder (an event)", medians, calls=EVENTS, against="chunks of 65536 bytes")


def run() -> None:
    decoder_ratios()
    stream_ratios("batched", "50 in an HTTP chunk")
    stream_ratios("chunked", "one in an HTTP chunk")
