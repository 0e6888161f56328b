"""The uvicorn server of the sandbox: in a thread for tests, in the main thread for the command."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from interactor_ext.sandbox.http.connections import CuttableProtocol

# Seconds for responses in progress at shutdown, after the streams were closed. After that, connections are aborted,
# even if a client doesn't read.
GRACE = 0.5
# Seconds for tasks that continue after that, which shouldn't happen.
TASK_GRACE = 10
BACKLOG = 2048
# How many turns of the event loop pass until the server owns a connection that asyncio has accepted.
TURNS_OF_ACCEPT = 3
START_TIMEOUT = 30.0


class Server(uvicorn.Server):
    """Ends streams before waiting for connections at shutdown, where uvicorn itself would wait forever.

    `stop` takes effect at once; uvicorn itself only polls ten times a second, and waits as long at shutdown.
    """

    def __init__(self, app: ASGIApp, *, before_shutdown: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            # Based on h11, which uvicorn always installs, so a sandbox behaves the same on every machine.
            http=CuttableProtocol,
            ws="none",
            log_level="warning",
            # uvicorn's handlers would write to the current stderr, which a test may have captured and closed.
            log_config=None,
            # Access log lines would contain the query string, and with it a stream's token.
            access_log=False,
            # The sandbox sends the date of its own clock.
            date_header=False,
            timeout_graceful_shutdown=TASK_GRACE,
            # Longer than clients keep an idle connection (httpx: 5 s); otherwise the next request would use a closed
            # one.
            timeout_keep_alive=75,
        )
        super().__init__(config)
        self.ready: threading.Event = threading.Event()
        self._before_shutdown = before_shutdown
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Begin the shutdown, from any thread or signal handler."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, because the server ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        if not self.should_exit:
            await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_shutdown()
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for _ in range(TURNS_OF_ACCEPT):
            await asyncio.sleep(0)
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        cut = asyncio.get_running_loop().call_later(GRACE, self._cut)
        try:
            async with asyncio.timeout(TASK_GRACE):
                while (state.connections or state.tasks) and not self.force_exit:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            for task in state.tasks:
                task.cancel()
        cut.cancel()
        if not self.force_exit:
            await self.lifespan.shutdown()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, CuttableProtocol):
                connection.abort()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any free one. Raises OSError. Connections wait until the server runs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, because otherwise asyncio doesn't disable Nagle's algorithm, and a response takes 40
    # ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def origin(sock: socket.socket) -> str:
    """Return the URL of a listening socket on this machine."""
    address: tuple[str, int] = sock.getsockname()[:2]
    host, port = address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared with, not bound to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM raise SystemExit within the block, in the main thread: uvicorn catches the signal and resends it."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def serving(server: Server, sock: socket.socket) -> Iterator[None]:
    """Serve in a thread while the block runs."""

    def work() -> None:
        try:
            server.run(sockets=[sock])
        except SystemExit:
            # uvicorn exits this way if the app doesn't start; RuntimeError is raised below.
            pass
        finally:
            server.ready.set()

    thread = threading.Thread(target=work, name="interactor-sandbox", daemon=True)
    thread.start()
    try:
        if not (server.ready.wait(START_TIMEOUT) and server.started):
            raise RuntimeError("the sandbox's server didn't start; see its log for the reason")
        yield
    finally:
        server.stop()
        thread.join()
