"""Serves one long answer as a stream, in our events or in OpenAI's, to whoever asks; prints its port.

One write holds several events, as when a model is faster than the network's next packet; each event is an HTTP chunk of
its own where `?chunked`, as servers send what they get one at a time.
"""

from __future__ import annotations

import json
import socket
import sys

EVENTS = 5000
_PER_WRITE = 50
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def ours() -> list[bytes]:
    events = [{"type": "message.delta", "content": f"token {number} "} for number in range(EVENTS)]
    texts = [json.dumps(event, separators=(",", ":")) for event in [*events, {"type": "done"}]]
    return [f"id: {number}\ndata: {text}\n\n".encode() for number, text in enumerate(texts, 1)]


def openais() -> list[bytes]:
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4"}
    events = [
        {**common, "choices": [{"index": 0, "delta": {"content": f"token {number} "}, "finish_reason": None}]}
        for number in range(EVENTS)
    ]
    texts = [json.dumps(event, separators=(",", ":")) for event in events]
    return [f"data: {text}\n\n".encode() for text in [*texts, "[DONE]"]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def body(events: list[bytes], *, one_by_one: bool) -> list[bytes]:
    writes = [events[start : start + _PER_WRITE] for start in range(0, len(events), _PER_WRITE)]
    if one_by_one:
        return [b"".join(chunk(event) for event in write) for write in writes]
    return [chunk(b"".join(write)) for write in writes]


def main() -> None:
    bodies = {
        (name, one_by_one): b"".join([_HEAD, *body(events, one_by_one=one_by_one), b"0\r\n\r\n"])
        for name, events in (("ours", ours()), ("openai", openais()))
        for one_by_one in (False, True)
    }
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        sock, _ = listener.accept()
        with sock:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(65536)
            target = head.split(b" ", 2)[1]
            length = int(
                next((line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b"0")
            )
            unread = length - len(head.partition(b"\r\n\r\n")[2])
            while unread > 0:
                unread -= len(sock.recv(65536))
            name = "openai" if b"completions" in target else "ours"
            sock.sendall(bodies[name, b"chunked" in target])


if __name__ == "__main__":
    main()
