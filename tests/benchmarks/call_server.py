"""Answers with one assistant, a page of twenty or a token, as fast as Python can; prints its port.

What it sends, and has the client send, is what the platform does: headers are read and checked one by one on each call.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TIME = "2026-01-01T00:00:00Z"
ASSISTANT = {
    "id": "asst_1",
    "name": "Support Bot",
    "model": "gpt-4",
    "system_prompt": "You are helpful.",
    "tools": [],
    "data_sources": [],
    "created_at": TIME,
    "updated_at": TIME,
}
ACCESS_TOKEN = ".".join("e" * length for length in (91, 440, 342))
"""As long as a JWT that is signed by RS256."""
TOKEN = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 86400}
HEADERS = (
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    "X-Request-Id: req_ba6cead879ba99355f8d\r\nX-RateLimit-Limit: 600\r\nX-RateLimit-Remaining: 542\r\n"
    "X-RateLimit-Reset: 1767225600\r\nX-RateLimit-Scope: namespace\r\nContent-Length: {}\r\n\r\n"
)
META = {"total": 200, "page": 1, "per_page": 20, "total_pages": 10, "has_more": True}


def answer(data: object, **beside: object) -> bytes:
    body = json.dumps({"data": data, **beside})
    return (HEADERS.format(len(body)) + body).encode()


class Server(asyncio.Protocol):
    assistant, token, page = answer(ASSISTANT), answer(TOKEN), answer([ASSISTANT] * 20, meta=META)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            head, _, self.pending = self.pending.partition(b"\r\n\r\n")
            if head.startswith(b"POST"):
                self.pending = b""  # its body, which a client of this benchmark sends along with the headers or alone
                self.transport.write(self.token)
            elif b"GET /api/v1/assistants HTTP" in head:
                self.transport.write(self.page)
            else:
                self.transport.write(self.assistant)


@contextmanager
def serving() -> Iterator[str]:
    """The server in a process of its own, as the URL of both of the platform's servers."""
    with subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/api/v1"
        finally:
            process.kill()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
